"""Intervals for verification figures: identities are drawn, and their pairs follow.

Drawn w_i times, identity i gives its genuine pairs the weight w_i and an impostor pair of i and j
the weight w_i·w_j. Scores are sorted once; every resample is then two running sums.
Source: R. M. Bolle, N. K. Ratha and S. Pankanti, "Error analysis of pattern recognition systems:
the subsets bootstrap" (2004), for drawing subjects instead of pairs.
We differ: impostor pairs follow both their identities; a draw without one of the two kinds of pair
is drawn again. Of the draws only the spread is taken, as in ``resampling``: rates have the interval
of a share, the area that of an area; percentiles of 100 people held the true area 93 times of 100.
When no error was made there is no spread: see ``intervals``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.intervals import LEVEL, holding
from saccade.judge.intervals import RESAMPLES, all_right, check_settings, none_right
from saccade.judge.resampling import effective_interval, logit_interval, spread
from saccade.metrics.pairs import Pairs
from saccade.metrics.verification import crossing_share
from saccade.values import IntArray, Interval

FloatRow = NDArray[np.float64]
AUC_COLUMN, FALSE_ACCEPT_COLUMN = 0, 2  # among the figures of a draw


@dataclass(frozen=True, slots=True, eq=False)
class VerificationIntervals:
    """Verification figures with their intervals.

    ``n`` in each is the number of identities that have a genuine pair (for false accepts: all).
    ``true_accept_rate``: one Interval for each false accept rate in ``at``: the highest true accept
    rate that keeps to it. The rates at the threshold are None when no threshold was given.
    """

    auc: Interval
    equal_error_rate: Interval
    at: tuple[float, ...]
    true_accept_rate: tuple[Interval, ...]
    false_accept_rate: Interval | None
    false_reject_rate: Interval | None


def bootstrap_verification(
    pairs: Pairs,
    *,
    at: tuple[float, ...] = (),
    threshold: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> VerificationIntervals:
    """Return AUC, equal error rate, TAR at each false accept rate in ``at``, FAR and FRR.

    Raises InputError when there is no pair of one of the two kinds.
    """
    check_settings(resamples, level)
    ordered = _Ordered.of(pairs, at, threshold)
    value = ordered.figures(np.ones(pairs.identities))
    if value is None:
        raise InputError("there must be a genuine and an impostor pair; add pictures")
    estimates = np.stack(list(_resample(ordered, pairs.identities, seed, resamples)))
    wide = spread(estimates)
    units = np.full(len(value), len(np.unique(pairs.genuine_identity)))
    units[FALSE_ACCEPT_COLUMN] = pairs.identities  # the only figure without a genuine pair
    found = [
        _interval(
            float(value[column]),
            float(wide[column]),
            int(units[column]),
            level,
            area=column == AUC_COLUMN,
        )
        for column in range(len(value))
    ]
    rates = (found[2], found[3]) if threshold is not None else (None, None)
    return VerificationIntervals(found[0], found[1], at, tuple(found[4:]), *rates)


def _interval(value: float, deviation: float, n: int, level: float, *, area: bool) -> Interval:
    """An estimate with no spread, as that of two identities, says nothing of its own error.

    Exactly 0 or 1 gets the exact bound, any other the whole range.
    """
    if not deviation:
        bound = {1.0: all_right, 0.0: none_right}.get(value)
        return holding(value, 0.0, 1.0, n, level) if bound is None else bound(n, level)
    if area:
        return logit_interval(value, deviation, n=n, fewest=n, level=level)
    return effective_interval(value, deviation, n=n, even=n, level=level)


def _resample(ordered: "_Ordered", n: int, seed: int, resamples: int) -> Iterator[FloatRow]:
    """Yield the figures of each draw. A pair of both kinds needs three identities at most, which
    at least two draws in nine hold, so that drawing again ends soon."""
    rng = np.random.default_rng(seed)
    done = 0
    while done < resamples:
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        figures = ordered.figures(weights)
        if figures is not None:
            yield figures
            done += 1


@dataclass(frozen=True, slots=True, eq=False)
class _Ordered:
    """Scores sorted once, from high to low, and where they fall among one another.

    ``gen_identity`` (p,), ``imp_first``, ``imp_second`` (s,): identities in the order of scores.
    ``above``, ``at_least`` (p,): impostor scores above / at or above each genuine score.
    ``imp_at``, ``gen_at`` (t,): impostor / genuine scores at or above each ROC threshold.
    ``gen_before`` (s + 1,): genuine scores above each impostor score, and all of them at the end.
    ``imp_cut``, ``gen_cut``: impostor / genuine scores at or above the user's threshold.
    """

    gen_identity: IntArray
    imp_first: IntArray
    imp_second: IntArray
    above: IntArray
    at_least: IntArray
    imp_at: IntArray
    gen_at: IntArray
    gen_before: IntArray
    imp_cut: int
    gen_cut: int
    at: FloatRow

    @classmethod
    def of(cls, pairs: Pairs, at: tuple[float, ...], threshold: float | None) -> "_Ordered":
        gen_order, imp_order = np.argsort(-pairs.genuine), np.argsort(-pairs.impostor)
        gen, imp = -pairs.genuine[gen_order], -pairs.impostor[imp_order]  # rising, negated
        limits = np.unique(np.concatenate([gen, imp]))
        cut = np.inf if threshold is None else -threshold
        return cls(
            gen_identity=pairs.genuine_identity[gen_order],
            imp_first=pairs.impostor_identities[imp_order, 0],
            imp_second=pairs.impostor_identities[imp_order, 1],
            above=np.searchsorted(imp, gen, side="left"),
            at_least=np.searchsorted(imp, gen, side="right"),
            imp_at=np.append(0, np.searchsorted(imp, limits, side="right")),
            gen_at=np.append(0, np.searchsorted(gen, limits, side="right")),
            gen_before=np.append(np.searchsorted(gen, imp, side="left"), len(gen)),
            imp_cut=int(np.searchsorted(imp, cut, side="right")),
            gen_cut=int(np.searchsorted(gen, cut, side="right")),
            at=np.asarray(at, dtype=np.float64),
        )

    def figures(self, weights: FloatRow) -> FloatRow | None:
        """Return (4 + len(at),): AUC, EER, FAR, FRR, then TAR at each false accept rate.

        None when the draw holds no genuine or no impostor pair.
        """
        own = weights[self.gen_identity]
        genuine = np.append(0.0, np.cumsum(own))
        impostor = np.append(0.0, np.cumsum(weights[self.imp_first] * weights[self.imp_second]))
        all_genuine, all_impostor = genuine[-1], impostor[-1]
        if all_genuine == 0 or all_impostor == 0:
            return None
        beaten = all_impostor - (impostor[self.above] + impostor[self.at_least]) / 2
        # Weights are whole numbers, so the running sums are exact; the slack is for the product.
        allowed = np.searchsorted(impostor, self.at * all_impostor * (1 + 1e-12), side="right") - 1
        return np.concatenate(
            [
                [
                    own @ beaten / (all_genuine * all_impostor),
                    self._equal_error_rate(genuine / all_genuine, impostor / all_impostor),
                    impostor[self.imp_cut] / all_impostor,
                    1.0 - genuine[self.gen_cut] / all_genuine,
                ],
                genuine[self.gen_before[allowed]] / all_genuine,
            ]
        )

    def _equal_error_rate(self, genuine: FloatRow, impostor: FloatRow) -> float:
        """Find by bisection the first threshold with accepts ≥ rejects; interpolate before it."""
        before, after = 0, len(self.imp_at) - 1
        while after - before > 1:
            middle = (before + after) // 2
            if impostor[self.imp_at[middle]] >= 1.0 - genuine[self.gen_at[middle]]:
                after = middle
            else:
                before = middle
        low, high = float(impostor[self.imp_at[before]]), float(impostor[self.imp_at[after]])
        share = crossing_share(
            low,
            1.0 - float(genuine[self.gen_at[before]]),
            high,
            1.0 - float(genuine[self.gen_at[after]]),
        )
        return low + share * (high - low)
