// The package: `import torch, { nn } from 'sconce'`. The default export is the namespace itself.
import * as torch from './api';

export * from './api';
export default torch;
