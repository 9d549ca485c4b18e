"""A picture that a command makes: read from a file before, written to a file after."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from saccade.data.pictures import PICTURE_ENDINGS, is_picture, read_picture
from saccade.errors import InputError
from saccade.files import existing_folder, replacing
from saccade.values import UInt8Array

QUALITY = 95  # of JPEG and WebP


def read_colours(file: Path | str) -> Tensor:
    """Return a picture as (1, 3, H, W) float in [0, 1]; PictureError where it cannot be read."""
    return torch.from_numpy(read_picture(Path(file))).permute(2, 0, 1)[None].float() / 255


def to_pixels(picture: Tensor) -> UInt8Array:
    """(1, 3, H, W) float → (H, W, 3) uint8; what leaves [0, 1] is clipped."""
    plane = (picture[0].clamp(0, 1) * 255).round().permute(1, 2, 0)
    return np.ascontiguousarray(plane.to(torch.uint8).numpy())


def new_picture(place: Path | str, sources: Sequence[Path | str], *, force: bool) -> Path:
    """Return ``place``, where a picture may be written.

    Raises InputError where its folder is missing, its ending is none of a picture, or a file is
    there: one of the ``sources``, or any without ``force``.
    """
    found = Path(place)
    existing_folder(found.absolute().parent, f"folder for {found.name}")
    if not is_picture(found):
        endings = ", ".join(sorted(PICTURE_ENDINGS))
        raise InputError(f"{found} must end as a picture does: {endings}")
    if found.is_dir():
        raise InputError(f"{found} is a folder; name a picture")
    if any(found.resolve() == Path(source).resolve() for source in sources):
        raise InputError(f"{found} is what is read, and would be lost; name another file")
    if found.exists() and not force:
        raise InputError(f"{found} exists already; name another file, or say --force")
    return found


def write_picture(picture: UInt8Array, place: Path) -> None:
    """Write (H, W, 3) uint8 in the format that the ending names, whole or not at all."""
    with replacing(place) as temporary:
        kind = Image.registered_extensions()[place.suffix.lower()]
        Image.fromarray(picture).save(temporary, format=kind, quality=QUALITY)
