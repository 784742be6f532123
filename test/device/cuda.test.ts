// torch.cuda where there is no GPU: it says why, and nothing pretends.
import torch from '../../lib';

const reason = torch.cuda.unavailable_reason();

test('is_available and device_count agree with the reason', () => {
  expect(torch.cuda.is_available()).toBe(reason === null);
  expect(torch.cuda.device_count() > 0).toBe(reason === null);
});

(reason === null ? describe.skip : describe)('without a usable GPU', () => {
  test('the reason is a sentence that names what is missing', () => {
    expect(reason).toMatch(/^(no NVIDIA driver: |CUDA plug-in not |no usable CUDA device: )./);
  });

  test('every way to a CUDA device throws the reason', () => {
    const expected = `CUDA is not available: ${String(reason)}`;
    expect(() => torch.zeros(1, { device: 'cuda' })).toThrow(expected);
    expect(() => torch.zeros(1).to('cuda:0')).toThrow(expected);
    expect(() => torch.zeros(1).cuda()).toThrow(expected);
  });

  test('a refused transfer leaves the tensor as it was', () => {
    const x = torch.tensor([1, 2]);
    expect(() => x.cuda()).toThrow('CUDA is not available');
    expect(x.device.toString()).toBe('cpu');
    expect(x.add(1).tolist()).toEqual([2, 3]);
  });
});

(reason === null ? describe : describe.skip)('with a GPU', () => {
  test('computes there', () => {
    const x = torch.arange(1000).to('cuda');
    expect(x.device.toString()).toBe('cuda:0');
    expect(x.sum().item()).toBe(499500);
    torch.cuda.synchronize();
  });
});
