// `setupFilesAfterEnv: ['sconce/testing/jest']`: the matchers in every test of jest, and their types.
import { extend_expect, type TensorMatchers } from './matchers';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- that is how jest's types are extended
  namespace jest {
    // The same type parameters as in @types/jest, or TypeScript takes it for another interface.
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars -- see above
    interface Matchers<R, T = {}> extends TensorMatchers<R> {}
  }
}

const { expect } = globalThis as { expect?: Parameters<typeof extend_expect>[0] };
if (expect === undefined) {
  throw new Error(
    "sconce/testing/jest: there is no global expect. List it in jest's setupFilesAfterEnv, or call extend_expect(expect) of sconce/testing.",
  );
}
extend_expect(expect);
