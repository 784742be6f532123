// torch.device.
import { rethrow } from './errors';
import { native } from './native';

/** A device: `'cpu'`, `'cuda:0'`, ... with its parts. Prints as PyTorch's `torch.device`. */
export class Device {
  private constructor(
    private readonly text: string,
    readonly type: string,
    readonly index: number | null,
  ) {}

  private static readonly known = new Map<string, Device>();

  /** The one object of a normal name such as `cuda:0`. */
  static of(name: string): Device {
    let d = Device.known.get(name);
    if (!d) {
      const [type, index] = name.split(':');
      d = new Device(name, type, index === undefined ? null : Number(index));
      Device.known.set(name, d);
    }
    return d;
  }
  toString(): string {
    return this.text;
  }
  toJSON(): string {
    return this.text;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.index === null
      ? `device(type='${this.type}')`
      : `device(type='${this.type}', index=${this.index})`;
  }
}

/** `torch.device('cuda:1')` or `torch.device('cuda', 1)`. Throws PyTorch's text for an unknown type. */
export function device(type: string | Device, index?: number): Device {
  const text = index === undefined ? String(type) : `${String(type)}:${index}`;
  try {
    native.normal_device(text);
  } catch (e) {
    rethrow(e);
  }
  return Device.of(text);
}
