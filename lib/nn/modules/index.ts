export {
  ELU,
  GELU,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  ReLU,
  ReLU6,
  Sigmoid,
  SiLU,
  Softmax,
  Softmin,
  Softplus,
  Softsign,
  Tanh,
  Tanhshrink,
} from './activation';
export { BatchNorm1d, BatchNorm2d } from './batchnorm';
export { ModuleDict, ModuleList, ParameterList, Sequential } from './container';
export { Conv1d, Conv2d, ConvTranspose2d } from './conv';
export { Dropout, Dropout2d } from './dropout';
export { Flatten, Unflatten } from './flatten';
export { Identity, Linear } from './linear';
export {
  BCELoss,
  BCEWithLogitsLoss,
  CrossEntropyLoss,
  HuberLoss,
  KLDivLoss,
  L1Loss,
  MSELoss,
  NLLLoss,
  SmoothL1Loss,
} from './loss';
export { LayerNorm } from './normalization';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool1d, MaxPool2d } from './pooling';
export { LSTM, LSTMCell, type LSTMState } from './rnn';
export { Embedding } from './sparse';
