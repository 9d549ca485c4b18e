"""NumPy archives: a .npz file with ``pictures`` and ``labels``.

Sizes and types are read from the arrays' headers before anything is reserved. Nothing is unpickled.
"""

import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from saccade.data.pictures import MAX_PIXELS
from saccade.errors import InputError
from saccade.values import Sample

MAX_ARRAY_BYTES = 8 << 30
PICTURES, LABELS = "pictures", "labels"
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# What NumPy and zipfile raise for an archive that is no archive, cut short, or damaged.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,  # encrypted; NotImplementedError is one too
    ValueError,
)


def is_archive(source: Path) -> bool:
    """True for a file that ends in .npz."""
    return source.suffix.lower() == ".npz" and source.is_file()


def read_arrays(archive: Path) -> list[Sample]:
    """Return the samples of an archive, in their order.

    ``pictures`` is (n, H, W) or (n, H, W, 3) uint8, ``labels`` (n,) whole numbers or text. Raises
    InputError, naming the file and the array, for anything else.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            names = sorted(Path(name).stem for name in members.namelist())
            if names != sorted((PICTURES, LABELS)):
                raise InputError(
                    f"{archive} must hold the arrays pictures and labels. "
                    f"Got {', '.join(names) or 'none'} instead"
                )
            _check_pictures(archive, *_header(archive, members, PICTURES))
            _check_labels(archive, *_header(archive, members, LABELS))
        with np.load(archive, allow_pickle=False) as arrays:
            pictures, labels = arrays[PICTURES], arrays[LABELS]
    except PermissionError:
        raise
    except DAMAGED as error:
        raise InputError(f"{archive} is damaged or no NumPy archive; write it again") from error
    return _samples(archive, pictures, labels)


def _header(
    archive: Path, members: zipfile.ZipFile, name: str
) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of an array, from its first bytes."""
    with members.open(f"{name}.npy") as stream:
        read = HEADER_READERS.get(npy.read_magic(stream))
        if read is None:
            raise InputError(f"{archive}: {name} has a newer array format; write it again")
        shape, _, dtype = read(stream)
    if math.prod(shape) * dtype.itemsize > MAX_ARRAY_BYTES:
        raise InputError(
            f"{archive}: {name} {shape} take more than {MAX_ARRAY_BYTES >> 30} GiB; divide them"
        )
    return shape, dtype


def _check_pictures(archive: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    fits = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    if not fits or dtype != np.uint8 or 0 in shape or shape[1] * shape[2] > MAX_PIXELS:
        raise InputError(
            f"{archive}: pictures must be (n, H, W) or (n, H, W, 3) uint8, at most {MAX_PIXELS:,} "
            f"pixels each. Got {shape} {dtype} instead"
        )


def _check_labels(archive: Path, shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> None:
    if len(shape) != 1 or dtype.kind not in "iuU":
        raise InputError(
            f"{archive}: labels must be (n,) whole numbers or text. Got {shape} {dtype} instead"
        )


def _samples(
    archive: Path, pictures: NDArray[np.uint8], labels: NDArray[np.generic]
) -> list[Sample]:
    if len(pictures) != len(labels):
        raise InputError(
            f"{archive} holds {len(pictures):,} pictures but {len(labels):,} labels; give each one"
        )
    samples = [
        Sample(archive.with_name(f"{archive.name}#{number}"), str(label), array=picture)
        for number, (picture, label) in enumerate(zip(pictures, labels.tolist(), strict=True))
    ]
    for number, sample in enumerate(samples):
        if not sample.label.strip():
            raise InputError(f"{archive}: label {number} is empty; fill it in")
    return samples
