"""What a run learns from and is judged on: samples, their parts, the model card, the pixels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saccade.api.procedures import Procedure
from saccade.api.weights import OF_PICTURES, Weights, library_of
from saccade.config import Recipe, parse_size
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.pictures import suit
from saccade.data.readers import choose_part, find_parts, read_data
from saccade.data.symmetries import add_classes
from saccade.errors import InputError
from saccade.tasks.model import FORMAT
from saccade.values import Broken, Sample

LONGEST_SIDE = 64


class TrainingData:
    """The data of one run; first the samples are read, then, with ``decode``, their pictures.

    ``source``: as the user names it; ``part``: the part train of it, or all of it. ``kept`` are
    learned from, ``held`` are judged on, ``classes`` are the names of those kept, sorted, and
    ``card`` holds their model's size, channels and names. After ``decode``: ``pictures``
    (n, c, H, W) uint8 with ``targets`` (n,) int64, ``held_pictures`` likewise, and ``broken``, the
    pictures that were left out.
    """

    pictures: Tensor
    targets: Tensor
    held_pictures: Tensor

    def __init__(
        self,
        source: Path,
        *,
        recipe: Recipe,
        procedure: Procedure,
        weights: Weights | None = None,
    ) -> None:
        self.source, self.recipe, self.procedure = source, recipe, procedure
        self.weights = weights
        self.part = choose_part(source, ("train",))
        self._learned = read_data(self.part)
        _require_two_classes(self._learned, self.part)
        self._validation = _validation_samples(source, recipe)
        self._suited = suit(self._learned, longest=LONGEST_SIDE)
        self.broken: tuple[Broken, ...] = ()
        self._hold_out()

    def decode(self) -> bool:
        """Decode every picture once; True when some were left out, so that classes may differ.

        Raises InputError when more than the share data.broken cannot be read.
        """
        height, width = self.card["size_hw"]
        samples = self.kept + self.held
        pictures, reasons = load_readable(
            samples, size_hw=(height, width), channels=self.card["channels"]
        )
        read, broken = part_broken(samples, reasons)
        require_few(broken, of=len(samples), allowed=self.recipe.data.broken)
        if broken:
            self.broken = tuple(broken)
            rows = {id(sample): row for row, sample in enumerate(read)}
            self._learned = [sample for sample in self._learned if id(sample) in rows]
            self._validation = [sample for sample in self._validation if id(sample) in rows]
            self._hold_out()
            pictures = pictures[[rows[id(sample)] for sample in self.kept + self.held]]
        number = {label: place for place, label in enumerate(self.classes)}
        targets = torch.tensor([number[sample.label] for sample in self.kept])
        self.held_pictures = pictures[len(self.kept) :].clone()
        self.pictures, self.targets = add_classes(
            pictures[: len(self.kept)], targets, how=self.recipe.data.extra_classes
        )
        return bool(broken)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of what the run learns from and what it is judged on."""
        names = (tuple(self.pictures.shape), self.classes, [sample.label for sample in self.held])
        digest = hashlib.sha256(repr(names).encode())
        for tensor in (self.pictures, self.targets, self.held_pictures):
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
        return digest.hexdigest()

    def _hold_out(self) -> None:
        _require_two_classes(self._learned, self.part)
        self.kept, self.held = self.procedure.hold_out(self._learned, self._validation)
        self.classes = sorted({sample.label for sample in self.kept})
        card = _card(
            self.recipe,
            self.classes,
            data=self.source,
            pictures=len(self._learned),
            suited=self._suited,
            weights=self.weights,
        )
        self.card = card | self.procedure.card()


def _validation_samples(data: Path, recipe: Recipe) -> list[Sample]:
    """The samples of the part val, when there is one and the recipe wants any held out."""
    part = find_parts(data).get("val") if recipe.data.validation else None
    return [] if part is None else read_data(part)


def _require_two_classes(samples: Sequence[Sample], data: Path) -> None:
    labels = sorted({sample.label for sample in samples})
    if len(labels) < 2:
        has = f"one class, '{labels[0]}'" if labels else "no class"
        raise InputError(f"data {data} hold {has}; training needs pictures of at least two")


def _card(
    recipe: Recipe,
    classes: list[str],
    *,
    data: Path,
    pictures: int,
    suited: tuple[tuple[int, int], int],
    weights: Weights | None,
) -> dict[str, Any]:
    """The entries of ``model.json`` that every task has; ``suited`` as from ``suit``."""
    size_hw, channels = suited
    if weights is not None and weights.card.size_hw is not None:
        size_hw = weights.card.size_hw
    learned = "trained" if recipe.train.epochs else "only fitted"
    source = f"on {data.resolve().name}, {pictures} pictures"
    library = library_of(recipe.model.backbone)
    colour = recipe.data.colour
    card = {
        "format": FORMAT,
        "task": recipe.task,
        "backbone": recipe.model.backbone,
        "width": recipe.model.width,
        "channels": channels if colour == "auto" else {"grey": 1, "rgb": 3}[colour],
        "mirror": recipe.model.mirror,
        "size_hw": list(parse_size(recipe.data.size) or size_hw),
        "standardise": "each picture by its own mean and deviation",
        "classes": classes,
        "licence": f"{OF_PICTURES}; no weights of others",
        "provenance": f"{learned} from scratch {source}",
    }
    card |= {"library": library} if library else {}
    if weights is None:
        return card
    provenance = f"{weights.provenance()}; then {learned} {source}"
    return card | weights.entries() | {"provenance": provenance}
