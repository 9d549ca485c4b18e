"""The index of runs as one page, with a table that a click on a head sorts."""

from collections.abc import Mapping

from saccade.judge.run_index import RunIndex, RunLine
from saccade.judge.wording import UNDEFINED, decimal, with_limits
from saccade.report import Section, Table, Text, page

HEAD = (
    *("Run", "Score (95 % interval)", "Task", "Data", "Backbone", "Weights", "Epochs"),
    *("Begun (UTC)", "Test part opened", "State"),
)
READING = (
    "The score is of what was held out from training; it is told again, with its interval, in the "
    "report that a run's name opens. Scores of other data, of another task or of another figure "
    "cannot be compared, and the best of many flatters: intervals that overlap decide nothing. "
    "To compare two runs on the same pictures, use saccade compare."
)
OPENED = (
    "The test part was opened more than once by some runs: what was chosen after looking flatters."
)


def run_index_page(found: RunIndex, *, links: Mapping[str, str]) -> str:
    """Return one self-contained HTML page; ``links``: the address of a run's report, by its name.

    A run that has none is not in it.
    """
    table = Table(
        HEAD,
        tuple(_cells(run) for run in found.runs),
        caption="By task, the best score first.",
        links=tuple(links.get(run.name, "") for run in found.runs),
        keys=tuple(_keys(run) for run in found.runs),
    )
    warning = [Text(OPENED, "warning")] if any(run.opened > 1 for run in found.runs) else []
    sections = [Section("All runs", (*warning, table))]
    if reasons := tuple((run.name, run.reason) for run in found.runs if run.reason):
        sections.append(Section("What is damaged", (Table(("Run", "Why"), reasons),)))
    if licences := tuple((run.name, run.licence) for run in found.runs if run.licence):
        sections.append(Section("Licences", (Table(("Run", "Licence"), licences),)))
    sections.append(Section("How to read this", (Text(READING),)))
    subtitle = f"{found.sentence}, below “{found.folder}”."
    return page("Runs side by side", sections, subtitle=subtitle)


def _cells(run: RunLine) -> tuple[str, ...]:
    score = None if run.score is None else f"{run.figure} {with_limits(run.score, decimal)}"
    return (
        run.name,
        score or UNDEFINED,
        run.task or UNDEFINED,
        run.data or UNDEFINED,
        run.backbone or UNDEFINED,
        UNDEFINED if run.weights is None else f"{run.weights:,}",
        UNDEFINED if run.epochs is None else f"{run.epochs:,}",
        run.begun[: len("2026-01-01 00:00")] or UNDEFINED,
        f"{run.opened:,} ×" if run.opened else "never",
        run.state,
    )


def _keys(run: RunLine) -> tuple[str | float, ...]:
    return (
        run.name,
        "" if run.score is None else run.rank,
        run.task,
        run.data,
        run.backbone,
        "" if run.weights is None else run.weights,
        "" if run.epochs is None else run.epochs,
        run.begun,
        run.opened,
        run.state,
    )
