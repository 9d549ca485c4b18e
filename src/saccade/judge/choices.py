"""Does a choice of a gallery help on these pictures? Each is judged with and without.

Every picture of an identity that has others is searched among all others: once with its identity
enrolled by those, and, as a stranger's, with that one left out (see ``open_set``). A mean that is
subtracted is that of all pictures, whoever they show, so that it favours nobody: were the searched
identity no part of it, its pictures would all be on one side of the others. Both ways have the same
searches, so the differences are drawn in pairs, identity by identity: Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993, section 8.3. Each draw finds its own
thresholds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.gallery.centring import Centre
from saccade.gallery.choices import CENTRED, CHOICES, MEAN, MIRRORED, TEMPLATES, YES
from saccade.intervals import LEVEL
from saccade.judge.comparison import FigurePair, compare_scores
from saccade.judge.intervals import RESAMPLES, none_right
from saccade.judge.open_set import FEWEST, RATES, Searches
from saccade.judge.plain import plain
from saccade.judge.protocol import BLOCK_CELLS
from saccade.judge.resampling import effective_interval, resampled_counts, spread, t_quantile
from saccade.metrics.identities import number_identities
from saccade.values import Float32Array, IntArray, Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tried:
    """A choice judged: ``a`` of the figures is without it (``default``), ``b`` with ``value``.

    ``fpir``: the share of strangers taken for somebody at which FNIR is told; ``of_threshold``:
    it is that of the gallery's threshold, else the smallest of RATES that the searches can tell.
    ``threshold``: the similarity that gives it with ``value``.
    """

    choice: str
    default: str
    value: str
    searches: int
    fpir: float
    of_threshold: bool
    threshold: float
    rank_1: FigurePair
    fnir: FigurePair

    @property
    def verdict(self) -> str:
        """Whether it "helps", "hurts", does "both", or is "not shown to help"."""
        gains = self.rank_1.difference, _turned(self.fnir.difference)
        helps, hurts = any(g.low > 0 for g in gains), any(g.high < 0 for g in gains)
        if helps and hurts:
            return "both"
        return "helps" if helps else "hurts" if hurts else "not shown to help"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {**plain(self), "verdict": self.verdict}


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """What came of s searches: similarity to its own ``identity`` and to the nearest other, (s,).

    ``identity`` (s,) is a name.
    """

    identity: list[str]
    own: Floats
    rival: Floats

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which searches find their own identity first; a tie is none."""
        return self.own > self.rival


