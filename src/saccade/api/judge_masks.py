"""``judge_masks``: how well masks of classes fit, made by any program, from PNG files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from saccade.api.evaluate import report_place
from saccade.data.masks import pair_masks, read_mask
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.segmentation import SegmentationScores, judge_segmentation
from saccade.values import IntArray

MOST_CLASSES = 1000


def judge_masks(
    predictions: Path | str,
    truth: Path | str,
    *,
    classes: Sequence[str] | None = None,
    ignore: int | None = None,
    report: Path | str | None = None,
) -> SegmentationScores:
    """Judge the PNG masks of one folder against those of the same names in another.

    A mask's pixels are class numbers from 0, a palette's places likewise. ``classes`` names them
    in order; without, they are called by their numbers, up to the largest. ``ignore``: the number
    of pixels that do not count where it is true. Raises InputError, naming the file, for a mask
    that is missing, broken, of another size, or holds another number.
    """
    place = report_place(report)
    pairs = pair_masks(predictions, truth)
    names = tuple(classes) if classes is not None else _numbers(pairs, ignore)
    if ignore is not None and 0 <= ignore < len(names) and classes is not None:
        raise InputError(f"ignore is {ignore}, which is the class '{names[ignore]}'; name another")
    scores = judge_segmentation(_masks(pairs, len(names), ignore), classes=names, ignore=ignore)
    if place is not None:
        from saccade.judge.segmentation_report import segmentation_report  # Loads the charts.

        page = segmentation_report(
            scores,
            masks=pairs,
            ignore=ignore,
            about={"Predictions": str(predictions), "Truth": str(truth)},
        )
        write_atomic(place, page)
    return scores


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


def _numbers(pairs: Sequence[tuple[Path, Path]], ignore: int | None) -> tuple[str, ...]:
    """Names of as many classes as the masks hold."""
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
