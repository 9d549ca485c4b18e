"""What a run learns from: which samples, their class names and sizes, their pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.config import Recipe, parse_size
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.readers import choose_part, find_parts, read_data
from saccade.data.symmetries import add_classes
from saccade.errors import InputError
from saccade.tasks.model import FORMAT
from saccade.values import Broken, Sample

LONGEST_SIDE = 64


def learned_part(data: Path | str) -> Path:
    """Return the place of the part train, or ``data`` itself when it is undivided."""
    return choose_part(data, ("train",))


def validation_samples(data: Path | str, recipe: Recipe) -> list[Sample]:
    """Return the samples of the part val, when there is one and the recipe wants any held out."""
    part = find_parts(data).get("val") if recipe.data.validation else None
    return [] if part is None else read_data(part)


def require_two_classes(samples: Sequence[Sample], data: Path) -> None:
    """Raise InputError when the samples show fewer than two classes."""
    labels = sorted({sample.label for sample in samples})
    if len(labels) < 2:
        has = f"one class, '{labels[0]}'" if labels else "no class"
        raise InputError(f"data {data} hold {has}; training needs pictures of at least two")


def decode(
    samples: Sequence[Sample], *, card: dict[str, Any], allowed: float
) -> tuple[Tensor, list[Sample], list[Broken]]:
    """Decode what can be read, as the card wants it: its pictures, its samples, and the others.

    Raises InputError when more than the share ``allowed`` cannot be read.
    """
    height, width = card["size_hw"]
    pictures, reasons = load_readable(samples, size_hw=(height, width), channels=card["channels"])
    read, broken = part_broken(samples, reasons)
    require_few(broken, of=len(samples), allowed=allowed)
    return pictures, read, broken


def training_tensors(
    pictures: Tensor, kept: Sequence[Sample], classes: Sequence[str], *, extra_classes: str
) -> tuple[Tensor, Tensor]:
    """Return the pictures learned from with their targets, and those of the classes added."""
    number = {label: place for place, label in enumerate(classes)}
    targets = torch.tensor([number[sample.label] for sample in kept])
    return add_classes(pictures, targets, how=extra_classes)


def model_card(
    recipe: Recipe,
    classes: list[str],
    *,
    data: Path,
    pictures: int,
    suited: tuple[tuple[int, int], int],
) -> dict[str, Any]:
    """Return the entries of ``model.json`` that every task has; ``suited`` as from ``suit``."""
    size_hw, channels = suited
    colour = recipe.data.colour
    return {
        "format": FORMAT,
        "task": recipe.task,
        "backbone": recipe.model.backbone,
        "width": recipe.model.width,
        "channels": channels if colour == "auto" else {"grey": 1, "rgb": 3}[colour],
        "mirror": recipe.model.mirror,
        "size_hw": list(parse_size(recipe.data.size) or size_hw),
        "standardise": "each picture by its own mean and deviation",
        "classes": classes,
        "licence": "that of the pictures it learned from; no weights of others",
        "provenance": f"trained from scratch on {data.resolve().name}, {pictures} pictures",
    }
