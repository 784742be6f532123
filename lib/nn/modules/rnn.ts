import { type Args, bind, required } from '../../args';
import * as ops from '../../ops';
import { float, repr, repr_tuple } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions } from './sizes';

export type LSTMState = [h: Tensor, c: Tensor];

interface LSTMOptions extends FactoryOptions {
  input_size?: number;
  hidden_size?: number;
  num_layers?: number;
  bias?: boolean;
  batch_first?: boolean;
  dropout?: number;
  bidirectional?: boolean;
}

function check_positive(sizes: { input_size: number; hidden_size: number; num_layers?: number }): void {
  for (const [name, size] of Object.entries<number>(sizes)) {
    if (typeof size !== 'number' || !Number.isInteger(size)) {
      throw new TypeError(`${name} should be of type int, got: ${typeof size}`);
    }
    if (size <= 0) throw new Error(`${name} must be greater than zero`);
  }
}

/**
 * Long short-term memory, layer on layer: input `[L, N, input_size]` (with `batch_first` `[N, L, input_size]`, unbatched
 * `[L, input_size]`) and state `[h, c]` to `[output, [h, c]]`.
 */
export class LSTM extends Module {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly batch_first: boolean;
  readonly bidirectional: boolean;
  readonly bias: boolean;
  dropout: number;
  readonly #names: string[] = [];

  constructor(
    ...args: Args<
      [input_size: number, hidden_size: number],
      [num_layers: number, bias: boolean, batch_first: boolean, dropout: number, bidirectional: boolean],
      LSTMOptions
    >
  ) {
    super();
    const p = bind(
      'LSTM.__init__',
      {
        input_size: required<number>(),
        hidden_size: required<number>(),
        num_layers: 1,
        bias: true,
        batch_first: false,
        dropout: 0,
        bidirectional: false,
        ...factory,
      },
      args,
    );
    const { input_size, hidden_size, num_layers, bias, dropout, bidirectional, device, dtype } = p;
    if (typeof dropout !== 'number' || !(dropout >= 0 && dropout <= 1)) {
      throw new Error(
        'dropout should be a number in range [0, 1] representing the probability of an element being zeroed',
      );
    }
    if (dropout > 0 && num_layers === 1) {
      process.emitWarning(
        'dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater ' +
          `than 1, but got dropout=${dropout} and num_layers=${num_layers}`,
      );
    }
    for (const name of ['bias', 'batch_first'] as const) {
      if (typeof p[name] !== 'boolean')
        throw new TypeError(`${name} should be of type bool, got: ${typeof p[name]}`);
    }
    check_positive({ input_size, hidden_size, num_layers });
    this.input_size = input_size;
    this.hidden_size = hidden_size;
    this.num_layers = num_layers;
    this.bias = bias;
    this.batch_first = p.batch_first;
    this.dropout = dropout;
    this.bidirectional = bidirectional;

    const add = (name: string, shape: number[]): void => {
      this.#names.push(name);
      this.register_parameter(name, new Parameter(ops.empty(shape, { device, dtype })));
    };
    const gates = 4 * hidden_size; // input, forget, cell, output
    for (let layer = 0; layer < num_layers; layer++) {
      const layer_input = layer === 0 ? input_size : hidden_size * this.#directions;
      for (const suffix of bidirectional ? ['', '_reverse'] : ['']) {
        add(`weight_ih_l${layer}${suffix}`, [gates, layer_input]);
        add(`weight_hh_l${layer}${suffix}`, [gates, hidden_size]);
        if (!bias) continue;
        add(`bias_ih_l${layer}${suffix}`, [gates]);
        add(`bias_hh_l${layer}${suffix}`, [gates]);
      }
    }
    this.reset_parameters();
  }

