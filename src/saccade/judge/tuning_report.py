"""The report on a grid of settings: the score against each of them, and every fold as a table."""

from collections.abc import Mapping
from typing import Any

from saccade.judge.tuning import Trial, Tuned
from saccade.report import (
    Chart,
    Charts,
    Section,
    Series,
    Table,
    Text,
    interval_chart,
    line_chart,
    page,
)
from saccade.values import Interval

MOST_LINES = 6
LOG_FROM = 8.0  # times the smallest value: from here on a logarithmic axis
METHOD = (
    "Every choice learned from the same parts of the pictures and answered the fold that was left "
    "out. The intervals, with 95 % confidence, and the test are those of Nadeau and Bengio, 2003: "
    "the folds' training parts have most pictures in common, which makes plain t intervals too "
    "narrow. Each comparison with the best stands for itself: of twenty choices that are as good, "
    "one is called worse by chance. The best of many is flattered by having been chosen: judge "
    "it on pictures that had no part in this, with saccade evaluate."
)


def tuning_report(tuned: Tuned, *, data: str) -> str:
    """Return one self-contained HTML page."""
    charts = Charts(tuple(_charts(tuned)))
    head, *rows = figure_rows(tuned)
    sections = [
        Section("What is best", (Text(verdict(tuned)), *([charts] if charts.charts else []))),
        Section("Every choice", (Table(head, tuple(rows)),)),
        Section("Every fold", (_fold_table(tuned),)),
        Section("How this was measured", (Text(METHOD),)),
    ]
    subtitle = f"{len(tuned.trials)} choices, {tuned.folds} folds of {data}"
    return page("Settings by cross-validation", sections, subtitle=subtitle)


def verdict(tuned: Tuned) -> str:
    """Say in a sentence which choice is best, and which cannot be told from it."""
    best = tuned.best
    if best is None:
        return "Every choice failed: the loss was not finite."
    text = f"Best: {named(best.values)}, {tuned.figure} {best.mean}."
    if not tuned.not_worse:
        return f"{text} The folds show every other choice to be worse."
    others = "; ".join(named(trial.values) for trial in tuned.not_worse)
    return f"{text} Not shown to be worse: {others}."


def figure_rows(tuned: Tuned) -> list[tuple[str, ...]]:
    """Return every choice as a row of text, the head first."""
    head = (*tuned.varied, tuned.figure, "behind the best", "p", "verdict")
    return [head, *(_row(trial) for trial in tuned.trials)]


def named(values: Mapping[str, Any]) -> str:
    """Return settings as text: "optim.lr 0.003, model.width 8"."""
    return ", ".join(f"{name} {_word(value)}" for name, value in values.items())


def _row(trial: Trial) -> tuple[str, ...]:
    settings = tuple(_word(value) for value in trial.values.values())
    if trial.mean is None:
        return (*settings, "–", "–", "–", f"{trial.verdict}: {trial.failed}")
    behind = "–" if trial.behind is None else _signed(trial.behind)
    p = "–" if trial.p is None else f"{trial.p:.3f}"
    return (*settings, str(trial.mean), behind, p, trial.verdict)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return (value or '""') if isinstance(value, str) else f"{value:.6g}"


def _signed(one: Interval) -> str:
    return f"{one.value:.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def _fold_table(tuned: Tuned) -> Table:
    head = (*tuned.varied, *(f"fold {number}" for number in range(1, tuned.folds + 1)))
    rows = []
    for trial in tuned.trials:
        scores = [f"{score:.3f}" for score in trial.scores]
        missing = ["–"] * (tuned.folds - len(scores))
        rows.append((*(_word(value) for value in trial.values.values()), *scores, *missing))
    return Table(head, tuple(rows), caption=f"{tuned.figure} on each fold")


def _charts(tuned: Tuned) -> list[Chart]:
    """For each setting with two values or more, the score against it."""
    judged = [trial for trial in tuned.trials if trial.mean is not None]
    found = []
    for name in tuned.varied:
        values = {trial.values[name] for trial in judged}
        numbers = all(type(value) in (int, float) for value in values)
        if len(values) > 1:
            found.append((_number_chart if numbers else _name_chart)(tuned, name))
    return found


def _number_chart(tuned: Tuned, name: str) -> Chart:
    """A line for each combination of the other settings, that of the best first."""
    lines: dict[str, list[tuple[float, Interval]]] = {}
    for trial in _best_first(tuned, name):
        if trial.mean is not None:
            line = lines.setdefault(named(_without(trial.values, name)), [])
            line.append((trial.values[name], trial.mean))
    series = []
    for others, points in list(lines.items())[:MOST_LINES]:
        points.sort(key=lambda point: point[0])
        series.append(
            Series(
                others or tuned.figure,
                [value for value, _ in points],
                [mean.value for _, mean in points],
                [mean.low for _, mean in points],
                [mean.high for _, mean in points],
            )
        )
    values = [value for points in lines.values() for value, _ in points]
    title = f"{tuned.figure} against {name}"
    svg = line_chart(
        series,
        title=title,
        x_label=name,
        y_label=tuned.figure,
        description="A line for each choice of the other settings; the band is its interval.",
        log_x=min(values) > 0 and max(values) >= LOG_FROM * min(values),
    )
    hidden = len(lines) - len(series)
    return Chart(title, svg, f"{hidden} more lines are in the table." if hidden else "")


def _name_chart(tuned: Tuned, name: str) -> Chart:
    """A row for each value, the other settings as those of the best."""
    best = tuned.best
    others = {} if best is None else _without(best.values, name)
    rows = [
        (_word(trial.values[name]), trial.mean.value, trial.mean.low, trial.mean.high)
        for trial in tuned.trials
        if trial.mean is not None and _without(trial.values, name) == others
    ]
    title = f"{tuned.figure} for each {name}"
    description = "Dots are means over the folds, bars their intervals."
    svg = interval_chart(rows, title=title, x_label=tuned.figure, description=description)
    return Chart(title, svg, f"With {named(others)}." if others else "")


def _best_first(tuned: Tuned, name: str) -> list[Trial]:
    """The trials, first those with the best's other settings."""
    best = tuned.best
    others = {} if best is None else _without(best.values, name)
    return sorted(tuned.trials, key=lambda trial: _without(trial.values, name) != others)


def _without(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != name}
