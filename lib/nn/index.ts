/** `torch.nn` */

export * as functional from './functional';
export { RemovableHandle } from './hooks';
export * as init from './init';
export { type IncompatibleKeys, Module, type StateDict } from './module';
export * from './modules';
export { Buffer, Parameter } from './parameter';
export * as utils from './utils';
