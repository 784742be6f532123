/** Every row, by the family that its operator's files are named after. */
import { activation, unary } from './unary';
import { binary, compare } from './binary';
import { conv, pool } from './conv';
import { convert, creation, random } from './creation';
import { index, sort } from './index';
import { positions, sampling, split, stacking, triangle } from './layout';
import { matmul } from './matmul';
import { attention, dropout, group_norm, loss, norm, rnn, softmax } from './neural';
import { reduce, scan } from './reduce';
import { join, shape } from './shape';
import type { Row } from './spec';
import { ternary } from './ternary';

export const families: Record<string, Row[]> = {
  activation,
  attention,
  binary,
  compare,
  conv,
  convert,
  creation,
  dropout,
  index,
  join,
  loss,
  matmul,
  norm: [...norm, ...group_norm],
  pool,
  positions,
  random,
  reduce,
  rnn,
  sampling,
  scan,
  shape,
  softmax,
  sort,
  split,
  stacking,
  ternary,
  triangle,
  unary,
};
