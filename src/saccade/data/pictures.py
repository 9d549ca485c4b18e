"""Picture files to arrays, and arrays to the size a network wants.

Formats are known by their first bytes, not by the file's ending: PNG, JPEG, PGM/PPM, BMP, WebP.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from saccade.errors import InputError, PictureError
from saccade.values import UInt8Array

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".pgm", ".ppm", ".bmp", ".webp"})
FORMATS = ("PNG", "JPEG", "PPM", "BMP", "WEBP")
MAX_PIXELS = 100_000_000
GREY_MODES = frozenset({"1", "L", "I", "I;16", "I;16B"})
SUIT_SAMPLE = 64
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


def several_paths(pictures: Sequence[Path | str]) -> list[Path]:
    """Return the paths as Path objects; raises InputError for one path instead of several."""
    if isinstance(pictures, str | Path):
        raise InputError(f"several pictures are expected, as [{str(pictures)!r}]. Got one path")
    return [Path(path) for path in pictures]


def pictures_below(folder: Path) -> list[Path]:
    """Return every picture at any depth, sorted by path; hidden files and folders are left out."""
    return sorted(
        item
        for item in folder.rglob("*")
        if is_picture(item)
        and not any(part.startswith(".") for part in item.relative_to(folder).parts)
        and item.is_file()
    )


def read_picture(path: Path) -> UInt8Array:
    """Decode a file into (H, W, 3) uint8 RGB, turned upright as its EXIF data say.

    Raises PictureError, naming the file, when it is missing, broken, of another format, or has
    more than MAX_PIXELS pixels (checked before decoding).
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureError(_too_large(path))
            image.load()
            turn = TURNS.get(_orientation(image))
            upright = image if turn is None else image.transpose(turn)
            return np.array(_plain(upright).convert("RGB"), dtype=np.uint8)
    except FileNotFoundError as error:
        raise PictureError(f"{path} does not exist; check the path") from error
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(path)) from error
    except BROKEN as error:
        raise PictureError(_unreadable(path)) from error


def resize(picture: UInt8Array, size_hw: tuple[int, int], channels: int) -> UInt8Array:
    """Return (channels, H, W) uint8: scaled to ``size_hw`` with antialiasing, grey for one channel.

    The aspect ratio is not kept: the whole picture fills the target.
    """
    image = Image.fromarray(picture).convert("L" if channels == 1 else "RGB")
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


def suit(paths: Sequence[Path], *, longest: int) -> tuple[tuple[int, int], int]:
    """Return the (height, width) and the number of channels that suit these pictures.

    The median height and width over at most SUIT_SAMPLE pictures spread evenly, scaled down so
    that the longer side is at most ``longest``, each rounded to a multiple of 8, at least 8; one
    channel when all of them are grey, else three. Reads the files' headers only.
    """
    chosen = paths[:: -(-len(paths) // SUIT_SAMPLE)]
    heads = [_head(path) for path in chosen]
    height, width = (float(np.median([head[axis] for head in heads])) for axis in (0, 1))
    factor = min(1.0, longest / max(height, width))
    sides = (max(8, 8 * round(side * factor / 8)) for side in (height, width))
    return (next(sides), next(sides)), 1 if all(head[2] for head in heads) else 3


def _head(path: Path) -> tuple[int, int, bool]:
    """Height and width of the upright picture, and whether the file is grey."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            height, width = image.height, image.width
            # A PNG keeps its orientation behind the pixels, so it would have to be decoded for it.
            if image.format != "PNG" and _orientation(image) in LYING:
                height, width = width, height
            return height, width, image.mode in GREY_MODES
    except Image.DecompressionBombError as error:
        raise PictureError(_too_large(path)) from error
    except BROKEN as error:
        raise PictureError(_unreadable(path)) from error


def _too_large(path: Path) -> str:
    return f"{path} is over the limit of {MAX_PIXELS:,} pixels; make it smaller"


def _unreadable(path: Path) -> str:
    return f"{path} cannot be read as a picture; save it again as PNG or JPEG, or remove it"
