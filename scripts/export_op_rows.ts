/** Prints the operator table as JSON, every call made concrete, for scripts/record_ops.py. */
import { families } from '../test/ops/table/all';
import { concrete_row } from '../test/ops/table/cases';

const table = Object.fromEntries(
  Object.entries(families).map(([family, rows]) => [
    family,
    Object.fromEntries(rows.map((row) => [row.name, concrete_row(row)])),
  ]),
);
process.stdout.write(JSON.stringify(table));
