"""The figures of an embedder as a table, each with its interval and a plain sentence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from saccade.judge.embedding import EmbeddingScores
from saccade.judge.wording import SPACE, decimal, limits, percent, share_of_100
from saccade.report import Table
from saccade.values import Interval

STATED_RATES = (0.1, 0.01, 0.001)


def figures_table(scores: EmbeddingScores) -> Table:
    """Return a row a figure: value, interval, number of identities, and a plain sentence."""
    first, fifth, equal = scores.rank_1.value, scores.rank_5.value, scores.equal_error_rate.value
    rows = [
        _Row(
            "Rank-1 accuracy",
            scores.rank_1,
            f"Of 100 searches, {share_of_100(first)} find the right identity first.",
            percent,
        ),
        _Row(
            "Rank-5 accuracy",
            scores.rank_5,
            f"Of 100 searches, {share_of_100(fifth)} have the right identity among the first five.",
            percent,
        ),
        _Row(
            "AUC",
            scores.auc,
            "Chance that two pictures of one identity look more alike than two of different ones; "
            "0.5 is guessing, 1 is perfect.",
            decimal,
        ),
        _Row(
            "Equal error rate",
            scores.equal_error_rate,
            f"At a threshold of {scores.equal_error_threshold:.4g}, {percent(equal)} of strangers "
            "pass and as many true matches are turned away.",
            percent,
        ),
        *_rows_at_rates(scores),
        *_rows_at_threshold(scores),
        *_rows_of_open_set(scores),
    ]
    level = percent(scores.rank_1.level, 0)
    head = ("Figure", "Value", f"{level} interval", "Identities", "What it means")
    return Table(head, tuple(row.cells() for row in rows))


@dataclass(frozen=True, slots=True)
class _Row:
    """A figure of the table; ``write`` turns a share into text."""

    name: str
    found: Interval
    meaning: str
    write: Callable[[float], str]

    def cells(self) -> tuple[str, ...]:
        found = self.found
        bounds = limits(found, self.write)
        return self.name, self.write(found.value), bounds, f"{found.n:,}", self.meaning


def _rows_at_rates(scores: EmbeddingScores) -> list[_Row]:
    rows = []
    for rate in STATED_RATES:
        for at, found in zip(scores.false_accept_rates, scores.true_accept_rates, strict=True):
            if np.isclose(at, rate):
                meaning = (
                    f"If 1 stranger in {round(1 / rate):,} may pass, "
                    f"{share_of_100(found.value)} of 100 true pairs are accepted."
                )
                name = f"True accepts at {100 * rate:g}{SPACE}% false accepts"
                rows.append(_Row(name, found, meaning, percent))
    return rows


def _rows_of_open_set(scores: EmbeddingScores) -> list[_Row]:
    return [
        _Row(
            f"FNIR at {100 * point.fpir:g}{SPACE}% FPIR",
            point.fnir,
            f"With {scores.open_set.enrolled:,} enrolled and a threshold of {point.threshold:.4g}, "
            f"at which {100 * point.fpir:g} of 100 strangers are taken for somebody, "
            f"{share_of_100(point.fnir.value)} of 100 searches miss who is enrolled.",
            percent,
        )
        for point in scores.open_set.points
        if any(np.isclose(point.fpir, rate) for rate in STATED_RATES)
    ]


def _rows_at_threshold(scores: EmbeddingScores) -> list[_Row]:
    if scores.false_accept_rate is None or scores.false_reject_rate is None:
        return []
    at = f"at the threshold {scores.threshold:.4g}"
    accept, reject = scores.false_accept_rate, scores.false_reject_rate
    return [
        _Row(
            f"False accepts {at}",
            accept,
            f"Of 100 pairs of strangers, {share_of_100(accept.value)} are taken for the same.",
            percent,
        ),
        _Row(
            f"False rejects {at}",
            reject,
            f"Of 100 true pairs, {share_of_100(reject.value)} are turned away.",
            percent,
        ),
    ]
