import { inspect } from 'node:util';

import { no_grad } from '../autograd';
import { repr_size } from '../pyformat';
import { Tensor } from '../tensor';
import { type Module, type_name } from './module';
import { Parameter } from './parameter';

export type StateDict = Record<string, unknown>;
export type Metadata = Record<string, Record<string, unknown>>;
export type StateDictPreHook = (module: Module, prefix: string, keep_vars: boolean) => void;
export type StateDictHook = (
  module: Module,
  state_dict: StateDict,
  prefix: string,
  local_metadata: Metadata[string],
) => void;
export type LoadStateDictPreHook = (
  module: Module,
  state_dict: StateDict,
  prefix: string,
  local_metadata: Metadata[string],
  strict: boolean,
  missing_keys: string[],
  unexpected_keys: string[],
  error_msgs: string[],
) => void;

/** The result of `load_state_dict`. */
export class IncompatibleKeys {
  constructor(
    readonly missing_keys: string[],
    readonly unexpected_keys: string[],
  ) {}

  toString(): string {
    if (this.missing_keys.length === 0 && this.unexpected_keys.length === 0)
      return '<All keys matched successfully>';
    const list = (keys: string[]): string => `[${keys.map((key) => `'${key}'`).join(', ')}]`;
    return `_IncompatibleKeys(missing_keys=${list(this.missing_keys)}, unexpected_keys=${list(this.unexpected_keys)})`;
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

/** The state of a `load_state_dict` on its way through the module tree. */
export interface LoadContext {
  state_dict: StateDict;
  metadata: Metadata | null;
  assign: boolean;
  strict: boolean;
  missing_keys: string[];
  unexpected_keys: string[];
  error_msgs: string[];
}

/** Copies or assigns one entry of the state dict to the field `name` of `owner`, or notes why it cannot. */
export function load_member(
  context: LoadContext,
  owner: Module,
  name: string,
  member: Tensor,
  key: string,
): void {
  const value = context.state_dict[key];
  const fields = owner as unknown as Record<string, unknown>;
  if (!(value instanceof Tensor)) {
    context.error_msgs.push(
      `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint but ` +
        `received <class '${type_name(value)}'>`,
    );
    return;
  }
  // Checkpoints from before 0-d tensors keep such a value in one dimension.
  const source = member.dim() === 0 && value.dim() === 1 && value.shape[0] === 1 ? value.select(0, 0) : value;
  if (source.shape.join() !== member.shape.join()) {
    context.error_msgs.push(
      `size mismatch for ${key}: copying a param with shape ${repr_size(source.shape)} from checkpoint, the shape in ` +
        `current model is ${repr_size(member.shape)}.`,
    );
    return;
  }
  try {
    if (!context.assign) no_grad(() => member.copy_(source));
    else if (!(member instanceof Parameter)) fields[name] = source;
    else if (source instanceof Parameter) fields[name] = source.requires_grad_(member.requires_grad);
    else fields[name] = new Parameter(source, member.requires_grad);
  } catch (error) {
    context.error_msgs.push(
      `While copying the parameter named "${key}", whose dimensions in the model are ${repr_size(member.shape)} and whose ` +
        `dimensions in the checkpoint are ${repr_size(source.shape)}, an exception occurred : ` +
        `('${error instanceof Error ? error.message : String(error)}',).`,
    );
  }
}

/** Throws what was noted on the way and, with `strict`, the keys without a counterpart. */
export function throw_load_errors(context: LoadContext, strict: boolean, module_name: string): void {
  const { missing_keys, unexpected_keys, error_msgs } = context;
  if (strict) {
    const quoted = (keys: string[]): string => keys.map((key) => `"${key}"`).join(', ');
    if (unexpected_keys.length > 0)
      error_msgs.unshift(`Unexpected key(s) in state_dict: ${quoted(unexpected_keys)}. `);
    if (missing_keys.length > 0)
      error_msgs.unshift(`Missing key(s) in state_dict: ${quoted(missing_keys)}. `);
  }
  if (error_msgs.length > 0) {
    throw new Error(`Error(s) in loading state_dict for ${module_name}:\n\t${error_msgs.join('\n\t')}`);
  }
}
