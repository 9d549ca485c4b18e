"""The charts of an embedder's report: search, verification, similarities, training."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saccade.judge.embedding import EmbeddingScores
from saccade.metrics import METRICS
from saccade.report import Chart, Series, histogram, line_chart

MAX_POINTS = 400  # more cannot be told apart in a chart
STEPS = ("epoch", "step")
NAMES = {"cosine": "Cosine similarity", "negative_l2": "Minus the distance"}


def result_charts(scores: EmbeddingScores) -> tuple[Chart, ...]:
    """Return the CMC curve, the ROC curve and the histogram of similarities."""
    charts = [_cmc(scores)]
    if scores.false_accept_rates:
        charts.append(_roc(scores))
    return *charts, _similarities(scores)


def history_charts(history: Sequence[Mapping[str, Any]]) -> tuple[Chart, ...]:
    """Return a chart of losses and one of scores, as far as the records hold them.

    A record counts where it has "epoch" (or else "step") as a number; those of one epoch are
    averaged. Keys that hold "loss" go to
    the first chart, keys that hold the name of a metric, such as "validation_rank_1", to the
    second; values that are no finite numbers are passed over.
    """
    step = next((key for key in STEPS if any(key in record for record in history)), None)
    if step is None:
        return ()
    keys = sorted({key for record in history for key in record})
    losses = [key for key in keys if "loss" in key]
    figures = [key for key in keys if any(name in key for name in METRICS)]
    wanted = (
        ("Loss while training", "Loss", losses, "", "Lower is better."),
        ("Scores while training", "Score", figures, "y", ""),
    )
    charts = []
    for title, label, chosen, percent, caption in wanted:
        series = [one for key in chosen if (one := _history(history, step, key)) is not None]
        if series:
            svg = line_chart(
                series,
                title=title,
                x_label=step.capitalize(),
                y_label=label if len(series) > 1 else series[0].name.capitalize(),
                percent=percent,
                whole_x=True,
            )
            charts.append(Chart(title, svg, caption))
    return tuple(charts)


def _history(history: Sequence[Mapping[str, Any]], step: str, key: str) -> Series | None:
    values: dict[float, list[float]] = {}
    for record in history:
        if _is_number(record.get(step)) and _is_number(record.get(key)):
            values.setdefault(float(record[step]), []).append(float(record[key]))
    if not values:
        return None
    points = [(place, float(np.mean(found))) for place, found in values.items()]
    # The last point always stays: it is the one that people look for.
    x, y = np.array(points[::-1][:: 1 + len(points) // MAX_POINTS][::-1]).T
    return Series(key.replace("_", " "), x, y)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _cmc(scores: EmbeddingScores) -> Chart:
    ranks = np.arange(1, len(scores.cmc) + 1)
    title = "Search: how far down the list is the right identity?"
    svg = line_chart(
        [
            Series(
                "this embedder",
                ranks,
                [point.value for point in scores.cmc],
                [point.low for point in scores.cmc],
                [point.high for point in scores.cmc],
            ),
            Series("guessing", ranks, ranks * scores.chance, muted=True),
        ],
        title=title,
        description=f"Rank-1 accuracy {scores.rank_1}, rank-5 accuracy {scores.rank_5}.",
        x_label="Answers looked at (rank)",
        y_label="Searches answered right",
        percent="y",
        y_limits=(0.0, 1.02),
        whole_x=True,
    )
    return Chart(title, svg, "Cumulative match characteristic (CMC), with its interval as a band.")


def _roc(scores: EmbeddingScores) -> Chart:
    at = np.array(scores.false_accept_rates)
    low = np.array([point.low for point in scores.true_accept_rates])
    high = np.array([point.high for point in scores.true_accept_rates])
    value = np.array([point.value for point in scores.true_accept_rates])
    title = "Same or different: true matches against strangers"
    svg = line_chart(
        [
            Series("this embedder", at, value, low, high),
            Series("guessing", at, at, muted=True),
        ],
        title=title,
        description=f"AUC {scores.auc}, equal error rate {scores.equal_error_rate}.",
        x_label="False accept rate: strangers that pass",
        y_label="True accept rate",
        log_x=True,
        percent="xy",
        y_limits=(0.0, 1.02),
    )
    return Chart(
        title,
        svg,
        "Receiver operating characteristic (ROC), with its interval as a band. Further left: fewer "
        "strangers pass; higher: fewer true matches are turned away.",
    )


def _similarities(scores: EmbeddingScores) -> Chart:
    title = "How alike the pairs are"
    line, name = scores.threshold, "threshold"
    if line is None:
        line, name = scores.equal_error_threshold, "equal error threshold"
    svg = histogram(
        [("same identity", scores.pairs.genuine), ("two identities", scores.pairs.impostor)],
        title=title,
        description=f"{name}: {line:.4g}",
        x_label=NAMES[scores.similarity],
        y_label="Share of pairs",
        line_at=line,
        line_name=name,
    )
    caption = (
        "Pairs at the dotted line or right of it are taken for one identity. The less the two "
        "hills overlap, the fewer the mistakes."
    )
    return Chart(title, svg, caption)
