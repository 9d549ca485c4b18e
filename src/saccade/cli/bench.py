"""``saccade bench``: scripts of the ``benchmarks`` folder; ``bench find``: index kinds compared."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from saccade.cli.options import GalleryFolder
from saccade.cli.output import bar, say, say_json, shown, table
from saccade.errors import InputError
from saccade.names import look_up

REPORT = Path("bench-find.html")


def bench(
    name: str | None = None,
    /,
    *,
    small: Annotated[bool, Parameter(negative="")] = False,
    json: Path | None = None,
) -> int:
    """Run a benchmark; without a name, list them.

    Parameters
    ----------
    name
        Benchmark to run.
    small
        The quick version, within a minute.
    json
        File to write the figures to.
    """
    scripts = find_scripts()
    if name is None:
        for each in scripts:
            say(each)
        return 0
    script = look_up(scripts, name.removesuffix(".py"), "benchmark")
    words = [sys.executable, str(script)]
    words += ["--small"] if small else []
    words += ["--json", str(json)] if json else []
    return subprocess.run(words, check=False).returncode


def find(
    gallery: GalleryFolder,
    /,
    *,
    kinds: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
    queries: int = 500,
    top: int = 10,
    report: Path = REPORT,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Compare the index kinds on the vectors of a gallery: recall, time, memory.

    Parameters
    ----------
    kinds
        Index kinds to compare; else all.
    queries
        How many of the gallery's vectors are searched for.
    top
        How many neighbours recall is counted among.
    report
        HTML file to write.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.bench import compare
    from saccade.judge.search_report import figure_rows
    from saccade.vectors import INDEXES

    scores = compare(
        gallery,
        kinds=kinds or tuple(INDEXES),
        queries=queries,
        top=top,
        report=report,
        progress=lambda names: bar(names, total=len(names), what="measuring", quiet=json),
    )
    if json:
        say_json({**scores.to_dict(), "report": report})
        return 0
    size = f"{scores.rows} vectors of length {scores.dimension}"
    say(f"{size}, {scores.queries} queries, one thread; in brackets 95 % intervals")
    table(figure_rows(scores))
    for kind, reason in scores.missing.items():
        say(f"{kind}: not measured: {shown(reason)}")
    say(f"report: {shown(str(report))}")
    return 0


def find_scripts() -> dict[str, Path]:
    """Return the benchmarks by name, from the source tree that this package runs from."""
    folder = Path(__file__).parents[3] / "benchmarks"
    scripts = {file.stem: file for file in sorted(folder.glob("[!_]*.py"))}
    if not scripts:
        raise InputError(
            "the benchmarks are not installed; clone the project and run it from there"
        )
    return scripts


def _group() -> App:
    """``find`` is a command of its own below ``bench``; every other word names a script."""
    group = App(name="bench", help_format="plaintext")
    group.default(bench)
    group.command(find)
    return group


COMMANDS = {"bench": _group()}
