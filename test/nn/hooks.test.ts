/** Hooks of modules: a module's own and those common to all. */
import torch, { nn, type Tensor } from '../../lib';
import { matches_recorded } from '../autograd/recorded';

const common = nn.modules.module;
const leaf = (...values: number[]): Tensor => torch.tensor(values, { requires_grad: true });
const values = (list: unknown[]): unknown[] => list.map((v) => (v instanceof torch.Tensor ? v.tolist() : v));

class Scale extends nn.Module {
  weight = new nn.Parameter(torch.tensor([3]));

  override forward(
    x: Tensor,
    { factor = 1, fail = false }: { factor?: number; fail?: boolean } = {},
  ): Tensor {
    if (fail) throw new Error('forward failed');
    return x.mul(this.weight).mul(factor);
  }
}

const first = (list: (Tensor | null)[]): Tensor => list[0]!;

matches_recorded('module_hooks', {
  order() {
    const n: string[] = [];
    const net = new Scale();
    const note = (what: string) => () => void n.push(what);
    const handles = [
      common.register_module_forward_pre_hook(note('global pre')),
      common.register_module_forward_hook(note('global forward')),
      common.register_module_full_backward_pre_hook(note('global backward pre')),
      common.register_module_full_backward_hook(note('global backward')),
    ];
    net.register_forward_pre_hook(note('pre 1'));
    net.register_forward_pre_hook(note('pre 2'));
    net.register_forward_pre_hook(note('pre 0'), { prepend: true });
    net.register_forward_hook(note('forward 1'));
    net.register_forward_hook(note('forward 0'), { prepend: true });
    net.register_full_backward_pre_hook(note('backward pre 1'));
    net.register_full_backward_pre_hook(note('backward pre 0'), { prepend: true });
    net.register_full_backward_hook(note('backward 1'));
    net.register_full_backward_hook(note('backward 0'), { prepend: true });
    net(leaf(2)).sum().backward();
    for (const h of handles) h.remove();
    n.push('without global hooks');
    net(leaf(2)).sum().backward();
    return n;
  },
  global_hooks_see_every_module() {
    const n: string[] = [];
    {
      using _ = common.register_module_forward_hook((m) => void n.push(m._get_name()));
      new nn.Sequential(new nn.Linear(2, 2), new nn.Sequential(new nn.ReLU()))(torch.ones(1, 2));
    }
    new nn.ReLU()(torch.ones(1));
    return n;
  },
  global_hooks_replace() {
    const [x, net] = [leaf(2), new Scale()];
    const handles = [
      common.register_module_forward_pre_hook((_, [t]) => [(t as Tensor).mul(2)]),
      common.register_module_forward_hook((_m, _a, o) => (o as Tensor).add(1)),
      common.register_module_full_backward_pre_hook((_, go) => [first(go).mul(5)]),
      common.register_module_full_backward_hook((_, gi) => [first(gi).mul(7)]),
    ];
    const y = net(x);
    y.sum().backward();
    for (const h of handles) h.remove();
    return values([y, x.grad, net.weight.grad]);
  },
  keywords() {
    const n: unknown[] = [];
    const net = new Scale();
    net.register_forward_pre_hook((_, args) => void n.push(['pre', values(args)]));
    net.register_forward_pre_hook(
      (_, args, kwargs) => {
        n.push(['pre kw', values(args), { ...kwargs }]);
        return [[(args[0] as Tensor).add(1)], { factor: (kwargs.factor as number) * 10 }];
      },
      { with_kwargs: true },
    );
    net.register_forward_hook((_, args, o) => void n.push(['post', values(args), (o as Tensor).tolist()]));
    net.register_forward_hook(
      (_, args, kwargs, o) => {
        n.push(['post kw', values(args), { ...kwargs }, (o as Tensor).tolist()]);
        return (o as Tensor).mul(2);
      },
      { with_kwargs: true },
    );
    return [net(torch.tensor([1]), { factor: 2 }).tolist(), n];
  },
  keywords_none_given() {
    const n: unknown[] = [];
    const net = new Scale();
    net.register_forward_pre_hook((_m, _a, kwargs) => void n.push(kwargs), { with_kwargs: true });
    net(torch.tensor([1]));
    return n;
  },
  keywords_wrong_result() {
    const net = new Scale();
    net.register_forward_pre_hook(() => 5, { with_kwargs: true });
    net(torch.tensor([1]));
  },
  single_value_becomes_arguments() {
    const net = new Scale();
    net.register_forward_pre_hook(() => torch.tensor([10]));
    return net(torch.tensor([1])).tolist();
  },
  always_called() {
    const n: unknown[] = [];
    const net = new Scale();
    net.register_forward_hook((_m, _a, o) => void n.push(['plain', o]));
    net.register_forward_hook((_m, _a, o) => void n.push(['always', o]), { always_call: true });
    net.register_forward_hook((_m, _a, kwargs, o) => void n.push(['always kw', { ...kwargs }, o]), {
      always_call: true,
      with_kwargs: true,
    });
    const handle = common.register_module_forward_hook((_m, _a, o) => void n.push(['global', o]), {
      always_call: true,
    });
    try {
      net(torch.tensor([1]), { fail: true });
    } catch (error) {
      n.push((error as Error).message);
    }
    handle.remove();
    return n;
  },
  always_called_once() {
    const n: string[] = [];
    const net = new Scale();
    net.register_forward_hook(() => void n.push('always'), { always_call: true });
    net.register_forward_hook(() => {
      throw new Error('hook failed');
    });
    net.register_forward_hook(() => void n.push('after'), { always_call: true });
    try {
      net(torch.tensor([1]));
    } catch (error) {
      n.push((error as Error).message);
    }
    return n;
  },
  removed_after_forward() {
    const n: string[] = [];
    const net = new Scale();
    const handle = net.register_full_backward_hook(() => void n.push('ran'));
    const y = net(leaf(2));
    handle.remove();
    y.sum().backward();
    net(leaf(2)).sum().backward();
    return n;
  },
  backward_hook_wrong_number() {
    const net = new Scale();
    net.register_full_backward_hook((_, gi) => [first(gi), first(gi)]);
    net(leaf(2)).sum().backward();
  },
  backward_hook_wrong_size() {
    const net = new Scale();
    net.register_full_backward_hook(() => [torch.ones(3)]);
    net(leaf(2)).sum().backward();
  },
  backward_hook_without_inputs_that_need_it() {
    const net = new Scale();
    net.register_full_backward_hook(() => [torch.ones(1)]);
    net(torch.tensor([2]))
      .sum()
      .backward();
  },
  state_dicts() {
    const n: unknown[] = [];
    const inner = new Scale();
    const net = new nn.Sequential(inner);
    net.register_state_dict_pre_hook((_, prefix, keep) => void n.push(['save pre', prefix, keep]));
    inner.register_state_dict_pre_hook((_, prefix, keep) => void n.push(['save pre', prefix, keep]));
    net.register_state_dict_post_hook((_, dict, prefix, metadata) => {
      n.push(['save post', Object.keys(dict), prefix, metadata]);
    });
    inner.register_state_dict_post_hook((_, dict, prefix) => {
      dict[`${prefix}more`] = torch.ones(1);
    });
    const dict = net.state_dict();
    inner.register_load_state_dict_pre_hook((_, from, prefix, metadata, strict, ...lists) => {
      const found = `${prefix}more` in from;
      delete from[`${prefix}more`];
      n.push(['load pre', prefix, metadata, strict, found, ...lists.map((list) => [...list])]);
    });
    inner.register_load_state_dict_post_hook((_, keys) => void n.push(['load post', [...keys.missing_keys]]));
    n.push(String(net.load_state_dict(dict)));
    return n;
  },
  state_dict_post_hook_returns() {
    const net = new Scale();
    net.register_state_dict_post_hook(() => ({}));
    net.state_dict();
  },
});

test('a global hook is refused an option that it does not have', () => {
  expect(() => common.register_module_forward_hook(() => null, { prepend: true } as object)).toThrow(
    "register_module_forward_hook() got an unexpected keyword argument 'prepend'",
  );
});
