"""What a command prints: text for people, one JSON document for machines, a bar while it works."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from saccade.data.box_sets import Counted
    from saccade.gallery import GalleryStats
    from saccade.values import Broken, Found

Item = TypeVar("Item")
PRINTED_BROKEN = 10


def say(text: str = "") -> None:
    """Print one line at once, so that a reader of the pipe sees it when it is true."""
    print(text, flush=True)


def say_json(value: Any) -> None:
    """Print one JSON document; dataclasses become objects, paths text."""
    print(json.dumps(value, default=_plain, indent=1), flush=True)


def tell(value: Any, lines: Iterable[str], *, json: bool) -> None:
    """Print ``value`` as one JSON document, or ``lines`` for people."""
    if json:
        say_json(value)
        return
    for line in lines:
        say(line)


def lines_of_broken(broken: "Sequence[Broken]") -> list[str]:
    """Name the pictures that were left out, a few of them, and say how many they are."""
    lines = [f"left out   {shown(item.reason)}" for item in broken[:PRINTED_BROKEN]]
    return [*lines, f"{len(broken)} pictures left out, unreadable"] if broken else []


def line_of_count(one: "Counted") -> str:
    """Say what of true boxes and their pictures was left out or changed, and where first."""
    return shown(one.sentence)


def line_of_created(gallery: Path, stats: "GalleryStats") -> str:
    """Say what a new gallery is like."""
    limit = "none: find never says unknown" if stats.threshold is None else f"{stats.threshold:.4f}"
    return f"gallery: {shown(str(gallery))}   dimension: {stats.dimension}   threshold: {limit}"


def lines_of_found(found: "Found") -> Iterator[str]:
    """The verdict of one query, and a line for each hit."""
    yield f"{shown(found.query)}: {shown(found.reason or found.identity)}"
    for hit in found.hits:
        yield f"   {hit.similarity:7.4f}  {shown(hit.identity)}   (picture {shown(hit.picture)})"


def answer(found: "Found") -> dict[str, object]:
    """The same for a machine."""
    return {
        "query": found.query,
        "identity": None if found.reason else found.identity,
        "error": found.reason or None,
        "known": found.known,
        "threshold": found.threshold,
        "hits": found.hits,
    }


def table(rows: Iterable[tuple[str, ...]]) -> None:
    """Print rows in columns as wide as their widest cell."""
    cells = list(rows)
    if not cells:
        return
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    for row in cells:
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def bar(items: Iterable[Item], *, total: int, what: str, quiet: bool = False) -> Iterator[Item]:
    """Pass ``items`` through, with a progress bar on the terminal's error stream.

    Without a terminal, or when ``quiet``, nothing is drawn.
    """
    if quiet or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(items, description=what, total=total, console=console, transient=True)


def progress_bar(what: str, *, quiet: bool) -> Callable[[range], Iterator[int]]:
    """Return what a function that asks for ``progress`` is given: it passes its range through."""
    return lambda steps: bar(steps, total=len(steps), what=what, quiet=quiet)


def shown(name: str) -> str:
    """Return a name that is safe on a terminal: control characters are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
