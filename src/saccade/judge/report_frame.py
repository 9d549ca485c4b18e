"""What the report of every task has: how training went, how it was judged, of which run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.metrics import METRICS
from saccade.report import Chart, Charts, Part, Section, Series, Table, line_chart, page

MAX_POINTS = 400  # more cannot be told apart in a chart
STEPS = ("epoch", "step")


def require_those_judged(pictures: Sequence[Any], judged: int) -> None:
    """Raise InputError where there are not as many pictures as were judged."""
    if len(pictures) != judged:
        raise InputError(
            f"the scores are of {judged} pictures, but {len(pictures)} were given; give those that "
            "were judged, in the same order"
        )


def framed(
    title: str,
    sections: Sequence[Section],
    *,
    method: tuple[Part, ...],
    history: Sequence[Mapping[str, Any]] | None,
    about: Mapping[str, str] | None,
    subtitle: str,
) -> str:
    """Return the page of a task's own sections and those that every report ends with.

    ``method`` says how it was judged; ``history``: training records, see ``history_charts``;
    ``about``: rows for the last table, such as the model, the data and the recipe.
    """
    whole = list(sections)
    if history and (charts := history_charts(history)):
        whole.append(Section("Training", (Charts(charts),)))
    whole.append(Section("How this was judged", method))
    if about:
        whole.append(Section("About this run", (Table((), tuple(about.items())),)))
    return page(title, whole, subtitle=subtitle)


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
