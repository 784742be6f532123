// The tensor that a function under `vmap` sees: one sample's shape, all samples' values.
import type { DType, TypedArray } from '../dtype';
import type { Device } from '../device';
import type { GradFn } from '../autograd/node';
import type { Handle } from '../native';
import { at, Tensor, type RemovableHandle } from '../tensor';
import type { VmapLevel } from './levels';

const NO_ITEM =
  "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please try to " +
  "rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch internals, please file a bug report.";
const NO_STORAGE = "Cannot access data pointer of Tensor that doesn't have storage";

const without = (list: readonly number[], dim: number): number[] => list.filter((_, i) => i !== dim);

/**
 * A tensor with one dimension hidden: `value` holds all samples, along its dimension `bdim`. It has no native handle; operators on it are
 * carried out on `value` by the batching rules (lib/func/rules). Nested `vmap`s hold batched tensors in batched tensors, the innermost
 * `vmap`'s outside.
 */
export class BatchedTensor extends Tensor {
  value: Tensor;
  bdim: number;
  readonly level: VmapLevel;

  constructor(value: Tensor, bdim: number, level: VmapLevel) {
    super(undefined as unknown as Handle);
    this.value = value;
    this.bdim = bdim;
    this.level = level;
  }

  /** @internal Takes another tensor's place, as the in-place forms that change the shape do. */
  _become(other: BatchedTensor): void {
    this.value = other.value;
    this.bdim = other.bdim;
  }

  // ---- geometry ----
  override get shape(): number[] {
    return without(this.value.shape, this.bdim);
  }
  override size(): number[];
  override size(dim: number): number;
  override size(dim?: number): number | number[] {
    return dim === undefined ? this.shape : at(this.shape, dim);
  }
  override stride(): number[];
  override stride(dim: number): number;
  override stride(dim?: number): number | number[] {
    const strides = without(this.value.stride(), this.bdim);
    return dim === undefined ? strides : at(strides, dim);
  }
  override dim(): number {
    return this.value.dim() - 1;
  }
  override get ndim(): number {
    return this.dim();
  }
  override ndimension(): number {
    return this.dim();
  }
  override numel(): number {
    return this.shape.reduce((n, size) => n * size, 1);
  }
  override nelement(): number {
    return this.numel();
  }
  override storage_offset(): number {
    return this.value.storage_offset();
  }
  override element_size(): number {
    return this.value.element_size();
  }
  override data_ptr(): number {
    throw new Error(NO_STORAGE);
  }
  override is_contiguous(options: { memory_format?: 'contiguous_format' | 'channels_last' } = {}): boolean {
    return this.value.movedim(this.bdim, 0).select(0, 0).is_contiguous(options);
  }

  // ---- type and place ----
  override get dtype(): DType {
    return this.value.dtype;
  }
  override get device(): Device {
    return this.value.device;
  }
  override get is_cuda(): boolean {
    return this.value.is_cuda;
  }
  override get is_cpu(): boolean {
    return this.value.is_cpu;
  }
  override is_floating_point(): boolean {
    return this.value.is_floating_point();
  }
  override is_signed(): boolean {
    return this.value.is_signed();
  }

  // ---- autograd: the samples are independent, so that all of them have one graph, that of `value` ----
  override get requires_grad(): boolean {
    return this.value.requires_grad;
  }
  override set requires_grad(v: boolean) {
    this.requires_grad_(v);
  }
  override get is_leaf(): boolean {
    return this.value.is_leaf;
  }
  override get grad(): Tensor | null {
    return null;
  }
  override get grad_fn(): GradFn | null {
    return this.value.grad_fn;
  }
  override get output_nr(): number {
    return this.value.output_nr;
  }
  override get _version(): number {
    return this.value._version;
  }
  override get _base(): Tensor | null {
    return null;
  }
  override _is_view(): boolean {
    return false;
  }
  override is_inference(): boolean {
    return this.value.is_inference();
  }
  override get retains_grad(): boolean {
    return this.value.retains_grad;
  }
  override retain_grad(): void {
    this.value.retain_grad();
  }
  override detach(): Tensor {
    return new BatchedTensor(this.value.detach(), this.bdim, this.level);
  }
  override detach_(): this {
    this.value.detach_();
    return this;
  }
  override get data(): Tensor {
    throw new Error('accessing `data` under vmap transform is not allowed');
  }
  override register_hook(hook: (grad: Tensor) => Tensor | null | undefined | void): RemovableHandle {
    return this.value.register_hook((g) => {
      const r = hook(new BatchedTensor(g, this.bdim, this.level));
      return r instanceof BatchedTensor && r.level === this.level ? r.value.movedim(r.bdim, this.bdim) : r;
    });
  }

  // ---- values: each sample has its own, so there is none to show ----
  override item(): number {
    throw new Error(NO_ITEM);
  }
  override tolist(): never {
    throw new Error(NO_STORAGE);
  }
  override to_typed_array(): TypedArray {
    throw new Error(NO_STORAGE);
  }
  override _array(): TypedArray {
    throw new Error(NO_STORAGE);
  }
  override dispose(): void {
    this.value.dispose();
  }
  override toString(): string {
    const value = this.value.toString().replace(/^(?=.)/gm, '    ');
    return `BatchedTensor(lvl=${this.level.number}, bdim=${this.bdim}, value=\n${value}\n)`;
  }
}

/** The batched tensor of this level, or null. */
export const at_level = (t: unknown, level: VmapLevel): BatchedTensor | null =>
  t instanceof BatchedTensor && t.level === level ? t : null;
