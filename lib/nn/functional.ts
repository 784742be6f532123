/** `torch.nn.functional`: the operators that the registry places there. */

export * from '../generated/functional';
