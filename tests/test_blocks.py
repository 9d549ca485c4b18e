"""``saccade blocks``: what is told and drawn of a part, and of a formula."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, multi_margin_loss

from saccade.api.block_pictures import (
    CURVATURE,
    FLOOR,
    STEPS,
    activation_curve,
    descent,
    distance_curve,
    loss_curve,
)
from saccade.api.blocks import RIGHT, SCORES, SHELVES, blocks, worked_example
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.losses import LOGIT_LOSSES, LOSSES
from saccade.nn.activations import ACTIVATIONS
from saccade.optim import OPTIMISERS
from saccade.report.graphs import Box, graph_chart

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(capsys, *words, code=0):
    capsys.readouterr()
    assert main(["blocks", *map(str, words)]) == code
    out, err = capsys.readouterr()
    return err if code else out


def texts(file):
    """The texts of an SVG file, which must be well formed."""
    return [
        "".join(each.itertext())
        for each in ET.parse(file).getroot().iter()
        if each.tag == f"{SVG}text"
    ]


def test_all_parts_of_all_shelves_are_listed(capsys):
    text = told(capsys)
    for title, shelf in SHELVES.items():
        assert f"{title}:\n" in text
        assert all(f"\n  {name} " in text for name in shelf)
    listed = json.loads(told(capsys, "--json"))
    assert len(listed) == sum(map(len, SHELVES.values()))
    assert all(one["definition"] and one["source"] for one in listed)


def test_an_activation_is_told_and_drawn(capsys, tmp_path):
    text = told(capsys, "mish")
    row = ACTIVATIONS["mish"]
    for fact in (row.definition, row.derivative, row.range, row.source, "x < -6.264", "times relu"):
        assert fact in text
    assert "zero-centred  no" in text and "zero-centred  yes" in told(capsys, "tanh")
    written = texts(tmp_path / "mish.svg")
    assert {"f(x)", "f′(x)", "|f′| below 0.01"} <= set(written)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_curve_is_the_definition(name):
    x = torch.linspace(-8, 8, 33)
    curve = activation_curve(ACTIVATIONS[name].build, x)
    if name == "softmax":
        expected = x.exp() / (x.exp() + 1)
    else:
        expected = torch.stack([ACTIVATIONS[name].make()(value[None, None])[0, 0] for value in x])
    torch.testing.assert_close(curve, expected.detach())


@pytest.mark.parametrize("name", ["squared", "huber", "cross_entropy", "hinge", "focal"])
def test_the_curve_of_a_loss_is_that_of_one_row(name):
    x = torch.linspace(-2, 2, 9)
    scores = name in LOGIT_LOSSES
    curve = loss_curve(LOSSES[name], x, scores=scores)
    plain = {
        "squared": lambda v: v * v,
        "huber": lambda v: v * v / 2 if abs(v) <= 1 else abs(v) - 0.5,
        "cross_entropy": lambda v: cross_entropy(
            torch.tensor([[v, 0, 0]]), torch.tensor([0]), label_smoothing=0.1
        ),
        "hinge": lambda v: 2 * max(0, 1 - v),
        "focal": lambda v: _focal(np.exp(v) / (np.exp(v) + 2)),
    }[name]
    np.testing.assert_allclose(curve, [float(plain(float(v))) for v in x], rtol=1e-5, atol=1e-6)


def test_the_curves_of_distance_losses_are_their_formulas():
    x = torch.linspace(0.1, 1.9, 19)
    own, other = 0.5, x.double().numpy()
    # From the second vector to the third the turns add up.
    far = 2 * np.abs(np.sin(np.arcsin(own / 2) + np.arcsin(other / 2)))
    triplet = (np.maximum(0, 0.3 + own - other) + np.maximum(0, 0.3 + own - far)) / 2
    contrastive = own**2 + np.maximum(0, 1 - other) ** 2 + np.maximum(0, 1 - far) ** 2
    for name, expected in (("triplet", triplet), ("contrastive", contrastive / 6)):
        np.testing.assert_allclose(
            distance_curve(LOSSES[name], x), expected, atol=1e-6, err_msg=name
        )


def _focal(p):
    return -((1 - p) ** 2) * np.log(p)


def test_losses_are_worked_out_on_the_same_scores(capsys, tmp_path):
    scores, right = torch.tensor([SCORES], dtype=torch.float64), torch.tensor([RIGHT])
    worked = {one.name: one for one in worked_example(blocks(["hinge", "cross_entropy", "focal"]))}
    for one in worked.values():
        assert sum(one.terms) == pytest.approx(one.value, rel=1e-12)
        for place in range(3):
            move = torch.zeros_like(scores)
            move[0, place] = 1e-6
            criterion = LOSSES[one.name].make()
            ends = [float(criterion(scores + way * move, right)) for way in (1, -1)]
            assert one.gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-6)
    # torch's divides by the number of classes.
    assert worked["hinge"].value == 3 * float(multi_margin_loss(scores, right)) == 2.0
    text = told(capsys, "hinge", "cross_entropy")
    assert "worked example" in text and "max(0, z_j - z_y + 1)" in text
    assert {"hinge", "cross_entropy"} <= set(texts(tmp_path / "hinge-cross_entropy.svg"))


def test_the_example_is_part_of_the_json(capsys):
    found = json.loads(told(capsys, "hinge", "--json", "--out", "h.svg"))
    assert found["worked"][0]["terms"] == [0.0, 2.0, 0.0]
    assert found["blocks"][0]["settings"] == {"margin": 1.0} and found["picture"] == "h.svg"


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_descends_by_its_rule(name):
    losses = descent(OPTIMISERS[name], lr=OPTIMISERS[name].lr)
    assert losses[0] == (1 + CURVATURE) / 2
    assert losses[-1] < FLOOR or (len(losses) == STEPS and losses[-1] < losses[0])
    if name in ("sgd", "gd", "asgd"):
        rate = OPTIMISERS[name].lr
        steps = np.arange(len(losses))
        exact = (1 - rate) ** (2 * steps) + CURVATURE * (1 - CURVATURE * rate) ** (2 * steps)
        np.testing.assert_allclose(losses, exact / 2, rtol=1e-9, atol=1e-30)


@pytest.mark.parametrize(
    "names",
    [["adam", "momentum"], ["squared", "huber"], ["relu", "gelu"], ["triplet", "contrastive"]],
)
def test_parts_of_one_kind_are_drawn_on_the_same_axes(capsys, tmp_path, names):
    told(capsys, *names, "--out", "both.svg")
    legend = [text.partition(",")[0] for text in texts(tmp_path / "both.svg")]
    assert set(names) <= set(legend)


@pytest.mark.parametrize("name", [name for shelf in SHELVES.values() for name in shelf])
def test_every_part_is_told(capsys, name):
    text = told(capsys, name)
    assert f"{name} (" in text and "definition" in text and "source" in text


def test_a_formula_is_told_and_drawn(capsys, tmp_path):
    text = told(capsys, "--graph", "z=x*y; L=z**2", "x=3", "y=-4")
    assert [line.split() for line in text.splitlines()[:6]] == [
        ["node", "made", "by", "value", "gradient"],
        ["x", "given", "3", "96"],
        ["y", "given", "-4", "-72"],
        ["z", "*", "-12", "-24"],
        ["2", "constant", "2"],
        ["L", "**", "144", "1"],
    ]
    written = texts(tmp_path / "graph.svg")
    assert {"x", "value 3", "gradient 96", "z = x * y", "L = z ** 2", "gradient -72"} <= set(
        written
    )
    found = json.loads(told(capsys, "--graph", "-x*2", "x=3", "--json"))
    assert found["nodes"][0] == {
        "name": "x", "operation": "", "inputs": [], "value": 3.0, "gradient": -2.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["mihs"], "no building block 'mihs'; did you mean 'mish'"),
        (["mish", "hinge", "--out", "a.svg"], "mish, hinge: no curves on the same axes"),
        (["batch", "--out", "a.svg"], "batch: no curves on the same axes"),
        (["--out", "a.svg"], "name one, as mish"),
        (["mish", "--out", "mish.png"], "must be an .svg file"),
        (["mish", "--out", "nowhere/mish.svg"], "nowhere/mish.svg"),
        (["--graph", "z=x*y", "x=3"], "no value for 'y'"),
        (["--graph", "z=x*y", "x=3", "y=much"], "a value is given as x=3. Got 'y=much'"),
        (["--graph", "z=x", "x"], "a value is given as x=3. Got 'x'"),
        (["--graph", "z=x", "x=1", "x=2"], "'x' is given twice"),
        (["--graph", "z=x/0", "x=1"], "division by zero"),
        (["--graph", "a=b; b=a"], "no cycles"),
        (["--graph", "z=x", "x=nan"], "no finite number"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(capsys, tmp_path, words, expected):
    said = told(capsys, *words, code=2)
    assert expected in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_graph_is_small_valid_and_escaped():
    boxes = [Box(("<a&b>", "value 1"), given=True), Box(("c",)), Box(("d" * 99,), (0, 1))]
    svg = graph_chart(boxes, title="<t>", description="<d>")
    root = ET.fromstring(svg)
    found = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert found[:2] == ["<a&b>", "value 1"] and found[3].endswith("…") and len(svg) < 4000
    with pytest.raises(InputError, match="no boxes"):
        graph_chart([], title="t")


def rectangles(svg):
    places = [
        tuple(float(each.get(key)) for key in ("x", "y", "width", "height"))
        for each in ET.fromstring(svg).iter(f"{SVG}rect")
    ]
    return np.array(places)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_of_a_graph_never_overlap_and_stand_right_of_their_inputs(seed):
    draw = np.random.default_rng(seed)
    boxes = [Box((f"n{n}",), tuple(draw.choice(n, min(n, 2)).tolist())) for n in range(30)]
    svg = graph_chart(boxes, title="t")
    width, height = map(float, ET.fromstring(svg).get("viewBox").split()[2:])
    # Drawn by column; names tell which is which.
    names = ["".join(each.itertext()) for each in ET.fromstring(svg).iter(f"{SVG}text")]
    place = dict(zip(names, rectangles(svg), strict=True))
    for n, box in enumerate(boxes):
        x, y, w, h = place[f"n{n}"]
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        for before in box.inputs:
            left = place[f"n{before}"]
            assert left[0] + left[2] < x
        for other in range(n):
            a, b, c, d = place[f"n{other}"]
            assert x >= a + c or a >= x + w or y >= b + d or b >= y + h
