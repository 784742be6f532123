/** The table of a profile is PyTorch's, character for character. */
import torch from '../../lib';
import { EventList } from '../../lib/profiler/events';
import { format_memory, format_time } from '../../lib/profiler/format';
import { recorded, recorded_events } from './recorded';

const { profiler } = torch;

test.each(Object.keys(recorded.tables))('table: %s', (name) => {
  const { list, groups, options, text } = recorded.tables[name];
  const events = EventList.of_events(recorded_events(), {
    _profile_memory: list.profile_memory ?? false,
    _with_flops: list.with_flops ?? false,
  });
  const listed = groups === null ? events : events.key_averages(groups);
  expect(listed.table(options)).toBe(text);
});

test.each(recorded.times)('%d microseconds', (us, text) => expect(format_time(us)).toBe(text));
test.each(recorded.memory)('%d bytes', (bytes, text) => expect(format_memory(bytes)).toBe(text));

describe('schedules', () => {
  beforeEach(() => jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined));
  afterEach(() => jest.restoreAllMocks());

  test.each(recorded.schedules)('$options', ({ options, actions, saves }) => {
    const schedule = profiler.schedule(options);
    expect(actions.map((_, i) => schedule(i))).toEqual(actions);

    const seen: [number, number][] = [];
    const on_trace_ready = (prof: torch.profiler.Profile): void => {
      const steps = prof.key_averages().find(({ key }) => key === 'ProfilerStep*');
      seen.push([prof.step_num, steps?.count ?? 0]);
    };
    profiler.profile({ schedule, on_trace_ready }, (prof) => {
      for (let i = 0; i < 14; ++i) {
        torch.ones(2).add(1);
        prof.step();
      }
    });
    expect(seen).toEqual(saves);
  });

  test('without warm-up there is a warning', () => {
    profiler.schedule({ wait: 0, warmup: 0, active: 1 });
    expect(process.emitWarning).toHaveBeenCalledWith(
      "Profiler won't be using warmup, this can skew profiler results",
    );
  });

  test('steps that are recorded but not saved are warned of', () => {
    const actions = [profiler.ProfilerAction.RECORD, profiler.ProfilerAction.NONE];
    profiler.profile({ schedule: (step) => actions[step % 2] }, (prof) => prof.step());
    expect(process.emitWarning).toHaveBeenCalledWith('Incorrect schedule: RECORD followed by NONE');
  });

  test('what is no action is refused', () => {
    expect(() => new profiler.profile({ schedule: () => 'RECORD' as never })).toThrow(TypeError);
  });
});

test('the names of actions and activities are PyTorch’s', () => {
  const { ProfilerAction, ProfilerActivity } = profiler;
  expect(Object.values(ProfilerAction)).toEqual(recorded.actions.filter((a) => !a.includes('DEVICE')));
  expect(Object.values(ProfilerActivity)).toEqual(recorded.activities);
});

describe('refused in PyTorch’s words', () => {
  const { CPU } = profiler.ProfilerActivity;
  const finished = (): torch.profiler.Profile => profiler.profile(() => torch.ones(2).add(1));
  const fresh = (): torch.profiler.Profile => new profiler.profile();
  const cases: Record<string, () => unknown> = {
    events: () => fresh().events(),
    key_averages: () => fresh().key_averages(),
    export_chrome_trace: () => fresh().export_chrome_trace('/nowhere/x.json'),
    export_stacks: () => fresh().export_stacks('/nowhere/x.txt'),
    stop: () => fresh().stop(),
    no_activities: () => new profiler.profile({ activities: [] }),
    double_activity: () => new profiler.profile({ activities: [CPU, CPU] }),
    schedule: () => profiler.schedule({ wait: -1, warmup: 0, active: 0 }),
    negative_step: () => profiler.schedule({ wait: 1, warmup: 1, active: 1 })(-1),
    sort_by: () => finished().key_averages().table({ sort_by: 'nonsense' }),
    stacks_without_stack: () => finished().export_stacks('/nowhere/x.txt'),
    stack_metric: () => finished().events().export_stacks('/nowhere/x.txt', 'nonsense'),
  };
  test.each(Object.keys(recorded.messages))('%s', (name) => {
    expect(cases[name]).toThrow(recorded.messages[name].message);
  });
  test('and what only this library refuses', () => {
    expect(() => new profiler.profile({ record_shape: true } as never)).toThrow(
      /'record_shape'.*record_shapes/,
    );
    expect(() => new profiler.profile({ activities: ['cpu' as never, CPU] })).toThrow(TypeError);
    expect(() => profiler.profile(3 as never)).toThrow(TypeError);
    expect(() => finished().add_metadata_json('x', '{')).toThrow(SyntaxError);
    expect(() => profiler.record_function(3 as never)).toThrow(TypeError);
  });
});
