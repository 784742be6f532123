// Tensor.type() and PyTorch's legacy type names.
import torch from '../lib/index';

const F = torch.nn.functional;

test.each([
  ['float32', 'torch.FloatTensor', torch.FloatTensor],
  ['float64', 'torch.DoubleTensor', torch.DoubleTensor],
  ['float16', 'torch.HalfTensor', torch.HalfTensor],
  ['bfloat16', 'torch.BFloat16Tensor', torch.BFloat16Tensor],
  ['int64', 'torch.LongTensor', torch.LongTensor],
  ['int32', 'torch.IntTensor', torch.IntTensor],
  ['int16', 'torch.ShortTensor', torch.ShortTensor],
  ['int8', 'torch.CharTensor', torch.CharTensor],
  ['uint8', 'torch.ByteTensor', torch.ByteTensor],
  ['bool', 'torch.BoolTensor', torch.BoolTensor],
] as const)('%s is %s', (dtype, name, constructor) => {
  const x = torch.tensor([0, 1, 2]);
  for (const to of [dtype, name, constructor]) expect(x.type(to).dtype).toBe(dtype);
  expect(x.type(dtype).type()).toBe(name);
});

test('a tensor that has the type already is returned itself, and others are refused', () => {
  const x = torch.zeros(2);
  expect(x.type('float32').data_ptr()).toBe(x.data_ptr());
  expect(() => x.type('torch.FooTensor')).toThrow("invalid type: 'torch.FooTensor'");
  expect(() => x.type(3 as never)).toThrow(new TypeError('dtype must be a type, str, or dtype object'));
  expect(x.type(torch.float64).requires_grad).toBe(false);
  expect(x.requires_grad_().type('float64').grad_fn?.name()).toBe('ToCopyBackward0');
});

test('softmax without a dimension takes PyTorch’s, with its warning', () => {
  const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  for (const [shape, dim] of [
    [[3], 0],
    [[2, 3], 1],
    [[2, 3, 4], 0],
    [[2, 3, 4, 5], 1],
  ] as const) {
    const x = torch.randn([...shape]);
    expect(F.softmax(x).equal(torch.softmax(x, dim))).toBe(true);
    expect(F.log_softmax(x).equal(torch.log_softmax(x, dim))).toBe(true);
  }
  expect(warn).toHaveBeenCalledTimes(8);
  expect(warn.mock.calls[0][0]).toBe(
    'Implicit dimension choice for softmax has been deprecated. Change the call to include dim=X as an argument.',
  );
  warn.mockRestore();
  const x = torch.randn(2, 3);
  expect(F.softmax(x, { dim: 0, dtype: 'float64' }).dtype).toBe('float64');
  expect(() => F.softmax(x, { dims: 0 } as never)).toThrow("unexpected keyword argument 'dims'");
});

test('batch_norm names what it misses in evaluation mode', () => {
  expect(() => F.batch_norm(torch.randn(2, 3), null, null)).toThrow(
    'running_mean must be defined in evaluation mode',
  );
});
