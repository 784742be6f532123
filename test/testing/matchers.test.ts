/** The matchers of sconce/testing under jest, which jest.config.js gives every test; and the same as functions. */
import torch, { autograd, type Tensor } from '../../lib';
import {
  assert_dtype,
  assert_gradcheck,
  assert_gradgradcheck,
  assert_shape,
  AssertionError,
  extend_expect,
  matchers,
} from '../../lib/testing';

const leaf = (data: any): Tensor => torch.tensor(data, { dtype: 'float64', requires_grad: true });
const exp = (x: Tensor): Tensor => x.exp();

class WrongExp extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    ctx.save_for_backward(x);
    return x.exp();
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(ctx.saved_tensors[0].exp()).mul(1.5);
  }
}
const wrong = (x: Tensor): Tensor => WrongExp.apply(x) as Tensor;
/** A right first derivative that itself has none. */
class ConstantBackward extends autograd.Function {
  static override forward(ctx: autograd.FunctionCtx, x: Tensor): Tensor {
    ctx.save_for_backward(x);
    return x.pow(3);
  }
  static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
    return g.mul(3).mul(ctx.saved_tensors[0].detach().pow(2));
  }
}
const constant = (x: Tensor): Tensor => ConstantBackward.apply(x) as Tensor;

const message_of = (f: () => void): string => {
  try {
    f();
  } catch (error) {
    return (error as Error).message;
  }
  return 'did not throw';
};

describe('toPassGradcheck', () => {
  test('passes, with one input or several, and with options', () => {
    expect(exp).toPassGradcheck(leaf([1, 2]));
    expect((x: Tensor, y: Tensor) => x.mul(y)).toPassGradcheck([leaf([1, 2]), leaf([3, 4])]);
    expect(wrong).toPassGradcheck([leaf([1, 2])], { rtol: 0.6 });
    expect(wrong).not.toPassGradcheck([leaf([1, 2])]);
  });

  test('fails with gradcheck’s report', () => {
    expect(message_of(() => expect(wrong).toPassGradcheck([leaf([1, 2])]))).toMatch(
      /^expect\(func\)\.toPassGradcheck\(inputs\)\n\nJacobian mismatch for output 0 [^]*operator: WrongExpBackward\n$/,
    );
    expect(message_of(() => expect(exp).not.toPassGradcheck([leaf([1, 2])]))).toBe(
      'expect(func).not.toPassGradcheck(inputs)\n\nThe gradients agree.',
    );
  });

  test('does not hide a mistake in the question, negated or not', () => {
    expect(() => expect(exp).not.toPassGradcheck([torch.ones(2, { requires_grad: true })])).toThrow(
      'is not a double precision floating point',
    );
    expect(() => expect(3).toPassGradcheck([leaf([1])])).toThrow(
      'received value must be a function, but got number',
    );
    // What is to be thrown is the matcher's business.
    expect(() => expect(wrong).toPassGradcheck([leaf([1])], { raise_exception: false })).toThrow(
      'Jacobian mismatch',
    );
  });
});

test('toPassGradgradcheck', () => {
  expect(exp).toPassGradgradcheck([leaf([1, 2])]);
  expect(constant).toPassGradcheck([leaf([1, 2])]);
  expect(constant).not.toPassGradgradcheck([leaf([1, 2])]);
  expect(() => expect(constant).toPassGradgradcheck([leaf([1, 2])])).toThrow(
    'expect(func).toPassGradgradcheck(inputs)\n\nJacobian mismatch for output 0 with respect to input 0',
  );
});

