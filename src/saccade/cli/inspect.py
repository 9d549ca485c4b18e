"""The command that looks at data before anything learns from them: inspect."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import Flag, Json
from saccade.cli.output import (
    line_of_count,
    lines_of_broken,
    progress_bar,
    say,
    say_json,
    shown,
    table,
    tell,
)
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.judge.inspection import Inspection

PRINTED = 5  # of each kind
COMMONEST = 3  # sizes and formats


def inspect(
    data: Path,
    /,
    *,
    report: Path | None = None,
    write: Path | None = None,
    model: str | None = None,
    augment: Flag = False,
    recipe: Path | None = None,
    json: Json = False,
) -> int:
    """Look for copies, leaks, wrong labels and useless pictures; exit code 1 when any is found.

    Parameters
    ----------
    data
        Folder with one sub-folder a class, CSV, idx pair or .npz; all parts, if divided.
    report
        HTML page to write, with the pictures.
    write
        CSV table to write: the pictures without copies and those that show nothing. No file is
        changed; a label that is doubted stays, beside the one suggested.
    model
        Run folder of an embedder, which then says what is alike; without, pixels do.
    augment
        Write only a sheet of pictures, each several times as training would change it, with its
        boxes or masks where there are any: augmented.html, or the page that --report names.
    recipe
        With --augment: TOML file whose settings are shown; without, the usual ones.
    """
    if augment:
        return _augmented(data, report=report, recipe=recipe, others=(write, model), json=json)
    if recipe is not None:
        raise InputError("--recipe says how pictures are changed; it needs --augment")
    from saccade.api.inspect import inspect as look

    progress = progress_bar("looking", quiet=json)
    found = look(data, report=report, write=write, model=model, progress=progress)
    if json:
        say_json({**found.to_dict(), "report": report, "table": write})
    else:
        _print(found, report=report, write=write)
    return 1 if found.suggestions else 0


def _augmented(
    data: Path, *, report: Path | None, recipe: Path | None, others: tuple[object, ...], json: bool
) -> int:
    if any(one is not None for one in others):
        raise InputError("--augment looks for nothing; leave out --write and --model")
    from saccade.api.augmented import SHEET, augmented

    page = report or Path(SHEET)
    made = augmented(data, recipe=recipe, report=page)
    told = f"{made.pictures:,} pictures as training would see them: {shown(str(page))}"
    lines = [*map(line_of_count, made.counted), *lines_of_broken(made.broken), told]
    tell({**made._asdict(), "report": page}, lines, json=json)
    return 0


def _print(found: "Inspection", *, report: Path | None, write: Path | None) -> None:
    from saccade.judge.inspection import KINDS

    if found.found["leak"]:
        say(f"LEAK: {len(found.found['leak']):,} pictures of one part are copies of another part's")
    table(_rows(found))
    for note in found.notes:
        say(f"  {shown(note)}")
    for kind, suggestions in found.found.items():
        if not suggestions:
            continue
        say(f"{KINDS[kind]}: {len(suggestions):,}")
        for one in suggestions[:PRINTED]:
            say(f"  {_line(found, one.picture)}{_beside(found, one.other)}  {shown(one.evidence)}")
        if len(suggestions) > PRINTED:
            say(f"  … {len(suggestions) - PRINTED:,} more; --report and --json have them")
    if not found.suggestions:
        say("nothing found")
    if write is not None:
        left = len(found.samples) - len(found.removed)
        say(f"table: {shown(str(write))}, {left:,} pictures, {len(found.removed):,} left out")
    if report is not None:
        say(f"report: {shown(str(report))}")


def _rows(found: "Inspection") -> list[tuple[str, ...]]:
    smallest, largest = list(found.classes)[-1], next(iter(found.classes))
    ends = f"{found.classes[smallest]:,} to {found.classes[largest]:,} pictures each"
    rows: list[tuple[str, ...]] = [("pictures", f"{len(found.samples):,}")]
    if any(found.parts):
        counts = (f"{part} {found.parts.count(part):,}" for part in dict.fromkeys(found.parts))
        rows.append(("parts", ", ".join(counts)))
    if found.labelled:
        rows.append(("classes", f"{len(found.classes):,}, {ends}, ratio {found.imbalance:.3g}"))
    if found.labelled and found.few:
        rows.append(("few", f"{len(found.few):,} classes have fewer than 30 pictures"))
    rows += [("formats", _commonest(found.formats)), ("sizes", _commonest(found.sizes))]
    return rows


def _commonest(counts: Mapping[str, int]) -> str:
    named = [f"{name} {count:,}" for name, count in list(counts.items())[:COMMONEST]]
    rest = len(counts) - len(named)
    return ", ".join(named) + (f", {rest:,} more" if rest else "")


def _line(found: "Inspection", row: int) -> str:
    sample = found.samples[row]
    label = f" ({shown(sample.label)})" if sample.label else ""
    return f"{shown(str(sample.path))}{label}"


def _beside(found: "Inspection", other: int) -> str:
    return f"  and {_line(found, other)}" if other >= 0 else ""


COMMANDS = {"inspect": inspect}
