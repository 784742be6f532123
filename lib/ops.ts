// The operators as functions, for the rest of lib/.
export * from './generated/ops';
