"""The charts of an embedder's report: search, verification, similarities."""

import numpy as np

from saccade.judge.embedding import EmbeddingScores
from saccade.judge.open_set import OpenSet
from saccade.report import Chart, Series, histogram, line_chart

NAMES = {"cosine": "Cosine similarity", "negative_l2": "Minus the distance"}


def result_charts(scores: EmbeddingScores) -> tuple[Chart, ...]:
    """Return CMC, ROC, the open-set curve and the histogram of similarities."""
    charts = [_cmc(scores)]
    if scores.false_accept_rates:
        charts.append(_roc(scores))
    if len(scores.open_set.points) > 1:
        charts.append(_open_set(scores.open_set))
    return *charts, _similarities(scores)


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


def _open_set(found: OpenSet) -> Chart:
    at = np.array([point.fpir for point in found.points])
    value, low, high = (
        np.array([getattr(point.fnir, name) for point in found.points])
        for name in ("value", "low", "high")
    )
    title = "Known or unknown: who is missed, against strangers taken for somebody"
    svg = line_chart(
        [Series("this embedder", at, value, low, high)],
        title=title,
        description=f"{found.sentence}.",
        x_label="False positive identification rate (FPIR): strangers",
        y_label="Missed (FNIR)",
        log_x=True,
        percent="xy",
        y_limits=(0.0, 1.02),
    )
    return Chart(
        title,
        svg,
        f"Detection error trade-off (DET) of searches among {found.enrolled:,} enrolled. The more "
        "are enrolled, the more strangers are taken for one of them.",
    )


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
