// torch.autograd.
export { backward, grad, type BackwardAllOptions, type GradOptions } from './gradient';
export { backward_async, grad_async } from './async';
export { Function, FunctionCtx, once_differentiable } from './function';
export * as function from './function_module';
export {
  gradcheck,
  gradgradcheck,
  GradcheckError,
  type GradcheckFunc,
  type GradcheckInputs,
  type GradcheckOptions,
  type GradgradcheckOptions,
} from './gradcheck';
export * as functional from './functional';
export * as forward_ad from './forward_ad';
export * as graph from './graph';
export { GradFn } from './node';
export * as profiler from '../profiler/autograd';
export {
  enable_grad,
  inference_mode,
  is_grad_enabled,
  is_inference_mode_enabled,
  no_grad,
  set_grad_enabled,
  type ModeFunction,
  type ModeScope,
} from './modes';
export {
  detect_anomaly,
  is_anomaly_check_nan_enabled,
  is_anomaly_enabled,
  set_detect_anomaly,
  type DetectAnomalyOptions,
} from './anomaly_mode';
export { Variable } from '../legacy';
