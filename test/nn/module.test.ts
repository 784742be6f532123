import torch, { nn, type Tensor } from '../../lib';
import { expect_torch_error, fixture, values } from './fixture';

class Net extends nn.Module {
  fc1 = new nn.Linear(3, 4);
  fc2 = new nn.Linear(4, 2, { bias: false });
  scale = new nn.Parameter(torch.ones(2));

  constructor() {
    super();
    this.register_buffer('count', torch.zeros([]));
    this.register_buffer('scratch', torch.zeros(2), { persistent: false });
  }

  override forward(x: Tensor, factor = 1): Tensor {
    return this.fc2(torch.relu(this.fc1(x)))
      .mul(this.scale)
      .mul(factor);
  }
}

const names = (entries: Iterable<[string, unknown]>): string[] => [...entries].map(([name]) => name);

describe('calling', () => {
  test('a module is a function, an instance of its class, and an object with fields', () => {
    const net = new Net();
    expect(typeof net).toBe('function');
    expect(net).toBeInstanceOf(Net);
    expect(net).toBeInstanceOf(nn.Module);
    const x = torch.rand(5, 3);
    const y: Tensor = net(x, 2); // typed by forward's own signature
    expect(values(y)).toEqual(values(net.forward(x, 2)));
    expect(net.fc1.in_features).toBe(3);
  });

  test('fields and methods named as a function’s own are free', () => {
    class Named extends nn.Module {
      override name = 'mine';
      override length = 7;
    }
    const m = new Named();
    expect([m.name, m.length]).toEqual(['mine', 7]);
    expect(new nn.Sequential(m, m).length).toBe(2);
  });

  test('no forward', () => {
    class Empty extends nn.Module {}
    expect_torch_error('forward', () => new Empty()(1));
  });

  test('private fields live on the callable', () => {
    class Counter extends nn.Module {
      #calls = 0;
      override forward(): number {
        return ++this.#calls;
      }
    }
    const counter = new Counter();
    counter();
    expect(counter()).toBe(2);
  });
});

describe('registration', () => {
  test('parameters of the module first, then those below it', () => {
    expect(names(new Net().named_parameters())).toEqual(['scale', 'fc1.weight', 'fc1.bias', 'fc2.weight']);
    expect([...new Net().parameters({ recurse: false })]).toHaveLength(1);
    expect(names(new Net().named_parameters('net'))[1]).toBe('net.fc1.weight');
  });

  test('buffers, persistent or not', () => {
    expect(names(new Net().named_buffers())).toEqual(['count', 'scratch']);
    expect(Object.keys(new Net().state_dict())).toEqual([
      'scale',
      'count',
      'fc1.weight',
      'fc1.bias',
      'fc2.weight',
    ]);
    class Held extends nn.Module {
      kept = new nn.Buffer(torch.zeros(1));
      lost = new nn.Buffer(torch.zeros(1), { persistent: false });
      plain = torch.zeros(1);
    }
    expect(names(new Held().named_buffers())).toEqual(['kept', 'lost']);
    expect(Object.keys(new Held().state_dict())).toEqual(['kept']);
  });

  test('modules', () => {
    const net = new Net();
    expect(names(net.named_modules())).toEqual(['', 'fc1', 'fc2']);
    expect(names(net.named_modules({ prefix: 'net' }))).toEqual(['net', 'net.fc1', 'net.fc2']);
    expect([...net.modules()][0]).toBe(net);
    expect(names(net.named_children())).toEqual(['fc1', 'fc2']);
    expect([...net.children()]).toEqual([net.fc1, net.fc2]);
  });

  test('what is shared is listed once, unless told otherwise', () => {
    const shared = new nn.Linear(2, 2);
    const net = new nn.Sequential(shared, shared);
    expect([...net.parameters()]).toHaveLength(2);
    expect(names(net.named_parameters({ remove_duplicate: false }))).toHaveLength(4);
    expect([...net.children()]).toHaveLength(1);
    expect(Object.keys(net.state_dict())).toHaveLength(4);
  });

  test('register_parameter, add_module and their errors', () => {
    const net = new nn.Module();
    net.register_parameter('weight', new nn.Parameter(torch.zeros(1)));
    net.register_parameter('bias', null);
    net.add_module('inner', new nn.Linear(1, 1));
    expect(names(net.named_parameters())).toEqual(['weight', 'inner.weight', 'inner.bias']);
    expect_torch_error('module name', () => net.add_module('a.b', new nn.Identity()));
    expect_torch_error('buffer taken', () => net.register_buffer('weight', torch.zeros(1)));
    expect(() => net.add_module('x', 3 as never)).toThrow('int is not a Module subclass');
    expect(() => net.register_parameter('x', torch.zeros(1) as never)).toThrow(
      "cannot assign 'Tensor' object to parameter 'x' (torch.nn.Parameter or None required)",
    );
    expect(() => net.register_buffer('x', 3 as never)).toThrow(
      "cannot assign 'int' object to buffer 'x' (torch Tensor or None required)",
    );
  });

  test('a parameter is a leaf of its own that shares memory', () => {
    const data = torch.zeros(2);
    const p = new nn.Parameter(data);
    expect(p).toBeInstanceOf(nn.Parameter);
    expect(p).toBeInstanceOf(torch.Tensor);
    expect([p.is_leaf, p.requires_grad]).toEqual([true, true]);
    data.fill_(3);
    expect(values(p)).toEqual([3, 3]);
    expect(p.mul(2)).not.toBeInstanceOf(nn.Parameter);
    expect(() => new nn.Parameter([1] as never)).toThrow(TypeError);
  });

  test('getters by path', () => {
    const net = new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));
    expect(net.get_submodule('0')).toBe(net.get(0));
    expect(net.get_submodule('')).toBe(net);
    expect(net.get_parameter('0.weight').shape).toEqual([2, 3]);
    expect(net.get_buffer('1.running_var').shape).toEqual([2]);
    expect_torch_error('get_submodule', () => net.get_submodule('0.nothing.deeper'));
    expect_torch_error('get_parameter', () => net.get_parameter('1.nothing'));
    expect_torch_error('not a parameter', () => net.get_parameter('1.running_mean'));
    expect_torch_error('not a module', () => net.get_submodule('0.weight'));
  });
});

