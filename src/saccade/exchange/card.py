"""The card beside a foreign graph: ``FILE.toml`` says how ``FILE.onnx`` sees and what it answers.

A graph knows neither the order of its colours nor what its numbers mean; who made it does. Every
field is a row of FIELDS; "?" marks what is not known yet, and a card with one left is refused.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import Float32Array

ANY = -1  # as the column of the object: whichever is surest; written "any"
OPEN = "?"  # stands where only the user knows the answer
MAX_BYTES = 1 << 20  # of a card
MAX_SIDE = 4096
MOST_CLASSES = 255  # of a segmenter
MAX_PRIORS = 1 << 20  # boxes laid out beforehand
LEAST_SPREAD = 0.1  # of the crop's width: between the landmarks of a template
EMBEDDER, DETECTOR, SEGMENTER = "embedder", "detector", "segmenter"
# What the outputs of each kind may mean, and whether one must.
MEANINGS = {
    EMBEDDER: {"vector": True},
    DETECTOR: {"scores": True, "boxes": True, "landmarks": False},
    SEGMENTER: {"classes": True},
}
LAYOUTS = ("nchw", "nhwc")
COLOURS = ("rgb", "bgr")
FITS = ("stretch", "pad", "crop")
CODINGS = ("corners", "xywh", "centre", "priors")
UNITS = ("normalised", "pixels")
# Both eyes, tip of the nose, corners of the mouth, as the picture shows them from left to right;
# in pixels of a crop of 112 x 112. J. Deng and others, "ArcFace", CVPR 2019, arXiv:1801.07698.
ARCFACE = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
TEMPLATES = {"arcface": tuple((x / 112, y / 112) for x, y in ARCFACE)}
# They tell of a graph; the others decide what it answers.
TELLING = ("licence", "source", "classes")


@dataclass(frozen=True, slots=True)
class Card:
    """What must be known of a graph besides its numbers; FIELDS says what each field means.

    ``outputs``: meaning → name in the graph. ``dimension`` is of an embedder; what follows it of a
    detector; ``template`` (p, 2) in [0, 1], empty where the detector gives no landmarks; what
    follows that is empty unless boxes are coded by ``priors``. ``classes``: of a segmenter.
    """

    kind: str
    licence: str
    source: str
    size: tuple[int, int]
    layout: str
    colours: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: str
    outputs: Mapping[str, str]
    dimension: int = 0
    object: int = 0
    coding: str = ""
    units: str = ""
    threshold: float = 0.0
    iou: float = 0.0
    template: tuple[tuple[float, float], ...] = ()
    strides: tuple[int, ...] = ()
    sizes: tuple[tuple[float, ...], ...] = ()
    variances: tuple[float, ...] = ()
    clip: bool = False
    classes: tuple[str, ...] = ()

    @property
    def deciding(self) -> dict[str, Any]:
        """The fields that decide what is answered, for a fingerprint."""
        return {key: value for key, value in asdict(self).items() if key not in TELLING}

    @property
    def template_array(self) -> Float32Array | None:
        """``template`` as (p, 2) float32; None without landmarks."""
        return np.array(self.template, dtype=np.float32) if self.template else None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a card: ``text`` says what it must be; ``read`` gives None for what it is not."""

    text: str
    read: Callable[[Any], Any]


def card_of(file: Path) -> Path:
    """Return where the card of a graph lies."""
    return file.with_suffix(".toml")


def read_card(file: Path, *, kind: str) -> Card:
    """Return the card of the graph ``file``, an embedder's or a detector's, as ``kind`` says.

    Raises InputError, naming card and field, where it is missing, of another kind, holds what it
    may not, lacks what it must have, or leaves a "?".
    """
    place = card_of(file)
    if not place.is_file():
        raise InputError(
            f"{file} has no card {place.name} beside it; make one: saccade card {file}"
        )
    try:
        if place.stat().st_size > MAX_BYTES:
            raise InputError(f"card {place} is over the limit of {MAX_BYTES:,} bytes; it is none")
        table = tomllib.loads(place.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"card {place} is not valid TOML: {error}") from error
    found = parse_card(table, where=f"card {place}")
    if found.kind != kind:
        raise InputError(f'card {place} says kind = "{found.kind}"; "{kind}" is needed here')
    return found


