"""``report``: an index of the runs below a folder, those that failed among them."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from safetensors import SafetensorError, safe_open

from saccade.api.sealed import openings
from saccade.config import read_recipe
from saccade.data.pictures import refuse_picture
from saccade.errors import InputError, SaccadeError
from saccade.files import existing_folder, write_atomic
from saccade.gallery.schema import DATABASE_NAME
from saccade.judge.run_index import RunIndex, RunLine
from saccade.tasks.card import CARD_FILE, read_card
from saccade.tasks.model import WEIGHTS_FILE
from saccade.training.checkpoint import has_checkpoint, is_finished
from saccade.training.run import ENVIRONMENT_FILE, RECIPE_FILE, last_epoch
from saccade.values import Interval

DEPTH = 3
PAGE_FILE = "index.html"
REPORT_FILES = ("report.html", "evaluation.html")  # of a run, the first that is there
FIRST_FIGURES = ("r2",)  # before the others of a score, because it has no unit
NUMBERS = ("value", "low", "high", "n")
UNREADABLE = (SaccadeError, SafetensorError, OSError, RecursionError)


def report_index(runs: Path | str, *, out: Path | str | None = None) -> RunIndex:
    """Return the runs below ``runs``, at most DEPTH folders deep, and write their page to ``out``.

    Without ``out`` the page is ``index.html`` in ``runs``. Links to folders are not followed. A run
    that cannot be read, or did not end, is listed as such. Raises InputError where there is no run,
    or the page cannot be written.
    """
    folder = existing_folder(runs, "folder of runs")
    place = folder / PAGE_FILE if out is None else Path(out)
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise InputError(f"page {place} must be a file in a folder that exists; change --out")
    refuse_picture(place, "name an HTML file with --out")
    found = RunIndex.of(folder, [_line(run, folder) for run in find_runs(folder)])
    if not found.runs:
        raise InputError(
            f"{folder} holds no run, down to {DEPTH} folders deep; name the folder that "
            "saccade train left its runs in"
        )
    from saccade.judge.run_index_report import run_index_page  # Loads the charts.

    links = {run.name: _address(run.page, place) for run in found.runs if run.page is not None}
    write_atomic(place, run_index_page(found, links=links))
    return found


def find_runs(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Yield the folders of runs below ``folder``, or itself, in the order of their names.

    What cannot be listed is yielded too, so that it is named. A gallery, whose embedder lies in it,
    is no run.
    """
    try:
        inside = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    names = {entry.name for entry in inside}
    if CARD_FILE in names or {RECIPE_FILE, ENVIRONMENT_FILE} <= names:
        yield folder
    elif depth and DATABASE_NAME not in names:
        for entry in inside:
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from find_runs(Path(entry.path), depth - 1)


def _line(run: Path, top: Path) -> RunLine:
    """What the files of a run say; of one that cannot be read, why."""
    name = run.name if run == top else str(run.relative_to(top))
    told: dict[str, Any] = {}
    try:
        has_card = (run / CARD_FILE).exists()
        ended = has_card and (not has_checkpoint(run) or is_finished(run))
        told |= {"data": _data(run), "begun": _begun(run), "page": _page(run)}
        told |= {"epochs": last_epoch(run), "opened": len(openings(run))}
        told |= _of_card(run) if has_card else _of_recipe(run)
    except UNREADABLE as error:
        return RunLine(name, "damaged", reason=_reason(error), **told)
    return RunLine(name, "finished" if ended else "unfinished", **told)


def _of_recipe(run: Path) -> dict[str, Any]:
    recipe = read_recipe(run / RECIPE_FILE)
    return {"task": recipe.task, "backbone": recipe.model.backbone}


def _of_card(run: Path) -> dict[str, Any]:
    card = read_card(run / CARD_FILE)
    figure, score = _score(card.get("score"))
    return {
        "task": str(card.get("task", card["kind"])),
        "backbone": str(card.get("backbone", card["kind"])),
        "figure": figure,
        "score": score,
        "weights": None if card["kind"] == "pixels" else _weights(run / WEIGHTS_FILE),
        "licence": str(card.get("licence", "")),
    }


def _score(told: Any) -> tuple[str, Interval | None]:
    """The figure of a card's score that stands first, and its interval; ("", None) for none."""
    figures = told if isinstance(told, dict) else {}
    for name in (*FIRST_FIGURES, *figures):
        try:
            value, low, high, n = (float(figures[name][key]) for key in NUMBERS)
        except (KeyError, TypeError, ValueError, OverflowError):  # Such as "on", which is text.
            continue
        if all(map(math.isfinite, (value, low, high, n))):
            return str(name), Interval(value, low, high, int(n))
    return "", None


def _weights(file: Path) -> int:
    """The count of floating numbers in a file of weights, from its head alone, which is checked."""
    with safe_open(file, "numpy") as opened:
        parts = [opened.get_slice(name) for name in opened.keys()]  # noqa: SIM118
        return sum(math.prod(p.get_shape()) for p in parts if "F" in p.get_dtype())


def _environment(run: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((run / ENVIRONMENT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _data(run: Path) -> str:
    found = _environment(run).get("data")
    return Path(found).name if isinstance(found, str) else ""


def _begun(run: Path) -> str:
    """When training began; of an older run, which does not say, when its last file changed."""
    told = _environment(run).get("begun")
    if isinstance(told, str):
        return told.removesuffix("+00:00").replace("T", " ")
    changed = datetime.fromtimestamp(run.stat().st_mtime, UTC)
    return changed.isoformat(" ", "seconds").removesuffix("+00:00")


def _page(run: Path) -> Path | None:
    pages = (run / name for name in REPORT_FILES)
    return next((page for page in pages if page.is_file()), None)


def _address(page: Path, index: Path) -> str:
    """Where ``page`` lies as seen from the file ``index``, percent-encoded."""
    relative = os.path.relpath(page.absolute(), index.absolute().parent)
    return quote(os.fsencode(Path(relative).as_posix()))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename or '').name} cannot be read: {error.strerror or error}"
    if isinstance(error, RecursionError):
        return f"{CARD_FILE} is nested too deep"
    return " ".join(str(error).split())