describe('toBeCloseToTensor', () => {
  test('takes tensors, arrays and numbers', () => {
    expect(torch.tensor([1, 2])).toBeCloseToTensor(torch.tensor([1, 2.000001]));
    expect(leaf([[1, 2]])).toBeCloseToTensor([[1, 2]]); // prettier-ignore
    expect(torch.tensor(3, { dtype: 'int64' })).toBeCloseToTensor(3);
    expect(torch.tensor([1, 2])).not.toBeCloseToTensor([1, 2.1]);
    expect(torch.tensor([1, 2])).toBeCloseToTensor([1, 2.1], { rtol: 0, atol: 0.2 });
  });

  test('fails with assert_close’s report', () => {
    expect(message_of(() => expect(torch.tensor([1, 2])).toBeCloseToTensor([1, 2.5]))).toBe(
      'expect(tensor).toBeCloseToTensor(expected)\n\nTensor-likes are not close!\n\nMismatched elements: 1 / 2 (50.0%)\n' +
        'Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)\n' +
        'Greatest relative difference: 0.20000000298023224 at index (1,) (up to 1.3e-06 allowed)',
    );
    expect(() => expect(torch.tensor([1, 2])).not.toBeCloseToTensor([1, 2])).toThrow(
      'The tensors are close.',
    );
    expect(() => expect(torch.ones(2)).toBeCloseToTensor(torch.ones(3))).toThrow(
      "attribute 'shape' do not match",
    );
    expect(() => expect(3).toBeCloseToTensor(3)).toThrow('received value must be a Tensor, but got number');
  });

  test('also inside of other values', () => {
    expect({ loss: torch.tensor([1, 2]), step: 3 }).toEqual({
      loss: (expect as any).toBeCloseToTensor([1, 2.000001]),
      step: 3,
    });
  });
});

test('toHaveShape and toHaveDtype', () => {
  expect(torch.ones(2, 3)).toHaveShape([2, 3]);
  expect(torch.ones([])).toHaveShape([]);
  expect(torch.ones(2, 3)).not.toHaveShape([3, 2]);
  expect(message_of(() => expect(torch.ones(2, 3)).toHaveShape([6]))).toBe(
    'expect(tensor).toHaveShape(shape)\n\nExpected shape: torch.Size([6])\nReceived shape: torch.Size([2, 3])',
  );
  expect(torch.ones(2)).toHaveDtype('float32');
  expect(torch.ones(2)).not.toHaveDtype('int64');
  expect(() => expect(torch.ones(2)).toHaveDtype('int64')).toThrow(
    'Expected dtype: torch.int64\nReceived dtype: torch.float32',
  );
  expect(() => expect(torch.ones(2)).not.toHaveDtype('float32')).toThrow(
    "The tensor's dtype is torch.float32.",
  );
});

test('toEqual compares tensors by value', () => {
  const x = torch.tensor([1, NaN]);
  expect(x).toEqual(torch.tensor([1, NaN]));
  expect({ a: [x] }).toEqual({ a: [torch.tensor([1, NaN])] });
  expect(x).not.toEqual(torch.tensor([1.0000001, NaN]));
  expect(x).not.toEqual(x.double());
  expect(x).not.toEqual(x.reshape(1, 2));
  expect(torch.tensor(1)).toEqual(torch.tensor(1));
  expect(torch.tensor(1)).not.toEqual(torch.tensor(2));
  expect(torch.tensor(1)).not.toEqual(1);
});

describe('as functions', () => {
  test('what holds passes', () => {
    assert_gradcheck(exp, [leaf([1, 2])]);
    assert_gradgradcheck(exp, [leaf([1, 2])], { fast_mode: true });
    assert_shape(torch.ones(2, 3), [2, 3]);
    assert_dtype(torch.ones(2), 'float32');
  });

  test.each<[string, () => void, RegExp]>([
    ['assert_gradcheck', () => assert_gradcheck(wrong, [leaf([1])]), /^Jacobian mismatch for output 0/],
    [
      'assert_gradgradcheck',
      () => assert_gradgradcheck(constant, [leaf([1])]),
      /^Jacobian mismatch for output 0/,
    ],
    [
      'assert_shape',
      () => assert_shape(torch.ones(2, 3), [6]),
      /^Expected shape: torch\.Size\(\[6\]\)\nReceived shape/,
    ],
    [
      'assert_dtype',
      () => assert_dtype(torch.ones(2), 'bool'),
      /^Expected dtype: torch\.bool\nReceived dtype/,
    ],
  ])('%s throws an AssertionError with the report alone', (_, fails, message) => {
    expect(fails).toThrow(AssertionError);
    expect(fails).toThrow(message);
  });
});

test('extend_expect asks for no more than an expect has', () => {
  const extend = jest.fn();
  extend_expect({ extend });
  expect(extend).toHaveBeenCalledWith(matchers);
});
