import { type Args, bind, required } from '../../args';
import { no_grad } from '../../autograd';
import * as ops from '../../ops';
import { float, repr } from '../../pyformat';
import type { Tensor } from '../../tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { factory, type FactoryOptions } from './sizes';

interface EmbeddingOptions extends FactoryOptions {
  num_embeddings?: number;
  embedding_dim?: number;
  padding_idx?: number | null;
  max_norm?: number | null;
  norm_type?: number;
  scale_grad_by_freq?: boolean;
  _weight?: Tensor | null;
  _freeze?: boolean;
}

/** A table of `num_embeddings` vectors, looked up by index: `[*]` to `[*, embedding_dim]`. */
export class Embedding extends Module {
  readonly num_embeddings: number;
  readonly embedding_dim: number;
  readonly padding_idx: number | null;
  readonly max_norm: number | null;
  readonly norm_type: number;
  readonly scale_grad_by_freq: boolean;
  weight: Parameter; // [num_embeddings, embedding_dim]

  constructor(
    ...args: Args<
      [num_embeddings: number, embedding_dim: number],
      [padding_idx: number | null, max_norm: number | null, norm_type: number, scale_grad_by_freq: boolean],
      EmbeddingOptions
    >
  ) {
    super();
    const p = bind(
      'Embedding.__init__',
      {
        num_embeddings: required<number>(),
        embedding_dim: required<number>(),
        padding_idx: null as number | null,
        max_norm: null as number | null,
        norm_type: 2,
        scale_grad_by_freq: false,
        _weight: null as Tensor | null,
        _freeze: false,
        ...factory,
      },
      args,
    );
    const { num_embeddings, embedding_dim, padding_idx, device, dtype } = p;
    if (padding_idx !== null && (padding_idx >= num_embeddings || padding_idx < -num_embeddings)) {
      throw new Error('Padding_idx must be within num_embeddings');
    }
    this.num_embeddings = num_embeddings;
    this.embedding_dim = embedding_dim;
    this.padding_idx = padding_idx !== null && padding_idx < 0 ? num_embeddings + padding_idx : padding_idx;
    this.max_norm = p.max_norm;
    this.norm_type = p.norm_type;
    this.scale_grad_by_freq = p.scale_grad_by_freq;
    if (p._weight === null) {
      this.weight = new Parameter(ops.empty([num_embeddings, embedding_dim], { device, dtype }), !p._freeze);
      this.reset_parameters();
    } else {
      if (p._weight.shape[0] !== num_embeddings || p._weight.shape[1] !== embedding_dim) {
        throw new Error('Shape of weight does not match num_embeddings and embedding_dim');
      }
      this.weight = new Parameter(p._weight, !p._freeze);
    }
  }

  /** An embedding with the given `[num_embeddings, embedding_dim]` table, frozen unless told otherwise. */
  static from_pretrained(
    embeddings: Tensor,
    ...rest: Args<
      [],
      [freeze: boolean, padding_idx: number | null],
      { freeze?: boolean; padding_idx?: number | null }
    >
  ): Embedding {
    const { freeze, padding_idx } = bind(
      'from_pretrained',
      { freeze: true, padding_idx: null as number | null },
      rest,
    );
    if (embeddings.dim() !== 2) throw new Error('Embeddings parameter is expected to be 2-dimensional');
    const [rows, columns] = embeddings.shape as [number, number];
    return new Embedding(rows, columns, { _weight: embeddings, _freeze: freeze, padding_idx });
  }

  reset_parameters(): void {
    init.normal_(this.weight);
    const padding = this.padding_idx;
    if (padding !== null) no_grad(() => this.weight.select(0, padding).fill_(0));
  }

  override forward(input: Tensor): Tensor {
    return ops.embedding(input, this.weight, {
      padding_idx: this.padding_idx,
      max_norm: this.max_norm,
      norm_type: this.norm_type,
      scale_grad_by_freq: this.scale_grad_by_freq,
    });
  }

  override extra_repr(): string {
    let text = `${this.num_embeddings}, ${this.embedding_dim}`;
    if (this.padding_idx !== null) text += `, padding_idx=${this.padding_idx}`;
    if (this.max_norm !== null) text += `, max_norm=${repr(float(this.max_norm))}`;
    if (this.norm_type !== 2) text += `, norm_type=${repr(float(this.norm_type))}`;
    if (this.scale_grad_by_freq) text += `, scale_grad_by_freq=${repr(this.scale_grad_by_freq)}`;
    return text;
  }
}