describe('whole-tree changes', () => {
  test('train and eval', () => {
    const net = new Net();
    expect(net.eval()).toBe(net);
    expect([...net.modules()].map((m) => m.training)).toEqual([false, false, false]);
    expect([...net.train().modules()].map((m) => m.training)).toEqual([true, true, true]);
    expect_torch_error('train', () => net.train('yes' as never));
  });

  test('apply runs children first', () => {
    const seen: string[] = [];
    new nn.Sequential(new nn.Linear(1, 1), new nn.Sequential(new nn.ReLU())).apply((m) =>
      seen.push(m._get_name()),
    );
    expect(seen).toEqual(['Linear', 'ReLU', 'Sequential', 'Sequential']);
  });

  test('dtype: parameters, gradients and floating buffers change, identities stay', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
    const before = [...net.parameters()];
    net(torch.rand(3, 2)).sum().backward();
    expect(net.double()).toBe(net);
    expect([...net.parameters()].every((p, i) => p === before[i] && p.dtype === 'float64')).toBe(true);
    expect(before[0].grad!.dtype).toBe('float64');
    expect(net.get_buffer('1.running_mean').dtype).toBe('float64');
    expect(net.get_buffer('1.num_batches_tracked').dtype).toBe('int64');
    expect(before[0].requires_grad).toBe(true);
    net.to(torch.zeros(1));
    expect(before[0].dtype).toBe('float32');
    net.to('cpu', 'float64').to({ dtype: 'float32' }).float();
    expect(before[0].dtype).toBe('float32');
    expect_torch_error('to dtype', () => net.to('int64'));
  });

  test('requires_grad_ and zero_grad', () => {
    const net = new nn.Linear(2, 2);
    net(torch.rand(1, 2)).sum().backward();
    net.zero_grad({ set_to_none: false });
    expect(values(net.weight.grad!)).toEqual([0, 0, 0, 0]);
    net.zero_grad();
    expect(net.weight.grad).toBeNull();
    net.requires_grad_(false);
    expect([...net.parameters()].some((p) => p.requires_grad)).toBe(false);
  });
});

