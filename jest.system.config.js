'use strict';
/** What needs a whole process, a built dist or a packed tarball, and minutes. @type {import('jest').Config} */
module.exports = {
  ...require('./jest.config.js'),
  roots: ['<rootDir>/test/system'],
  // These look at the package from outside.
  setupFilesAfterEnv: [],
  testPathIgnorePatterns: [],
  testTimeout: 600_000,
};
