// torch.autograd.profiler: the profiler's older interface.
import { bind } from '../args';
import { EventList, type FunctionEvent, type FunctionEventAvg } from './events';
import { Profile, run_profiled } from './profile';
import type { TableOptions } from './table';

export { record_function } from './ranges';

export interface AutogradProfileOptions {
  /** `false`: nothing is recorded. */
  enabled?: boolean;
  record_shapes?: boolean;
  with_flops?: boolean;
  profile_memory?: boolean;
  with_stack?: boolean;
  with_modules?: boolean;
}

/** See {@link profile}. */
export class AutogradProfile extends Profile {
  readonly enabled: boolean;

  constructor(enabled?: boolean | AutogradProfileOptions, options?: AutogradProfileOptions) {
    const { enabled: on, ...rest } = bind(
      'profile.__init__',
      {
        enabled: true,
        record_shapes: false,
        with_flops: false,
        profile_memory: false,
        with_stack: false,
        with_modules: false,
      },
      [enabled, options].filter((v) => v !== undefined),
    );
    super(rest);
    this.enabled = on;
  }

  override start(): this {
    return this.enabled ? super.start() : this;
  }

  /** The events of the recording. */
  get function_events(): EventList<FunctionEvent> {
    return this.events();
  }

  get self_cpu_time_total(): number {
    return this.events().self_cpu_time_total;
  }

  /** The table of all events, one row for each. */
  table(options: TableOptions = {}): string {
    return this.events().table(options);
  }

  total_average(): FunctionEventAvg {
    return this.events().total_average();
  }

  override toString(): string {
    return this.is_finished ? this.table() : '<unfinished torch.autograd.profile>';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** {@link profile} as it is called: with `new` for a profile to start later, without for one that runs. */
export interface AutogradProfileConstructor {
  new (enabled?: boolean | AutogradProfileOptions, options?: AutogradProfileOptions): AutogradProfile;
  (enabled?: boolean | AutogradProfileOptions, options?: AutogradProfileOptions): AutogradProfile;
  (
    options: AutogradProfileOptions,
    fn: (prof: AutogradProfile) => Promise<unknown>,
  ): Promise<AutogradProfile>;
  (options: AutogradProfileOptions, fn: (prof: AutogradProfile) => unknown): AutogradProfile;
  readonly prototype: AutogradProfile;
}

/**
 * PyTorch's older profiler: {@link profiler.profile} without activities and schedule, and with the table of all events
 * on itself.
 *
 * See https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.profiler.profile
 *
 * @example
 * const prof = torch.autograd.profiler.profile({ record_shapes: true }, () => torch.ones(2).add(1));
 * console.log(prof.table());
 */
export const profile: AutogradProfileConstructor = new Proxy(AutogradProfile, {
  apply(_target, _self, args: unknown[]): AutogradProfile | Promise<AutogradProfile> {
    const fn = typeof args.at(-1) === 'function' ? args.at(-1) : undefined;
    const prof = new AutogradProfile(
      ...(args.slice(0, fn === undefined ? 2 : -1) as [AutogradProfileOptions]),
    );
    return fn === undefined ? prof.start() : run_profiled(prof, fn as (prof: AutogradProfile) => unknown);
  },
}) as unknown as AutogradProfileConstructor;
export type profile = AutogradProfile;
