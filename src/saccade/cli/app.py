"""The command line: finds the command, and turns every outcome into an exit code.

0 good · 1 a negative answer · 2 wrong use, said in one line · 130 interrupted · 141 nobody reads
the output any more, as with ``| head``.
"""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from saccade.cli import bench, demo, gallery, info, learn
from saccade.cli.output import shown
from saccade.errors import SaccadeError

GOOD, NEGATIVE, WRONG_USE, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141

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
    for module in (demo, learn, gallery, bench, info):
        for name, command in module.COMMANDS.items():
            app.command(command, name=name)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    try:
        return build_app()(tokens, exit_on_error=False, print_error=False) or GOOD
    except CycloptsError as error:
        return _refuse(f"{_one_line(error)} (saccade --help shows the commands)")
    except SaccadeError as error:
        return _refuse(str(error))
    except KeyboardInterrupt as stop:
        kept = stop.args[0] if stop.args else "what was said to be done is kept"
        return _refuse(f"interrupted; {kept}", INTERRUPTED)
    except BrokenPipeError:
        # What is still buffered would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        return _refuse(f"{error.filename or 'the disk'}: {error.strerror or error}")


def _refuse(text: str, code: int = WRONG_USE) -> int:
    print(f"saccade: {shown(text)}", file=sys.stderr)
    return code


def _one_line(error: CycloptsError) -> str:
    return " ".join(str(error).split())
