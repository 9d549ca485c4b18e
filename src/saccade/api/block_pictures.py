"""Curves of parts: an activation by its input, a loss by what decides it, an optimiser's descent.

Optimisers go down a long, narrow valley, ½ (x² + 10 y²): Goodfellow, Bengio, Courville, "Deep
Learning", 2016, section 4.3.1, on what a poor condition does to a descent.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from saccade.losses import LOGIT_LOSSES, PAIR_LOSSES, VALUE_LOSSES, VECTOR_LOSSES
from saccade.nn.activations import ACTIVATIONS, SATURATED
from saccade.optim import OPTIMISERS, WholeLossOptimiser
from saccade.report.charts import Series, line_chart
from saccade.shelf import Entry

REACH, POINTS = 8.0, 801  # activations: from -REACH to REACH
SCORE_REACH, ERROR_REACH = 6.0, 1.5
OWN = 0.5  # the distance of two vectors of one class, where distances decide
CURVATURE, STEPS, FLOOR = 10.0, 1000, 1e-8
CLASSES = 3

Rows = Mapping[str, Entry]


def draw(rows: Rows) -> str | None:
    """Return an SVG of parts on the same axes, by name; None where they are no such curves."""
    for shelf, drawer in DRAWERS:
        if all(shelf.get(name) is row for name, row in rows.items()):
            return drawer(rows)
    return None


def activation_curve(build: Callable[[], torch.nn.Module], x: Tensor) -> Tensor:
    """(n,) float → (n,): of softmax, the first of two channels, the other being 0."""
    channels = torch.stack([x, torch.zeros_like(x)], 1)
    with torch.no_grad():
        found: Tensor = build()(channels)[:, 0]
    return found


def loss_curve(row: Entry, x: Tensor, *, scores: bool) -> Tensor:
    """(n,) float → (n,): the loss where the right class's score, or the error, is x.

    Of ``scores``, those of the other classes are 0.
    """
    criterion = row.make()
    if scores:
        logits = torch.stack([x, *[torch.zeros_like(x)] * (CLASSES - 1)], 1)
        right = torch.zeros(1, dtype=torch.int64)
        return torch.stack([criterion(one[None], right) for one in logits])
    return torch.stack([criterion(one[None], torch.zeros_like(one)[None]) for one in x])


def distance_curve(row: Entry, x: Tensor) -> Tensor:
    """(n,) float in [0, 2] → (n,): the loss of three vectors of length 1.

    The second, of the first's class, lies OWN from it; the third, of another, x to the other side.
    """
    criterion, targets = row.make(), torch.tensor([0, 0, 1])
    turns = torch.stack([torch.zeros_like(x), -2 * torch.full_like(x, OWN / 2).asin()], 1)
    turns = torch.cat([turns, 2 * (x / 2).asin()[:, None]], 1).double()
    vectors = torch.stack([turns.cos(), turns.sin()], 2)
    return torch.stack([criterion(three, targets) for three in vectors])


def descent(row: Entry, *, lr: float) -> list[float]:
    """Return the loss ½ (x² + CURVATURE y²) before each of STEPS steps from (1, 1).

    Below FLOOR it ends.
    """
    place = torch.ones(1, 2, dtype=torch.float64, requires_grad=True)
    curvature = torch.tensor([[1.0, CURVATURE]], dtype=torch.float64)
    groups = [{"params": [place], "lr": lr, "weight_decay": 0.0}]
    optimiser = row.make(params=groups, lr=lr)

    def loss() -> Tensor:
        return (curvature * place.square()).sum() / 2

    found = [math.inf]
    while len(found) <= STEPS and found[-1] >= FLOOR:
        if isinstance(optimiser, WholeLossOptimiser):
            found.append(optimiser.descend(lambda: [loss()])[0])
            continue
        value = loss()
        (place.grad,) = torch.autograd.grad(value, [place])
        optimiser.step()
        found.append(value.item())
    return found[1:]


def _draw_activations(rows: Rows) -> str:
    x = torch.linspace(-REACH, REACH, POINTS)
    curves = {name: activation_curve(row.build, x) for name, row in rows.items()}
    series = [_series(name, x, curve) for name, curve in curves.items()]
    spans: list[tuple[float, float]] = []
    if len(rows) == 1:
        (name,) = rows
        row = ACTIVATIONS[name]
        slope = row.slope(torch.stack([x, torch.zeros_like(x)], 1))[:, 0]
        series = [_series("f(x)", x, curves[name]), _series("f′(x)", x, slope)]
        spans = [(max(start, -REACH), min(end, REACH)) for start, end in row.saturation]
    return line_chart(
        series,
        title=", ".join(rows),
        x_label="x",
        y_label="f(x)" if len(rows) > 1 else ", ".join(rows),
        description="; ".join(f"{name}: {row.definition}" for name, row in rows.items()),
        shaded=spans,
        shaded_name=f"|f′| below {SATURATED}",
    )


def _series(name: str, x: Tensor, y: Tensor) -> Series:
    return Series(name, x.numpy(), y.numpy())


def _draw_logit_losses(rows: Rows) -> str | None:
    if "hierarchical_cross_entropy" in rows:
        return None  # needs a tree
    x = torch.linspace(-SCORE_REACH, SCORE_REACH, POINTS)
    return _losses(rows, x, "score of the right class; those of two others are 0", scores=True)


def _draw_value_losses(rows: Rows) -> str:
    x = torch.linspace(-ERROR_REACH, ERROR_REACH, POINTS)
    return _losses(rows, x, "value - target; the target is 0", scores=False)


def _draw_distance_losses(rows: Rows) -> str:
    x = torch.linspace(0, 2, POINTS)
    curves = {name: distance_curve(row, x) for name, row in rows.items()}
    return _chart(rows, curves, x, f"distance to another class; that to the own class is {OWN:g}")


def _losses(rows: Rows, x: Tensor, label: str, *, scores: bool) -> str:
    curves = {name: loss_curve(row, x, scores=scores) for name, row in rows.items()}
    return _chart(rows, curves, x, label)


def _chart(rows: Rows, curves: Mapping[str, Tensor], x: Tensor, label: str) -> str:
    return line_chart(
        [_series(name, x, y) for name, y in curves.items()],
        title=", ".join(rows),
        x_label=label,
        y_label="loss" if len(rows) > 1 else ", ".join(rows),
        description="; ".join(f"{name}: {row.definition}" for name, row in rows.items()),
    )


def _draw_optimisers(rows: Rows) -> str:
    series = []
    for name, row in rows.items():
        lr = OPTIMISERS[name].lr
        losses = np.maximum(descent(row, lr=lr), FLOOR)
        series.append(Series(f"{name}, lr {lr:g}", np.arange(1, len(losses) + 1), losses))
    return line_chart(
        series,
        title=", ".join(rows),
        x_label="step",
        y_label=f"½ (x² + {CURVATURE:g} y²), from (1, 1)",
        description="each at its own usual learning rate, without a schedule",
        log_x=True,
        log_y=True,
    )


# arcface learns directions, so it has no curve of its own.
DISTANCE_LOSSES = {k: v for k, v in (VECTOR_LOSSES | PAIR_LOSSES).items() if k != "arcface"}
DRAWERS: list[tuple[Rows, Callable[[Rows], str | None]]] = [
    (ACTIVATIONS, _draw_activations),
    (LOGIT_LOSSES, _draw_logit_losses),
    (VALUE_LOSSES, _draw_value_losses),
    (DISTANCE_LOSSES, _draw_distance_losses),
    (OPTIMISERS, _draw_optimisers),
]