describe('state dict', () => {
  const small = (): nn.Sequential => new nn.Sequential(new nn.Linear(3, 2), new nn.BatchNorm1d(2));

  test('is detached and shares memory; keep_vars gives the parameters', () => {
    const net = small();
    const state = net.state_dict();
    expect(Object.getPrototypeOf(state)).toBe(Object.prototype);
    expect(state['0.weight'].requires_grad).toBe(false);
    state['0.weight'].fill_(2);
    expect(values(net.get_parameter('0.weight'))).toEqual([2, 2, 2, 2, 2, 2]);
    expect(net.state_dict({ keep_vars: true })['0.weight']).toBe(net.get_parameter('0.weight'));
    expect(Object.keys(net.state_dict({ prefix: 'a.' }))[0]).toBe('a.0.weight');
  });

  test('goes from one module to another', () => {
    const [a, b] = [small(), small()];
    expect(String(b.load_state_dict(a.state_dict()))).toBe(fixture.matched);
    expect(values(b.get_parameter('0.weight'))).toEqual(values(a.get_parameter('0.weight')));
    expect(b.get_parameter('0.weight').requires_grad).toBe(true);
  });

  test('errors', () => {
    const load = (change: (state: Record<string, unknown>) => void) => () => {
      const net = small();
      const state: Record<string, unknown> = net.state_dict();
      change(state);
      net.load_state_dict(state);
    };
    expect_torch_error(
      'missing',
      load((state) => {
        delete state['0.bias'];
        delete state['1.running_mean'];
      }),
    );
    expect_torch_error(
      'unexpected',
      load((state) => {
        state['0.extra'] = torch.zeros(1);
        state['7.weight'] = torch.zeros(1);
      }),
    );
    expect_torch_error(
      'mismatch',
      load((state) => {
        state['0.weight'] = torch.zeros(5, 3);
        state['0.bias'] = torch.zeros(5);
        state.other = torch.zeros(1);
      }),
    );
    expect_torch_error('not a dict', () => small().load_state_dict(3 as never));
  });

  test('strict: false reports instead', () => {
    const net = new nn.Linear(1, 1);
    const result = net.load_state_dict({ extra: torch.zeros(1) }, { strict: false });
    expect(result.missing_keys).toEqual(['weight', 'bias']);
    expect(result.unexpected_keys).toEqual(['extra']);
    expect(String(result)).toBe(fixture['not matched']);
  });

  test('assign takes the tensors themselves', () => {
    const net = new nn.Linear(1, 1);
    const weight = torch.full([1, 1], 7, { dtype: 'float64' });
    net.load_state_dict({ weight, bias: torch.zeros(1) }, { assign: true });
    expect(net.weight).toBeInstanceOf(nn.Parameter);
    expect(net.weight.dtype).toBe('float64');
    weight.fill_(8);
    expect(net.weight.item()).toBe(8);
  });

  test('a batch norm state from before num_batches_tracked loads', () => {
    const net = new nn.BatchNorm1d(2);
    const old: Record<string, unknown> = { ...net.state_dict() };
    delete old.num_batches_tracked;
    expect(String(net.load_state_dict(old))).toBe(fixture.matched);
  });

  test('extra state travels along', () => {
    class Versioned extends nn.Module {
      tag = 'a';
      override get_extra_state(): unknown {
        return { tag: this.tag };
      }
      override set_extra_state(state: unknown): void {
        this.tag = (state as { tag: string }).tag;
      }
    }
    const [a, b] = [new Versioned(), new Versioned()];
    a.tag = 'b';
    b.load_state_dict(a.state_dict());
    expect(b.tag).toBe('b');
    expect(() => b.load_state_dict({})).toThrow('Missing key(s) in state_dict: "_extra_state". ');
  });

  test('hooks on saving and loading', () => {
    const net = new nn.Linear(1, 1);
    net.register_state_dict_post_hook((_, state, prefix) => {
      delete state[`${prefix}bias`];
    });
    expect(Object.keys(net.state_dict())).toEqual(['weight']);
    net.register_load_state_dict_post_hook((_, keys) => {
      keys.missing_keys.length = 0;
    });
    expect(String(net.load_state_dict(net.state_dict()))).toBe(fixture.matched);
  });
});

