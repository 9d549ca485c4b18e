"""What a model says of pictures, and how right each answer is: a number a picture or search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from saccade.api.judged import Judged
from saccade.api.judging import numbers_of
from saccade.judge.classification import numbered
from saccade.judge.protocol import one_shot
from saccade.tasks.model import Model
from saccade.values import Sample

Floats = NDArray[np.float64]
Answers = NDArray[Any]  # classes (n,) by number, numbers (n, targets), or vectors (n, d)


@dataclass(frozen=True, slots=True)
class Scoring:
    """How answers to certain pictures are scored.

    ``score`` takes the answers to all of them; ``figure`` names the mean of what it returns, and
    ``chance`` is that of who always gives the same best answer, or searches blindly. ``groups``
    name the identity of each search of an embedder; None for the others.
    """

    figure: str
    score: Callable[[Answers], Floats]
    chance: float
    groups: Sequence[str] | None = None


def answer(model: Model, pictures: Tensor) -> Answers:
    """(n, c, H, W) uint8 → the number of the likeliest class, the estimates, or the vectors."""
    if model.classes is not None:
        places: Answers = model.classify_prepared(pictures).argmax(axis=1)
        return places
    if model.targets is not None:
        return model.estimate_prepared(pictures)
    return model.embed_prepared(pictures)


def scoring_of(model: Model, judged: Judged, like: Sequence[Sample] | None = None) -> Scoring:
    """Return how the model's answers to these pictures are scored, or to them disturbed.

    Classifiers: accuracy; regressors: mean absolute error, of several targets in deviations of the
    truth, that of ``like`` where it is given; embedders: rank-1.
    """
    if model.dimension:
        labels = [sample.label for sample in judged.samples]
        return of_searches(answer(model, judged.pictures), labels)
    if model.classes is not None:
        return of_classes([sample.label for sample in judged.samples], model.classes)
    return of_numbers(judged.samples, like or judged.samples)


def of_classes(labels: Sequence[str], classes: Sequence[str]) -> Scoring:
    """Return accuracy: answers are places in ``classes``."""
    truth = numbered(labels, classes)
    commonest = float(np.bincount(truth).max() / len(truth))
    return Scoring("accuracy", lambda said: (said == truth).astype(np.float64), commonest)


def of_numbers(samples: Sequence[Sample], like: Sequence[Sample]) -> Scoring:
    """Return mean absolute error; of several targets their mean, in the deviations of ``like``."""
    truth, others = numbers_of(samples), numbers_of(like)
    spread = others.std(axis=0) if truth.shape[1] > 1 else np.ones(1)
    spread[spread == 0] = 1.0

    def errors(said: Answers) -> Floats:
        found: Floats = np.abs((np.asarray(said, np.float64) - truth) / spread).mean(axis=1)
        return found

    figure = "mean absolute error" + ("" if truth.shape[1] == 1 else ", in deviations")
    middle = np.broadcast_to(np.median(truth, axis=0), truth.shape)
    return Scoring(figure, errors, float(errors(middle).mean()))


def of_searches(vectors: Answers, labels: Sequence[str]) -> Scoring:
    """Return rank-1: one picture of each identity is enrolled with ``vectors`` (n, d), in turns.

    The others are searched with the vectors to be scored.
    """
    run = one_shot(vectors, labels)
    groups = [run.names[place] for place in run.identity.tolist()]

    def found(searched: Answers) -> Floats:
        hits = one_shot(vectors, labels, searched=searched).rank == 1
        return np.asarray(hits, np.float64)

    return Scoring("rank-1", found, 1 / len(run.names), groups)
