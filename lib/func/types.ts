// How the transforms' types follow the functions they are given.
import type { Tensor } from '../tensor';

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any function of tensors
export type Fn = (...args: any[]) => any;

/** Which arguments to differentiate by: one, or several. */
export type Argnums = number | readonly number[];

/** The arguments that `N` names, by one number or in order. */
export type Sliced<F extends Fn, N extends Argnums> = N extends readonly number[]
  ? { -readonly [K in keyof N]: Parameters<F>[N[K] & number] }
  : N extends number
    ? Parameters<F>[N]
    : never;

/** What a function with `has_aux` returns beside its result. */
export type Aux<F extends Fn> = ReturnType<F> extends readonly [unknown, infer A] ? A : unknown;
/** What a function with `has_aux` is differentiated for. */
export type Main<F extends Fn> = ReturnType<F> extends readonly [infer R, unknown] ? R : unknown;

type Each<T, R> = T extends Tensor
  ? R
  : T extends Map<infer K, infer V>
    ? Map<K, Each<V, R>>
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Each<T[K], R> }
      : T extends object
        ? { [K in keyof T]: Each<T[K], R> }
        : R;
/** A Jacobian: for each tensor of the result, one tensor per tensor of the arguments. */
export type Jacobian<Out, In> = Each<Out, Each<In, Tensor>>;
