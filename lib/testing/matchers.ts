// What jest's and vitest's `expect.extend` takes, and the same as functions for node:test.
import { gradcheck, gradgradcheck, GradcheckError } from '../autograd/gradcheck';
import type { GradcheckFunc, GradcheckInputs, GradcheckOptions, GradgradcheckOptions } from '../autograd';
import { tensor } from '../creation';
import { dtypeCode, dtypeName, type DType } from '../dtype';
import { repr_size } from '../pyformat';
import { Tensor } from '../tensor';
import type { TensorData } from '../types';
import { assert_close, AssertionError, type AssertCloseOptions } from './assert_close';

/** What a matcher answers to jest and vitest. */
export interface MatcherResult {
  pass: boolean;
  message: () => string;
}

/** What these matchers add to `expect(...)`; `R` is what its methods return. */
export interface TensorMatchers<R = void> {
  /**
   * The function's gradients agree with central differences, for every input that requires one. See `torch.autograd.gradcheck`.
   *
   * @example
   * ```ts
   * expect((x) => x.sin()).toPassGradcheck([torch.randn(3, { dtype: 'float64', requires_grad: true })]);
   * ```
   */
  toPassGradcheck(inputs: GradcheckInputs, options?: GradcheckOptions): R;
  /** The function's second derivatives agree with central differences. See `torch.autograd.gradgradcheck`. */
  toPassGradgradcheck(inputs: GradcheckInputs, options?: GradgradcheckOptions): R;
  /**
   * The tensor is close to another, in shape and dtype too; arrays and numbers stand for tensors of its own dtype. See `assert_close`.
   *
   * @example
   * ```ts
   * expect(torch.tensor([1, 2]).exp()).toBeCloseToTensor([2.718281828, 7.389056099]);
   * ```
   */
  toBeCloseToTensor(expected: Tensor | TensorData, options?: AssertCloseOptions): R;
  /** The tensor has this shape. */
  toHaveShape(shape: readonly number[]): R;
  /** The tensor has this dtype. */
  toHaveDtype(dtype: DType): R;
}

function tensor_of(received: unknown, matcher: string): Tensor {
  if (received instanceof Tensor) return received;
  throw new TypeError(
    `expect(tensor).${matcher}: received value must be a Tensor, but got ${typeof received}`,
  );
}

function checked(matcher: string, run: () => boolean): MatcherResult {
  let failure = '';
  try {
    run();
  } catch (error) {
    // Anything else, such as an input of float32, is no answer but a mistake in the question.
    if (!(error instanceof GradcheckError)) throw error;
    failure = error.message;
  }
  return failure === ''
    ? { pass: true, message: () => `expect(func).not.${matcher}(inputs)\n\nThe gradients agree.` }
    : { pass: false, message: () => `expect(func).${matcher}(inputs)\n\n${failure}` };
}

function function_of(received: unknown, matcher: string): GradcheckFunc {
  if (typeof received === 'function') return received as GradcheckFunc;
  throw new TypeError(
    `expect(func).${matcher}: received value must be a function, but got ${typeof received}`,
  );
}

function compared(matcher: string, what: string, ours: string, theirs: string): MatcherResult {
  const pass = ours === theirs;
  return {
    pass,
    message: () =>
      `expect(tensor).${pass ? 'not.' : ''}${matcher}(${what})\n\n` +
      (pass ? `The tensor's ${what} is ${ours}.` : `Expected ${what}: ${theirs}\nReceived ${what}: ${ours}`),
  };
}

/**
 * Matchers for `expect.extend(matchers)`, in jest and in vitest; `sconce/testing/jest` and `sconce/testing/vitest` do that and declare
 * their types.
 *
 * What they take is said at {@link TensorMatchers}.
 */
