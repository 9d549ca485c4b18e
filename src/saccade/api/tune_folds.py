"""What cross-validation needs of each task: how its folds are dealt, and what a fold's score is."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from saccade.api.frames import answer_frames
from saccade.api.judging_masks import counts_of
from saccade.data.readers import column
from saccade.data.splits import grouped_folds, stratified_folds
from saccade.data.stored import Pictures
from saccade.errors import InputError, SettingError
from saccade.judge.forecast import REPEATED, SAID, SQUARED, error_rows
from saccade.judge.protocol import one_shot
from saccade.metrics.identification import rank_k_accuracy
from saccade.metrics.regression import r2
from saccade.metrics.segmentation import class_iou, margins
from saccade.tasks.model import Model
from saccade.values import IntArray, Sample

Score = Callable[[Model, Sequence[Sample], Pictures], float]
Deal = Callable[[Sequence[Sample], int, str | None, int], list[IntArray]]


class Judging(NamedTuple):
    """How a task's folds are dealt, and scored; ``figure`` names the score, higher is better."""

    figure: str
    score: Score
    deal: Deal


def accuracy(model: Model, samples: Sequence[Sample], pictures: Pictures) -> float:
    """Return the share of right answers for ``pictures`` (n, c, H, W) uint8."""
    answers, names = model.classify_prepared(pictures).argmax(axis=1), model.classes or ()
    return float(np.mean([names[a] == s.label for a, s in zip(answers, samples, strict=True)]))


def rank_1(model: Model, samples: Sequence[Sample], pictures: Pictures) -> float:
    """Return the share of searches whose best hit is right, each picture enrolled in its turn."""
    run = one_shot(model.embed_prepared(pictures), [sample.label for sample in samples])
    return rank_k_accuracy(run.rank, 1)


def mean_r2(model: Model, samples: Sequence[Sample], pictures: Pictures) -> float:
    """Return R², averaged over the targets."""
    return r2([sample.numbers for sample in samples], model.estimate_prepared(pictures))


def error_saved(model: Model, samples: Sequence[Sample], pictures: Pictures) -> float:
    """Return the share of the squared error of repeating the last frame that is not made."""
    found = answer_frames(model, samples, pictures)
    rows = error_rows(found.said, found.truth, found.given[:, -1])[:, SQUARED].mean(axis=(0, 2))
    if not rows[REPEATED] > 0:
        raise InputError("nothing moves in the sequences of a fold; take fewer --folds")
    return float(1 - rows[SAID] / rows[REPEATED])


def mean_overlap(model: Model, samples: Sequence[Sample], pictures: Pictures) -> float:
    """Return the mean intersection over union of the classes, at the pictures' own sizes."""
    counts = counts_of(samples, model.segment(samples), classes=len(model.surfaces or ()))
    return float(np.nanmean(class_iou(margins(counts.confusion))))


def deal_pictures(
    samples: Sequence[Sample], folds: int, groups: str | None, seed: int
) -> list[IntArray]:
    """Return the places of each fold: stratified by class, or whole ``groups`` of a column.

    Raises InputError, before anything is learned, where a class would be missing from a fold or
    from what is learned for one.
    """
    labels = [sample.label for sample in samples]
    total = Counter(labels)
    if groups is None:
        fewest = min(total.items(), key=lambda item: (item[1], item[0]))
        if fewest[1] < folds:
            rest = f"take --folds {fewest[1]}, or " if fewest[1] > 1 else ""
            raise InputError(
                f"class '{fewest[0]}' has {fewest[1]} pictures, fewer than the {folds} folds; "
                f"{rest}add pictures"
            )
        return stratified_folds(labels, folds=folds, seed=seed)
    dealt = grouped_folds(column(samples, groups), folds=folds, seed=seed)
    for places in dealt:
        inside = Counter(labels[place] for place in places.tolist())
        alone = sorted(label for label, count in inside.items() if count == total[label])
        if alone:
            raise InputError(
                f"class '{alone[0]}' has its pictures in one fold, so none to learn it from; "
                f"it needs two groups of '{groups}' or more, or take other --folds"
            )
    return dealt


def deal_classes(
    samples: Sequence[Sample], folds: int, groups: str | None, seed: int
) -> list[IntArray]:
    """Return the places of each fold: whole classes, two or more, one of them with two pictures.

    Raises InputError where that cannot be, SettingError for ``groups``.
    """
    if groups is not None:
        raise SettingError("--groups is for task classify; for embed whole classes stay together")
    counts = Counter(sample.label for sample in samples)
    names = sorted(counts)
    searchable = sum(count > 1 for count in counts.values())
    most = min(len(names) // 2, searchable)
    if most < folds:
        rest = f"take --folds {most}, or " if most > 1 else ""
        raise InputError(
            f"{folds} folds of whole classes need {2 * folds} classes, {folds} of them with two "
            f"pictures or more. There are {len(names)} and {searchable}; {rest}add classes"
        )
    kinds = [str(counts[name] > 1) for name in names]
    dealt = stratified_folds(kinds, folds=folds, seed=seed)
    number = {names[place]: fold for fold, places in enumerate(dealt) for place in places}
    owner = np.array([number[sample.label] for sample in samples])
    return [np.flatnonzero(owner == fold) for fold in range(folds)]


def deal_any(
    samples: Sequence[Sample], folds: int, groups: str | None, seed: int
) -> list[IntArray]:
    """Return the places of each fold: any pictures, or whole ``groups`` of a column."""
    if groups is None:
        return stratified_folds([""] * len(samples), folds=folds, seed=seed)
    return grouped_folds(column(samples, groups), folds=folds, seed=seed)


def deal_numbers(
    samples: Sequence[Sample], folds: int, groups: str | None, seed: int
) -> list[IntArray]:
    """Return the places of each fold: any pictures, or whole ``groups`` of a column.

    Raises InputError where a target does not vary within a fold, so that R² says nothing.
    """
    dealt = deal_any(samples, folds, groups, seed)
    numbers = np.array([sample.numbers for sample in samples])
    for fold, places in enumerate(dealt, 1):
        if not np.ptp(numbers[places], axis=0).all():
            raise InputError(
                f"fold {fold} has pictures of one value only ({len(places)}), so nothing to tell "
                "apart; take fewer --folds, or add pictures"
            )
    return dealt


def deal_sequences(
    samples: Sequence[Sample], folds: int, groups: str | None, seed: int
) -> list[IntArray]:
    """Return the places of each fold: whole sequences.

    Raises InputError for fewer sequences than folds, SettingError for ``groups``.
    """
    if groups is not None:
        raise SettingError("--groups is not for task forecast, where whole sequences stay together")
    names = list(dict.fromkeys(sample.label for sample in samples))
    if len(names) < folds:
        rest = f"take --folds {len(names)}, or " if len(names) > 1 else ""
        raise InputError(
            f"{folds} folds need as many sequences, and there are {len(names)}; {rest}add some"
        )
    return grouped_folds([sample.label for sample in samples], folds=folds, seed=seed)


JUDGINGS = {
    "classify": Judging("accuracy", accuracy, deal_pictures),
    "embed": Judging("rank-1", rank_1, deal_classes),
    "forecast": Judging("squared error saved", error_saved, deal_sequences),
    "regress": Judging("R²", mean_r2, deal_numbers),
    "segment": Judging("mean IoU", mean_overlap, deal_any),
}
