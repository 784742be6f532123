/** `torch.nn` */

export * as functional from './functional';
export { RemovableHandle } from './hooks';
export * as init from './init';
export { Module } from './module';
export * from './modules';
export * as modules from './modules_namespace';
export { Buffer, Parameter } from './parameter';
export type { IncompatibleKeys, StateDict } from './state_dict';
export * as utils from './utils';
