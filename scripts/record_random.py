"""Records test/fixtures/random.json: what PyTorch draws, call by call, from one seed.

Run with a Python that has PyTorch 2.13: python scripts/record_random.py
"""
import hashlib
import json
import pathlib

import torch

SIZES = [0, 1, 7, 15, 16, 17, 100, 1000, 100000]
FLOATS = ['float32', 'float64', 'float16', 'bfloat16']
INTEGERS = ['int64', 'int32', 'int16', 'int8', 'uint8']
EDGE = 20  # of longer results the first and last so many are kept

torch.set_num_threads(1)


def fill(method, dtype, *args, sizes=SIZES):
    """In-place fills of all sizes, one after the other from one stream."""
    return [{'fill': method, 'dtype': dtype, 'args': list(args), 'shape': [n]} for n in sizes]


def call(name, *args, **kwargs):
    return [{'call': name, 'args': list(args), 'kwargs': kwargs}]


def cases():
    for dtype in FLOATS:
        yield fill('uniform_', dtype)
        for low, high in ((-0.1, 0.1), (-0.2, 0.7), (1000, 1001)):
            yield fill('uniform_', dtype, low, high)
        for mean, std in ((0, 1), (0.1, 0.3), (-3, 7.7)):
            yield fill('normal_', dtype, mean, std)
        yield fill('exponential_', dtype, 2.5)
        yield fill('log_normal_', dtype, 0.1, 0.5)
        yield fill('cauchy_', dtype, 0.5, 2)
    for dtype in FLOATS + INTEGERS + ['bool']:
        yield fill('random_', dtype)
        yield fill('random_', dtype, 2)
        yield fill('bernoulli_', dtype, 0.3)
        if dtype != 'bool':
            yield fill('random_', dtype, -5 if dtype != 'uint8' else 5, 100)
            yield fill('geometric_', dtype, 0.3)
    for high in (2**28 - 1, 2**28, 2**31, 2**32, 2**40):
        yield fill('random_', 'int64', -7, high)
    for n in SIZES:
        yield call('randperm', n) + call('randperm', n, dtype='int32') + call('randperm', n, dtype='float32')
    yield call('rand', 3, 4) + call('randn', 3, 4) + call('rand', 2, 3, dtype='float64') + call('randn', 5, 5)
    yield call('randint', 10, [4, 4]) + call('randint', -3, 3, [20]) + call('randint', 0, 2, [5], dtype='float32')
    yield call('randn', 3) + call('randn', 4) + call('randn', 20) + call('randn', 2) + call('rand', 2)
    yield call('randperm', 10) + call('rand', 1) + call('randint', 100, [3]) + call('randn', 1) + call('randperm', 5)
    yield fill('random_', 'int64', sizes=[1]) + fill('random_', 'int32', sizes=[3]) + call('randn', 1)


def run(step):
    if 'fill' in step:
        x = torch.empty(step['shape'], dtype=getattr(torch, step['dtype']))
        return getattr(x, step['fill'])(*step['args'])
    kwargs = dict(step['kwargs'])
    if 'dtype' in kwargs:
        kwargs['dtype'] = getattr(torch, kwargs['dtype'])
    return getattr(torch, step['call'])(*step['args'], **kwargs)


def number(x):
    if isinstance(x, int) and not isinstance(x, bool) and abs(x) > 2**53 - 1:
        return str(x)  # JSON numbers are doubles in JavaScript
    return x


def record(index, steps):
    seed = [0, 42, 2**40 + 7][index % 3]
    torch.manual_seed(seed)
    for step in steps:
        values = run(step).flatten().tolist()
        step['numel'] = len(values)
        if len(values) <= 2 * EDGE:
            step['values'] = [number(v) for v in values]
        else:
            step['head'] = [number(v) for v in values[:EDGE]]
            step['tail'] = [number(v) for v in values[-EDGE:]]
    # The whole state: the calls took exactly PyTorch's draws, kept normals included.
    state = hashlib.sha256(bytes(torch.get_rng_state().tolist())).hexdigest()
    return {'seed': seed, 'steps': steps, 'state': state}


recorded = [record(i, steps) for i, steps in enumerate(cases())]
path = pathlib.Path(__file__).parent.parent / 'test' / 'fixtures' / 'random.json'
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text('[\n' + ',\n'.join(json.dumps(case, separators=(',', ':')) for case in recorded) + '\n]\n')
