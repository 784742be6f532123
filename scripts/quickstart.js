'use strict';
// `npm run quickstart`: sets everything up, then trains. The example runs in this very process, so that Ctrl-C
// reaches it and nothing else.
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { setup } = require('./setup.js');

// Only what the example needs is compiled.
setup({ cuda: /--device[ =]cuda/.test(process.argv.join(' ')) });
import(pathToFileURL(path.join(__dirname, '..', 'examples', 'quickstart.mjs')).href).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
