"""The card beside a file of weights: how its network wants to see pictures, and its licence.

``NAME.toml`` or ``NAME.json`` beside ``NAME.safetensors``, with the keys of KEYS; others are for
readers. ``input``, if it begins with a size, stands for ``size``; ``architecture``, if it begins
with "torchvision.models." and a name, for ``backbone``.
"""

import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saccade.config import parse_size
from saccade.errors import InputError

KEYS = ("backbone", "mean", "std", "mean_rgb_0_255", "size", "licence", "source")
# The pictures of ImageNet, as torchvision and timm count them by default.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class WeightsCard:
    """What must be known of weights besides their numbers.

    ``mean`` and ``std`` are of red, green and blue in [0, 1], None where each picture is brought to
    its own; ``assumed``: nobody stated them. ``size_hw`` in pixels is what they were learned at.
    """

    mean: tuple[float, ...] | None = IMAGENET_MEAN
    std: tuple[float, ...] | None = IMAGENET_STD
    size_hw: tuple[int, int] | None = None
    licence: str = UNKNOWN
    source: str = UNKNOWN
    assumed: bool = True
    backbone: str = ""


def read_weights_card(file: Path, *, otherwise: WeightsCard) -> WeightsCard:
    """Return the card beside ``file``; what it does not say, and all without one, ``otherwise``.

    Raises InputError for a card that cannot be read or says what cannot be.
    """
    for ending, read in (".toml", tomllib.loads), (".json", json.loads):
        place = file.with_suffix(ending)
        if place.is_file():
            try:
                table = read(place.read_text(encoding="utf-8"))
            except (ValueError, OSError) as error:
                kind = ending[1:].upper()
                raise InputError(f"card {place} is not valid {kind}: {error}") from error
            if not isinstance(table, dict):
                raise InputError(f"card {place} must hold keys and values, such as licence")
            return _filled(table, place, otherwise)
    return otherwise


def _filled(table: Mapping[str, Any], place: Path, otherwise: WeightsCard) -> WeightsCard:
    card = otherwise
    if "mean_rgb_0_255" in table:  # Values 0 to 255 less this, divided by nothing.
        mean = _colours(table, "mean_rgb_0_255", place, most=255)
        card = replace(card, mean=tuple(v / 255 for v in mean), std=(1 / 255,) * 3, assumed=False)
    elif "mean" in table or "std" in table:
        mean = _colours(table, "mean", place, most=1)
        card = replace(
            card, mean=mean, std=_colours(table, "std", place, least=1e-6), assumed=False
        )
    size = table.get("size")
    if size is None and (found := re.match(r"\d+x\d+", str(table.get("input", "")))):
        size = found[0]
    if size is not None:
        card = replace(card, size_hw=parse_size(str(size), where=f"card {place}: size"))
    named = re.match(r"torchvision\.models\.(\w+)", str(table.get("architecture", "")))
    backbone = table.get("backbone") or (f"torchvision/{named[1]}" if named else card.backbone)
    if not isinstance(backbone, str):
        raise InputError(f"card {place}: backbone must be a name. Got {backbone} instead")
    card = replace(card, backbone=backbone)
    licence = table.get("licence") or table.get("license") or card.licence
    return replace(card, licence=str(licence), source=str(table.get("source") or card.source))


def _colours(
    table: Mapping[str, Any], key: str, place: Path, *, least: float = 0, most: float = math.inf
) -> tuple[float, ...]:
    """Three numbers for red, green and blue, between ``least`` and ``most``."""
    values = table.get(key)
    if (
        not isinstance(values, list)
        or len(values) != 3
        or not all(type(value) in (int, float) and least <= value <= most for value in values)
        or math.inf in values
    ):
        limits = f"{least:g} to {most:g}" if most < math.inf else "above 0"
        raise InputError(
            f"card {place}: {key} must be three numbers, {limits}, for red, green and blue. "
            f"Got {values} instead"
        )
    return tuple(map(float, values))