export const matchers = {
  toPassGradcheck: (
    func: unknown,
    inputs: GradcheckInputs,
    options: GradcheckOptions = {},
  ): MatcherResult => {
    const f = function_of(func, 'toPassGradcheck');
    return checked('toPassGradcheck', () => gradcheck(f, inputs, { ...options, raise_exception: true }));
  },
  toPassGradgradcheck: (
    func: unknown,
    inputs: GradcheckInputs,
    options: GradgradcheckOptions = {},
  ): MatcherResult => {
    const f = function_of(func, 'toPassGradgradcheck');
    return checked('toPassGradgradcheck', () =>
      gradgradcheck(f, inputs, { ...options, raise_exception: true }),
    );
  },
  toBeCloseToTensor: (
    received: unknown,
    expected: Tensor | TensorData,
    options: AssertCloseOptions = {},
  ): MatcherResult => {
    const actual = tensor_of(received, 'toBeCloseToTensor');
    const other =
      expected instanceof Tensor
        ? expected
        : tensor(expected, { dtype: actual.dtype, device: actual.device });
    let report = '';
    try {
      assert_close(actual, other, options);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      report = error.message;
    }
    return report === ''
      ? {
          pass: true,
          message: () => 'expect(tensor).not.toBeCloseToTensor(expected)\n\nThe tensors are close.',
        }
      : { pass: false, message: () => `expect(tensor).toBeCloseToTensor(expected)\n\n${report}` };
  },
  toHaveShape: (received: unknown, shape: readonly number[]): MatcherResult => {
    const ours = tensor_of(received, 'toHaveShape').shape;
    return compared('toHaveShape', 'shape', repr_size(ours), repr_size(shape));
  },
  toHaveDtype: (received: unknown, dtype: DType): MatcherResult => {
    const ours = tensor_of(received, 'toHaveDtype').dtype;
    return compared('toHaveDtype', 'dtype', `torch.${ours}`, `torch.${dtypeName(dtypeCode(dtype))}`);
  },
};

/**
 * Testers for `expect.addEqualityTesters`: `toEqual` then compares tensors by value (dtype, shape and every element, NaN equal to NaN).
 * Without them it sees only opaque handles, any two of which are equal to it.
 */
export const equality_testers: ((a: unknown, b: unknown) => boolean | undefined)[] = [
  (a, b) => {
    if (!(a instanceof Tensor || b instanceof Tensor)) return undefined;
    if (!(a instanceof Tensor && b instanceof Tensor)) return false;
    try {
      assert_close(a, b, { rtol: 0, atol: 0, equal_nan: true });
      return true;
    } catch (error) {
      if (error instanceof AssertionError) return false;
      throw error;
    }
  },
];

/** The part of jest's and vitest's `expect` that is needed here. */
interface Extensible {
  extend(added: typeof matchers): void;
  addEqualityTesters?(testers: typeof equality_testers): void;
}

/** Gives an `expect` of jest or vitest the {@link matchers} and, where it knows of such, the {@link equality_testers}. */
export function extend_expect(expect: Extensible): void {
  expect.extend(matchers);
  expect.addEqualityTesters?.(equality_testers);
}

const asserting =
  <A extends unknown[]>(matcher: (...args: A) => MatcherResult) =>
  (...args: A): void => {
    const { pass, message } = matcher(...args);
    // Without the first lines, which name jest's way of asking.
    if (!pass) throw new AssertionError(message().replace(/^.*\n\n/, ''));
  };

/** Throws an AssertionError unless `gradcheck(func, inputs, options)` passes: for node:test and whoever has no `expect`. */
export const assert_gradcheck: (
  func: GradcheckFunc,
  inputs: GradcheckInputs,
  options?: GradcheckOptions,
) => void = asserting(matchers.toPassGradcheck);
/** Throws an AssertionError unless `gradgradcheck(func, inputs, options)` passes. */
export const assert_gradgradcheck: (
  func: GradcheckFunc,
  inputs: GradcheckInputs,
  options?: GradgradcheckOptions,
) => void = asserting(matchers.toPassGradgradcheck);
/** Throws an AssertionError unless the tensor has this shape. */
export const assert_shape: (tensor: Tensor, shape: readonly number[]) => void = asserting(
  matchers.toHaveShape,
);
/** Throws an AssertionError unless the tensor has this dtype. */
export const assert_dtype: (tensor: Tensor, dtype: DType) => void = asserting(matchers.toHaveDtype);