  get #directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  reset_parameters(): void {
    const bound = 1 / Math.sqrt(this.hidden_size);
    for (const param of this.parameters()) init.uniform_(param, -bound, bound);
  }

  override forward(input: Tensor, hx: LSTMState | null = null): [output: Tensor, state: LSTMState] {
    const dims = input.dim();
    if (dims !== 2 && dims !== 3)
      throw new Error(`LSTM: Expected input to be 2D or 3D, got ${dims}D instead`);
    const batched = dims === 3;
    const batch_dim = this.batch_first ? 0 : 1;
    const x = batched ? input : input.unsqueeze(batch_dim);
    const state = this.#initial_state(x, hx, batched, batch_dim);
    if (x.shape[2] !== this.input_size) {
      throw new Error(
        `input.size(-1) must be equal to input_size. Expected ${this.input_size}, got ${x.shape[2]}`,
      );
    }
    const members = this as unknown as Record<string, Tensor>;
    const params = this.#names.map((name) => members[name]);
    const [output, h, c] = ops.lstm(
      x,
      state,
      params,
      this.bias,
      this.num_layers,
      this.dropout,
      this.training,
      this.bidirectional,
      this.batch_first,
    );
    return batched ? [output, [h, c]] : [output.squeeze(batch_dim), [h.squeeze(1), c.squeeze(1)]];
  }

  #initial_state(x: Tensor, hx: LSTMState | null, batched: boolean, batch_dim: number): LSTMState {
    const expected = [this.num_layers * this.#directions, x.shape[batch_dim], this.hidden_size];
    if (hx === null) {
      const zeros = ops.zeros(expected, { dtype: x.dtype, device: x.device });
      return [zeros, zeros];
    }
    const [h, c] = hx;
    const wanted = batched ? 3 : 2;
    if (h.dim() !== wanted || c.dim() !== wanted) {
      throw new Error(
        `For ${batched ? 'batched 3-D' : 'unbatched 2-D'} input, hx and cx should also be ${wanted}-D but got ` +
          `(${h.dim()}-D, ${c.dim()}-D) tensors`,
      );
    }
    const state: LSTMState = batched ? [h, c] : [h.unsqueeze(1), c.unsqueeze(1)];
    state.forEach((tensor, i) => {
      if (tensor.shape.join() !== expected.join()) {
        throw new Error(
          `Expected hidden[${i}] size ${repr_tuple(expected)}, got [${tensor.shape.join(', ')}]`,
        );
      }
    });
    return state;
  }

  override extra_repr(): string {
    let text = `${this.input_size}, ${this.hidden_size}`;
    if (this.num_layers !== 1) text += `, num_layers=${this.num_layers}`;
    if (!this.bias) text += ', bias=False';
    if (this.batch_first) text += ', batch_first=True';
    if (this.dropout !== 0) text += `, dropout=${repr(float(this.dropout))}`;
    if (this.bidirectional) text += ', bidirectional=True';
    return text;
  }
}

interface LSTMCellOptions extends FactoryOptions {
  input_size?: number;
  hidden_size?: number;
  bias?: boolean;
}

/** One step of long short-term memory: `[N, input_size]` and `[h, c]` to the next `[h, c]`. */
export class LSTMCell extends Module {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly bias: boolean;
  weight_ih: Parameter; // [4 * hidden_size, input_size]
  weight_hh: Parameter; // [4 * hidden_size, hidden_size]
  bias_ih: Parameter | null; // [4 * hidden_size]
  bias_hh: Parameter | null; // [4 * hidden_size]

  constructor(...args: Args<[input_size: number, hidden_size: number], [bias: boolean], LSTMCellOptions>) {
    super();
    const p = bind(
      'LSTMCell.__init__',
      { input_size: required<number>(), hidden_size: required<number>(), bias: true, ...factory },
      args,
    );
    const { input_size, hidden_size, bias, device, dtype } = p;
    check_positive({ input_size, hidden_size });
    this.input_size = input_size;
    this.hidden_size = hidden_size;
    this.bias = bias;
    const parameter = (...shape: number[]): Parameter => new Parameter(ops.empty(shape, { device, dtype }));
    this.weight_ih = parameter(4 * hidden_size, input_size);
    this.weight_hh = parameter(4 * hidden_size, hidden_size);
    this.bias_ih = bias ? parameter(4 * hidden_size) : null;
    this.bias_hh = bias ? parameter(4 * hidden_size) : null;
    this.reset_parameters();
  }

  reset_parameters(): void {
    const bound = 1 / Math.sqrt(this.hidden_size);
    for (const param of this.parameters()) init.uniform_(param, -bound, bound);
  }

  override forward(input: Tensor, hx: LSTMState | null = null): LSTMState {
    const batched = input.dim() === 2;
    if (!batched && input.dim() !== 1) {
      throw new Error(`LSTMCell: Expected input to be 1D or 2D, got ${input.dim()}D instead`);
    }
    hx?.forEach((tensor, i) => {
      if (tensor.dim() !== 1 && tensor.dim() !== 2) {
        throw new Error(`LSTMCell: Expected hx[${i}] to be 1D or 2D, got ${tensor.dim()}D instead`);
      }
    });
    const x = batched ? input : input.unsqueeze(0);
    const [h, c] = this.#state(x, hx, batched);
    const gates = ops
      .linear(x, this.weight_ih, this.bias_ih)
      .add(ops.linear(h, this.weight_hh, this.bias_hh));
    const [i, f, g, o] = gates.chunk(4, 1) as [Tensor, Tensor, Tensor, Tensor];
    const next_c = f.sigmoid().mul(c).add(i.sigmoid().mul(g.tanh()));
    const next_h = o.sigmoid().mul(next_c.tanh());
    return batched ? [next_h, next_c] : [next_h.squeeze(0), next_c.squeeze(0)];
  }

  #state(x: Tensor, hx: LSTMState | null, batched: boolean): LSTMState {
    if (hx !== null) return batched ? hx : [hx[0].unsqueeze(0), hx[1].unsqueeze(0)];
    const zeros = ops.zeros([x.shape[0], this.hidden_size], { dtype: x.dtype, device: x.device });
    return [zeros, zeros];
  }

  override extra_repr(): string {
    return `${this.input_size}, ${this.hidden_size}${this.bias ? '' : ', bias=False'}`;
  }
}
