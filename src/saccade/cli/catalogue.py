"""``docs/catalogue.md``, made from the tables: every name that users can type.

File and source of a part come from its row, where it tells them; what only people know (the tests,
the source of a command, what to say before a table) stands in ``docs/catalogue.toml``.
"""

import functools
import inspect
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from saccade.api.balance import BALANCES
from saccade.api.blocks import SHELVES
from saccade.augment.disturbances import DISTURBANCES
from saccade.config import AugmentSettings, settings
from saccade.data.pairs import SAMPLERS
from saccade.data.readers import READERS
from saccade.data.symmetries import EXTRA_CLASSES
from saccade.metrics import METRICS, SIMILARITIES
from saccade.nn import BACKBONES, FAMILIES, PLAIN
from saccade.optim import SCHEDULES
from saccade.shelf import Entry
from saccade.tasks import TASKS
from saccade.vectors import INDEXES

ROOT = Path(__file__).parents[3]
NOTES = ROOT / "docs" / "catalogue.toml"
HEAD = """# Catalogue

Every name that you can type, where it is made, where it comes from, and the test that holds it.
Names, files and sources of parts are those of the code; the rest stands in `docs/catalogue.toml`.
`tests/test_docs.py` checks that nothing is missing here and that each file and test exists.
"""


def catalogue_page(commands: Iterable[str]) -> str:
    """Return a table a section, with file, source and test of each name."""
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
    tables: dict[str, Iterable[str] | Mapping[str, Any]] = {"Commands": list(commands), **TABLES}
    parts = [HEAD]
    for title, told in notes.items():
        names = tables[title]
        rows = [_row(name, names, told) for name in names]
        head = f"| {told['what']} | file | source | test |\n|---|---|---|---|"
        parts += [f"## {title}\n", told["text"], "\n".join([head, *rows]) + "\n"]
    return "\n".join(parts)


def _row(name: str, names: Iterable[str] | Mapping[str, Any], told: Mapping[str, Any]) -> str:
    own = told.get("rows", {}).get(name, {})
    row = names[name] if isinstance(names, Mapping) else None
    files = own.get("files") or [_file(row.build, told) if isinstance(row, Entry) else ""]
    source = row.source if isinstance(row, Entry) else own.get("source", "")
    cells = (
        _quoted([name]),
        _quoted(files),
        source,
        _quoted(own.get("tests", told.get("tests", []))),
    )
    return f"| {' | '.join(cells)} |"


def _file(build: Any, told: Mapping[str, Any]) -> str:
    """Where a part of ours is made; of one that a library makes, where its row stands."""
    made = inspect.unwrap(build.func if isinstance(build, functools.partial) else build)
    if not made.__module__.startswith("saccade."):
        return str(told["file"])
    return f"src/{made.__module__.replace('.', '/')}.py"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names if name)


TABLES: dict[str, Iterable[str] | Mapping[str, Any]] = {
    "Tasks": TASKS,
    "Models": settings()["model.name"].choices,
    "Backbones": [*BACKBONES, *PLAIN, *(f"{family}/NAME" for family in FAMILIES)],
    **SHELVES,
    "Augmentations": vars(AugmentSettings()).keys(),
    "Balances": BALANCES.keys(),
    "Reweighting": settings()["data.reweight_by"].choices,
    "Projections": settings()["model.projection"].choices,
    "Schedules": SCHEDULES,
    "Samplers": SAMPLERS,
    "Readers": READERS,
    "Extra classes": EXTRA_CLASSES,
    "Indexes": INDEXES,
    "Metrics": METRICS,
    "Similarities": SIMILARITIES,
    "Disturbances": DISTURBANCES,
}
