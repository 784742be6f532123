/** Views and in-place writes, against programs recorded from PyTorch (scripts/record_autograd_views.py). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { differences, type Recorded } from './replay';

const programs = JSON.parse(
  readFileSync(join(__dirname, '..', 'fixtures', 'autograd', 'views.json'), 'utf8'),
) as Record<string, Recorded>;

test.each(Object.keys(programs))('%s', (name) => {
  expect(differences(programs[name])).toEqual([]);
});
