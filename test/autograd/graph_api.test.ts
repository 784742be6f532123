/** torch.autograd.graph, and what a backward pass does with its ends: edges, non-leaves, roots, layouts, passes within passes. */
import torch, { autograd, type Tensor } from '../../lib';
import { matches_recorded } from './recorded';

const { backward, grad } = autograd;
const { allow_mutation_on_saved_tensors, get_gradient_edge, increment_version } = autograd.graph;

const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const value = (t: Tensor | null): unknown => t?.tolist() ?? null;
const values = (ts: (Tensor | null)[]): unknown[] => ts.map(value);
const keep = { retain_graph: true };

matches_recorded('graph_api', {
  edges_as_ends() {
    const x = leaf(2);
    const y = x.mul(2);
    const [to_x, from_y] = [get_gradient_edge(x), get_gradient_edge(y)];
    const seen: unknown[] = [
      values(grad(y, to_x, keep)),
      values(grad(from_y, to_x, keep)),
      values(grad([from_y, y], [to_x, x], keep)),
    ];
    backward(from_y, { inputs: [x], ...keep });
    seen.push(value(x.grad));
    y.backward({ inputs: [to_x] });
    return [...seen, value(x.grad)];
  },
  edge_of_non_leaf_receives_nothing() {
    const x = leaf(2);
    const y = x.mul(2);
    backward(y.mul(3), { inputs: [get_gradient_edge(y)] });
    return [x.grad, y.grad];
  },
  edge_names_output() {
    const [, b] = leaf(3, 1, 2).split([1, 2]);
    const { node, output_nr, ownership_token } = get_gradient_edge(b);
    return [node.name(), output_nr, ownership_token, node === b.grad_fn];
  },
  edge_outlives_its_tensor() {
    const x = leaf(2);
    return values(grad(get_gradient_edge(x.exp()), x));
  },
  edge_not_single() {
    const x = leaf(2, 3);
    grad(get_gradient_edge(x.mul(2)), x);
  },
  edge_gradient_shape() {
    const x = leaf(2, 3);
    grad(get_gradient_edge(x.mul(2)), x, torch.ones(3));
  },
  edge_of_constant: () => get_gradient_edge(torch.ones(1)),
  edge_materialized: () => grad(leaf(2).mul(2), get_gradient_edge(leaf(3)), { materialize_grads: true }),
  backward_into_non_leaves() {
    const [x, w] = [leaf(2), leaf(4)];
    const y = x.mul(2);
    const z = y.mul(3).mul(w);
    z.backward({ inputs: [y, w], ...keep });
    const first = values([y.grad, w.grad, x.grad]);
    z.backward({ inputs: [y] });
    return [first, values([y.grad, w.grad, x.grad])];
  },
  roots() {
    const x = leaf(2);
    const y = x.mul(2);
    return [
      values(grad(y, y, keep)),
      values(grad(y, [y, x], keep)),
      values(grad([y, y], x, keep)),
      values(grad([y, y.mul(3)], x, [torch.tensor([1]), torch.tensor([10])], keep)),
      values(grad(x, x)),
      values(grad(y, [x, x])),
    ];
  },
  create_graph_accumulates() {
    const x = leaf(2);
    x.mul(x).mul(x).backward({ create_graph: true });
    x.mul(x).backward({ create_graph: true });
    const g = x.grad as Tensor;
    x.grad = null;
    g.backward();
    return [value(g), g.requires_grad, value(x.grad)];
  },
  gradient_layout() {
    const x = torch.zeros(2, 3).t().requires_grad_();
    x.mul(torch.ones(3, 2)).sum().backward();
    const y = torch.zeros(2, 3, { requires_grad: true });
    y.t().mul(torch.ones(3, 2)).sum().backward();
    const z = torch.zeros(1, 3).expand(2, 3).detach().requires_grad_();
    z.mul(2).sum().backward();
    return [x, y, z].map((t) => t.grad?.stride());
  },
  gradient_is_no_alias() {
    const [x, g] = [leaf(1, 2), torch.ones(2)];
    x.mul(1).add(0).backward(g);
    x.grad?.add_(1);
    return [value(g), value(x.grad)];
  },
  passes_within_passes() {
    const [x, w] = [leaf(2), leaf(3)];
    class Inner extends autograd.Function {
      static override forward(ctx: autograd.FunctionCtx, t: Tensor): Tensor {
        ctx.save_for_backward(t);
        return t.mul(t);
      }
      static override backward(ctx: autograd.FunctionCtx, g: Tensor): Tensor {
        const again = ctx.saved_tensors[0].detach().requires_grad_();
        const y = torch.enable_grad(() => again.mul(again).mul(w));
        y.backward();
        return g.mul(again.grad as Tensor);
      }
    }
    (Inner.apply(x.mul(1)) as Tensor).backward();
    return values([x.grad, w.grad]);
  },
  mixed_dtypes() {
    const x = torch.tensor([1, 2], { dtype: torch.float64, requires_grad: true });
    const h = torch.tensor([3, 4], { dtype: torch.float16, requires_grad: true });
    x.float().mul(h).add(x).sum().backward();
    return [x, h].flatMap((t) => [`torch.${t.grad?.dtype}`, value(t.grad)]);
  },
  versions() {
    const [x, y] = [torch.zeros(2), torch.zeros(2)];
    increment_version(x);
    increment_version([x, y]);
    increment_version(torch.inference_mode(() => torch.zeros(2)));
    return [x._version, y._version];
  },
  metadata() {
    const x = leaf(2, 3);
    const node = x.mul(2).grad_fn as autograd.graph.Node;
    node.metadata.mine = 5;
    const [m] = node._input_metadata;
    const later = x.exp().grad_fn as autograd.graph.Node;
    return [
      node.metadata,
      m.shape,
      `torch.${m.dtype}`,
      String(m.device),
      later._sequence_nr() > node._sequence_nr(),
    ];
  },
  mutation() {
    const [x, w] = [leaf(1, 2), leaf(3, 4)];
    allow_mutation_on_saved_tensors(() => {
      const a = x.clone();
      const out = a.pow(2).sum();
      a.sin_();
      const b = x.mul(1);
      b.mul_(w);
      b.mul_(w);
      const c = x.mul(1).exp();
      const d = c.sum();
      c.mul_(10);
      torch.no_grad(() => w.zero_());
      out.add(b.sum()).add(d).backward();
    });
    return values([x.grad, w.grad]);
  },
  mutation_outside() {
    const out = allow_mutation_on_saved_tensors(() => leaf(1, 2).pow(2).sum());
    out.backward();
  },
  mutation_nested: () => allow_mutation_on_saved_tensors(() => allow_mutation_on_saved_tensors(() => null)),
  no_inputs_to_grad: () => grad(leaf(1), []),
  no_inputs_to_backward: () => leaf(1).mul(2).backward({ inputs: [] }),
  input_without_gradient: () => grad(leaf(1).mul(2), [torch.ones(1)]),
  nothing_to_do: () => backward([]) ?? null,
  graph_of_nothing: () => grad([], [leaf(1)]),
});

