"""One pass over all pictures of a data set: each is decoded once, measured, and kept small.

The cache of ``data/cache.py`` holds pictures that are resized already, which tell neither their
sharpness nor their size, so this pass decodes the files. What it keeps of a picture is a few
hundred bytes; above IN_MEMORY the small pictures lie in a temporary file.
"""

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saccade.data.batches import DECODE_THREADS
from saccade.data.cache_file import SOURCE_BYTES
from saccade.data.measures import FIGURES, measure
from saccade.data.pictures import decode, format_of, read_picture, refusal, to_size, usual_size
from saccade.errors import PictureError
from saccade.values import Float32Array, IntArray, Sample, UInt8Array

BLOCK = 256  # pictures at a time
SMALL_SIDE = 32  # pixels, at most
LEAST_SIDE = 4
IN_MEMORY = 1 << 30
ARRAY = "array"


@dataclass(frozen=True, slots=True)
class Vectors:
    """An embedder for this pass: pictures (b, ``channels``, H, W) uint8 → (b, ``dimension``)."""

    embed: Callable[[UInt8Array], Float32Array]
    size_hw: tuple[int, int]
    channels: int
    dimension: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of n pictures; rows of those in ``broken`` (why not, by place) mean nothing.

    ``sides`` (n, 2): height and width. ``digests`` (n, 32): SHA-256 of size and decoded pixels,
    whatever file they came from. ``figures`` (n, len(FIGURES)). ``coloured`` (n,). ``formats``:
    their names. ``small`` (n, c, h, w) uint8, where h and w are the ``usual`` height and width, at
    most SMALL_SIDE. ``vectors`` (n, d), or None without an embedder.
    """

    sides: IntArray
    digests: UInt8Array
    figures: Float32Array
    coloured: NDArray[np.bool_]
    formats: list[str]
    small: UInt8Array
    usual: tuple[float, float]
    vectors: Float32Array | None
    broken: dict[int, str]

    def figure(self, name: str) -> Float32Array:
        """(n,): one of FIGURES."""
        return self.figures[:, FIGURES.index(name)]


def look(
    samples: Sequence[Sample],
    *,
    vectors: Vectors | None = None,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Looked:
    """Decode every picture once; ``progress`` is handed the range of blocks and passes it through.

    Raises PictureError when none of those looked at first can be read.
    """
    usual, grey = usual_size(samples)
    size_hw = (_small_side(usual[0]), _small_side(usual[1]))
    count, channels = len(samples), 1 if grey else 3
    found = Looked(
        sides=np.zeros((count, 2), np.int64),
        digests=np.zeros((count, SOURCE_BYTES), np.uint8),
        figures=np.zeros((count, len(FIGURES)), np.float32),
        coloured=np.zeros(count, bool),
        formats=["unknown"] * count,
        small=_room((count, channels, *size_hw)),
        usual=usual,
        vectors=None if vectors is None else np.zeros((count, vectors.dimension), np.float32),
        broken={},
    )
    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        for start in progress(range(0, count, BLOCK)):
            rows = range(start, min(start + BLOCK, count))
            seen = list(pool.map(lambda row: _look_at(samples[row], row, found, vectors), rows))
            good = [row for row, pixels in zip(rows, seen, strict=True) if pixels is not None]
            if vectors is not None and found.vectors is not None and good:
                batch = np.stack([pixels for pixels in seen if pixels is not None])
                found.vectors[good] = vectors.embed(batch)
    return found


def _look_at(sample: Sample, row: int, found: Looked, vectors: Vectors | None) -> UInt8Array | None:
    """Fill in a row; returns the picture for the embedder, or None for one that is broken."""
    try:
        image, found.formats[row] = _opened(sample)
    except PictureError as error:
        found.broken[row] = str(error)
        return None
    found.sides[row] = image.height, image.width
    content = image.tobytes()
    digest = hashlib.sha256(f"{image.size}".encode())
    digest.update(content)
    found.digests[row] = np.frombuffer(digest.digest(), np.uint8)
    pixels = np.frombuffer(content, np.uint8).reshape(-1, 3)
    found.coloured[row] = bool((pixels != pixels[:, :1]).any())
    found.figures[row] = measure(image)
    channels, *size_hw = found.small.shape[1:]
    found.small[row] = to_size(image, (size_hw[0], size_hw[1]), channels)
    if vectors is None:
        return np.empty(0, np.uint8)
    return to_size(image, vectors.size_hw, vectors.channels)


def _opened(sample: Sample) -> tuple[Image.Image, str]:
    """The upright RGB image, and the format of its file."""
    if sample.array is not None:
        return Image.fromarray(read_picture(sample)), ARRAY
    try:
        with sample.path.open("rb") as stream:
            kind = format_of(stream.read(8))
            stream.seek(0)
            return decode(stream, sample.path), kind
    except (OSError, ValueError) as error:
        raise PictureError(refusal(sample.path, error)) from error


def _small_side(usual: float) -> int:
    return max(LEAST_SIDE, min(SMALL_SIDE, round(usual)))


def _room(shape: tuple[int, ...]) -> UInt8Array:
    """Zeros (uint8); when they are many, in a file that nobody else sees and that goes with them.

    Raises OSError when the disk is full.
    """
    if math.prod(shape) <= IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        mapped: np.memmap[Any, np.dtype[np.uint8]] = np.memmap(file, np.uint8, "w+", shape=shape)
    return mapped
