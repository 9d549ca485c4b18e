"""Results of a detector that name their pictures and classes, beside COCO's numbers.

``saccade predict`` cannot know the numbers of an annotation file; names are the same everywhere.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saccade.data.predictions import KEYS
from saccade.errors import InputError
from saccade.names import suggest

PICTURE, CLASS = "file_name", "category"


def with_numbers(
    place: Path, rows: Sequence[Any], pictures: Mapping[str, int], classes: Mapping[str, int]
) -> list[Any]:
    """Return ``rows`` with the ids of the truth, where all rows name their picture and class.

    ``pictures`` and ``classes``: the ids of the truth, by file name and by name. A picture is that
    of the same path, else of the same last two names, else of the same file name, whichever names
    each once. Rows without names are returned as they are. Raises InputError, naming the file, for
    a picture or a class that the truth does not have.
    """
    if not rows or not all(
        isinstance(row, dict)
        and isinstance(row.get(PICTURE), str)
        and isinstance(row.get(CLASS), str)
        for row in rows
    ):
        return list(rows)
    ids = _picture_ids(place, {row[PICTURE] for row in rows}, pictures)
    for n, row in enumerate(rows):
        if row[CLASS] not in classes:
            raise InputError(
                f"{place} result {n}: category {row[CLASS]!r:.80} is none of the truth; "
                f"{suggest(row[CLASS], classes)}"
            )
    return [
        {**row, "image_id": ids[row[PICTURE]], "category_id": classes[row[CLASS]]} for row in rows
    ]


def _picture_ids(place: Path, names: set[str], pictures: Mapping[str, int]) -> dict[str, int]:
    reason = ""
    for key in KEYS:
        many = Counter(key(Path(name)) for name in pictures)
        known = {key(Path(name)): number for name, number in pictures.items()}
        odd = next((name for name in sorted(names) if many[key(Path(name))] != 1), None)
        twice = len({key(Path(name)) for name in names}) < len(names)
        if odd is None and not twice:
            return {name: known[key(Path(name))] for name in names}
        reason = reason if odd is None else f"{odd!r:.80} is {many[key(Path(odd))] or 'none'}"
    raise InputError(
        f"{place}: the picture {reason or 'names are not all different, each'} of the truth's; the "
        "file names of both must be those of the same pictures"
    )
