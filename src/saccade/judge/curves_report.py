"""What each threshold accepts of a class, and the point where an alarm is raised, in a report."""

from collections.abc import Sequence

from saccade.judge.classification_scores import ClassificationScores
from saccade.judge.operating_point import OperatingPoint
from saccade.judge.wording import decimal, percent, tile, with_limits
from saccade.report import Chart, Charts, Part, Series, Table, Text, Tiles, line_chart
from saccade.report.canvas import LONGEST_NAME
from saccade.report.text import short


def curves_part(scores: ClassificationScores) -> tuple[Part, ...]:
    """Return the ROC and the precision-recall curves of the classes told apart worst."""
    area = {one.label: one.auc for one in scores.per_class}
    shown = {one.label: one.pictures / scores.pictures for one in scores.per_class}
    roc = [
        Series(
            f"{short(one.label, LONGEST_NAME)} {decimal(found.value)}", one.false_alarms, one.recall
        )
        for one in scores.curves
        if (found := area[one.label]) is not None
    ]
    precision = [
        Series(short(one.label, LONGEST_NAME), one.recall, one.precision) for one in scores.curves
    ]
    rarest = min(shown[one.label] for one in scores.curves)
    which = "all" if len(scores.curves) == len(scores.classes) else "those told apart worst"
    if len(scores.classes) == 2:
        which = "the rarer of the two"
    table = Table(
        ("Class", "Pictures", "AUC", "AP"),
        tuple(
            (
                one.label,
                f"{one.pictures:,}",
                with_limits(one.auc, decimal),
                with_limits(one.average_precision, decimal),
            )
            for one in sorted(scores.per_class, key=lambda one: one.auc.value if one.auc else 2.0)
        ),
        caption="AUC: the chance that a picture of the class has a higher probability of it than "
        "one of another. AP: the mean precision over the recall.",
    )
    return (
        Text(
            "A picture can be taken for a class from any probability on. A lower threshold finds "
            f"more of the class, and raises more false alarms. Shown: {which}, each class against "
            "all others."
        ),
        _charts(roc, precision, rarest),
        table,
    )


def _charts(roc: Sequence[Series], precision: Sequence[Series], rarest: float) -> Charts:
    """The ROC and the precision-recall curves; ``rarest``: the smallest share of a class shown."""
    return Charts(
        (
            Chart(
                "Found against false alarms (ROC)",
                line_chart(
                    [*roc, Series("guessing", (0, 1), (0, 1), muted=True)],
                    title="ROC curves",
                    x_label="False alarms among the other classes",
                    y_label="Found",
                    percent="xy",
                    y_limits=(0, 1.02),
                ),
                "Beside the name: the area under the curve (AUC).",
            ),
            Chart(
                "Precision against recall",
                line_chart(
                    precision,
                    title="Precision-recall curves",
                    x_label="Found (recall)",
                    y_label="Right among those accepted",
                    percent="xy",
                    y_limits=(0, 1.02),
                ),
                f"Guessing would stay at the class's share, for the rarest {percent(rarest)}.",
            ),
        )
    )


def operating_part(point: OperatingPoint) -> tuple[Part, ...]:
    """Return what the alarm at the chosen threshold does."""
    when = "never" if point.threshold > 1 else f"at a probability of {point.threshold:.16g} or more"
    tiles = [tile("Found", point.found), tile("False alarms", point.false_alarms)]
    if point.precision is not None:
        tiles.append(tile("Right among the alarms", point.precision))
    cost = "" if point.cost is None else f" It costs {point.cost:.4g} false alarms a picture."
    return (
        Text(f"Alarm for “{point.label}” ({point.wanted}): {when}.{cost}"),
        Tiles(tuple(tiles)),
        Text(
            "The threshold was chosen on these pictures, and does a little better on them than on "
            "others: choose it on one part of the data, and look at it on another.",
            "note",
        ),
    )
