"""What each task is scored by, unit by unit, and what it answers; both on held-out pictures.

Scores are given a unit each, such that their mean is the score: right or wrong for classify; of
rank-1 accuracy and of R², which are ratios of means, the values of the infinitesimal jackknife (B.
Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, section 21.3).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from saccade.data.stored import Pictures, StoredPictures
from saccade.errors import InputError
from saccade.judge.classification import numbered
from saccade.judge.protocol import OneShot, one_shot
from saccade.tasks.model import Model
from saccade.values import Sample

FloatArray = NDArray[np.float64]


class Answers(NamedTuple):
    """``said`` and ``truth`` (n,), and the number of the unit (n,) that each belongs to."""

    said: NDArray[np.generic]
    truth: NDArray[np.generic]
    groups: NDArray[np.int64]


class Scoring(NamedTuple):
    """How a task is scored; ``figure`` names the score, ``units`` what is judged.

    ``score``: (units,) float64 of a model's pictures; of embed, in galleries of so many identities,
    all of them for 0. ``answers``: what is taken apart into bias and variance.
    """

    figure: str
    units: str
    score: Callable[[Model, Sequence[Sample], StoredPictures, int], FloatArray]
    answers: Callable[[Model, Sequence[Sample], Pictures], Answers]


def class_answers(model: Model, samples: Sequence[Sample], pictures: Pictures) -> Answers:
    """Return the numbers of the classes said and shown."""
    said = model.classify_prepared(pictures).argmax(axis=1)
    truth = numbered([sample.label for sample in samples], model.classes or ())
    return Answers(said, truth, np.arange(len(truth)))


def search_answers(model: Model, samples: Sequence[Sample], pictures: Pictures) -> Answers:
    """Return the number of the identity found by each search, and of the one searched for."""
    run = _searched(model, samples, pictures)
    number = {name: place for place, name in enumerate(run.names)}
    rival = np.array([number[samples[place].label] for place in run.rival.tolist()])
    return Answers(np.where(run.rank == 1, run.identity, rival), run.identity, run.identity)


def number_answers(model: Model, samples: Sequence[Sample], pictures: Pictures) -> Answers:
    """Return the numbers estimated and true, picture by picture, their targets one by one.

    Several targets are in deviations of their truth, so that they count alike.
    """
    truth = np.array([sample.numbers for sample in samples], np.float64)
    said = model.estimate_prepared(pictures).astype(np.float64)
    if truth.shape[1] > 1:
        spread = truth.std(axis=0)
        truth, said = (rows / np.where(spread > 0, spread, 1.0) for rows in (truth, said))
    groups = np.repeat(np.arange(len(truth)), truth.shape[1])
    return Answers(said.ravel(), truth.ravel(), groups)


def right(
    model: Model, samples: Sequence[Sample], pictures: StoredPictures, identities: int
) -> FloatArray:
    """Return 1 for each picture that is answered right, else 0."""
    found = class_answers(model, samples, pictures)
    return np.asarray(found.said == found.truth, np.float64)


def found_first(
    model: Model, samples: Sequence[Sample], pictures: StoredPictures, identities: int
) -> FloatArray:
    """Return each identity's part of the rank-1 accuracy.

    In galleries of ``identities``, as far as they go: more people are harder to tell apart, and
    scores of larger galleries would not compare.
    """
    hits, searches = [], []
    for part in _galleries([sample.label for sample in samples], identities):
        of_part = StoredPictures(pictures.pixels, pictures.rows[part])
        run = _searched(model, [samples[place] for place in part.tolist()], of_part)
        for ranks in run.per_identity(run.rank):
            hits.append(float((ranks == 1).sum()))
            searches.append(float(len(ranks)))
    return ratio_units(np.array(hits), np.array(searches))


def explained(
    model: Model, samples: Sequence[Sample], pictures: StoredPictures, identities: int
) -> FloatArray:
    """Return each picture's part of R², averaged over the targets."""
    truth = np.array([sample.numbers for sample in samples], np.float64)
    return r2_units(truth, model.estimate_prepared(pictures).astype(np.float64))


def ratio_units(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return (n,) values with the mean sum(above) / sum(below), and its jackknife variance."""
    ratio = above.sum() / below.sum()
    return np.asarray(ratio + (above - ratio * below) * len(above) / below.sum())


def r2_units(truth: FloatArray, said: FloatArray) -> FloatArray:
    """Return (n,) values with the mean R², averaged over the columns of (n, k).

    Raises InputError where the truth of a target never varies.
    """
    squared, varied = (said - truth) ** 2, (truth - truth.mean(axis=0)) ** 2
    variance = varied.mean(axis=0)
    if not (variance > 1e-12 * (truth**2).mean(axis=0)).all():
        raise InputError(
            f"the {len(truth)} pictures to judge have one value of a target, so that R² says "
            "nothing; judge on more pictures"
        )
    lost = squared.mean(axis=0) / variance
    units = 1 - lost - (squared - lost * varied) / variance
    return np.asarray(units.mean(axis=1))


def _searched(model: Model, samples: Sequence[Sample], pictures: Pictures) -> OneShot:
    return one_shot(model.embed_prepared(pictures), [sample.label for sample in samples])


def _galleries(labels: Sequence[str], identities: int) -> list[NDArray[np.int64]]:
    """Deal whole classes with two pictures or more into galleries; places of each.

    The last, smaller one counts only if it is the only one.
    """
    counts = Counter(labels)
    names = sorted(name for name, count in counts.items() if count > 1)
    size = identities or len(counts)
    if not identities or len(names) <= size:
        return [np.arange(len(labels))]
    whole = len(names) // size
    gallery = {name: place % whole for place, name in enumerate(names[: whole * size])}
    own = np.array([gallery.get(label, -1) for label in labels])
    return [np.flatnonzero(own == number) for number in range(whole)]


SCORINGS = {
    "classify": Scoring("accuracy", "pictures", right, class_answers),
    "embed": Scoring("rank-1", "identities", found_first, search_answers),
    "regress": Scoring("R²", "pictures", explained, number_answers),
}
