"""What the demos share: a folder made anew, and command lines run as a user would."""

import contextlib
import io
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

from saccade.cli.output import say
from saccade.errors import InputError, SaccadeError

MARK = ".made-by-saccade-demo"


def fresh_folder(out: Path) -> None:
    """Make the folder, in place of one that a demo made; raises InputError for any other."""
    if out.exists():
        if not (out / MARK).is_file():
            raise InputError(f"{out} exists and was not made by the demo; name another with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARK).touch()


def show(*words: object, quiet: bool) -> None:
    """Run one command line as a user would, shown before it runs."""
    if quiet:
        with contextlib.redirect_stdout(io.StringIO()):
            _run(words)
        return
    say_command(*words)
    _run(words)


def say_command(*words: object) -> None:
    """Show a command line."""
    say(f"\n$ saccade {shlex.join(map(str, words))}")


def answer_of(*words: object) -> Any:
    """Run a command line with --json; returns what it would print."""
    kept = io.StringIO()
    with contextlib.redirect_stdout(kept):
        _run((*words, "--json"))
    return json.loads(kept.getvalue())


def _run(words: tuple[object, ...]) -> None:
    from saccade.cli.app import WRONG_USE, main

    code = main([str(word) for word in words])
    if code >= WRONG_USE:
        raise SaccadeError(f"the demo stopped: saccade {words[0]} ended with code {code}")
