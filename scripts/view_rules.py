"""Programs for the rules of views and in-place writes, one each. See record_autograd_views.py."""
from view_program import Program


def rules():
    def rule(f):
        p = Program()
        f(p)
        found.append((f.__name__, p.recorded()))

    found = []

    @rule
    def requires_grad_of_views(p):
        x = p.leaf([3], False)
        v = p.do("index", x, [{"slice": [0, 2]}])
        p.do("requires_grad_", v, True)
        p.do("add_", v, 1)
        p.do("add_", x, 1)
        p.do("requires_grad_", x, True)

    @rule
    def a_base_that_asks_late(p):
        x = p.leaf([3], False)
        v = p.do("index", x, [{"slice": [0, 2]}])
        p.do("requires_grad_", x, True)
        p.do("add_", v, 1)
        p.do("mul", v, 2)

    @rule
    def requires_grad_refused(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        for value in (True, False):
            p.do("requires_grad_", y, value)
            p.do("assign_requires_grad", y, value)
        i = p.leaf([2], False, "int64")
        p.do("requires_grad_", i, True)
        p.do("requires_grad_", i, False)
        p.do("assign_requires_grad", i, True)

    @rule
    def requires_grad_withdrawn_before_backward(p):
        x = p.leaf([3])
        p.do("mul", x, 2)
        p.do("requires_grad_", x, False)

    @rule
    def detach_in_place(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("detach_", v)
        p.do("detach_", y)
        c = p.leaf([2], False)
        p.do("view", c, -1)
        p.do("detach_", len(p.tensors) - 1)

    @rule
    def detach_shares_memory_and_version(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        d = p.do("detach", y)
        p.do("add_", d, 1)
        e = p.do("data", y)
        p.do("add_", e, 1)
        p.do("select", d, 0, 0)
        p.do("mul_", len(p.tensors) - 1, {"t": x})

    @rule
    def writing_through_detach_is_noticed(p):
        x = p.leaf([3])
        y = p.do("exp", x)
        p.do("mul", y, {"t": y})
        d = p.do("detach", y)
        p.do("zero_", d)

    @rule
    def writing_through_data_is_not(p):
        x = p.leaf([3])
        y = p.do("exp", x)
        p.do("mul", y, {"t": y})
        d = p.do("data", y)
        p.do("zero_", d)

    @rule
    def leaves_without_gradients(p):
        x = p.leaf([3])
        p.do("add_", x, 1)
        p.do("add_", x, 1, mode="no_grad")
        p.do("zero_", x, mode="no_grad")
        p.do("fill_", x, 2, mode="inference")

    @rule
    def fill_and_copy(p):
        x = p.leaf([])
        y = p.leaf([2, 2], False)
        v = p.do("select", y, 0, 0)
        p.do("fill_", v, {"t": x})
        w = p.do("select", y, 0, 1)
        p.do("copy_", w, {"t": x})
        p.do("masked_fill_", y, {"const": [[True, False], [False, True]], "dtype": "bool"}, {"t": x})
        p.do("masked_fill_", w, {"const": [True, False], "dtype": "bool"}, 5.0)

    @rule
    def the_overwritten_part_gets_zero(p):
        x = p.leaf([4])
        y = p.do("mul", x, 2)
        p.do("index_put_", y, [{"slice": [1, 3]}], 0)

    @rule
    def saved_output_written_again(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        p.do("sigmoid_", y)
        p.do("add_", y, 1)

    @rule
    def saved_input_written(p):
        x = p.leaf([3])
        y = p.do("mul", x, 2)
        p.do("mul", y, {"t": y})
        p.do("add_", y, 1)

    @rule
    def saved_view_written_through_its_base(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("mul", v, {"t": v})
        w = p.do("select", y, 0, 1)
        p.do("add_", w, 1)

    @rule
    def hooks_stay_and_retained_gradients_move(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        p.do("hook", y, 2.0)
        p.do("retain_grad", y)
        v = p.do("select", y, 0, 0)
        p.do("retain_grad", v)
        p.do("hook", v, 3.0)
        p.do("mul_", v, 3)
        p.do("hook", y, 1.0)

    @rule
    def retained_gradient_of_a_view_whose_base_is_written(p):
        x = p.leaf([2, 2])
        y = p.do("mul", x, 2)
        v = p.do("select", y, 0, 0)
        p.do("retain_grad", v)
        p.do("mul_", y, 3)

    @rule
    def a_constant_that_becomes_part_of_the_graph(p):
        x = p.leaf([2])
        y = p.leaf([2, 2], False)
        p.do("retain_grad", y)
        p.do("index_put_", y, [0], {"t": x})
        p.do("retain_grad", y)

    @rule
    def steps_of_a_recurrence(p):
        w = p.leaf([2])
        out = p.leaf([4, 2], False)
        h = w
        for t in range(4):
            h = p.do("tanh", h)
            h = p.do("mul", h, {"t": w})
            p.do("index_put_", out, [t], {"t": h})

    @rule
    def reading_back_what_was_written(p):
        w = p.leaf([2])
        out = p.leaf([3, 2], False)
        for t in range(2):
            before = p.do("index", out, [t])
            after = p.do("add", before, {"t": w})
            p.do("index_put_", out, [t + 1], {"t": after})

    @rule
    def reading_a_saved_slice_of_what_is_written(p):
        w = p.leaf([2])
        out = p.leaf([3, 2], False)
        for t in range(2):
            before = p.do("index", out, [t])
            after = p.do("mul", before, {"t": w})
            p.do("index_put_", out, [t + 1], {"t": after})

    @rule
    def inference_tensors(p):
        x = p.leaf([2, 2])
        i = p.do("new", None, "float64", [1, 2, 3, 4], [2, 2], False, mode="inference")
        v = p.do("select", i, 0, 0)
        for t in (i, v):
            p.do("mul_", t, 1)  # PyTorch may have written before it refuses
            p.do("add_", t, 1, mode="inference")
        p.do("requires_grad_", i)
        p.do("mul", i, {"t": x})
        p.do("add", i, {"t": x})
        p.do("mul", i, 2)

    @rule
    def normal_tensors_in_inference_mode(p):
        x = p.leaf([2, 2], False)
        v = p.do("select", x, 0, 0, mode="inference")
        p.do("add_", v, 1, mode="inference")
        p.do("add_", x, 1, mode="inference")
        p.do("add_", v, 1)
        w = p.leaf([2])
        p.do("mul_", v, {"t": w})
        p.do("select", v, 0, 0)

    @rule
    def overlapping_operands(p):
        x = p.leaf([6], False)
        head = p.do("index", x, [{"slice": [None, -1]}])
        tail = p.do("index", x, [{"slice": [1, None]}])
        one = p.do("index", x, [0])
        index = {"const": [0], "dtype": "int64"}
        for op in ("add_", "sub_", "mul_", "div_", "pow_", "copy_", "fmod_", "maximum"):
            p.do(op, tail, {"t": head})
        for op in ("add_", "fill_", "div_"):
            p.do(op, x, {"t": one})
        p.do("lerp_", tail, {"t": head}, 0.5)
        p.do("addcmul_", tail, {"t": head}, {"t": head})
        p.do("clamp_", tail, {"t": head})
        first = p.do("index", x, [{"slice": [0, 1]}])
        p.do("index_add_", x, 0, index, {"t": first})
        p.do("index_copy_", x, 0, index, {"t": first})
        p.do("scatter_", x, 0, index, {"t": tail})
        p.do("index_put_", x, [index], {"t": one})
        p.do("copy_", x, {"t": x})
        evens = p.do("index", x, [{"slice": [None, None, 2]}])
        odds = p.do("index", x, [{"slice": [1, None, 2]}])
        p.do("add_", evens, {"t": odds})
        square = p.leaf([2, 2], False)
        turned = p.do("t", square)
        p.do("add_", square, {"t": turned})
        p.do("copy_", square, {"t": turned})
        p.do("addmm_", square, {"t": square}, {"t": turned})

    @rule
    def expanded_tensors(p):
        x = p.leaf([2, 1], False)
        e = p.do("expand", x, 2, 2)
        for op, *args in (["add_", 1], ["mul_", 2], ["relu_"], ["clamp_", 0], ["cumsum_", 0], ["normal_"], ["uniform_"],
                          ["copy_", {"const": 1.0}], ["lerp_", {"const": 1.0}, 0.5]):
            p.do(op, e, *args)
        p.do("zero_", e)
        p.do("fill_", e, 2)
        p.do("index_put_", e, [0, 0], 3)

    @rule
    def dtypes_and_shapes(p):
        x = p.leaf([2], False)
        i = p.leaf([2], False, "int64")
        three = {"const": [[1.0, 1.0]] * 3}
        for op in ("add_", "copy_", "mul_", "clamp_", "pow_"):
            p.do(op, x, three)
        p.do("add_", x, {"const": [1.0] * 3})
        p.do("copy_", x, {"const": [1.0] * 3})
        p.do("masked_fill_", x, {"const": [[True, True]] * 3, "dtype": "bool"}, 1)
        p.do("masked_fill_", x, {"const": [1.0, 1.0]}, 1)
        p.do("fill_", x, {"const": [1.0, 1.0]})
        for op, arg in (("add_", 1.5), ("div_", 2), ("mul_", {"const": [0.5, 0.5]}), ("pow_", -1)):
            p.do(op, i, arg)
        p.do("sqrt_", i)
        p.do("copy_", i, {"const": [1.7, 2.2]})
        b = p.leaf([2], False, "bool")
        p.do("add_", b, 1)

    @rule
    def assignments(p):
        x = p.leaf([3])
        for index in ([0], [{"slice": [None, None]}], [{"slice": [0, 1]}], [{"ellipsis": 1}], [{"none": 1}], [True],
                      [False], [0, 0], [{"const": [0], "dtype": "int64"}]):
            y = p.leaf([2, 3], False)
            p.do("index_put_", y, index, {"t": x})
            p.do("index_put_", y, index, {"const": [[[1.0, 2.0, 3.0]]]})
            p.do("index_put_", y, index, 4.0)
            p.do("index_put_", y, index, {"const": [1.0, 2.0]})
            p.do("index_put_", y, index, {"const": [[1.0, 2.0, 3.0]] * 2})

    @rule
    def shapes_changed_in_place(p):
        x = p.leaf([1, 2])
        for op, *args in (["unsqueeze_", 0], ["squeeze_"], ["squeeze_", 0], ["t_"], ["transpose_", 0, 1],
                          ["swapaxes_", 0, 1], ["as_strided_", [2], [1]]):
            y = p.do("mul", x, 2)
            p.do(op, y, *args)
            p.do("mul_", y, 2)
        p.do("t_", x)

    @rule
    def resizing(p):
        x = p.leaf([2, 3], False)
        v = p.do("view", x, -1)
        for size in ([2, 2], [2, 2], [4, 3]):
            p.do("resize_", x, size)
            p.do("narrow", x, 0, 0, 1)
        p.do("index_put_", x, [{"slice": [2, None]}], 0)  # what was there is anybody's guess
        p.do("resize_", v, [2])
        p.do("resize_as_", v, {"t": v})
        p.do("resize_as_", v, {"const": [[1.0], [2.0]]})
        turned = p.do("t", x)
        p.do("resize_", turned, list(p.tensors[turned].shape))
        w = p.leaf([3])
        p.do("resize_", w, [2])
        p.do("resize_", w, [2], mode="no_grad")
        y = p.do("mul", w, 2)
        p.do("resize_", y, [2])
        p.do("resize_as_", y, {"t": x})

    @rule
    def other_memory(p):
        x = p.leaf([2])
        y = p.leaf([2, 2], False)
        z = p.leaf([3], False)
        p.do("set_", z, {"t": y})
        p.do("add_", z, 1)
        p.do("set_", z, {"t": y}, 1, [2], [2])
        p.do("set_", z, {"t": y}, -1, [2], [2])
        p.do("set_", z, {"const": [1, 2], "dtype": "int64"})
        p.do("set_", x, {"t": y})
        p.do("set_", x, {"t": y}, mode="no_grad")
        p.do("set_", z)

    @rule
    def other_memory_has_no_derivative(p):
        x = p.leaf([2])
        y = p.do("mul", x, 2)
        p.do("set_", y, {"const": [1.0, 2.0, 3.0]})

    return found
