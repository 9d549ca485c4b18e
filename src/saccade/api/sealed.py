"""The sealed part: test pictures are looked at once, at the end, and every look is written down.

A score that was chosen among many on the same test pictures flatters: B. Recht, R. Roelofs, L.
Schmidt, V. Shankar, "Do ImageNet Classifiers Generalize to ImageNet?", 2019, section 2.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saccade.data.box_readers import find_box_parts, part_at
from saccade.data.mask_readers import find_mask_parts, mask_part_at
from saccade.data.readers import choose_part, find_parts
from saccade.data.tables import is_table
from saccade.errors import InputError

SEALED = "test"
IDX_TEST = "t10k-"
OPENINGS_FILE = "test_openings.jsonl"


def judged_part(
    data: Path | str,
    *,
    open_test: bool | None,
    boxes: bool = False,
    masks: str | None = None,
) -> Path:
    """Return the place of what is judged: the part val of divided data, else all of undivided.

    ``open_test``: the part test instead, which is sealed otherwise, also where it is named itself;
    None where a command never opens it. ``boxes``: the data are pictures with boxes; ``masks``:
    they have masks, in a folder of that name, "" in the usual ones. Raises InputError when that is
    the only part to judge on, or there is none to open.
    """
    place = Path(data)
    if masks is not None:
        parts = find_mask_parts(place, masks)
    else:
        parts = find_box_parts(place) if boxes else find_parts(place)
    named = is_sealed(place, boxes=boxes, masks=masks)
    if open_test and not named and SEALED not in parts:
        raise InputError(f"data {place} have no part {SEALED} to open; leave out --open-test")
    if open_test:
        return parts.get(SEALED, place)
    if named or (SEALED in parts and "val" not in parts):
        remedy = "add --open-test, which the run records, or judge on other pictures"
        raise InputError(
            f"the part {SEALED} of {place.parent if named else place} is sealed, so that it is "
            f"looked at once, when all is chosen; "
            f"{'name other pictures' if open_test is None else remedy}"
        )
    return choose_part(place, ("val",), parts)


def has_sealed(data: Path | str) -> bool:
    """True for divided data with a part test, and for that part itself."""
    place = Path(data)
    return is_sealed(place) or SEALED in find_parts(place)


def is_sealed(place: Path, *, boxes: bool = False, masks: str | None = None) -> bool:
    """True for the part test of divided data, of pictures with ``boxes`` or ``masks`` likewise."""
    if masks is not None:
        return (mask_part_at(place, masks) or ("", ""))[1] == SEALED
    if boxes:
        return (part_at(place) or ("", ""))[1] == SEALED
    folder = place.absolute().parent
    named = place.name == SEALED or place.name.startswith(IDX_TEST)
    if not named or not (place.exists() or is_table(place)):
        return False  # Before anything beside it is looked through.
    try:
        return find_parts(folder).get(SEALED) == folder / place.name
    except InputError:  # Its neighbours are no data at all.
        return False


def record_opening(run: Path, part: Path, *, pictures: int, score: Mapping[str, Any]) -> int:
    """Write down in ``run`` that the test part was opened; returns how often that happened."""
    line = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": str(part.absolute()),
        "pictures": pictures,
        "score": score,
    }
    with (run / OPENINGS_FILE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    return len(openings(run))


def openings(run: Path) -> list[dict[str, Any]]:
    """Return what ``record_opening`` wrote, oldest first; a line that is damaged is passed over."""
    file, found = run / OPENINGS_FILE, []
    if not file.is_file():
        return []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            found.append(dict(json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def times(count: int) -> str:
    """Say how often the test part was opened, and what that means."""
    if count == 1:
        return "the test part was opened, for the first time by this run"
    return (
        f"the test part was opened, {count} times now by this run: what was chosen after looking "
        "flatters"
    )