describe('hooks', () => {
  test('forward hooks see and may replace arguments and results, in order', () => {
    const net = new nn.Identity();
    const seen: string[] = [];
    const first = net.register_forward_pre_hook((_, [x]) => {
      seen.push('pre');
      return [(x as Tensor).add(1)];
    });
    net.register_forward_pre_hook(() => void seen.push('earlier'), { prepend: true });
    net.register_forward_hook((_module, _args, output) => {
      seen.push('post');
      return (output as Tensor).mul(10);
    });
    expect(net(torch.tensor(1)).item()).toBe(20);
    expect(seen).toEqual(['earlier', 'pre', 'post']);
    first.remove();
    first.remove();
    expect(net(torch.tensor(1)).item()).toBe(10);
  });

  test('a hook with always_call runs when forward throws', () => {
    const net = new nn.Linear(2, 2);
    let calls = 0;
    net.register_forward_hook(() => void calls++, { always_call: true });
    net.register_forward_hook(() => void (calls += 10));
    expect(() => net(torch.zeros(1, 3))).toThrow();
    expect(calls).toBe(1);
  });

  test('an unknown option names the nearest one', () => {
    expect(() => new nn.Linear(1, 1).register_forward_hook(() => null, { prepent: true } as object)).toThrow(
      "register_forward_hook() got an unexpected keyword argument 'prepent'. Did you mean 'prepend'?",
    );
  });

  test('full backward hooks get and may replace the gradients', () => {
    const net = new nn.Linear(2, 1, { bias: false });
    net.weight.data.fill_(3);
    const seen: unknown[] = [];
    const handle = net.register_full_backward_hook((module, grad_input, grad_output) => {
      seen.push(module === net, values(grad_input[0] as Tensor), values(grad_output[0] as Tensor));
      return [(grad_input[0] as Tensor).mul(2)];
    });
    const x = torch.ones(1, 2, { requires_grad: true });
    net(x).sum().backward();
    expect(seen).toEqual([true, [3, 3], [1]]);
    expect(values(x.grad!)).toEqual([6, 6]);
    expect(values(net.weight.grad!)).toEqual([1, 1]);
    handle.remove();
    net(x).sum().backward();
    expect(seen).toHaveLength(3);
  });

  test('full backward pre-hooks replace what comes in', () => {
    const net = new nn.Linear(2, 1);
    net.register_full_backward_pre_hook((_, [grad]) => [(grad as Tensor).mul(5)]);
    net(torch.ones(1, 2)).sum().backward();
    expect(values(net.weight.grad!)).toEqual([5, 5]);
  });

  test('a backward hook runs where no input requires a gradient', () => {
    const net = new nn.Linear(2, 1);
    const seen: unknown[] = [];
    net.register_full_backward_hook((_, grad_input, grad_output) => {
      seen.push(grad_input, values(grad_output[0] as Tensor));
    });
    net(torch.ones(1, 2)).sum().backward();
    expect(seen).toEqual([[null], [1]]);
  });
});

describe('containers', () => {
  test('Sequential', () => {
    const [a, b, c] = [new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1)];
    const net = new nn.Sequential(a, b, c);
    const x = torch.rand(4, 2);
    expect(values(net(x))).toEqual(values(c(b(a(x)))));
    expect([...net]).toEqual([a, b, c]);
    expect(net.get(-1)).toBe(c);
    expect(net.pop()).toBe(c);
    expect(net.append(c).length).toBe(3);
    net.insert(1, new nn.Identity());
    expect(names(net.named_children())).toEqual(['0', '1', '2', '3']);
    expect(net.get(2)).toBe(b);
    net.set(1, b);
    expect(net.get(1)).toBe(b);
    expect_torch_error('sequential index', () => new nn.Sequential(new nn.Identity()).get(4));
    expect(() => new nn.Sequential(3 as never)).toThrow(TypeError);
  });

  test('Sequential with names', () => {
    const net = new nn.Sequential({ first: new nn.Linear(1, 1), second: new nn.ReLU() });
    expect(names(net.named_children())).toEqual(['first', 'second']);
    expect(net.get(0)).toBe(net.get_submodule('first'));
  });

  test('ModuleList', () => {
    const list = new nn.ModuleList([new nn.Linear(1, 1)]);
    list.extend([new nn.ReLU(), new nn.Tanh()]);
    expect([...list].map((m) => m._get_name())).toEqual(['Linear', 'ReLU', 'Tanh']);
    expect([...list.parameters()]).toHaveLength(2);
    expect(() => list([])).toThrow('Module [ModuleList] is missing the required "forward" function');
  });

  test('ModuleDict', () => {
    const dict = new nn.ModuleDict(new Map([['a', new nn.ReLU()]]));
    dict.update({ b: new nn.Linear(1, 1) });
    expect([dict.keys(), dict.length, [...dict], dict.has('b')]).toEqual([['a', 'b'], 2, ['a', 'b'], true]);
    expect(Object.keys(dict.state_dict())).toEqual(['b.weight', 'b.bias']);
    expect(dict.pop('a')).toBeInstanceOf(nn.ReLU);
    expect(() => dict.get('a')).toThrow("'a'");
    expect(() => dict.set('keys', new nn.ReLU())).toThrow("attribute 'keys' already exists");
    dict.clear();
    expect(dict.length).toBe(0);
  });

  test('ParameterList', () => {
    const list = new nn.ParameterList([torch.zeros(2)]);
    list.append(torch.ones(3));
    expect(list.get(1)).toBeInstanceOf(nn.Parameter);
    expect(names(list.named_parameters())).toEqual(['0', '1']);
    expect([...list].map((p) => p.shape)).toEqual([[2], [3]]);
  });
});

