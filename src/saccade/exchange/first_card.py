"""A first card for a graph: what its shapes tell is filled in, the rest is marked "?"."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.exchange.card import (
    DETECTOR,
    EMBEDDER,
    MAX_SIDE,
    MEANINGS,
    OPEN,
    SEGMENTER,
    card_of,
    fields_of,
)
from saccade.exchange.trust import Port, read_outline
from saccade.names import look_up

POINTS = 10  # numbers of five landmarks, the usual ones
# A start that the user may move; nothing in a graph tells them.
USUAL = {"detector.threshold": 0.5, "detector.iou": 0.4}


@dataclass(frozen=True, slots=True)
class FirstCard:
    """A card as it was written to ``path``: ``text``, and of its graph what it tells.

    ``outputs``: name → (shape in words, meaning or "?"). ``unknown``: field → what it must be.
    """

    path: Path
    text: str
    kind: str
    input: str
    outputs: dict[str, tuple[str, str]]
    unknown: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """The same for a machine."""
        outputs = [
            {"name": name, "shape": shape, "meaning": meaning}
            for name, (shape, meaning) in self.outputs.items()
        ]
        return {
            "card": str(self.path),
            "kind": self.kind,
            "input": self.input,
            "outputs": outputs,
            "unknown": self.unknown,
        }


def first_card(file: Path, *, kind: str | None = None) -> FirstCard:
    """Return a card for the graph ``file``; nothing of the graph is run.

    Raises InputError where the graph may not be run, takes no pictures, or its outputs do not tell
    its kind and none is given.
    """
    outline = read_outline(file)
    if kind is not None:
        look_up(MEANINGS, kind, "kind of model")
    found = kind or _kind(outline.outputs)
    if found is None:
        shapes = ", ".join(map(str, outline.outputs))
        raise InputError(
            f"{file}: its outputs ({shapes}) do not tell whether it is an embedder or a detector; "
            "say it: --kind embedder, detector or segmenter"
        )
    meanings = MEANT[found](outline.outputs)
    values = {"kind": found, **_input(outline.input, file), **USUAL}
    vector = next((p for p in outline.outputs if meanings.get(p.name) == "vector"), None)
    if vector is not None and vector.shape is not None:
        values["embedder.dimension"] = vector.shape[1]
    fields = fields_of(found, landmarks="landmarks" in meanings.values())
    unknown = {name: field.text for name, field in fields.items() if name not in values}
    outputs = {p.name: (p.sides, meanings.get(p.name, OPEN)) for p in outline.outputs}
    for name, (_, meaning) in outputs.items():
        if meaning == OPEN:
            unknown[f"outputs.{name}"] = f"one of {', '.join(MEANINGS[found])}, or no line"
    text = card_text(
        {name: (values.get(name, OPEN), fields[name].text) for name in fields}, outputs
    )
    return FirstCard(card_of(file), text, found, str(outline.input), outputs, unknown)


def _kind(outputs: tuple[Port, ...]) -> str | None:
    meant = set(_boxes(outputs).values())
    if {"boxes", "scores"} <= meant:
        return DETECTOR
    return EMBEDDER if _vectors(outputs) else None


def _vectors(outputs: tuple[Port, ...]) -> dict[str, str]:
    """The first output of (pictures, d), or with sides of one behind, is the vector."""
    for port in outputs:
        shape = port.shape or ()
        if len(shape) >= 2 and (shape[1] or 0) > 1 and set(shape[2:]) <= {1}:
            return {port.name: "vector"}
    return {}


def _boxes(outputs: tuple[Port, ...]) -> dict[str, str]:
    """The first outputs of (pictures, n, 4), (pictures, n, 10) and (pictures, n, other)."""
    found: dict[str, str] = {}
    for port in outputs:
        shape = port.shape or ()
        if len(shape) != 3 or shape[2] is None:
            continue
        meaning = {4: "boxes", POINTS: "landmarks"}.get(shape[2], "scores")
        if meaning not in found.values():
            found[port.name] = meaning
    return found


def _masks(outputs: tuple[Port, ...]) -> dict[str, str]:
    """The first output of (pictures, classes, height, width) tells the classes of pixels."""
    found = (port.name for port in outputs if len(port.shape or ()) == 4)
    return dict.fromkeys(islice(found, 1), "classes")


def _input(port: Port, file: Path) -> dict[str, Any]:
    """What the shape of the input tells: the layout by where 3 stands, the size by the rest."""
    shape = port.shape or ()
    if len(shape) != 4:
        raise InputError(f"{file}: its input {port} is no batch of pictures (n, 3, height, width)")
    first, last = shape[1] == 3, shape[3] == 3
    if first == last:
        return {}
    size = shape[2:] if first else shape[1:3]
    found: dict[str, Any] = {"input.layout": "nchw" if first else "nhwc"}
    if all(side is not None and side <= MAX_SIDE for side in size):
        found["input.size"] = list(size)
    return found


def card_text(fields: dict[str, tuple[Any, str]], outputs: dict[str, tuple[str, str]]) -> str:
    """The TOML of a card: above each field a comment that says what it must be."""
    lines: list[str] = []
    table = ""
    for name, (value, text) in fields.items():
        head, _, key = name.rpartition(".")
        if head != table:
            table = head
            lines += ["", f"[{head}]"]
        lines += [f"# {text}", f"{key} = {_literal(value)}"]
    lines += ["", "[outputs]", "# name in the graph = what it means; leave out what is not needed"]
    lines += [f"{_literal(name)} = {_literal(meaning)}" for name, (_, meaning) in outputs.items()]
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    # JSON escapes as TOML does, but for the delete character, which only TOML forbids.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


MEANT: dict[str, Callable[[tuple[Port, ...]], dict[str, str]]] = {
    EMBEDDER: _vectors,
    DETECTOR: _boxes,
    SEGMENTER: _masks,
}
