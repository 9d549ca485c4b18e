"""A formula as a graph: its numbers against torch's and against finite differences."""

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from saccade.errors import InputError
from saccade.expression import CONSTANT, FUNCTIONS, trace

NAMES = ("x", "y", "z")


def on_tensors(function):
    """torch's function, which takes numbers of the formula too."""
    return lambda *values: function(*(torch.as_tensor(v, dtype=torch.float64) for v in values))


TORCH = {
    **{
        name: on_tensors(getattr(torch, name))
        for name in ("exp", "log", "sin", "cos", "tanh", "sqrt", "sigmoid", "relu")
    },
    "max": on_tensors(lambda *values: torch.stack(values).amax()),
    "min": on_tensors(lambda *values: torch.stack(values).amin()),
}
numbers = st.floats(-3, 3).filter(lambda value: abs(value) > 1e-3)
leaves = st.sampled_from(NAMES) | st.floats(0.1, 2).map(lambda value: f"{value:.3f}")


def longer(inner):
    return (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map("(-{})".format)
        | st.tuples(inner, st.sampled_from((-2, -1, 0, 1, 2, 3))).map("({0[0]}) ** {0[1]}".format)
        | st.tuples(inner, inner).map("(2 + sin({0[0]})) ** {0[1]}".format)
        | st.tuples(st.sampled_from(sorted(set(FUNCTIONS) - {"max", "min"})), inner).map(
            "{0[0]}({0[1]})".format
        )
        | st.tuples(st.sampled_from(("max", "min")), inner, inner).map(
            "{0[0]}({0[1]}, {0[2]})".format
        )
    )


formulas = st.recursive(leaves, longer, max_leaves=8)


def by_torch(formula, values):
    """The value of a formula and its gradient by each name, in float64, by torch's autograd."""
    tensors = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in values.items()
    }
    found = eval(formula, {"__builtins__": {}}, TORCH | tensors)
    slopes = torch.autograd.grad(found, list(tensors.values()), materialize_grads=True)
    return float(found.detach()), dict(zip(tensors, map(float, slopes), strict=True))


@given(formulas, st.fixed_dictionaries(dict.fromkeys(NAMES, numbers)))
def test_values_and_gradients_equal_those_of_autograd(formula, values):
    whole = f"{formula} + 0*x + 0*y + 0*z"
    try:
        nodes = trace(whole, values)
    except InputError:
        assume(False)  # no such number
    found = {node.name: node.gradient for node in nodes}
    value, slopes = by_torch(whole, values)
    assert nodes[-1].value == pytest.approx(value, rel=1e-12, abs=1e-12)
    largest = max((abs(g) for g in found.values() if math.isfinite(g)), default=0)
    for name, slope in slopes.items():
        if math.isfinite(slope):
            assert found[name] == pytest.approx(slope, rel=1e-9, abs=1e-9 * largest), name


@pytest.mark.parametrize(
    "formula",
    [
        "z = x*y; L = z**2",
        "a = exp(x/2); b = sigmoid(a*y); c = b - tanh(x) ** 3; L = c/a + b*b",
        "L = log(x**2 + 1) * sqrt(y + 3) / cos(x*y)",
        "s = x + y; L = max(s, x*y, 1) - min(relu(s), sin(y))",
        "u = -x; v = u ** 3; w = (2 + v**2) ** (x/3); L = v / w - +y",
    ],
)
def test_every_gradient_is_the_finite_difference(formula):
    """Of inner nodes too: a named one is moved by adding a given 0 to it."""
    values, step = {"x": 0.7, "y": -1.3}, 1e-5
    nodes = trace(formula, values)
    for node in nodes:
        if node.operation == CONSTANT or not node.name.isidentifier():
            continue
        if node.name in values:
            ends = [
                trace(formula, {**values, node.name: values[node.name] + way})[-1].value
                for way in (step, -step)
            ]
        else:
            moved = formula.replace(f"{node.name} =", f"{node.name} = move +", 1)
            ends = [trace(moved, {**values, "move": way})[-1].value for way in (step, -step)]
        difference = (ends[0] - ends[1]) / (2 * step)
        assert node.gradient == pytest.approx(difference, rel=1e-6, abs=1e-8), node.name


def test_the_gradients_of_the_textbook():
    nodes = {n.name: (n.value, n.gradient) for n in trace("z=x*y; L=z**2", {"x": 3, "y": -4})}
    assert nodes["z"] == (-12, -24) and nodes["L"] == (144, 1)
    assert nodes["x"] == (3, 96) and nodes["y"] == (-4, -72)
    assert nodes["2"] == (2, 0), "a constant has no gradient"


def test_a_name_used_twice_gathers_both_gradients():
    (x, *_) = trace("a = x\nb = a + x\nL = b * a", {"x": 2.0})
    assert x.gradient == 8.0


def test_inputs_stand_before_what_is_made_of_them():
    nodes = trace("a = x*y; b = exp(a) - 2; L = b/a", {"x": 1.0, "y": 2.0})
    assert all(before < place for place, node in enumerate(nodes) for before in node.inputs)


