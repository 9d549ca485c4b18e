"""Pictures with boxes into a new folder, in any of the formats: all of them or nothing."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from saccade.data.box_formats import BOX_FORMATS
from saccade.data.box_sets import BoxSet, Losses
from saccade.errors import InputError
from saccade.files import existing_folder, safe_join
from saccade.names import look_up


def write_boxes(
    sets: Mapping[str, BoxSet], out: Path | str, *, to: str, pictures: str = "copy"
) -> Losses:
    """Write the sets of all parts into the new folder ``out``; returns what it cannot hold.

    ``to`` is a name in BOX_FORMATS, ``pictures`` one in PICTURES. Where parts share one folder,
    names that stand in two of them get that of their part in front. Raises InputError when ``out``
    exists, or for names that the format cannot hold; then nothing is left behind.
    """
    require_writable(out, to=to, pictures=pictures)
    form, bring, place = BOX_FORMATS[to], PICTURES[pictures], Path(out)
    names = _names(sets, one_folder=form.one_folder)
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        losses = form.write(sets, draft, names)
        for part, one in sets.items():
            for name, picture in zip(names[part], one.pictures, strict=True):
                bring(picture.path, safe_join(draft, form.picture_place(part, name)))
        _refuse(place)
        draft.rename(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return losses


def require_writable(out: Path | str, *, to: str, pictures: str) -> None:
    """Raise InputError when ``write_boxes`` would refuse these, whatever the sets."""
    look_up(BOX_FORMATS, to, "format of boxes")
    look_up(PICTURES, pictures, "way to bring pictures")
    _refuse(Path(out))
    existing_folder(Path(out).absolute().parent, "folder")


def _refuse(place: Path) -> None:
    if place.exists():
        raise InputError(f"{place} exists already; name a new folder")


def _names(sets: Mapping[str, BoxSet], *, one_folder: bool) -> dict[str, list[str]]:
    """The names of each part's pictures; with ``one_folder`` none differs by its ending alone."""
    names = {part: one.names() for part, one in sets.items()}
    stems = {part: {str(Path(name).with_suffix("")) for name in of} for part, of in names.items()}
    if one_folder and len(set().union(*stems.values())) < sum(map(len, stems.values())):
        return {part: [f"{part}/{name}" for name in of] for part, of in names.items()}
    return names


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError as error:
        raise InputError(
            f"{source} cannot be linked: {error.strerror}; let the pictures be copied"
        ) from error


def _leave(source: Path, target: Path) -> None:
    """Only the annotations are wanted."""


PICTURES: dict[str, Callable[[Path, Path], None]] = {"copy": _copy, "link": _link, "none": _leave}
