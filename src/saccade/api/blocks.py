"""``blocks``: the parts that are chosen by name, what is known of each, and small formulas."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from saccade.api.block_pictures import draw
from saccade.boxes.suppression import SUPPRESSIONS
from saccade.errors import InputError
from saccade.expression import CONSTANT, FUNCTIONS, Node, trace
from saccade.files import write_atomic
from saccade.losses import LOSSES
from saccade.losses.box_losses import BOX_LOSSES
from saccade.losses.remedies import REMEDIES
from saccade.names import look_up
from saccade.nn import ACTIVATIONS, INITIALISATIONS, LAYERS, NORMALISATIONS
from saccade.nn.activations import Activation, activation_costs
from saccade.nn.recurrent import CELLS
from saccade.optim import OPTIMISERS, REGULARISERS
from saccade.optim.optimisers import Optimiser
from saccade.report.graphs import Box, graph_chart
from saccade.report.svg import standalone
from saccade.shelf import Entry

SHELVES: dict[str, Mapping[str, Entry]] = {
    "Activations": ACTIVATIONS,
    "Normalisations": NORMALISATIONS,
    "Initialisations": INITIALISATIONS,
    "Layers": LAYERS,
    "Recurrent cells": CELLS,
    "Losses": LOSSES,
    "Box losses": BOX_LOSSES,
    "Remedies": REMEDIES,
    "Suppressions": SUPPRESSIONS,
    "Optimisers": OPTIMISERS,
    "Regularisers": REGULARISERS,
}
SCORES, RIGHT = (1.0, 2.0, -1.0), 0  # of three classes, the first is the right one
PAPER = "#ffffff"


@dataclass(frozen=True)
class Block:
    """One part: ``shelf`` and ``row`` are where it stands.

    ``settings`` are those it is built with, by itself. What is of activations only is None, or
    empty, for others: ``derivative``, ``saturated`` (half-lines in words), ``zero_centred``,
    ``cost`` (time over relu's).
    """

    name: str
    shelf: str
    row: Entry = field(repr=False)
    settings: dict[str, float | str] = field(default_factory=dict)
    derivative: str | None = None
    saturated: str | None = None
    zero_centred: bool | None = None
    cost: float | None = None

    def to_dict(self) -> dict[str, object]:
        """For JSON: all but what builds it."""
        told = ("definition", "range", "source", "note")
        mine = {key: value for key, value in vars(self).items() if key != "row"}
        return mine | {key: getattr(self.row, key) for key in told}


def blocks(names: Sequence[str] = ()) -> list[Block]:
    """Return the parts of these names, or all; one that stands on two shelves comes twice.

    Raises UnknownNameError.
    """
    everything = {name for shelf in SHELVES.values() for name in shelf}
    for name in names:
        look_up(dict.fromkeys(everything), name, "building block")
    found = [
        _block(name, title, row)
        for title, shelf in SHELVES.items()
        for name, row in shelf.items()
        if not names or name in names
    ]
    return sorted(found, key=lambda one: names.index(one.name)) if names else found


def draw_blocks(chosen: Sequence[Block], out: Path | None = None) -> Path | None:
    """Draw parts of one kind on the same axes into an SVG; None for what are no such curves.

    Without ``out`` the file is named after the parts, in the current folder. Raises InputError when
    ``out`` is given for what cannot be drawn.
    """
    names = [one.name for one in chosen]
    rows: dict[str, Entry] = {}
    for one in chosen:
        rows.setdefault(one.name, one.row)  # Of one name on two shelves, the first has a curve.
    svg = draw(rows)
    if svg is None:
        if out is not None:
            raise InputError(f"{', '.join(names)}: no curves on the same axes; leave out --out")
        return None
    return _written(svg, out or Path(f"{'-'.join(names)}.svg"))


@dataclass(frozen=True)
class WorkedLoss:
    """A loss of classes on SCORES: ``terms`` (a class each) add up to ``value``.

    ``gradient`` is by each score.
    """

    name: str
    formula: str
    terms: list[float]
    value: float
    gradient: list[float]


def worked_example(chosen: Sequence[Block]) -> list[WorkedLoss]:
    """Work out those of ``chosen`` that are losses of scores, on SCORES with RIGHT as the class."""
    worked = []
    for one in chosen:
        if one.shelf != "Losses" or one.name not in WORKED:
            continue
        scores = torch.tensor([SCORES], dtype=torch.float64, requires_grad=True)
        loss = one.row.make()(scores, torch.tensor([RIGHT]))
        (gradient,) = torch.autograd.grad(loss, scores)
        formula, terms = WORKED[one.name](**{k: float(v) for k, v in one.settings.items()})
        worked.append(WorkedLoss(one.name, formula, terms, loss.item(), gradient[0].tolist()))
    return worked


def probabilities() -> list[float]:
    """The softmax of SCORES."""
    powers = [math.exp(score) for score in SCORES]
    return [power / sum(powers) for power in powers]


def trace_formula(formula: str, values: Iterable[str]) -> list[Node]:
    """Return the nodes of a formula, as ``saccade.expression.trace``; ``values`` as "x=3"."""
    given: dict[str, float] = {}
    for word in values:
        name, equals, number = word.partition("=")
        try:
            value = float(number)
        except ValueError:
            equals = ""
        if not (equals and name.isidentifier()):
            raise InputError(f"a value is given as x=3. Got '{word}'")
        if name in given:
            raise InputError(f"'{name}' is given twice; leave one out")
        given[name] = value
    return trace(formula, given)


def draw_formula(nodes: Sequence[Node], out: Path) -> Path:
    """Draw the nodes with value and gradient into an SVG file."""
    boxes = []
    for node in nodes:
        lines = [_told(node, nodes), f"value {node.value:.6g}"]
        if node.operation != CONSTANT:
            lines.append(f"gradient {node.gradient:.6g}")
        boxes.append(Box(tuple(lines), node.inputs, given=not node.inputs))
    told = "; ".join(f"{node.name} is {node.value:g}" for node in nodes)
    return _written(graph_chart(boxes, title="Value and gradient", description=told), out)


def _told(node: Node, nodes: Sequence[Node]) -> str:
    """The name of a node and, where it has one of its own, what it is made of, as "z = x * y"."""
    if not (node.inputs and node.name.isidentifier()):
        return node.name
    names = [nodes[place].name for place in node.inputs]
    if node.operation in FUNCTIONS:
        return f"{node.name} = {node.operation}({', '.join(names)})"
    pieces = [name if name.replace(".", "").isalnum() else f"({name})" for name in names]
    sign = {"-x": "-", "=": ""}.get(node.operation)
    return f"{node.name} = " + (
        f" {node.operation} ".join(pieces) if sign is None else sign + pieces[0]
    )


def _block(name: str, shelf: str, row: Entry) -> Block:
    if isinstance(row, Activation):
        saturated = " and ".join(_half_line(*line) for line in row.saturation) or "nowhere"
        return Block(
            name,
            shelf,
            row,
            derivative=row.derivative,
            saturated=saturated,
            zero_centred=row.zero_centred,
            cost=activation_costs()[name],
        )
    if isinstance(row, Optimiser):
        given: dict[str, float | str] = {
            "lr": row.lr,
            "schedule": row.schedule,
            "warm_up": row.warm_up,
        }
        return Block(name, shelf, row, settings=given)
    return Block(name, shelf, row, settings=_settings(row) if shelf == "Losses" else {})


def _settings(row: Entry) -> dict[str, float | str]:
    taken = inspect.signature(row.build).parameters.values()
    return {p.name: p.default for p in taken if isinstance(p.default, int | float)}


def _half_line(start: float, end: float) -> str:
    return f"x < {end:g}" if start == -math.inf else f"x > {start:g}"


def _written(svg: str, out: Path) -> Path:
    if out.suffix.lower() != ".svg":
        raise InputError(f"the picture {out} must be an .svg file; give it that ending")
    write_atomic(out, standalone(svg, paper=PAPER))
    return out


def _cross_entropy_terms(*, smoothing: float) -> tuple[str, list[float]]:
    shares = [(1 - smoothing) * (c == RIGHT) + smoothing / len(SCORES) for c in range(len(SCORES))]
    terms = [-q * math.log(p) for q, p in zip(shares, probabilities(), strict=True)]
    return "-q_c log p_c", terms


def _hinge_terms(*, margin: float) -> tuple[str, list[float]]:
    excess = [max(0.0, score - SCORES[RIGHT] + margin) for score in SCORES]
    return f"max(0, z_j - z_y + {margin:g})", [
        0.0 if c == RIGHT else value for c, value in enumerate(excess)
    ]


def _focal_terms(*, gamma: float) -> tuple[str, list[float]]:
    p = probabilities()[RIGHT]
    value = -((1 - p) ** gamma) * math.log(p)
    return f"-(1 - p_y)^{gamma:g} log p_y", [
        value if c == RIGHT else 0.0 for c in range(len(SCORES))
    ]


WORKED: dict[str, Callable[..., tuple[str, list[float]]]] = {
    "cross_entropy": _cross_entropy_terms,
    "hinge": _hinge_terms,
    "focal": _focal_terms,
}
