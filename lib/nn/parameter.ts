import { guard } from '../errors';
import { native } from '../native';
import { Tensor } from '../tensor';

function checked(data: unknown, name: string): Tensor {
  if (data instanceof Tensor) return data;
  throw new TypeError(`${name}() takes a Tensor, but got ${data === null ? 'null' : typeof data}`);
}

/**
 * A tensor that a module counts among its parameters when it is set as a field. It shares `data`'s memory, but has no part
 * in its history.
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, requires_grad: boolean | { requires_grad?: boolean } = true) {
    super(native.detach(checked(data, 'Parameter')._h));
    const wanted = typeof requires_grad === 'boolean' ? requires_grad : (requires_grad.requires_grad ?? true);
    if (wanted) guard(() => native.set_requires_grad(this._h, true));
  }

  /** @internal */
  override get _is_parameter(): boolean {
    return true;
  }
}

/** A tensor that a module counts among its buffers when it is set as a field. */
export class Buffer extends Tensor {
  readonly #persistent: boolean;

  constructor(data: Tensor, persistent: boolean | { persistent?: boolean } = true) {
    super(native.detach(checked(data, 'Buffer')._h));
    this.#persistent = typeof persistent === 'boolean' ? persistent : (persistent.persistent ?? true);
  }

  get persistent(): boolean {
    return this.#persistent;
  }
}

/** Drops or zeroes a gradient, as `zero_grad` of modules and optimizers does. */
export function reset_grad(param: Tensor, set_to_none: boolean): void {
  const grad = param.grad;
  if (grad === null) return;
  if (set_to_none) {
    param.grad = null;
    return;
  }
  if (grad.grad_fn !== null) grad.detach_();
  else grad.requires_grad_(false);
  grad.zero_();
}
