"""``compare`` of two segmenters: their masks of the same pictures."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from saccade.api.judging_masks import counts_of, segment_readable
from saccade.api.mask_samples import part_of_masks
from saccade.data.columns import with_columns
from saccade.data.mask_classes import MaskClasses
from saccade.data.readers import column
from saccade.errors import InputError
from saccade.judge.comparison import Compared
from saccade.judge.paired_figures import compare_counts
from saccade.tasks.model import Model


def compare_segmenters(
    models: Sequence[Model],
    part: Path,
    *,
    groups: str | None,
    metadata: Path | str | None,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Compared, int]:
    """Compare two segmenters on a part of pictures with masks; also returns how many pictures.

    Their classes must be the same; masks are read as the first was taught to read them.
    """
    first, second = (model.surfaces or () for model in models)
    if first != second:
        raise InputError(
            f"A tells {', '.join(first)} apart, B {', '.join(second)}; name two segmenters of the "
            "same classes in the same order"
        )
    card = models[0].card
    given = part_of_masks(
        part, MaskClasses.from_dict(card["masks"]), masks=card["segment"]["masks"]
    )
    samples = with_columns(given.samples, metadata)
    counts, read = [], samples
    for model in models:  # What cannot be read is the same for both.
        found, read, _ = segment_readable(
            model, samples, given.broken, allowed=allowed, progress=progress
        )
        counts.append(counts_of(read, found, classes=len(first)))
    named = None if groups is None else column(read, groups)
    return compare_counts(*counts, groups=named), len(read)
