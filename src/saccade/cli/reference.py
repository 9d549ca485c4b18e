"""``docs/reference`` and the catalogue beside it, made from the code.

``python -m saccade.cli.reference`` writes it; a test compares, so that nothing stays undocumented.
"""

import inspect
import io
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cyclopts import App

import saccade
from saccade.cli.app import build_app
from saccade.cli.catalogue import catalogue_page
from saccade.cli.parts import parts_page
from saccade.config import AUTO, settings
from saccade.files import write_atomic
from saccade.losses import LOGIT_LOSSES, PAIR_LOSSES, VALUE_LOSSES, VECTOR_LOSSES
from saccade.nn import (
    ACTIVATIONS,
    BACKBONES,
    FAMILIES,
    INITIALISATIONS,
    LAYER_NORMALISATIONS,
    PLAIN,
)
from saccade.optim import OPTIMISERS, SCHEDULES
from saccade.tasks import TASKS

EXIT_CODES = (
    "Exit codes: 0 good, 1 a negative answer, 2 wrong use, 130 interrupted, 143 terminated.\n"
)
MADE = "<!-- made from the code by `make docs`; do not edit -->\n"


def commands_page() -> str:
    """Return every command with its help, as ``saccade COMMAND --help`` prints it."""
    from rich.console import Console

    app = build_app()
    parts = [MADE, "# Commands\n", EXIT_CODES]
    for name in command_names(app):
        page = io.StringIO()
        console = Console(file=page, width=96, color_system=None)
        app.help_print(name.split(), console=console)
        text = "\n".join(line.rstrip() for line in page.getvalue().strip().splitlines())
        parts.append(f"## saccade {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def command_names(app: App) -> list[str]:
    """Return the commands in alphabetical order, each before those below it ("bench find")."""
    names = []
    for name in sorted(n for n in app if not n.startswith("-")):
        names += [name, *(f"{name} {inner}" for inner in command_names(app[name]))]
    return names


def settings_page() -> str:
    """Return a table of every setting of a recipe."""
    rows = [
        MADE,
        "# Settings\n",
        "In a recipe, `[section]` and `key = value`; on the command line of `train`, "
        "`--section.key value`.\n",
        "| setting | default | allowed | what it is |",
        "|---|---|---|---|",
    ]
    for name, entry in settings().items():
        allowed = ", ".join(TABLES[name]) if name in TABLES else entry.allowed
        rows.append(f"| `{name}` | `{entry.value}` | {allowed} | {entry.text} |")
    return "\n".join(rows) + "\n"


def python_page() -> str:
    """Return the public names with their signatures and docstrings."""
    parts = [MADE, "# Python\n", "`import saccade`; each name is loaded on first use.\n"]
    for name in saccade.__all__:
        value = getattr(saccade, name)
        parts.append(f"## saccade.{name}\n\n{_described(name, value)}")
        if inspect.isclass(value) and not issubclass(value, Exception):
            parts += [_method(name, *item) for item in _methods(value)]
    return "\n".join(parts)


def write(folder: Path) -> None:
    """Write the pages into ``folder``."""
    for name, make in PAGES.items():
        write_atomic(folder / name, make())


def _described(name: str, value: Any) -> str:
    signature = "" if inspect.isclass(value) and issubclass(value, Exception) else _signature(value)
    return f"```python\n{name}{signature}\n```\n\n{inspect.getdoc(value) or ''}\n"


def _method(owner: str, name: str, value: Any) -> str:
    text = inspect.getdoc(value) or ""
    if isinstance(value, property):
        return f"### {owner}.{name}\n\n{text}\n"
    return f"### {owner}.{name}\n\n```python\n{name}{_signature(value)}\n```\n\n{text}\n"


def _methods(owner: type) -> list[tuple[str, Any]]:
    found = []
    for name, value in inspect.getmembers(owner):
        own = any(
            name in base.__dict__ for base in owner.__mro__ if base.__module__[:7] == "saccade"
        )
        shown = callable(value) or isinstance(value, property)
        if own and shown and (not name.startswith("_") or name == "__call__"):
            found.append((name, value))
    return found


def _signature(value: Any) -> str:
    """The signature, modules' paths left out of the types."""
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", str(inspect.signature(value)))


# Settings whose allowed values are the names of a table.
TABLES: dict[str, Iterable[str]] = {
    "task": TASKS,
    "model.backbone": (*BACKBONES, *PLAIN, *(f"{family}/NAME" for family in FAMILIES)),
    "model.activation": ACTIVATIONS,
    "model.normalisation": ("none", *LAYER_NORMALISATIONS),
    "model.initialisation": INITIALISATIONS,
    "loss.name": (AUTO, *LOGIT_LOSSES, *VECTOR_LOSSES, *PAIR_LOSSES, *VALUE_LOSSES),
    "optim.name": OPTIMISERS,
    "optim.schedule": (AUTO, *SCHEDULES),
}
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "parts.md": lambda: f"{MADE}\n{parts_page()}",
    "python.md": python_page,
    "../catalogue.md": lambda: f"{MADE}\n{catalogue_page(command_names(build_app()))}",
}

if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