@pytest.mark.parametrize(
    ("formula", "values", "gradient"),
    [
        ("relu(x)", {"x": 0.0}, 0.0),
        ("max(x, 2)", {"x": 2.0}, 0.5),
        ("x ** 0", {"x": 0.0}, 0.0),
        ("x ** 1", {"x": 0.0}, 1.0),
        ("2 ** 2 + 0 ** x", {"x": 0.0}, 0.0),
        ("sqrt(x)", {"x": 0.0}, math.inf),
        ("tanh(x)", {"x": 1000.0}, 0.0),
        ("sigmoid(x)", {"x": -1000.0}, 0.0),
    ],
)
def test_corners_are_those_of_torch(formula, values, gradient):
    found = {node.name: node.gradient for node in trace(formula, values)}
    assert found["x"] == gradient == by_torch(formula, values)[1]["x"]


def test_no_slope_by_an_exponent_left_of_zero():
    found = {node.name: node.gradient for node in trace("x ** y", {"x": -2.0, "y": 2.0})}
    assert found["x"] == -4 and math.isnan(found["y"])


@pytest.mark.parametrize(
    ("formula", "values", "told"),
    [
        ("", {}, "formula is empty"),
        ("z = (x", {"x": 1}, r"cannot be read at 'z = \(x'"),
        ("z = x y", {"x": 1}, "cannot be read"),
        ("z = 1\0", {}, "cannot be read"),
        ("z = x*w", {"x": 1, "y": 2}, "no value for 'w'; give one, as w=1"),
        ("z = speed*2", {"sped": 1}, "no value for 'speed'.*did you mean 'sped'"),
        ("z = x", {"x": 1, "y": 2}, "formula has no 'y'"),
        ("height = x", {"x": 1, "heigth": 2}, "no 'heigth'; did you mean 'height'"),
        ("z = tahn(x)", {"x": 1}, "no function 'tahn'; did you mean 'tanh'"),
        ("z = max(x)", {"x": 1}, "max takes two numbers or more"),
        ("z = exp(x, x)", {"x": 1}, "exp takes one number"),
        ("z = x/y", {"x": 1, "y": 0}, "'x / y' has no value where x = 1, y = 0: division by zero"),
        ("z = y ** -1", {"y": 0}, "division by zero"),
        ("z = log(x)", {"x": 0}, r"'log\(x\)' has no value where x = 0: no such number"),
        ("z = sqrt(x)", {"x": -1}, "no such number"),
        ("z = x ** 0.5", {"x": -1}, "no such number"),
        ("z = exp(x)", {"x": 1e4}, "too large"),
        ("z = x * 1e200 * 1e200", {"x": 1}, "too large"),
        ("z = 1e999", {}, "no finite number"),
        (f"z = {'9' * 400}", {}, "no finite number"),
        ("z = x", {"x": math.inf}, "'x' is no finite number"),
        ("z = x", {"x": math.nan}, "'x' is no finite number"),
        ("a = b; b = a", {}, "'b' is needed before it is known; a graph has no cycles"),
        ("z = z + 1", {}, "'z' is needed before it is known"),
        ("z = x; z = 2*x", {"x": 1}, "'z' is set twice"),
        ("x = 1", {"x": 1}, "'x' is set by the formula; leave out x="),
        ("z = x % 2", {"x": 1}, "'x % 2' is not understood"),
        ("z = True", {}, "'True' is not understood"),
        ("z = 'a'", {}, "is not understood"),
        ("z = 1j", {}, "is not understood"),
        ("z = x if x else 1", {"x": 1}, "is not understood"),
        ("z = x.real", {"x": 1}, "is not understood"),
        ("z = [x for x in y]", {"y": 1}, "is not understood"),
        ("z = exp(*x)", {"x": 1}, "is not understood"),
        ("z = exp(x=1)", {}, "is not understood"),
        ("z = (lambda: 1)()", {}, "is not understood"),
        ("__import__('os')", {}, "no function '__import__'"),
        ("import os", {}, "is no 'name = formula'"),
        ("z += 1", {}, "is no 'name = formula'"),
        ("a, b = 1", {}, "is no 'name = formula'"),
        ("a = b = 1", {}, "is no 'name = formula'"),
        ("x" * 2001, {}, "at most 2000 letters"),
        ("z = " + "+".join("x" * 120), {"x": 1}, "at most 100 nodes"),
        ("-" * 1900 + "x", {"x": 1}, "nested too deeply"),
        ("(" * 500 + "x" + ")" * 500, {"x": 1}, "cannot be read"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused_in_one_line(formula, values, told):
    with pytest.raises(InputError, match=told) as caught:
        trace(formula, values)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250


@given(st.text(max_size=40))
def test_any_text_is_taken_apart_or_refused(text):
    try:
        nodes = trace(text, {"x": 1.0})
    except InputError:
        return
    assert nodes and nodes[-1].gradient == 1.0