describe('nodes', () => {
  test('are instances of Node, one object each', () => {
    const y = leaf(1).exp();
    expect(y.grad_fn).toBeInstanceOf(autograd.graph.Node);
    expect(y.grad_fn).toBe(y.grad_fn);
    expect(y.grad_fn?.next_functions[0][0]?._sequence_nr()).toBe(2n ** 64n - 1n);
  });

  test('an edge prints and comes apart as a named tuple', () => {
    const edge = get_gradient_edge(leaf(1).exp());
    expect(String(edge)).toMatch(
      /^GradientEdge\(node=<ExpBackward0 object at 0x[0-9a-f]+>, output_nr=0, ownership_token=None\)$/,
    );
    expect([...edge]).toEqual([edge.node, 0, null]);
  });

  test('an edge to an output that does not exist is refused', () => {
    const { node } = get_gradient_edge(leaf(1).exp());
    const edge = new autograd.graph.GradientEdge(node, 1);
    expect(() => backward(edge)).toThrow(RangeError);
  });
});

describe('mutation of saved tensors', () => {
  test('is seen through views that begin elsewhere', () => {
    const x = leaf(1, 2);
    allow_mutation_on_saved_tensors(() => {
      const a = x.clone();
      const out = a.pow(2).sum();
      a.narrow(0, 1, 1).mul_(3);
      out.backward();
    });
    expect(value(x.grad)).toEqual([2, 4]);
  });

  test('ends with the scope', () => {
    const x = leaf(1, 2);
    {
      using _ = allow_mutation_on_saved_tensors();
    }
    const a = x.clone();
    const out = a.pow(2).sum();
    a.sin_();
    expect(() => out.backward()).toThrow('has been modified by an inplace operation');
  });
});
