// `setupFiles: ['sconce/testing/vitest']`: the matchers in every test of vitest, and their types.
import { expect } from 'vitest';
import { extend_expect, type TensorMatchers } from './index.js';

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any, @typescript-eslint/no-empty-object-type -- as vitest declares it
  interface Matchers<T = any> extends TensorMatchers<void> {}
}

extend_expect(expect);
