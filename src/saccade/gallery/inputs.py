"""What may enter a gallery: names of identities, vectors, thumbnails."""

import io
import math
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from saccade.errors import InputError
from saccade.values import UNKNOWN, Float32Array, UInt8Array

MAX_NAME_LENGTH = 200
THUMBNAIL_PIXELS = 96
THUMBNAIL_QUALITY = 80


def identity_name(name: str) -> str:
    """Return the name in Unicode NFC; raises InputError when it cannot name an identity."""
    if not isinstance(name, str):
        raise InputError(f"{name!r} is no text; give the identity a name")
    normal = unicodedata.normalize("NFC", name)
    if not normal.strip():
        raise InputError("the name of an identity is empty; give it a name")
    if len(normal) > MAX_NAME_LENGTH:
        raise InputError(
            f"the name '{normal[:20]}…' has {len(normal)} characters; {MAX_NAME_LENGTH} are allowed"
        )
    if normal.strip().casefold() == UNKNOWN:
        raise InputError(f"'{normal}' is the answer for nobody; give the identity another name")
    # Control characters, halves of characters, line and paragraph separators.
    if not (normal.isascii() and normal.isprintable()) and any(
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in normal
    ):
        raise InputError(f"the name {normal!a} holds a control character; take it out")
    return normal


def normal_name(name: str) -> str:
    """Return the name of an identity that must be in Unicode NFC already, else as above."""
    normal = identity_name(name)
    if normal != name:
        raise InputError(f"the name '{normal}' is not in Unicode NFC")
    return normal


def threshold_value(threshold: float | None) -> float | None:
    """Return a similarity threshold; raises InputError when it is no number in [-1, 1]."""
    if threshold is None:
        return None
    if not (math.isfinite(threshold) and -1.0 <= threshold <= 1.0):
        raise InputError(f"threshold must be a cosine between -1 and 1, got {threshold}")
    return float(threshold)


def number_of_hits(k: int) -> int:
    """Return k; raises InputError when it is below 1."""
    if k < 1:
        raise InputError(f"k must be 1 or more, got {k}")
    return k


def as_float32(vectors: ArrayLike, *, dimension: int, first_row: int = 0) -> Float32Array:
    """Return (n, dimension) float32; raises InputError that names the first row it cannot use.

    Rows are counted from ``first_row``.
    """
    array = np.asarray(vectors)
    require_vectors(array, dimension=dimension)
    with np.errstate(over="ignore"):  # an overflow becomes infinity and is refused below
        rows = np.ascontiguousarray(array, dtype=np.float32)
    _refuse_first(~np.isfinite(rows), "holds NaN or infinity", first_row)
    _refuse_first((rows == 0).all(axis=1, keepdims=True), "has length zero", first_row)
    return rows


def require_vectors(array: NDArray[Any], *, dimension: int) -> None:
    """Raise InputError unless it is an array (n, dimension) of numbers."""
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(
            f"vectors must be an array (n, {dimension}) of numbers, got shape {array.shape} of "
            f"{array.dtype}"
        )
    if array.shape[1] != dimension:
        raise InputError(
            f"vectors have length {array.shape[1]}, this gallery holds length {dimension}; embed "
            "with the model that the gallery was made with"
        )


def row_names(n: int, names: Sequence[str] | None, *, first_row: int = 0) -> list[str]:
    """Return n names to show for rows; "row 0", … when none are given."""
    if names is None:
        return [f"row {row}" for row in range(first_row, first_row + n)]
    _refuse_text(names, "names")
    if len(names) != n:
        raise InputError(f"{n} vectors but {len(names)} names; give one name a vector")
    return list(names)


def row_identities(n: int, identities: Sequence[str], *, first_row: int = 0) -> list[str]:
    """Return n names of identities; raises InputError that names the first row it cannot use.

    Rows are counted from ``first_row``.
    """
    _refuse_text(identities, "identities")
    if len(identities) != n:
        raise InputError(f"{n} vectors but {len(identities)} identities; give one a vector")
    checked: dict[str, str] = {}
    for row, name in enumerate(identities, first_row):
        if name in checked:
            continue
        try:
            checked[name] = identity_name(name)
        except InputError as error:
            raise InputError(f"identities row {row}: {error}") from error
    if all(name is kept for name, kept in checked.items()):
        return list(identities)
    return [checked[name] for name in identities]


def unit_rows(rows: Float32Array) -> Float32Array:
    """Scale rows that are finite and not zero to Euclidean length 1."""
    # Divided by the largest component first: squares of very small or large ones would not fit.
    scaled: Float32Array = rows / np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    scaled /= np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled


def stored_vectors(rows: Float32Array) -> list[bytes]:
    """Return each row, scaled to length 1, as little-endian float16 bytes."""
    return row_bytes(unit_rows(rows).astype("<f2"))


def row_bytes(rows: NDArray[np.floating]) -> list[bytes]:
    """Return the bytes of each row of (n, d)."""
    n, d = rows.shape
    if not n:
        return []
    whole = np.ascontiguousarray(rows).view(np.dtype((np.void, d * rows.itemsize)))
    found: list[bytes] = whole[:, 0].tolist()
    return found


def thumbnail(picture: UInt8Array) -> bytes:
    """Return a JPEG of at most 96 × 96 pixels of (H, W, 3) uint8 RGB."""
    image = Image.fromarray(picture)
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=THUMBNAIL_QUALITY)
    return stream.getvalue()


def _refuse_text(names: Sequence[str], what: str) -> None:
    """A text is a sequence of texts too, its letters."""
    if isinstance(names, str):
        raise InputError(f"{what} must be a list, one a vector. Got the one text '{names}'")


def _refuse_first(bad: NDArray[np.bool_], why: str, first_row: int) -> None:
    if bad.any():
        row = first_row + int(np.argmax(bad.any(axis=1)))
        raise InputError(f"vectors row {row} {why}; take it out or embed it again")
