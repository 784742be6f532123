'use strict';
// libgomp's idle threads spin by default, which starves the other jest workers of a small machine.
// It reads this once, when the addon is loaded; workers inherit it.
process.env.OMP_WAIT_POLICY ??= 'passive';

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // Only transpiles (tsconfig's isolatedModules): type errors are `npm run typecheck`'s business.
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
  // The matchers for tensors, and `toEqual` of tensors by value.
  setupFilesAfterEnv: ['<rootDir>/lib/testing/jest.ts'],
  testPathIgnorePatterns: ['<rootDir>/test/system/'],
  modulePathIgnorePatterns: ['<rootDir>/build', '<rootDir>/dist'],
  testTimeout: 60_000,
};
