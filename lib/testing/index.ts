/**
 * `sconce/testing` and `torch.testing`.
 *
 * See https://docs.pytorch.org/docs/stable/testing.html
 */
export { assert_close, AssertionError, type AssertCloseOptions } from './assert_close';
export { make_tensor, type MakeTensorOptions } from './make_tensor';
export {
  assert_dtype,
  assert_gradcheck,
  assert_gradgradcheck,
  assert_shape,
  equality_testers,
  extend_expect,
  matchers,
  type MatcherResult,
  type TensorMatchers,
} from './matchers';
