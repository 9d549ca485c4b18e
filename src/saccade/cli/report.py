"""The command that lists runs side by side: report."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import Json
from saccade.cli.output import say, say_json, shown, table

if TYPE_CHECKING:
    from saccade.judge.run_index import RunIndex


def report(
    runs: Path,
    /,
    *,
    out: Path | None = None,
    json: Json = False,
) -> int:
    """List the runs below a folder, with their scores, and write a page that links their reports.

    Parameters
    ----------
    runs
        Folder with runs in it, up to three folders deep.
    out
        HTML file to write; else index.html in that folder.
    """
    from saccade.api.report import PAGE_FILE, report_index

    found = report_index(runs, out=out)
    place = out or runs / PAGE_FILE
    if json:
        say_json({**found.to_dict(), "index": place})
        return 0
    _print(found)
    say(f"index: {shown(str(place))}")
    return 0


def _print(found: "RunIndex") -> None:
    rows = [("run", "task", "data", "begun", "epochs", "score", "test opened", "state")]
    for run in found.runs:
        rows.append(
            (
                shown(run.name),
                shown(run.task) or "-",
                shown(run.data) or "-",
                shown(run.begun),
                "-" if run.epochs is None else str(run.epochs),
                "-" if run.score is None else f"{shown(run.figure)} {run.score}",
                str(run.opened),
                shown(f"{run.state}: {run.reason}" if run.reason else run.state),
            )
        )
    table(rows)
    say(found.sentence)


COMMANDS = {"report": report}
