"""Picture files to arrays, and arrays to the size a network wants.

Formats are known by their first bytes, not by the file's ending: PNG, JPEG, PGM/PPM, BMP, WebP.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from saccade.errors import InputError, PictureError
from saccade.values import Sample, UInt8Array

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp", ".webp"})
FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16B"})
SUIT_SAMPLE = 64
# The first bytes of a file of each format.
MAGIC = {b"\x89PNG": "PNG", b"\xff\xd8": "JPEG", b"BM": "BMP", b"RIFF": "WebP", b"P": "PGM/PPM"}
# EXIF 2.32, tag 0x0112: what turns a stored picture upright. The last four swap height and width.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LYING = (5, 6, 7, 8)
# Why a picture cannot be read; the file's name stands in front.
MISSING = "does not exist; check the path"
TOO_LARGE = f"is over the limit of {MAX_PIXELS:,} pixels; make it smaller"
UNREADABLE = "cannot be read as a picture; save it again as PNG or JPEG, or remove it"
FORBIDDEN = "may not be read; give yourself the right to read it"
FOLDER = "is a folder; name a picture"
REASONS = (MISSING, TOO_LARGE, UNREADABLE, FORBIDDEN, FOLDER)
# What Pillow raises for a file that it cannot decode.
BROKEN = (OSError, ValueError, SyntaxError, EOFError, struct.error)


def is_picture(path: Path) -> bool:
    """True when the file's ending is one of a picture that Saccade reads."""
    return path.suffix.lower() in PICTURE_ENDINGS


def find_pictures(path: Path) -> list[Path]:
    """Return ``path`` itself if a file, else every picture below the folder, sorted by path."""
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path")
    found = pictures_below(path)
    if not found:
        raise InputError(
            f"folder {path} holds no picture; put PNG, JPEG, PGM, BMP or WebP files in it"
        )
    return found


def several(pictures: Sequence[Path | str | Sample]) -> list[Path | Sample]:
    """Return paths as Path objects, samples as they are; raises InputError for other things."""
    if isinstance(pictures, str | Path | Sample):
        raise InputError("several pictures are expected, as a list. Got one path")
    for item in pictures:
        if not isinstance(item, str | Path | Sample):
            kind = type(item).__name__
            raise InputError(
                f"a picture must be a path or a Sample. Got an object of {kind} instead"
            )
    return [Path(item) if isinstance(item, str) else item for item in pictures]


def pictures_below(folder: Path) -> list[Path]:
    """Return every picture at any depth, sorted by path; hidden files and folders are left out.

    Raises InputError for a folder that may not be read, so that none is missed in silence.
    """
    found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=_refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(item for item in found if is_picture(item) and _named(item))


def refuse_picture(target: Path, remedy: str) -> None:
    """Raise InputError when a file to be written has the name of a picture."""
    if is_picture(target):
        raise InputError(f"{target} has the name of a picture, which would be lost; {remedy}")


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"folder {error.filename} cannot be read: {error.strerror}; give yourself the right to "
        "read it"
    ) from error


def _named(item: Path) -> bool:
    """True for files, and for links that lead nowhere, which are named rather than passed over."""
    return item.is_file() or (item.is_symlink() and not item.exists())


def read_picture(source: Path | Sample) -> UInt8Array:
    """Return a file or a sample as (H, W, 3) uint8 RGB, turned upright as its EXIF data say.

    Raises PictureError, naming the file, when it is missing, broken, of another format, or has
    more than MAX_PIXELS pixels (checked before decoding).
    """
    if isinstance(source, Sample) and source.array is not None:
        return _array_picture(source.path, source.array)
    return np.array(read_image(source), dtype=np.uint8)


def read_image(source: Path | Sample) -> Image.Image:
    """Return the same as an image, which is scaled sooner than an array; raises likewise."""
    if isinstance(source, Sample) and source.array is not None:
        return Image.fromarray(_array_picture(source.path, source.array))
    path = source.path if isinstance(source, Sample) else source
    try:
        with path.open("rb") as stream:
            return decode(stream, path)
    except (OSError, ValueError) as error:  # A ValueError comes of a NUL in the name.
        raise PictureError(refusal(path, error)) from error


