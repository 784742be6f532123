/** `torch.nn.modules` */

export * as module from './global_hooks';
export { Module } from './module';
export * from './modules';
