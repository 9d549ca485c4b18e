"""A sheet of training pictures as a recipe would change them, before anything learns from them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from saccade.api.changes import make_changes
from saccade.api.data import TrainingData
from saccade.api.kinds import task_of
from saccade.api.procedures import PROCEDURES
from saccade.api.recipe import whole_recipe
from saccade.augment import Mixing
from saccade.config import Recipe
from saccade.data.batches import load_readable
from saccade.data.box_readers import part_at
from saccade.data.box_sets import Counted
from saccade.data.mask_readers import mask_part_at
from saccade.data.pictures import refuse_picture
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.augmented_report import Changed, augmented_report
from saccade.names import look_up
from saccade.values import Broken

PICTURES, COPIES = 8, 5
SHEET = "augmented.html"


class Sheet(NamedTuple):
    """How many pictures are shown; what of true boxes was left out, or read otherwise, ``counted``.

    ``broken``: pictures that could not be read, of all by their heads, of those chosen to be shown.
    """

    pictures: int
    counted: tuple[Counted, ...]
    broken: tuple[Broken, ...]


def augmented(
    data: Path | str,
    *,
    recipe: Recipe | Path | str | None = None,
    report: Path | str = SHEET,
    seed: int = 0,
) -> Sheet:
    """Write an HTML page of some pictures, each several times as it would be trained on.

    Boxes are drawn where the recipe's task is detect, masks where it is segment; without a recipe,
    boxes where the data have some, else masks likewise. Raises InputError for data that cannot be
    read, and for a page that would lie among them.
    """
    place = Path(report)
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise InputError(f"report {place} must be a file in a folder that exists")
    refuse_picture(place, "name another file with --report")
    if recipe is None and not _stands(Path(data)):
        raise InputError(f"data {data} does not exist; check the path")
    chosen = whole_recipe(recipe, None if recipe is not None else task_of(Path(data)), {})
    if chosen.task == "forecast":
        raise InputError(
            "inspect --augment shows single pictures, and task forecast learns from sequences; "
            "leave it out"
        )
    # Nothing is held out: what is shown may be any of the pictures.
    chosen = replace(chosen, data=replace(chosen.data, validation=0.0))
    procedure = look_up(PROCEDURES, chosen.task, "task")(chosen)
    found = TrainingData(Path(data), recipe=chosen, procedure=procedure)
    changes = make_changes(chosen, classes=len(found.classes))
    rows = torch.linspace(0, len(found.kept) - 1, min(PICTURES, len(found.kept))).round().long()
    samples = [found.kept[row] for row in rows.tolist()]
    height, width = found.card["size_hw"]
    pixels, broken = load_readable(
        samples, size_hw=(height, width), channels=found.card["channels"]
    )
    good = [row for row in range(len(samples)) if row not in broken]
    if not good:
        raise InputError(f"data {data}: {next(iter(broken.values()))}")
    detects, segments = chosen.task == "detect", chosen.task == "segment"
    mixes = isinstance(changes, Mixing) and chosen.task == "classify"
    targets = procedure.targets(found.kept, found.card)[rows[good]]
    generator, batch = Generator().manual_seed(seed), pixels.float() / 255
    rounds = [(batch, targets)]
    rounds += [changes.with_targets(batch.clone(), targets, generator) for _ in range(COPIES)]
    shown = [
        Changed(
            samples[row].path,
            samples[row].label,
            [_shown(pictures[own]) for pictures, _ in rounds],
            boxes=[wanted[own].numpy() for _, wanted in rounds] if detects else (),
            masks=[wanted[own].numpy() for _, wanted in rounds] if segments else (),
            mixtures=[_mixture(wanted[own], found.classes) for _, wanted in rounds if mixes],
        )
        for own, row in enumerate(good)
    ]
    settings = {f"augment.{key}": f"{value:g}" for key, value in vars(chosen.augment).items()}
    classes = found.classes if detects or segments else []
    page = augmented_report(shown, classes=classes, settings=settings, data=str(data))
    write_atomic(place, page)
    reasons = [Broken(str(samples[row].path), broken[row]) for row in sorted(broken)]
    return Sheet(len(shown), (*found.left_out, *found.changed), (*found.broken, *reasons))


def _stands(data: Path) -> bool:
    """True for what is there, and for a part of data that is a list, as DATA/val."""
    return data.exists() or part_at(data) is not None or mask_part_at(data) is not None


def _mixture(shares: Tensor, classes: Sequence[str]) -> str:
    """(classes,) shares → words, the largest share first; none for the number of one class."""
    if shares.ndim == 0:
        return ""
    order = [row for row in shares.argsort(descending=True).tolist() if shares[row] > 0]
    return " + ".join(f"{float(shares[row]):.0%} {classes[row]}" for row in order)


def _shown(picture: Tensor) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """(c, H, W) float, roughly in [0, 1] → (H, W, 3) uint8."""
    seen = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    return np.ascontiguousarray(seen.expand(-1, -1, 3).numpy())
