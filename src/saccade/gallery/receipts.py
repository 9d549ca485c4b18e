"""Receipts of forgetting, as files: written into the gallery, and read again from anywhere.

What a receipt says is compared with a gallery in ``receipt_check``. A receipt of single pictures
("pictures_only") leaves their identity where it is.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saccade.errors import InputError
from saccade.files import write_together
from saccade.gallery.debts import PLACES, PREFIX_DIGITS, PREFIXES, Debt
from saccade.gallery.schema import RECEIPTS_FOLDER
from saccade.gallery.store import is_time

MOST_BYTES = 1 << 28
MOST_NUMBER = 1 << 62
COUNTS = ("identity", "pictures", "generation")
LOG_CUT = "truncated"
NOT_COVERED = "backups, exports and other copies that were made earlier"


def path_of(folder: Path, number: int, debt: Mapping[str, Any]) -> Path:
    """Return where the receipt of a debt is written, in the gallery ``folder``."""
    time = debt["forgotten_at"].replace("-", "").replace(":", "")
    which = str(number) if number > 0 else f"picture-{-number}"
    return folder / RECEIPTS_FOLDER / f"{time}-{which}.json"


def write(folder: Path, debts: Mapping[int, Debt], told: Mapping[int, Mapping[str, Any]]) -> None:
    """Write a receipt for each debt, all of them durable at the end; ``told``: what was proved."""
    contents = {}
    for number, debt in debts.items():
        receipt = {
            "format": 1,
            "identity": number,
            **{key: value for key, value in debt.items() if key != PLACES},
            "write_ahead_log": LOG_CUT,
            **told[number],
            "not_covered": NOT_COVERED,
        }
        path = path_of(folder, number, debt)
        if not path.exists():  # else a crash came between the receipt and striking the debt
            # An entry a line; ``indent`` would take Python's own encoder, which is slower.
            lines = (f"  {json.dumps(key)}: {json.dumps(said)}" for key, said in receipt.items())
            contents[path.name] = "{\n" + ",\n".join(lines) + "\n}\n"
    (folder / RECEIPTS_FOLDER).mkdir(exist_ok=True)
    write_together(folder / RECEIPTS_FOLDER, contents)


def read(path: Path) -> dict[str, Any]:
    """Return a receipt; raises InputError, which says what is wrong, when the file is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large for a receipt; name the file that forget wrote")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON; name the file that forget wrote") from error
    wrong = "it is no object" if not isinstance(found, dict) else _first_wrong(found)
    if wrong:
        raise InputError(f"{path} is no receipt: {wrong}; name the file that forget wrote")
    receipt: dict[str, Any] = found
    return receipt


def _first_wrong(found: Mapping[str, Any]) -> str:
    if found.get("format") != 1:
        return f"its format is {found.get('format')!r:.20}, and 1 is known"
    for key in COUNTS:
        if type(found.get(key)) is not int or not 0 <= found[key] < MOST_NUMBER:
            return f"'{key}' is no number"
    for key, wanted in (("picture_ids", _is_number), (PREFIXES, _is_prefix)):
        if not isinstance(found.get(key), list) or not all(map(wanted, found[key])):
            return f"'{key}' is no list of what it should be"
        if len(found[key]) != found["pictures"]:
            return f"'{key}' has {len(found[key])} entries for {found['pictures']} pictures"
    if type(found.get("pictures_only", False)) is not bool:
        return "'pictures_only' is neither true nor false"
    if not _rises(found["picture_ids"]) or (found.get("pictures_only") and not found["pictures"]):
        return "'picture_ids' are no rising numbers"
    if not isinstance(found.get("log_sha256"), str):
        return "'log_sha256' is no text"
    if not is_time(found.get("forgotten_at")):
        return "'forgotten_at' is no time"
    return _unproved(found)


def _unproved(found: Mapping[str, Any]) -> str:
    """Return what of the proof is not as forget writes it, which is never without success."""
    if found.get("write_ahead_log") != LOG_CUT or found.get("vectors") != found["pictures"]:
        return "it does not say that all vectors went, or that the write-ahead log was cut"
    search, back = found.get("search"), found.get("read_back")
    if search is not None and not _are_counts(search, ("bytes", "of_bytes", "vectors", "found")):
        return "'search' has other counts than forget writes"
    if search is not None and (search["found"] or search["bytes"] > search["of_bytes"]):
        return "'search' says that it found bytes, or looked through more than there is"
    if back is not None and not _are_counts(back, ("places", "zero", "used_again", "codes")):
        return "'read_back' has other counts than forget writes"
    if back is not None and back["zero"] + back["used_again"] != back["places"]:
        return "'read_back' says that a place was not zero"
    return ""


def _are_counts(value: object, keys: Sequence[str]) -> bool:
    return isinstance(value, dict) and {*value} == {*keys} and all(map(_is_number, value.values()))


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < MOST_NUMBER


def _rises(numbers: Sequence[int]) -> bool:
    return all(one < other for one, other in itertools.pairwise(numbers))


def _is_prefix(value: object) -> bool:
    digits = isinstance(value, str) and len(value) == PREFIX_DIGITS and value.isalnum()
    return digits and all(one in "0123456789abcdef" for one in str(value))
