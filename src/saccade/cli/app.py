"""The command line: finds the command, and turns every outcome into an exit code.

0 good · 1 a negative answer · 2 wrong use, said in one line · 130 interrupted · 141 nobody reads
the output any more, as with ``| head`` · 143 terminated.
"""

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from saccade.cli import (
    bench,
    blocks,
    card,
    choose,
    compare,
    convert,
    correct,
    curves,
    cut,
    demo,
    describe,
    evaluate,
    explain,
    export_model,
    gallery,
    index,
    info,
    inspect,
    keep,
    label_next,
    learn,
    predict,
    report,
    review,
    robustness,
    stylize,
    tune,
)
from saccade.cli.output import shown
from saccade.errors import InputError, SaccadeError

GOOD, NEGATIVE, WRONG_USE, INTERRUPTED, UNREAD, TERMINATED = 0, 1, 2, 130, 141, 143

# The order in which the help shows their commands.
MODULES = (
    demo,
    inspect,
    convert,
    cut,
    learn,
    predict,
    evaluate,
    compare,
    robustness,
    explain,
    label_next,
    curves,
    report,
    tune,
    card,
    export_model,
    gallery,
    correct,
    review,
    describe,
    keep,
    choose,
    index,
    stylize,
    blocks,
    bench,
    info,
)

HELP = """Teach a computer to see from a folder of images, judge it, and find pictures again.

Offline, on ordinary processors. Start with: saccade demo
"""


def build_app() -> App:
    """Return the application with all its commands."""
    app = App(
        name="saccade",
        help=HELP,
        version=version("saccade"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
    )
    for module in MODULES:
        for name, command in module.COMMANDS.items():
            app.command(command, name=name)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # A terminal may know few letters.
    stops: list[int] = []
    try:
        _heed_terminations(stops)
        _refuse_empty(tokens)
        return build_app()(tokens, exit_on_error=False, print_error=False) or GOOD
    except CycloptsError as error:
        return _refuse(f"{_one_line(error)} (saccade --help shows the commands)")
    except SaccadeError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as stop:
        kept = stop.args[0] if stop.args else "what was said to be done is kept"
        return _refuse(f"interrupted; {kept}", TERMINATED if stops else INTERRUPTED)
    except BrokenPipeError:
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        return _refuse(f"{error.filename or 'the disk'}: {error.strerror or error}")


def _heed_terminations(stops: list[int]) -> None:
    """Let SIGTERM, as schedulers send it, end a command as Ctrl-C does; then ``stops`` holds it."""

    def stop(number: int, frame: object) -> None:
        stops.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, stop)


def _refuse_empty(tokens: Sequence[str]) -> None:
    """Refuse an empty argument: as a path it would mean the folder that one stands in."""
    for before, token in zip(["", *tokens], tokens, strict=False):
        # A setting may be empty, and --as has its own refusal.
        if not token and before != "--as" and not (before.startswith("--") and "." in before):
            where = f"what stands after '{before}'" if before else "the first argument"
            raise InputError(f"{where} is empty; name a folder or file, or set its variable")


def _refuse(text: str, code: int = WRONG_USE) -> int:
    print(f"saccade: {shown(text)}", file=sys.stderr)
    return code


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())
