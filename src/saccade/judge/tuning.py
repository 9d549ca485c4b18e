"""The answer of cross-validation over a grid of settings: each choice's scores, and the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saccade.judge.folds import fold_interval, paired_folds, paired_p
from saccade.judge.plain import plain
from saccade.values import Interval

BEST, EVEN, WORSE, FAILED = "best", "not shown to be worse", "worse", "failed"


@dataclass(frozen=True, slots=True)
class Trial:
    """One choice of settings, by name, and its scores, one a fold, higher is better.

    ``behind`` is the best's mean minus this one, with the interval of paired folds, and ``p`` how
    likely one as large is by chance; both None for the best. One that ``failed`` says why, and has
    no mean.
    """

    values: Mapping[str, Any]
    scores: tuple[float, ...]
    mean: Interval | None
    verdict: str
    behind: Interval | None = None
    p: float | None = None
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What cross-validation found: every trial, in the order of the grid.

    ``figure`` is the name of the score, ``varied`` the settings, ``folds`` how many there are.
    """

    folder: Path
    figure: str
    varied: tuple[str, ...]
    folds: int
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest mean, the first of equals; None when all failed."""
        return next((trial for trial in self.trials if trial.verdict == BEST), None)

    @property
    def not_worse(self) -> tuple[Trial, ...]:
        """The trials that the folds do not show to be worse than the best."""
        return tuple(trial for trial in self.trials if trial.verdict == EVEN)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers, lists and dicts."""
        return {**plain(self), "folder": str(self.folder), "best": plain(self.best)}


def _mean(scores: Sequence[float]) -> Interval:
    """The mean with its interval, which ends at 1: no score of ours is larger."""
    found = fold_interval(scores)
    return replace(found, high=min(found.high, max(found.value, 1.0)))


def compare_trials(
    values: Sequence[Mapping[str, Any]],
    scores: Sequence[Sequence[float]],
    failed: Mapping[int, str],
) -> tuple[Trial, ...]:
    """Return each choice of ``values`` with its ``scores``, compared with the best of them.

    ``failed`` says by place why some have no score. Each comparison stands for itself, at 95 %: of
    twenty choices as good as the best, one is called worse by chance.
    """
    means = {place: _mean(own) for place, own in enumerate(scores) if place not in failed}
    best = max(means, key=lambda place: (means[place].value, -place), default=-1)
    found = []
    for place, choice in enumerate(values):
        own = tuple(scores[place])
        if place in failed:
            found.append(Trial(choice, own, None, FAILED, failed=failed[place]))
        elif place == best:
            found.append(Trial(choice, own, means[place], BEST))
        else:
            behind = paired_folds(scores[best], own)
            p = paired_p(scores[best], own)
            verdict = WORSE if behind.low > 0 else EVEN
            found.append(Trial(choice, own, means[place], verdict, behind, p))
    return tuple(found)
