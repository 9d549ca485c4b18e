"""``saccade bench NAME``: runs one script of the ``benchmarks`` folder."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saccade.cli.output import say
from saccade.errors import InputError
from saccade.names import look_up


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


def find_scripts() -> dict[str, Path]:
    """Return the benchmarks by name, from the source tree that this package runs from."""
    folder = Path(__file__).parents[3] / "benchmarks"
    scripts = {file.stem: file for file in sorted(folder.glob("[!_]*.py"))}
    if not scripts:
        raise InputError(
            "the benchmarks are not installed; clone the project and run it from there"
        )
    return scripts


COMMANDS = {"bench": bench}
