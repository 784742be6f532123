// Loads the native addon: a prebuilt binary or a local build, whichever node-gyp-build finds.
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import load from 'node-gyp-build';

/** An opaque reference to a native tensor. */
export type Handle = { readonly __tensor: unique symbol };
/** An opaque reference to a node of the autograd graph. */
export type NodeHandle = { readonly __node: unique symbol };
/** An opaque reference to what a custom function saved. */
export type SavedHandle = { readonly __saved: unique symbol };
/** An opaque reference to native calls that wait to run off the JavaScript thread. */
export type JobHandle = { readonly __job: unique symbol };
/** An opaque reference to a hook in the graph. */
export type HookHandle = { readonly __hook: unique symbol };
/** Where a gradient comes from or goes to: a tensor, or an output of a node. */
export type EndHandle = Handle | [NodeHandle, number];
/** A number of nodes, and the bytes of what they keep for backward. */
export interface NodeCount {
  nodes: number;
  saved_bytes: number;
}
/** An opaque reference to a random generator. */
export type GeneratorHandle = { readonly __generator: unique symbol };

export type NativeFunction = (...args: unknown[]) => unknown;
export interface RegistryRow {
  key: string;
  signature: string;
  flags: number;
  doc: string;
}

export interface Native {
  op(key: string, inPlace?: boolean): NativeFunction | undefined;
  registry(): RegistryRow[];

  shape(t: Handle): number[];
  stride(t: Handle): number[];
  numel(t: Handle): number;
  dim(t: Handle): number;
  dtype(t: Handle): number;
  device(t: Handle): string;
  storage_offset(t: Handle): number;
  data_ptr(t: Handle): number;
  impl_id(t: Handle): number;
  storage_bytes(t: Handle): number;
  requires_grad(t: Handle): boolean;
  is_leaf(t: Handle): boolean;
  is_inference(t: Handle): boolean;
  grad(t: Handle): Handle | null;
  grad_fn(t: Handle): NodeHandle | null;
  output_nr(t: Handle): number;
  version(t: Handle): number;
  base(t: Handle): Handle | null;
  detach(t: Handle): Handle;
  data(t: Handle): Handle;
  retains_grad(t: Handle): boolean;
  is_contiguous(t: Handle, format?: number): boolean;
  set_requires_grad(t: Handle, v: boolean, assigned?: boolean): void;
  set_grad(t: Handle, g: Handle | null): void;
  set_data(t: Handle, v: Handle): void;
  detach_(t: Handle): void;
  retain_grad(t: Handle): void;
  dispose(t: Handle): void;

  from_bytes(a: ArrayBufferView, dtype: number, shape: number[]): Handle;
  share_bytes(a: ArrayBufferView, dtype: number, shape: number[]): Handle;
  read_into(t: Handle, a: ArrayBufferView): void;
  raw_bytes_into(t: Handle, a: Uint8Array): void;
  item(t: Handle): number | bigint | boolean;
  edges(t: Handle, keep: number): Handle;

  backward(
    roots: EndHandle[],
    grads: (Handle | null)[],
    inputs: EndHandle[],
    retainGraph: boolean,
    createGraph: boolean,
  ): void;
  grad_of(
    outputs: EndHandle[],
    grads: (Handle | null)[],
    inputs: EndHandle[],
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): (Handle | null)[];
  set_grad_enabled(v: boolean): boolean;
  is_grad_enabled(): boolean;
  set_inference_mode(v: boolean): boolean;
  is_inference_mode_enabled(): boolean;
  set_pack_hook(
    fn: ((t: Handle) => () => Handle) | null,
    needs: SavedHandle | null,
    beforeWrite: ((t: Handle) => void) | null,
  ): void;
  register_hook(t: Handle, fn: (g: Handle | null) => Handle | null, name: string): HookHandle;
  register_post_accumulate_grad_hook(t: Handle, fn: (t: Handle) => void): HookHandle;
  remove_hook(hook: HookHandle): void;
  node_register_hook(
    n: NodeHandle,
    fn: (gradInputs: (Handle | null)[], gradOutputs: (Handle | null)[]) => (Handle | null)[] | null,
    name: string,
  ): HookHandle;
  node_register_prehook(
    n: NodeHandle,
    fn: (gradOutputs: (Handle | null)[]) => (Handle | null)[] | null,
    name: string,
  ): HookHandle;
  node_name(n: NodeHandle): string;
  node_next(n: NodeHandle): [NodeHandle | null, number][];
  node_variable(n: NodeHandle): Handle | null;
  node_saved(n: NodeHandle): Handle[];
  node_id(n: NodeHandle): number;
  node_sequence_nr(n: NodeHandle): number | bigint;
  node_outputs(n: NodeHandle): [shape: number[], dtype: number, device: string][];
  node_metadata(n: NodeHandle, fresh: Record<string, unknown>): Record<string, unknown>;
  node_trace(n: NodeHandle): [trace: object | null, parent: NodeHandle | null];
  tensor_edge(t: Handle): [NodeHandle, number] | null;
  increment_version(t: Handle): void;
  version_counter(t: Handle): number;
  current_pass(): number;
  pass_runs(id: number): boolean;
  pass_reaches(n: NodeHandle): boolean;
  graph_statistics(): NodeCount & {
    by_name: Record<string, NodeCount>;
    graphs: number;
    largest: (NodeCount & { last: NodeHandle }) | null;
  };
  set_tracer(
    record: () => Error,
    text: (trace: Error) => string,
    report: (nodes: [name: string, trace: Error | null][]) => void,
  ): void;
  set_anomaly_mode(enabled: boolean, checkNan: boolean): void;
  custom_node(
    name: string,
    inputs: Handle[],
    fn: (grads: (Handle | null)[]) => (Handle | null)[],
  ): NodeHandle;
  /** The node's next output; `kind`: 0 takes no part in the graph, 1 does, 2 is one of several views, 3 an input written in place. */
  custom_output(n: NodeHandle, t: Handle | null, kind: number): void;
  mark_in_place(t: Handle): void;
  save_tensors(n: NodeHandle | null, tensors: (Handle | null)[], outputs: number[]): SavedHandle;
  unpack_saved(s: SavedHandle): (Handle | null)[];
  let_go_saved(s: SavedHandle): void;
  graph_task(): number;
  whole_graph(): boolean;
  live_nodes(): number;

