// Reads the registry's signatures: `name.overload(Tensor self, int dim=0, *, bool keepdim=False) -> Tensor`.
export interface Param {
  name: string;
  type: string; // without `?` and without a list size: 'Tensor', 'int[]', ...
  optional: boolean; // None allowed
  keywordOnly: boolean;
  default?: string;
  listSize: number; // int[2]: a single number stands for a list of that length
}
export interface Signature {
  key: string;
  name: string;
  overload: string;
  params: Param[];
  returns: string;
  returnNames: string[] | null; // of a named tuple
  variadic: boolean; // takes its tensors one by one too: torch.block_diag(a, b)
  factory: boolean; // makes a new tensor: takes `requires_grad` too, as in PyTorch
}

/** The names in `(Tensor values, Tensor indices)`; null for what is no named tuple. */
export function returnNames(returns: string): string[] | null {
  const tuple = /^\((.*)\)$/.exec(returns);
  const names = tuple ? tuple[1].split(/,\s*/).map((r) => r.split(' ')[1]) : null;
  return names && names.every(Boolean) ? names : null;
}

const VARIADIC = new Set(['block_diag', 'broadcast_tensors', 'cartesian_prod', 'meshgrid']);

export function parseSignature(text: string): Signature {
  const m = /^([\w.]+)\((.*)\) -> (.*)$/s.exec(text);
  if (!m) throw new Error(`bad signature ${text}`);
  const [, key, list, returns] = m;
  const dot = key.indexOf('.');
  const params: Param[] = [];
  let keywordOnly = false;
  for (const part of list.split(/,\s*(?![^[]*\])/).filter(Boolean)) {
    if (part === '*') {
      keywordOnly = true;
      continue;
    }
    const p = /^([\w]+(?:\??\[\d*\])?)(\?)?\s+(\w+)(?:=(.*))?$/.exec(part);
    if (!p) throw new Error(`bad parameter '${part}' in ${text}`);
    const size = /\[(\d+)\]/.exec(p[1]);
    params.push({
      name: p[3],
      type: p[1].replace(/\[\d+\]/, '[]'),
      optional: p[2] === '?',
      keywordOnly,
      default: p[4],
      listSize: size ? Number(size[1]) : 0,
    });
  }
  const name = dot < 0 ? key : key.slice(0, dot);
  return {
    key,
    name,
    overload: dot < 0 ? '' : key.slice(dot + 1),
    params,
    returns,
    returnNames: returnNames(returns),
    variadic: VARIADIC.has(name) && params[0]?.type === 'Tensor[]',
    factory: ['dtype', 'device'].every((n) => params.some((q) => q.name === n && q.keywordOnly)),
  };
}
