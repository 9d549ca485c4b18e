"""Figures of merit: NumPy in, numbers out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from saccade.metrics.classification import (
    Margins,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    matthews,
)
from saccade.metrics.identification import cmc, rank_k_accuracy, ranks
from saccade.metrics.pairs import Pairs, collect_pairs, pair_scores
from saccade.metrics.regression import mae, r2, rmse
from saccade.metrics.similarity import SIMILARITIES
from saccade.metrics.verification import (
    Roc,
    auc,
    equal_error_rate,
    error_rates,
    roc,
    threshold_at_false_accept_rate,
)

__all__ = [
    "METRICS",
    "SIMILARITIES",
    "Margins",
    "Metric",
    "Pairs",
    "Roc",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "cmc",
    "collect_pairs",
    "confusion_matrix",
    "equal_error_rate",
    "error_rates",
    "macro_f1",
    "mae",
    "matthews",
    "pair_scores",
    "r2",
    "rank_k_accuracy",
    "ranks",
    "rmse",
    "roc",
    "threshold_at_false_accept_rate",
]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure by name: what it is computed from, and whether more is better.

    ``reads`` "ranks": ``compute(ranks)``. ``reads`` "pair_scores": ``compute(genuine, impostor)``.
    ``reads`` "confusion": ``compute(matrix)``, rows the true classes. ``reads`` "values":
    ``compute(truth, values)``, numbers a picture each.
    """

    compute: Callable[..., float]
    reads: Literal["ranks", "pair_scores", "confusion", "values"]
    rises: bool
    meaning: str


def _equal_error_rate(genuine: Any, impostor: Any) -> float:
    return equal_error_rate(genuine, impostor)[0]


METRICS = {
    "accuracy": Metric(accuracy, "confusion", True, "share of pictures given their class"),
    "balanced_accuracy": Metric(
        balanced_accuracy, "confusion", True, "mean over the classes of the share answered right"
    ),
    "macro_f1": Metric(
        macro_f1, "confusion", True, "mean over the classes of F1, from precision and recall"
    ),
    "mcc": Metric(matthews, "confusion", True, "correlation of truth and answers, 0 for guessing"),
    "rank_1": Metric(
        partial(rank_k_accuracy, k=1), "ranks", True, "share of searches answered right at once"
    ),
    "rank_5": Metric(
        partial(rank_k_accuracy, k=5), "ranks", True, "share of searches right within five answers"
    ),
    "auc": Metric(
        auc, "pair_scores", True, "chance that a genuine pair scores above an impostor pair"
    ),
    "equal_error_rate": Metric(
        _equal_error_rate, "pair_scores", False, "rate at which both kinds of error are equal"
    ),
    "mae": Metric(mae, "values", False, "mean absolute error, in the target's unit"),
    "rmse": Metric(rmse, "values", False, "root of the mean squared error, in the target's unit"),
    "r2": Metric(r2, "values", True, "share of the truth's variance that is explained"),
}