def judge_choices(
    vectors: Mapping[str, Float32Array],
    labels: Sequence[str],
    *,
    templates: str,
    centred: str,
    mirrored: str,
    threshold: float | None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> tuple[Tried, ...]:
    """Judge each choice while the others are as in the gallery.

    ``vectors``: (n, d) float32 rows of length 1 by the value of ``mirrored``. Raises InputError
    unless two identities have several pictures, and there are enough searches for a rate.
    """
    now = {TEMPLATES: templates, CENTRED: centred, MIRRORED: mirrored}
    runs: dict[tuple[str, ...], LeftOut] = {}

    def run(chosen: Mapping[str, str]) -> LeftOut:
        key = tuple(chosen[name] for name in CHOICES)
        if key not in runs:
            given = vectors[chosen[MIRRORED]]
            if chosen[CENTRED] == YES:
                given = without_mean(given)
            runs[key] = leave_one_out(given, labels, means=chosen[TEMPLATES] == MEAN)
        return runs[key]

    rate, of_threshold = _rate(run(now), threshold)
    tried = []
    for name, choice in CHOICES.items():
        default, value = choice.allowed
        a, b = run({**now, name: default}), run({**now, name: value})
        rank_1 = compare_scores(
            a.right, b.right, figure="rank-1", groups=a.identity, units="identities",
            seed=seed, resamples=resamples, level=level,
        )  # fmt: skip
        fnir, at = _fnir(a, b, rate, seed=seed, resamples=resamples, level=level)
        pair = rank_1.figures[0]
        tried.append(Tried(name, default, value, len(a.own), rate, of_threshold, at, pair, fnir))
    return tuple(tried)


def without_mean(vectors: Float32Array) -> Float32Array:
    """Return rows (n, d) of length 1 without their mean, as ``gallery/centring.py`` does."""
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Centre(mean, 1).of(vectors)


def leave_one_out(vectors: Float32Array, labels: Sequence[str], *, means: bool) -> LeftOut:
    """Search each picture of (n, d), rows of length 1, among all others; see ``LeftOut``.

    An identity is as alike as its most alike picture, or with ``means`` as the mean direction of
    its pictures. One with a single picture is a rival only.
    """
    known = number_identities(labels)
    searched = np.flatnonzero(known.counts[known.codes] > 1)
    if len(np.unique(known.codes[searched])) < 2:
        raise InputError("two identities or more need several pictures each; give more pictures")
    order = np.argsort(known.codes, kind="stable")
    starts = np.cumsum(known.counts) - known.counts
    sums = np.add.reduceat(vectors[order], starts, axis=0, dtype=np.float64)
    own, rival = np.zeros((2, len(searched)))
    size = max(1, BLOCK_CELLS // len(vectors))
    for start in range(0, len(searched), size):
        block = slice(start, start + size)
        mine = searched[block]
        rows, whose = np.arange(len(mine)), known.codes[mine]
        if means:
            table = vectors[mine] @ _directions(sums).T
            without = _directions(sums[whose] - vectors[mine])
            table[rows, whose] = (without * vectors[mine]).sum(axis=1)
        else:
            products = vectors[mine] @ vectors.T
            products[rows, mine] = -np.inf
            table = np.maximum.reduceat(products[:, order], starts, axis=1)
        own[block] = table[rows, whose]
        table[rows, whose] = -np.inf
        rival[block] = table.max(axis=1)
    return LeftOut([known.names[one] for one in known.codes[searched].tolist()], own, rival)


def _rate(run: LeftOut, threshold: float | None) -> tuple[float, bool]:
    """Return the FPIR of a threshold, or the smallest of RATES that can be told; and which."""
    n = len(run.rival)
    told = [rate for rate in RATES if rate * n >= FEWEST]
    if not told:
        raise InputError(f"{n} searches are too few to tell a rate; give more pictures")
    alarms = 0.0 if threshold is None else float((run.rival >= threshold).mean())
    return (alarms, True) if FEWEST / n <= alarms <= RATES[0] else (told[-1], False)


def _fnir(
    a: LeftOut, b: LeftOut, rate: float, *, seed: int, resamples: int, level: float
) -> tuple[FigurePair, float]:
    """Return FNIR of both at an FPIR, with the difference drawn in pairs; and b's threshold."""
    orders: list[IntArray] = [np.argsort(-run.rival, kind="stable") for run in (a, b)]
    searches = [
        Searches(run.rival[order], np.where(run.right, run.own, -np.inf)[order], (rate,))
        for run, order in zip((a, b), orders, strict=True)
    ]

    def missed(counts: NDArray[np.floating]) -> Floats:
        pairs = zip(searches, orders, strict=True)
        return np.concatenate([one.missed(counts[order])[0] for one, order in pairs], axis=1)

    n = len(a.own)
    values = missed(np.ones((n, 1)))[0].tolist()
    draws = np.concatenate(
        [
            missed(counts)
            for counts in resampled_counts(n, groups=a.identity, seed=seed, resamples=resamples)
        ]
    )
    units = len(set(a.identity))
    first, second = (
        effective_interval(value, float(wide), n=units, even=units, level=level)
        for value, wide in zip(values, spread(draws), strict=True)
    )
    half = t_quantile(units - 1, level) * float(spread(draws[:, 1:] - draws[:, :1])[0])
    half = half or none_right(units, level).high
    gap = values[1] - values[0]
    difference = Interval(gap, max(gap - half, -1.0), min(gap + half, 1.0), units, level)
    _, thresholds = searches[1].missed(np.ones((n, 1)))
    return FigurePair("FNIR", first, second, difference, None), float(thresholds[0, 0])


def _directions(sums: Floats) -> Float32Array:
    """Scale rows to length 1; those of length 0 stay."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    scaled: Float32Array = (sums / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return scaled


def _turned(gap: Interval) -> Interval:
    return Interval(-gap.value, -gap.high, -gap.low, gap.n, gap.level)
