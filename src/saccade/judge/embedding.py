"""Judge an embedder: one-shot identification and verification, each figure with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saccade.intervals import LEVEL
from saccade.judge.by_group import ByGroup
from saccade.judge.intervals import RESAMPLES, intervals_of_means
from saccade.judge.open_set import OpenSet, judge_open_set
from saccade.judge.pair_intervals import bootstrap_verification
from saccade.judge.plain import as_json, plain
from saccade.judge.protocol import OneShot, one_shot
from saccade.metrics.pairs import Pairs, collect_pairs
from saccade.metrics.verification import Roc, equal_error_rate, roc
from saccade.values import Broken, Interval

MAX_RANK = 20
PAIR_LIMIT = 400_000  # of a kind; 2,000 resamples of that many take some ten seconds
WORST = 24
FEW_IDENTITIES = 30
RATES = tuple(float(rate) for rate in np.logspace(-4, 0, 41)[:-1])
FEWEST_FALSE_ACCEPTS = 10  # a rate that rests on fewer pairs is left out of the curve


@dataclass(frozen=True, slots=True)
class Mistake:
    """A search that another identity won.

    ``query``, ``wrong``, ``right``: numbers of the pictures searched, wrongly matched, and enrolled
    for the true identity; ``wrong_similarity`` ≥ ``right_similarity`` (up to the width of a tie).
    """

    query: int
    wrong: int
    wrong_similarity: float
    right: int
    right_similarity: float


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingScores:
    """How well an embedder identifies and verifies.

    ``cmc``: rank-k accuracy for k = 1, 2, …. ``true_accept_rates``: the highest true accept rate at
    each false accept rate in ``false_accept_rates``. ``threshold`` and the two rates there are None
    when none was given. ``wrong_searches`` of ``searches`` went wrong; ``mistakes`` shows, for at
    most WORST pictures, the wrong answer that was surest, surest first. ``chance``: rank-1 accuracy
    of guessing. ``open_set``: strangers among the searches. ``pairs`` holds the scores, sampled
    above a limit. ``broken`` names the pictures that were left out.
    """

    pictures: int
    identities: int
    searched_identities: int
    turns: int
    searches: int
    wrong_searches: int
    chance: float
    rank_1: Interval
    rank_5: Interval
    cmc: tuple[Interval, ...]
    auc: Interval
    equal_error_rate: Interval
    equal_error_threshold: float
    false_accept_rates: tuple[float, ...]
    true_accept_rates: tuple[Interval, ...]
    threshold: float | None
    false_accept_rate: Interval | None
    false_reject_rate: Interval | None
    mistakes: tuple[Mistake, ...]
    roc: Roc
    pairs: Pairs
    similarity: str
    seed: int
    resamples: int
    open_set: OpenSet
    by_group: ByGroup | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def headline(self) -> tuple[tuple[str, Interval], ...]:
        """The first figures to print, by name."""
        return (
            ("rank-1", self.rank_1),
            ("rank-5", self.rank_5),
            ("AUC", self.auc),
            ("equal error rate", self.equal_error_rate),
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Lines to print below the first figures."""
        return (self.open_set.sentence,) if self.open_set.points else ()

    @property
    def basis(self) -> str:
        """What the intervals stand on, in words."""
        n = self.rank_1.n
        return f"{n:,} {'identity' if n == 1 else 'identities'}; {self.pictures:,} pictures"

    @property
    def warning(self) -> str:
        """What the reader of the figures must know; empty for nothing."""
        if self.rank_1.n >= FEW_IDENTITIES:
            return ""
        return f"fewer than {FEW_IDENTITIES} identities: the intervals are rough, often too narrow"

    def to_json(self) -> str:
        """Return all figures as JSON; scores of single pairs and the full ROC are left out."""
        return as_json(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return what ``to_json`` writes, as plain numbers, lists and dicts."""
        totals = {
            "genuine_pairs": self.pairs.genuine_total,
            "impostor_pairs": self.pairs.impostor_total,
        }
        return {**plain(self, but=("roc", "pairs")), **totals}


def judge_embedding(
    vectors: NDArray[np.floating],
    labels: Sequence[str],
    *,
    threshold: float | None = None,
    seed: int = 0,
    similarity: str = "cosine",
    turns: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> EmbeddingScores:
    """Judge ``vectors`` (n, d) float32, rows of length 1, of pictures that show ``labels``.

    ``similarity`` "negative_l2" takes rows of any length, such as raw pixels. ``threshold`` is the
    lowest similarity that counts as the same. Pictures must not be those trained on, or the
    figures flatter. Raises InputError for too little data, with what to add.
    """
    run = one_shot(vectors, labels, turns=turns, similarity=similarity)
    pairs = collect_pairs(vectors, labels, similarity=similarity, limit=PAIR_LIMIT, seed=seed)
    curve = _cmc(run, seed=seed, resamples=resamples, level=level)
    rates = tuple(r for r in RATES if r * len(pairs.impostor) >= FEWEST_FALSE_ACCEPTS)
    checked = bootstrap_verification(
        pairs, at=rates, threshold=threshold, seed=seed, resamples=resamples, level=level
    )
    return EmbeddingScores(
        pictures=len(labels),
        identities=len(run.names),
        searched_identities=len(run.searched),
        turns=run.turns,
        searches=len(run.rank),
        wrong_searches=int((run.rank > 1).sum()),
        chance=1.0 / len(run.names),
        rank_1=curve[0],
        rank_5=curve[min(5, len(curve)) - 1],
        cmc=curve,
        auc=checked.auc,
        equal_error_rate=checked.equal_error_rate,
        equal_error_threshold=equal_error_rate(pairs.genuine, pairs.impostor)[1],
        false_accept_rates=rates,
        true_accept_rates=_rising(checked.true_accept_rate),
        threshold=threshold,
        false_accept_rate=checked.false_accept_rate,
        false_reject_rate=checked.false_reject_rate,
        mistakes=worst_mistakes(run, WORST),
        roc=roc(pairs.genuine, pairs.impostor),
        pairs=pairs,
        similarity=similarity,
        seed=seed,
        resamples=resamples,
        open_set=judge_open_set(run, seed=seed, resamples=resamples, level=level),
    )


def worst_mistakes(run: OneShot, most: int) -> tuple[Mistake, ...]:
    """Return at most ``most`` mistakes, surest first: each picture's surest one in any turn."""
    wrong = np.flatnonzero(run.rank > 1)
    surest = wrong[np.argsort(-run.rival_similarity[wrong], kind="stable")]
    _, first = np.unique(run.query[surest], return_index=True)
    return tuple(
        Mistake(
            query=int(run.query[place]),
            wrong=int(run.rival[place]),
            wrong_similarity=float(run.rival_similarity[place]),
            right=int(run.enrolled[place]),
            right_similarity=float(run.similarity[place]),
        )
        for place in surest[np.sort(first)][:most]
    )


def _cmc(run: OneShot, *, seed: int, resamples: int, level: float) -> tuple[Interval, ...]:
    ranks = run.per_identity(run.rank)
    up_to = np.arange(1, min(MAX_RANK, len(run.names)) + 1)
    sums = np.array(
        [np.searchsorted(np.sort(own), up_to, side="right") for own in ranks], dtype=np.float64
    )
    counts = np.array([float(len(own)) for own in ranks])
    return _rising(intervals_of_means(sums, counts, seed=seed, resamples=resamples, level=level))


def _rising(curve: Sequence[Interval]) -> tuple[Interval, ...]:
    """Lift lower bounds to the highest before: the curve rises, so that one holds here too."""
    lows = np.maximum.accumulate([0.0, *(point.low for point in curve)])[1:]
    return tuple(
        Interval(point.value, float(low), point.high, point.n, point.level)
        for point, low in zip(curve, lows, strict=True)
    )
