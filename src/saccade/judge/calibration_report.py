"""What a classifier's probabilities are worth, in a report."""

import numpy as np

from saccade.judge.calibration import Calibration
from saccade.judge.wording import decimal, percent, tile
from saccade.report import Chart, Charts, Part, Series, Table, Text, Tile, Tiles, line_chart


def calibration_part(found: Calibration) -> tuple[Part, ...]:
    """Return the figures, the reliability plot and its table."""
    sentence = f"{found.sentence[0].upper()}{found.sentence[1:]}."
    mended = (
        ""
        if found.temperature is None
        else f" Its probabilities were mended by a temperature of {found.temperature:.3g}."
    )
    tiles = [
        Tile(
            "Expected calibration error (ECE)",
            percent(found.error),
            f"a calibrated classifier reaches up to {percent(found.by_chance)} by chance",
        ),
        tile("Mean probability minus accuracy", found.too_sure, drawn=False),
    ]
    if found.brier is not None:
        tiles.append(
            tile("Brier score, 0 to 2, lower is better", found.brier, decimal, drawn=False)
        )
    return (
        Text(
            f"{sentence} A probability is worth what it says when, of all answers given with 80 %, "
            f"80 % are right.{mended}"
        ),
        Tiles(tuple(tiles)),
        Charts((Chart("Right answers at each probability", _plot(found), _caption()),)),
        Table(
            ("Probability", "Pictures", "Said on the mean", "Right", "Interval"),
            tuple(
                (
                    f"{percent(one.low, 0)} to {percent(one.high, 0)}",
                    f"{one.pictures:,}",
                    percent(one.probability),
                    percent(one.right.value),
                    f"{percent(one.right.low)} to {percent(one.right.high)}",
                )
                for one in found.bins
            ),
        ),
    )


def _plot(found: Calibration) -> str:
    said = np.array([one.probability for one in found.bins])
    right, low, high = (
        np.array([getattr(one.right, name) for one in found.bins])
        for name in ("value", "low", "high")
    )
    return line_chart(
        [
            Series("these pictures", said, right, low, high),
            Series("as it says", (0, 1), (0, 1), muted=True),
        ],
        title="Reliability",
        x_label="Probability of the answer",
        y_label="Share that is right",
        percent="xy",
        y_limits=(0, 1),
        description=f"{found.sentence}; calibration error {found.error:.3f}.",
    )


def _caption() -> str:
    return "Below the line it is too sure, above it not sure enough. Band: the interval of a bin."