describe('arguments', () => {
  test('by position, by name, and both', () => {
    expect(String(new nn.Linear({ in_features: 3, out_features: 2 }))).toBe(fixture.repr.Linear);
    expect(String(new nn.Linear(3, { out_features: 2, bias: false }))).toBe(fixture.repr['Linear nobias']);
  });

  test('what is wrong is named', () => {
    const make =
      (...args: unknown[]) =>
      () =>
        new (nn.Linear as unknown as new (...args: unknown[]) => nn.Linear)(...args);
    expect(make(3)).toThrow("Linear.__init__() missing 1 required positional argument: 'out_features'");
    expect(make()).toThrow(
      "Linear.__init__() missing 2 required positional arguments: 'in_features' and 'out_features'",
    );
    expect(make(3, 2, { biass: true })).toThrow(
      "Linear.__init__() got an unexpected keyword argument 'biass'. Did you mean 'bias'?",
    );
    expect(make(3, 2, { in_features: 3 })).toThrow(
      "Linear.__init__() got multiple values for argument 'in_features'",
    );
    expect(make(3, 2, true, null, null, 9)).toThrow(
      'Linear.__init__() takes 5 positional arguments but 6 were given',
    );
    expect(make(3, 2, { biass: true })).toThrow(TypeError);
  });

  test('layers check theirs', () => {
    expect_torch_error('conv groups', () => new nn.Conv2d(3, 4, 1, { groups: 2 }));
    expect_torch_error('conv padding', () => new nn.Conv2d(3, 4, 3, { stride: 2, padding: 'same' }));
    expect_torch_error('conv transpose size', () =>
      new nn.ConvTranspose2d(1, 1, 3, { stride: 2 })(torch.zeros(1, 1, 4, 4), [20, 20]),
    );
    expect_torch_error('dropout', () => new nn.Dropout(1.5));
    expect_torch_error('batchnorm1d', () => new nn.BatchNorm1d(2)(torch.zeros(1)));
    expect_torch_error('batchnorm2d', () => new nn.BatchNorm2d(2)(torch.zeros(1)));
    expect_torch_error('embedding padding', () => new nn.Embedding(3, 2, { padding_idx: 5 }));
    expect_torch_error('lstm dims', () => new nn.LSTM(2, 3)(torch.zeros(1)));
    expect_torch_error('lstm input', () => new nn.LSTM(2, 3)(torch.zeros(4, 5, 7)));
    expect_torch_error('lstm hidden', () =>
      new nn.LSTM(2, 3)(torch.zeros(4, 5, 2), [torch.zeros(1, 5, 2), torch.zeros(1, 5, 3)]),
    );
    expect_torch_error('lstm hidden dims', () =>
      new nn.LSTM(2, 3)(torch.zeros(4, 5, 2), [torch.zeros(5, 3), torch.zeros(5, 3)]),
    );
  });
});

describe('nn.utils', () => {
  test('vectors of parameters', () => {
    const net = new nn.Linear(2, 2);
    const vector = nn.utils.parameters_to_vector(net.parameters());
    expect(vector.shape).toEqual([6]);
    nn.utils.vector_to_parameters(torch.arange(6, { dtype: 'float32' }), net.parameters());
    expect(values(net.weight)).toEqual([0, 1, 2, 3]);
    expect(values(net.bias!)).toEqual([4, 5]);
  });
});