def decode(stream: BinaryIO, path: Path) -> Image.Image:
    """Return the upright RGB picture of an open file, as ``read_picture`` reads it.

    Raises PictureError, naming ``path``.
    """
    try:
        with Image.open(stream, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(f"{path} {TOO_LARGE}")
            image.load()
            turn = TURNS.get(_orientation(image))
            plain = _plain(image if turn is None else image.transpose(turn))
            return plain if plain.mode == "RGB" else plain.convert("RGB")
    except PictureError:
        raise
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise PictureError(refusal(path, error)) from error


def resize(picture: UInt8Array, size_hw: tuple[int, int], channels: int) -> UInt8Array:
    """Return (channels, H, W) uint8: scaled to ``size_hw`` with antialiasing, grey for one channel.

    The aspect ratio is not kept: the whole picture fills the target.
    """
    return to_size(Image.fromarray(picture), size_hw, channels)


def to_size(image: Image.Image, size_hw: tuple[int, int], channels: int) -> UInt8Array:
    """Return an image as ``resize`` does: (channels, H, W) uint8."""
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    height, width = size_hw
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    array = np.array(image, dtype=np.uint8)
    return array[None] if channels == 1 else np.ascontiguousarray(array.transpose(2, 0, 1))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; damaged EXIF data count as none and do not cost the picture."""
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except Exception:
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """Bring 16-bit grey (modes I;16 and I) to its high byte; lay what is transparent on white."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layer)
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8))


def _array_picture(shown: Path, array: UInt8Array) -> UInt8Array:
    """(H, W) or (H, W, 3) uint8 → (H, W, 3) uint8; grey is repeated."""
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not fits or array.dtype != np.uint8 or array.size == 0:
        raise PictureError(
            f"{shown} must be (H, W) or (H, W, 3) uint8. Got {array.shape} {array.dtype} instead"
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise PictureError(f"{shown} {TOO_LARGE}")
    return np.repeat(array[:, :, None], 3, axis=2) if array.ndim == 2 else array


def suit(samples: Sequence[Path | Sample], *, longest: int) -> tuple[tuple[int, int], int]:
    """Return the (height, width) and the number of channels that suit these pictures.

    As ``usual_size``, scaled down so that the longer side is at most ``longest``, each rounded to a
    multiple of 8, at least 8; one channel when all of them are grey, else three.
    """
    (height, width), grey = usual_size(samples)
    factor = min(1.0, longest / max(height, width))
    sides = (max(8, 8 * round(side * factor / 8)) for side in (height, width))
    return (next(sides), next(sides)), 1 if grey else 3


def usual_size(samples: Sequence[Path | Sample]) -> tuple[tuple[float, float], bool]:
    """Return the median height and width of pictures, and whether all of them are grey.

    Looks at most at SUIT_SAMPLE of them, spread evenly, and at the files' headers only, and passes
    over those that it cannot read; raises PictureError naming the first when there is no other.
    """
    heads: list[tuple[int, int, bool]] = []
    first_error: PictureError | None = None
    for sample in samples[:: -(-len(samples) // SUIT_SAMPLE)]:
        try:
            heads.append(_head(sample))
        except PictureError as error:
            first_error = first_error or error
    if first_error is not None and not heads:
        raise first_error
    height, width = (float(np.median([head[axis] for head in heads])) for axis in (0, 1))
    return (height, width), all(head[2] for head in heads)


def picture_size_hw(source: Path | Sample) -> tuple[int, int]:
    """Return height and width of the upright picture; raises PictureError naming a broken one.

    Looks at a file's header only.
    """
    height, width, _ = _head(source)
    return height, width


def format_of(head: bytes) -> str:
    """Return the format of a picture file by its first bytes; "unknown" for none that is read."""
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "unknown")


def _head(source: Path | Sample) -> tuple[int, int, bool]:
    """Height and width of the upright picture, and whether it is grey."""
    if isinstance(source, Sample) and source.array is not None:
        height, width = _array_picture(source.path, source.array).shape[:2]
        return height, width, source.array.ndim == 2
    path = source.path if isinstance(source, Sample) else source
    try:
        with Image.open(path, formats=FORMATS) as image:
            height, width = image.height, image.width
            # A PNG keeps its orientation behind the pixels, so it would have to be decoded for it.
            if image.format != "PNG" and _orientation(image) in LYING:
                height, width = width, height
            return height, width, image.mode in GREY_MODES
    except (*BROKEN, Image.DecompressionBombError) as error:
        raise PictureError(refusal(path, error)) from error


def refusal(path: Path, error: Exception) -> str:
    """Say in one line why ``path`` cannot be read: its name, then one of REASONS."""
    if isinstance(error, FileNotFoundError):
        return f"{path} {MISSING}"
    if isinstance(error, PermissionError):
        return f"{path} {FORBIDDEN}"
    if isinstance(error, IsADirectoryError):
        return f"{path} {FOLDER}"
    if isinstance(error, Image.DecompressionBombError):
        return f"{path} {TOO_LARGE}"
    return f"{path} {UNREADABLE}"
