/** `torch.optim` */

export { Adam, AdamW, type AdamOptions, type AdamWOptions } from './adam';
export * as lr_scheduler from './lr_scheduler';
export { Optimizer, type OptimizerStateDict, type ParamGroup, type Params } from './optimizer';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export { SGD, type SGDOptions } from './sgd';
