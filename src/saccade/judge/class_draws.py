"""A classifier's figures of all its pictures, and of pictures that are drawn again.

How an interval is made of the draws: ``judge/class_figures.py``, ``judge/resampling.py``.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.judge.answers import Answers
from saccade.judge.resampling import resampled_counts
from saccade.metrics.classification import Margins
from saccade.metrics.ranking import Ranking
from saccade.metrics.shares import mean_of_known

MOST_RANKED = 1 << 33  # pictures × classes × resamples of rankings; fewer resamples above
FEWEST = 100  # resamples of rankings
Figures = Mapping[str, NDArray[np.float64]]


class ClassDraws:
    """The answers (n,) to pictures of k classes, ready for many weightings of the pictures.

    ``margins``: what the figures need of the confusion matrix. ``ranked``: the classes that
    some pictures show and some do not, where all probabilities are known; only these have a ROC.
    """

    def __init__(self, answers: Answers, margins: Margins) -> None:
        self.answers, self.margins = answers, margins
        self.n, self.k = len(answers.truth), len(margins.shown)
        shares, shown = answers.shares, np.asarray(margins.shown).tolist()
        self.ranked = [] if shares is None else [k for k in range(self.k) if 0 < shown[k] < self.n]
        self.rankings = [
            Ranking.of(answers.truth == k, shares[:, k]) for k in self.ranked if shares is not None
        ]

    def whole(self) -> Figures:
        """Every figure of all pictures, (1, …) by its name."""
        return {**_of_margins(self.margins), **self._of_rankings(np.ones((self.n, 1)))}

    def draws(self, *, groups: Sequence[str] | None, seed: int, resamples: int) -> Figures:
        """Every figure of every resample, (resamples, …) by its name; of rankings maybe fewer."""
        right, shown, answered = (self._indicator(part) for part in ("right", "truth", "given"))
        most = max(FEWEST, MOST_RANKED // max(1, self.n * len(self.ranked)))
        found: list[Figures] = []
        ranked = 0
        with ThreadPoolExecutor(max_workers=min(4, cpu_count() or 1)) as pool:
            for counts in resampled_counts(self.n, groups=groups, seed=seed, resamples=resamples):
                parts = ((one @ counts).T.astype(np.float64) for one in (right, shown, answered))
                figures = _of_margins(Margins(*parts))
                if ranked < most:
                    figures = {**figures, **self._of_rankings(counts, pool)}
                    ranked += counts.shape[1]
                found.append(figures)
        names = found[0].keys()
        return {n: np.concatenate([one[n] for one in found if n in one]) for n in names}

    def _indicator(self, which: str) -> Any:
        """Sparse (classes, pictures): 1 where the picture counts for the class."""
        from scipy.sparse import csr_matrix  # Slow to load.

        rows = self.answers.given if which == "given" else self.answers.truth
        ones = self.answers.right if which == "right" else np.ones(self.n)
        places = (rows, np.arange(self.n))
        return csr_matrix((ones.astype(np.float32), places), shape=(self.k, self.n))

    def _of_rankings(
        self, counts: NDArray[np.floating], pool: ThreadPoolExecutor | None = None
    ) -> Figures:
        if not self.rankings:
            return {}
        run = map if pool is None else pool.map
        areas = list(run(Ranking.areas, self.rankings, repeat(counts)))
        auc, precision = (np.stack(one, axis=1) for one in zip(*areas, strict=True))
        macro = {"macro_auc": auc, "macro_average_precision": precision}
        means = {name: mean_of_known(one)[:, None] for name, one in macro.items()}
        return {**means, "auc": auc, "average_precision": precision}


def _of_margins(margins: Margins) -> Figures:
    precision, f1 = margins.precision(), margins.f1()
    figures = {
        "accuracy": margins.accuracy(),
        "balanced": margins.balanced_accuracy(),
        "macro_f1": margins.macro_f1(),
        "matthews": margins.matthews(),
        "macro_precision": margins.macro_precision(),
        "weighted_precision": margins.weighted(precision),
        "weighted_f1": margins.weighted(f1),
    }
    many = {"recall": margins.recall(), "precision": precision, "f1": f1}
    return {
        **{name: np.atleast_1d(one)[:, None] for name, one in figures.items()},
        **{name: np.atleast_2d(one) for name, one in many.items()},
    }
