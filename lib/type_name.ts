import { is_plain_object } from './args';

/** The name that an error message gives to a value's type: Python's. */
export function type_name(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'list';
  if (is_plain_object(value) || value instanceof Map) return 'dict';
  const { name } = value.constructor;
  // Modules are functions, too: see Module's constructor.
  return typeof value === 'object' || (typeof value === 'function' && !name.endsWith('Function'))
    ? name
    : typeof value;
}
