"""``judge_masks``: how well masks of classes fit, made by any program, from PNG files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from saccade.api.asked import sections_of
from saccade.api.evaluate import report_place
from saccade.data.columns import with_columns
from saccade.data.masks import pair_masks, read_mask
from saccade.data.readers import column
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.mask_counts import Counts, count_masks
from saccade.judge.segmentation import SegmentationScores, judge_counts
from saccade.judge.segmentation_by_group import segmentation_by_group
from saccade.values import IntArray, Sample

MOST_CLASSES = 1000


def judge_masks(
    predictions: Path | str,
    truth: Path | str,
    *,
    classes: Sequence[str] | None = None,
    ignore: int | None = None,
    groups: str | None = None,
    by: str | None = None,
    metadata: Path | str | None = None,
    report: Path | str | None = None,
) -> SegmentationScores:
    """Judge the PNG masks of one folder against those of the same names in another.

    A mask's pixels are class numbers from 0, a palette's places likewise. ``classes`` names them
    in order; without, they are called by their numbers, up to the largest. ``ignore``: the number
    of pixels that do not count where it is true. ``groups`` names a column of the table
    ``metadata``, such as "patient": pictures of one value are alike, and are left out together for
    the intervals; ``by`` one whose values are judged each by itself. Raises InputError, naming the
    file, for a mask that is missing, broken, of another size, or holds another number.
    """
    place = report_place(report)
    pairs = pair_masks(predictions, truth)
    samples = samples_of(pairs, metadata)
    named = None if groups is None else column(samples, groups)
    values = None if by is None else column(samples, by)
    names = tuple(classes) if classes is not None else numbers_in(pairs, ignore)
    if ignore is not None and 0 <= ignore < len(names) and classes is not None:
        raise InputError(f"ignore is {ignore}, which is the class '{names[ignore]}'; name another")
    counts = count_pairs(pairs, classes=len(names), ignore=ignore)
    scores = judge_counts(counts, classes=names, groups=named)
    if by is not None and values is not None:
        divided = segmentation_by_group(counts, values, column=by, groups=named)
        scores = replace(scores, by_group=divided)
    if place is not None:
        # Loads the charts.
        from saccade.judge.segmentation_report import Shown, segmentation_report

        page = segmentation_report(
            scores,
            shown=[Shown.of_files(*pair) for pair in pairs],
            ignore=ignore,
            extra=sections_of(scores.by_group),
            about={"Predictions": str(predictions), "Truth": str(truth)},
        )
        write_atomic(place, page)
    return scores


def samples_of(pairs: Sequence[tuple[Path, Path]], metadata: Path | str | None) -> list[Sample]:
    """Return a sample without a label for each true mask, with the columns of a table."""
    return with_columns([Sample(true, "") for _, true in pairs], metadata)


def count_pairs(pairs: Sequence[tuple[Path, Path]], *, classes: int, ignore: int | None) -> Counts:
    """Read and count pairs of an answered and a true mask; InputError names what is wrong."""
    return count_masks(_masks(pairs, classes, ignore), classes=classes, ignore=ignore)


def _masks(
    pairs: Sequence[tuple[Path, Path]], classes: int, ignore: int | None
) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield (truth, answer), checked."""
    for answered, true in pairs:
        masks = read_mask(true), read_mask(answered)
        if masks[0].shape != masks[1].shape:
            high, wide = masks[0].shape
            own = " x ".join(map(str, masks[1].shape[::-1]))
            raise InputError(f"{answered} is {own} pixels, but {true} {wide} x {high}; resize it")
        for path, mask in zip((true, answered), masks, strict=True):
            strange = (mask < 0) | (mask >= classes)
            if ignore is not None:
                strange &= mask != ignore
            if strange.any():
                raise InputError(
                    f"{path} holds {mask[strange][0]}, which is no class from 0 to {classes - 1}; "
                    "name it as the one to ignore, or name more classes"
                )
        yield masks


def numbers_in(pairs: Sequence[tuple[Path, Path]], ignore: int | None) -> tuple[str, ...]:
    """Return names, from "0" on, of as many classes as the masks hold."""
    largest = 0
    for path in (path for pair in pairs for path in pair):
        mask = read_mask(path)
        kept = mask if ignore is None else mask[mask != ignore]
        largest = max(largest, int(kept.max(initial=0)))
        if largest >= MOST_CLASSES:
            raise InputError(
                f"{path} holds {largest}; without names there may be {MOST_CLASSES} classes"
            )
    return tuple(str(number) for number in np.arange(largest + 1))
