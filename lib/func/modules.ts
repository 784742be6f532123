// Modules as functions of their parameters: functional_call, stack_module_state.
import { bind, is_plain_object } from '../args';
import { Module } from '../nn/module';
import { BatchNorm } from '../nn/modules/batchnorm';
import * as ops from '../ops';
import { repr_string } from '../pyformat';
import { Tensor } from '../tensor';
import { type_name } from './tree';

/** Tensors by the names that `named_parameters()` and `named_buffers()` give. */
export type NamedTensors = Record<string, Tensor>;

export interface FunctionalCallOptions {
  /** Whether a tensor given for one of several tied names stands for all of them. */
  tie_weights?: boolean;
  /** Throw unless exactly the module's parameters and buffers are given. */
  strict?: boolean;
}

/** One dictionary of the given ones. */
function merged(given: unknown): NamedTensors {
  if (is_plain_object(given)) return given as NamedTensors;
  if (!Array.isArray(given)) {
    throw new Error(
      `Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got ${type_name(given)}`,
    );
  }
  if (!given.every(is_plain_object)) {
    throw new Error('Expected all elements of parameter_and_buffer_dicts to be dictionaries');
  }
  const names = given.flatMap((d) => Object.keys(d));
  const repeated = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  if (repeated.length > 0) {
    throw new Error(
      `[${repeated.map(repr_string).join(', ')}] appeared in multiple dictionaries; behavior of functional call is ambiguous`,
    );
  }
  return Object.assign({}, ...given) as NamedTensors;
}

const members = (module: Module): [string, Tensor][] => [
  ...module.named_parameters({ remove_duplicate: false }),
  ...module.named_buffers({ remove_duplicate: false }),
];

/** The given tensors, also under the other names of what they stand for. */
function untied(module: Module, given: NamedTensors): NamedTensors {
  const names = new Map<Tensor, string[]>();
  for (const [name, tensor] of members(module)) names.set(tensor, [...(names.get(tensor) ?? []), name]);
  const all = { ...given };
  for (const tied of names.values()) {
    const listed = tied.filter((name) => name in given);
    if (tied.length < 2 || listed.length === 0) continue;
    if (new Set(listed.map((name) => given[name])).size > 1) {
      throw new Error(
        `functional_call got multiple values for keys [${[...tied].sort().map(repr_string).join(', ')}], which are tied. ` +
          'Consider using tie_weights=False',
      );
    }
    for (const name of tied) all[name] = given[listed[0]];
  }
  return all;
}

function check_keys(module: Module, given: NamedTensors): void {
  const valid = members(module).map(([name]) => name);
  const listed = (names: string[]): string => names.sort().map(repr_string).join(', ');
  const unexpected = Object.keys(given).filter((name) => !valid.includes(name));
  const missing = [...new Set(valid)].filter((name) => !(name in given));
  const problems = [
    ...(unexpected.length > 0 ? [`Unexpected key(s): ${listed(unexpected)}.`] : []),
    ...(missing.length > 0 ? [`Missing key(s): ${listed(missing)}.`] : []),
  ];
  if (problems.length === 0) return;
  throw new Error(`Error(s) in reparametrizing for ${module._get_name()}:\n\t${problems.join('\n\t')}`);
}

/** Where a name's tensor is a field. */
function place(module: Module, name: string): { owner: Record<string, unknown>; field: string } {
  const dot = name.lastIndexOf('.');
  const owner: unknown = module.get_submodule(dot < 0 ? '' : name.slice(0, dot));
  return { owner: owner as Record<string, unknown>, field: name.slice(dot + 1) };
}

/**
 * Calls `module` with these tensors in the places of its own parameters and buffers; what is not given stays as it is.
 *
 * `parameter_and_buffer_dicts` is one object of tensors by name or an array of such; `args` is an array of arguments, or a single one;
 * `kwargs`, an object, is passed after them. Makes a module a function to differentiate or to `vmap` over. A buffer that the module sets anew is
 * put into a given object.
 *
 * Throws when a name is in several objects, tied names have different tensors, or, with `strict`, names are missing or unknown.
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.functional_call.html
 *
 * @example
 * ```ts
 * const params = Object.fromEntries(model.named_parameters());
 * const loss = (p: NamedTensors) => F.mse_loss(torch.func.functional_call(model, p, [x]) as Tensor, y);
 * const grads = torch.func.grad(loss)(params);
 * ```
 */