def parse_card(table: Mapping[str, Any], *, where: str) -> Card:
    """Return a card from the tables of its TOML; ``where`` begins the text of every error."""
    rest = dict(table)
    outputs = rest.pop("outputs", None)
    flat = dict(_flat(rest))
    kind = _value(flat, "kind", FIELDS["kind"], where)
    landmarks = isinstance(outputs, dict) and "landmarks" in outputs.values()
    coding = "detector.coding"
    priors = kind == DETECTOR and _value(flat, coding, FIELDS[coding], where) == "priors"
    fields = fields_of(kind, landmarks=landmarks, priors=priors)
    for name in flat:
        if name in FIELDS and name not in fields:
            raise InputError(f"{where}: {name} has no meaning in this card; leave it out")
        if name not in fields:
            raise InputError(f"{where}: there is no field {name!r:.80}; {suggest(name, fields)}")
    values = {name: _value(flat, name, field, where) for name, field in fields.items()}
    if priors:
        _require_priors(values, where)
    plain = {name.rpartition(".")[2]: value for name, value in values.items()}
    return Card(outputs=_outputs(outputs, kind, where), **plain)


def _require_priors(values: Mapping[str, Any], where: str) -> None:
    strides, sizes = values["priors.strides"], values["priors.sizes"]
    if len(strides) != len(sizes):
        raise InputError(f"{where}: priors.sizes must have one list for each of priors.strides")
    height, width = values["input.size"]
    count = sum(
        -(-height // stride) * -(-width // stride) * len(own)
        for stride, own in zip(strides, sizes, strict=True)
    )
    if count > MAX_PRIORS:
        raise InputError(f"{where}: [priors] lays out {count:,} boxes; the limit is {MAX_PRIORS:,}")


def fields_of(kind: str, *, landmarks: bool = False, priors: bool = False) -> dict[str, Field]:
    """Return the fields of a card of this kind by name, ``table.key``."""
    tables = {"", "input", kind, *(("priors",) if priors else ())}
    found = {name: field for name, field in FIELDS.items() if name.rpartition(".")[0] in tables}
    needless = {"detector.template": not landmarks, "detector.units": priors}
    return {name: field for name, field in found.items() if not needless.get(name)}


def _flat(table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += [(f"{key}.{inner}", entry) for inner, entry in value.items()]
        else:
            found.append((key, value))
    return found


def _value(flat: Mapping[str, Any], name: str, field: Field, where: str) -> Any:
    if name not in flat:
        raise InputError(f"{where}: {name} is missing; it must be {field.text}")
    if flat[name] == OPEN:
        raise InputError(f'{where}: {name} is still "{OPEN}"; it must be {field.text}')
    found = field.read(flat[name])
    if found is None:
        raise InputError(f"{where}: {name} must be {field.text}. Got {flat[name]!r:.80} instead")
    return found


def _outputs(table: Any, kind: str, where: str) -> dict[str, str]:
    """Turn "name in the graph → meaning" round, each meaning once and none missing."""
    meanings = MEANINGS[kind]
    if not isinstance(table, dict):
        raise InputError(f"{where}: the table [outputs] is missing; it says NAME = MEANING")
    found: dict[str, str] = {}
    for name, meaning in table.items():
        if meaning == OPEN:
            raise InputError(
                f'{where}: output "{name}" is still "{OPEN}"; it must be one of '
                f"{', '.join(meanings)}, or its line left out"
            )
        if not isinstance(meaning, str) or meaning not in meanings:
            raise InputError(
                f"{where}: there is no meaning '{meaning}' of an output; "
                f"{suggest(str(meaning), meanings)}"
            )
        if meaning in found:
            raise InputError(f"{where}: two outputs are said to be {meaning}; leave one out")
        found[meaning] = name
    for meaning, needed in meanings.items():
        if needed and meaning not in found:
            raise InputError(f"{where}: no output is said to be {meaning}; add its name")
    return found


def _number(value: Any, low: float, high: float) -> float | None:
    if type(value) not in (int, float) or not low <= value <= high:
        return None
    return float(value)


def _numbers(value: Any, count: int, low: float, high: float) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) != count:
        return None
    found = [_number(item, low, high) for item in value]
    return None if None in found else tuple(item for item in found if item is not None)


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if type(value) is int and low <= value <= high else None


def _size(value: Any) -> tuple[int, int] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    height, width = (_whole(side, 1, MAX_SIDE) for side in value)
    return None if height is None or width is None else (height, width)


def _template(value: Any) -> tuple[tuple[float, ...], ...] | None:
    if isinstance(value, str):
        return TEMPLATES.get(value)
    points = [_numbers(point, 2, 0, 1) for point in value] if isinstance(value, list) else []
    found = tuple(point for point in points if point)
    if not found or None in points or np.ptp(found, axis=0).max() < LEAST_SPREAD:
        return None
    return found


def _strides(value: Any) -> tuple[int, ...] | None:
    found = [_whole(item, 1, MAX_SIDE) for item in value] if isinstance(value, list) else []
    return tuple(item for item in found if item) if found and None not in found else None


def _sizes(value: Any) -> tuple[tuple[float, ...], ...] | None:
    lists = value if isinstance(value, list) else []
    found = [_numbers(own, len(own), 1e-3, 1e6) if isinstance(own, list) else None for own in lists]
    return tuple(own for own in found if own) if found and all(found) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _one_of(names: Sequence[str]) -> Field:
    said = f"{', '.join(names[:-1])} or {names[-1]}"
    return Field(said, lambda value: value if value in names else None)


def _classes(value: Any) -> tuple[str, ...] | None:
    found = value if isinstance(value, list) else []
    named = all(isinstance(one, str) and one for one in found)
    return tuple(found) if named and 1 < len(set(found)) == len(found) <= MOST_CLASSES else None


_COLOUR = "three numbers, in the order of input.colours, in units of the 0-255 pixel"
FIELDS = {
    "kind": _one_of((EMBEDDER, DETECTOR, SEGMENTER)),
    "licence": Field('words, such as "MIT", or "unknown"', _text),
    "source": Field('words: where it comes from, or "unknown"', _text),
    "input.size": Field(f"[height, width] in pixels, each 1 to {MAX_SIDE}", _size),
    "input.layout": _one_of(LAYOUTS),
    "input.colours": _one_of(COLOURS),
    "input.mean": Field(f"{_COLOUR}: what is subtracted", lambda v: _numbers(v, 3, -255, 255)),
    "input.std": Field(
        f"{_COLOUR}, above 0: what the rest is divided by", lambda v: _numbers(v, 3, 1e-6, 1e6)
    ),
    "input.fit": Field(
        "stretch (sides scaled apart), pad (the whole, centred, the rest at the mean) or crop "
        "(the middle)",
        lambda value: value if value in FITS else None,
    ),
    "embedder.dimension": Field("the length of the vectors", lambda v: _whole(v, 1, 1 << 16)),
    "detector.object": Field(
        'the column of the scores, counted from 0, that is the object, or "any": the surest of all',
        lambda value: ANY if value == "any" else _whole(value, 0, 1 << 16),
    ),
    "detector.coding": Field(
        "corners (left, top, right, bottom), xywh (left, top, width, height), centre (centre x, "
        "centre y, width, height) or priors (distances from boxes laid out as [priors] says)",
        lambda value: value if value in CODINGS else None,
    ),
    "detector.units": Field(
        "normalised (0 to 1 of the input's sides) or pixels (of the input)",
        lambda value: value if value in UNITS else None,
    ),
    "detector.threshold": Field(
        "a number, 0 to 1: the score from which a box counts", lambda v: _number(v, 0, 1)
    ),
    "detector.iou": Field(
        "a number, 0 to 1: the overlap from which the less sure of two boxes is dropped",
        lambda value: _number(value, 0, 1),
    ),
    "detector.template": Field(
        f"where the landmarks of an aligned crop lie: {', '.join(TEMPLATES)}, or points [x, y] in "
        f"0 to 1, at least {LEAST_SPREAD} apart",
        _template,
    ),
    "priors.strides": Field(
        "whole numbers: pixels of the input between the cells of each layer", _strides
    ),
    "priors.sizes": Field(
        "for each stride, a list: the sides in pixels of the input of the boxes in a cell", _sizes
    ),
    "priors.variances": Field(
        "two numbers above 0, by which distances of centres and of sides are multiplied",
        lambda value: _numbers(value, 2, 1e-6, 1e6),
    ),
    "priors.clip": Field(
        "true or false: whether the boxes were cut to the input when it learned",
        lambda value: value if isinstance(value, bool) else None,
    ),
    "segmenter.classes": Field(
        f"2 to {MOST_CLASSES} names of classes, in the order of the output's second side", _classes
    ),
}
