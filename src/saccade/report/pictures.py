"""Pictures inside a page: arrays as data URIs, made small."""

import base64
import io
from typing import Literal

from PIL import Image

from saccade.errors import InputError
from saccade.values import UInt8Array

THUMBNAIL_PIXELS = 224  # twice the size it is shown at, for sharp screens
JPEG_QUALITY = 85


def data_uri(
    picture: UInt8Array,
    *,
    longest_side: int = THUMBNAIL_PIXELS,
    kind: Literal["jpeg", "png"] = "jpeg",
) -> str:
    """Return ``picture``, (H, W, 3) or (H, W) uint8, as "data:image/…;base64,…".

    A side above ``longest_side`` pixels is scaled down to it; the aspect ratio stays.
    """
    if picture.ndim not in (2, 3) or picture.dtype.name != "uint8" or 0 in picture.shape:
        raise InputError(
            f"a picture must be (H, W, 3) or (H, W) uint8; got {picture.shape} {picture.dtype}"
        )
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if kind == "png":
        image.save(buffer, "PNG", optimize=True)
    else:
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
