"""What procedures have in common whose samples show classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.api.parts import LONGEST_SIDE, Parts, read_parts
from saccade.config import Recipe
from saccade.data.readers import read_data
from saccade.data.targets import LABEL
from saccade.errors import InputError, SettingError
from saccade.values import Sample


class OfClasses:
    """Reads them, wants two classes or more, and numbers the classes."""

    longest = LONGEST_SIDE
    window = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        if recipe.data.target != LABEL:
            raise SettingError(
                f"data.target is for task regress; task {recipe.task} learns the column label. "
                f"Got '{recipe.data.target}'; leave it out"
            )

    def parts(self, source: Path, *, validation: bool) -> Parts:
        return read_parts(source, self.read, validation=validation)

    def read(self, place: Path) -> list[Sample]:
        """Return the samples of undivided data, or of one part."""
        return read_data(place)

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        labels = sorted({sample.label for sample in samples})
        if len(labels) < 2:
            has = f"one class, '{labels[0]}'" if labels else "no class"
            raise InputError(f"data {place} hold {has}; training needs pictures of at least two")

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        number = {label: place for place, label in enumerate(class_names(kept))}
        return torch.tensor([number[sample.label] for sample in kept])


def class_names(samples: Sequence[Sample]) -> list[str]:
    """Return the names of the classes that samples show, sorted."""
    return sorted({sample.label for sample in samples})
