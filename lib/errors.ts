import { types } from 'node:util';

// Errors from the native layer belong to the main realm; a sandbox (a test runner's, a vm context) has its own
// constructors, and `instanceof` would fail there. So they are thrown again as the caller's own kind.
export function rethrow(e: unknown): never {
  if (types.isNativeError(e) && !(e instanceof Error)) {
    const { name, message } = e as Error;
    const Kind = name === 'TypeError' ? TypeError : name === 'RangeError' ? RangeError : Error;
    throw new Kind(message, { cause: e });
  }
  throw e;
}

/** Calls the native layer; what it throws is thrown again as the caller's own kind of error. */
export function guard<T>(f: () => T): T {
  try {
    return f();
  } catch (e) {
    return rethrow(e);
  }
}
