// torch.profiler.
export {
  profile,
  ProfilerActivity,
  supported_activities,
  type Profile,
  type ProfileConstructor,
  type ProfileOptions,
} from './profile';
export { record_function, type RangeScope } from './ranges';
export { ProfilerAction, schedule, tensorboard_trace_handler, type ScheduleOptions } from './schedule';
export type { EventList, FunctionEvent, FunctionEventAvg, Interval, KeyAveragesOptions } from './events';
export type { TableOptions } from './table';
