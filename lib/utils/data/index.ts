/** `torch.utils.data` */

export { default_collate, default_convert } from './collate';
export { DataLoader } from './dataloader';
export {
  ConcatDataset,
  Dataset,
  type DatasetLike,
  IterableDataset,
  type MapDataset,
  random_split,
  Subset,
  TensorDataset,
} from './dataset';
export {
  BatchSampler,
  RandomSampler,
  Sampler,
  SequentialSampler,
  SubsetRandomSampler,
  WeightedRandomSampler,
} from './sampler';