  enter_dual_level(): number;
  exit_dual_level(level: number): void;
  visible_dual_levels(): bigint;
  set_visible_dual_levels(levels: bigint): bigint;
  make_dual(primal: Handle, tangent: Handle, level: number): Handle;
  unpack_dual(dual: Handle, level: number): [Handle, Handle | null];
  tangent_of(t: Handle, level: number): Handle | null;
  set_tangent(t: Handle, level: number, tangent: Handle | null): void;
  carries_tangent(t: Handle): boolean;
  profiler_start(recordShapes: boolean, memory: boolean, stack: (() => number) | null): void;
  profiler_stop(): unknown;
  profiler_begin(name: string): number | null;
  profiler_end(token: number, isAsync: boolean): void;

  new_generator(): GeneratorHandle;
  manual_seed(seed: number | bigint, g?: GeneratorHandle | null): void;
  initial_seed(g?: GeneratorHandle | null): bigint;
  seed(g?: GeneratorHandle | null): bigint;
  get_rng_state(g?: GeneratorHandle | null): Handle;
  set_rng_state(state: Handle, g?: GeneratorHandle | null): void;

  capture_begin(placeholder: Handle, many: boolean, keep: unknown): void;
  capture_end(): JobHandle | null;
  job_returns(job: JobHandle): string;
  job_start(
    job: JobHandle,
    enter: (answer: () => void) => void,
    settle: (status: number, value: unknown) => void,
  ): void;
  job_cancel(job: JobHandle): void;
  readonly not_one: string;

  get_num_threads(): number;
  set_num_threads(n: number): void;
  get_default_dtype(): number;
  set_default_dtype(code: number): void;
  memory_stats(device: string): Record<string, number>;
  reset_peak_memory_stats(device: string): void;
  empty_cache(device: string): void;
  synchronize(device: string): void;
  set_young_collection(f: () => void): void;
  has_young_collection(): boolean;
  step_ended(): void;
  checkpoint_ended(): void;
  cuda_unavailable_reason(): string | null;
  cuda_device_count(): number;
  device_label(device: string): string;
  normal_device(device: string): string;
  promote_types(a: number, b: number): number;
  result_type(a: unknown, b: unknown): number;
}

/**
 * libgomp's threads spin for many milliseconds after each parallel loop, which costs a machine that has other work to do
 * far more than it gains. A millisecond bridges the gap to the next operator. The library reads the variable
 * when it is loaded; children of this process shall not inherit it.
 */
function withShortSpins<T>(f: () => T): T {
  const { env } = process;
  if (env.GOMP_SPINCOUNT !== undefined || env.OMP_WAIT_POLICY !== undefined) return f();
  env.GOMP_SPINCOUNT = '20000';
  try {
    return f();
  } finally {
    delete env.GOMP_SPINCOUNT;
  }
}

function loadAddon(): Native {
  const root = join(__dirname, __dirname.endsWith('cjs') ? '../..' : '..');
  try {
    return withShortSpins(() => load(root) as Native);
  } catch (error) {
    const platform = `${process.platform}-${process.env.npm_config_arch ?? process.arch}`;
    throw new Error(
      `sconce: no native binary for ${platform} could be loaded: ${(error as Error).message.split('\n')[0]}\n` +
        'Build one with `npx sconce-build`; it needs CMake 3.20 or later and a C++17 compiler.',
      { cause: error },
    );
  }
}

export const native = loadAddon();

/**
 * Lends V8's collection of the young generation to the native layer, which asks for it when dropped tensors hold much
 * memory (Note [Young collections] in binding/collector.h). V8 hands its `gc` function only to contexts made while the
 * flag is set; the flag does not outlive this call, and no global of the program changes. Without the function the native
 * layer relies on the memory that it reports.
 */
function lendYoungCollection(): void {
  if (native.has_young_collection()) return;
  const exposed = typeof globalThis.gc === 'function';
  if (!exposed) setFlagsFromString('--expose-gc');
  try {
    const young: unknown = runInNewContext(
      "typeof gc === 'function' ? gc.bind(undefined, { type: 'minor' }) : undefined",
    );
    if (typeof young === 'function') native.set_young_collection(young as () => void);
  } finally {
    if (!exposed) setFlagsFromString('--no-expose-gc');
  }
}
lendYoungCollection();
