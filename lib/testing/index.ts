/**
 * `sconce/testing` and `torch.testing`.
 *
 * See https://docs.pytorch.org/docs/stable/testing.html
 */
export { assert_close, AssertionError, type AssertCloseOptions } from './assert_close';
export { make_tensor, type MakeTensorOptions } from './make_tensor';
