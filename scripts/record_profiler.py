#!/usr/bin/env python3
"""Records test/fixtures/profiler.json: PyTorch's tables, schedules and words for test/profiler/.

Run with a Python that has torch:  python scripts/record_profiler.py
"""
import json
import pathlib
import warnings

import torch
from torch.autograd.profiler_util import EventList, FunctionEvent, _format_memory, _format_time
from torch.profiler import ProfilerAction, ProfilerActivity, profile, schedule

OUT = pathlib.Path(__file__).resolve().parent.parent / "test" / "fixtures" / "profiler.json"

# name, start, end, shapes, stack, bytes, is a range, is asynchronous
EVENTS = [
    ["ProfilerStep*", 0, 5_000_000.5, [], [], 4096, True, False],
    ["forward", 10, 2_500.25, [], [], 3_500_000_000, True, False],
    ["aten::linear", 20, 1_020.125, [[4, 8], [16, 8], [16]], ["train.py(7): step", "train.py(12): <module>"], 256, False, False],
    ["aten::addmm", 30, 1_000, [[16], [4, 8], [8, 16], [], []], ["train.py(7): step", "train.py(12): <module>"], 256, False, False],
    ["aten::linear", 1_100, 1_200, [[4, 16], [1, 16], [1]], ["train.py(8): step", "train.py(12): <module>"], 16, False, False],
    ["aten::detach", 1_300, 1_310, [[4]], [], 0, False, False],
    ["aten::detach", 1_302, 1_308, [[4]], [], 0, False, False],
    ["waiting", 1_400, 900_000, [], [], 12, True, True],
    ["autograd::engine::evaluate_function: BinaryCrossEntropyWithLogitsBackward0", 3_000, 4_000, [], [], -1_048_576, False, False],
    ["BinaryCrossEntropyWithLogitsBackward0", 3_001, 3_900, [[4, 1]],
     ["a/very/long/path/that/does/not/fit/into/the/column/of/the/sources/of/the/table/train.py(100): step"], 1_000, False, False],
    ["aten::mm", 4_500_000, 5_000_000, [[4, 16], [16, 4]], [], -2048, False, False],
]


def events():
    made = [
        FunctionEvent(
            id=i, name=name, thread=1, start_us=start, end_us=end, input_shapes=shapes, overload_name="", stack=stack,
            cpu_memory_usage=bytes_, is_user_annotation=is_range, is_async=is_async, fwd_thread=0,
        )
        for i, (name, start, end, shapes, stack, bytes_, is_range, is_async) in enumerate(EVENTS)
    ]
    for e in made:
        e.flops = 1_234_567 if e.name == "aten::mm" else 2_500 if e.name == "aten::linear" else 0
    return made


def tables():
    out = {}
    for name, lists, groups, options in [
        ("plain", {}, {}, {}),
        ("sorted", {}, {}, {"sort_by": "self_cpu_time_total", "row_limit": 3}),
        ("all_rows", {}, {}, {"row_limit": -1, "sort_by": "count"}),
        ("memory", {"profile_memory": True}, {}, {"sort_by": "cpu_memory_usage"}),
        ("shapes", {}, {"group_by_input_shapes": True}, {"max_shapes_column_width": 20}),
        ("stacks", {}, {"group_by_stack_n": 2}, {"max_src_column_width": 40}),
        ("flops", {"with_flops": True}, {}, {}),
        ("options", {}, {}, {"header": "HEADER", "top_level_events_only": True, "time_unit": "ms", "max_name_column_width": 20}),
        ("device_sort", {}, {}, {"sort_by": "cuda_time_total"}),
    ]:
        listed = EventList(events(), **lists)
        listed._build_tree()
        out[name] = {
            "list": lists,
            "groups": {k.replace("shapes", "shape"): v for k, v in groups.items()},
            "options": options,
            "text": listed.key_averages(**groups).table(**options),
        }
    listed = EventList(events(), profile_memory=True)
    listed._build_tree()
    out["events"] = {"list": {"profile_memory": True}, "groups": None, "options": {}, "text": listed.table()}
    return out


def message(case):
    try:
        case()
    except Exception as error:  # whatever PyTorch throws is the answer
        return {"type": type(error).__name__, "message": str(error)}
    raise SystemExit("PyTorch does not throw")


def cpu(**options):
    return profile(activities=[ProfilerActivity.CPU], **options)


def finished():
    with cpu() as prof:
        torch.ones(2) + 1
    return prof


def messages():
    return {
        "events": message(lambda: cpu().events()),
        "key_averages": message(lambda: cpu().key_averages()),
        "export_chrome_trace": message(lambda: cpu().export_chrome_trace("/nowhere/x.json")),
        "export_stacks": message(lambda: cpu().export_stacks("/nowhere/x.txt")),
        "stop": message(lambda: cpu().stop()),
        "no_activities": message(lambda: profile(activities=[])),
        "double_activity": message(lambda: profile(activities=[ProfilerActivity.CPU] * 2)),
        "schedule": message(lambda: schedule(wait=-1, warmup=0, active=0)),
        "negative_step": message(lambda: schedule(wait=1, warmup=1, active=1)(-1)),
        "sort_by": message(lambda: finished().key_averages().table(sort_by="nonsense")),
        "stacks_without_stack": message(lambda: finished().export_stacks("/nowhere/x.txt")),
        "stack_metric": message(lambda: finished().events().export_stacks("/nowhere/x.txt", "nonsense")),
    }


SCHEDULES = [
    {"wait": 1, "warmup": 1, "active": 2},
    {"wait": 1, "warmup": 1, "active": 2, "repeat": 2},
    {"wait": 0, "warmup": 1, "active": 1, "repeat": 1, "skip_first": 3},
    {"wait": 2, "warmup": 1, "active": 3, "skip_first": 1, "skip_first_wait": 1},
    {"wait": 0, "warmup": 0, "active": 1},
]


def saves(options):
    """In which steps a loop of 14 hands traces over, and how many steps each of them recorded."""
    seen = []

    def ready(prof):
        steps = [e.count for e in prof.key_averages() if e.key == "ProfilerStep*"]
        seen.append([prof.step_num, steps[0] if steps else 0])

    with cpu(schedule=schedule(**options), on_trace_ready=ready) as prof:
        for _ in range(14):
            torch.ones(2) + 1
            prof.step()
    return seen


def main():
    warnings.simplefilter("ignore")
    fixture = {
        "events": EVENTS,
        "tables": tables(),
        "times": [[t, _format_time(t)] for t in [0, 0.0005, 0.5, 999.9994, 999.9996, 1000, 12345.678, 1e6, 3.6e9]],
        "memory": [[n, _format_memory(n)] for n in [0, 1, -1, 1023, 1024, -1536, 2**20, 2**30 - 1, -(2**31)]],
        "schedules": [
            {"options": o, "actions": [str(schedule(**o)(i)) for i in range(14)], "saves": saves(o)} for o in SCHEDULES
        ],
        "messages": messages(),
        "actions": [str(a) for a in ProfilerAction],
        "activities": [str(ProfilerActivity.CPU), str(ProfilerActivity.CUDA)],
    }
    OUT.write_text(json.dumps(fixture, indent=1) + "\n")


if __name__ == "__main__":
    main()