export function functional_call<M extends Module>(
  module: M,
  parameter_and_buffer_dicts: NamedTensors | readonly NamedTensors[],
  args?: unknown,
  kwargs?: Record<string, unknown> | null,
  options: FunctionalCallOptions = {},
): ReturnType<M['forward']> {
  const { tie_weights, strict } = bind('functional_call', { tie_weights: true, strict: false }, [options]);
  const given = merged(parameter_and_buffer_dicts);
  const tensors = tie_weights ? untied(module, given) : given;
  if (strict) check_keys(module, tensors);
  const inputs =
    args === undefined || args === null ? [] : Array.isArray(args) ? (args as unknown[]) : [args];
  const known = new Set(members(module).map(([name]) => name));
  const places = Object.keys(tensors)
    .filter((name) => known.has(name))
    .map((name) => ({ name, ...place(module, name) }));
  const before = places.map(({ owner, field }) => owner[field]);
  try {
    for (const { name, owner, field } of places) owner[field] = tensors[name];
    return module(...([...inputs, ...(kwargs ? [kwargs] : [])] as Parameters<M['forward']>));
  } finally {
    places.forEach(({ name, owner, field }, i) => {
      const now = owner[field];
      if (name in given && now instanceof Tensor) given[name] = now;
      owner[field] = before[i];
    });
  }
}

/**
 * `[params, buffers]` of several modules of one class, each name's tensors stacked along a new first dimension: with `vmap` and
 * {@link functional_call}, an ensemble is one call. The parameters are leaves of their own.
 *
 * Throws for no modules, different classes, different modes, or parameters only some of which need gradients.
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.stack_module_state.html
 *
 * @example
 * ```ts
 * const [params, buffers] = torch.func.stack_module_state(models);
 * const predict = (p, b, x) => torch.func.functional_call(models[0], [p, b], [x]);
 * torch.vmap(predict, { in_dims: [0, 0, null] })(params, buffers, x); // all models' outputs
 * ```
 */
export function stack_module_state(models: Iterable<Module>): [params: NamedTensors, buffers: NamedTensors] {
  const list = [...models];
  if (list.length === 0) throw new Error('stack_module_state: Expected at least one model, got 0.');
  if (list.some((m) => m.training !== list[0].training)) {
    throw new Error('stack_module_state: Expected all models to have the same training/eval mode.');
  }
  if (list.some((m) => m.constructor !== list[0].constructor)) {
    throw new Error('stack_module_state: Expected all models to be of the same class.');
  }
  const stacked = (of: (m: Module) => Iterable<[string, Tensor]>): NamedTensors => {
    const all = list.map((m) => new Map(of(m)));
    return Object.fromEntries(
      [...all[0].keys()].map((name) => [
        name,
        leaf(
          all.map((m) => m.get(name) as Tensor),
          name,
        ),
      ]),
    );
  };
  return [stacked((m) => m.named_parameters()), stacked((m) => m.named_buffers())];
}

function leaf(tensors: Tensor[], name: string): Tensor {
  const count = tensors.filter((t) => t.requires_grad).length;
  if (count !== 0 && count !== tensors.length) {
    throw new Error(`Expected ${name} from each model to have the same .requires_grad`);
  }
  const result = ops.stack(tensors);
  return count === 0 ? result : result.detach().requires_grad_();
}

/**
 * Takes the running statistics from every batch norm in `root`, which keeps them from being written under `vmap`; each then normalises by its
 * own batch alone. Returns `root`.
 *
 * See https://docs.pytorch.org/docs/stable/generated/torch.func.replace_all_batch_norm_modules_.html
 */
export function replace_all_batch_norm_modules_<M extends Module>(root: M): M {
  for (const module of root.modules()) {
    if (!(module instanceof BatchNorm) || !module.track_running_stats) continue;
    Object.assign(module, {
      running_mean: null,
      running_var: null,
      num_batches_tracked: null,
      track_running_stats: false,
    });
  }
  return root;
}
