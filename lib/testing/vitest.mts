// `setupFiles: ['sconce/testing/vitest']`: the matchers in every test of vitest, and their types.
import { expect } from 'vitest';
import { extend_expect, type TensorMatchers } from './index.js';

declare module 'vitest' {
  // `Matchers` since vitest 3.2; `Assertion` before, and `AsymmetricMatchersContaining` inside of other expected values.
  interface Matchers<T = any> extends TensorMatchers<void> {}
  interface Assertion<T = any> extends TensorMatchers<void> {}
  interface AsymmetricMatchersContaining extends TensorMatchers<any> {}
}

extend_expect(expect);
