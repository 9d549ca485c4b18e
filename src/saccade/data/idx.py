"""Pictures and labels as MNIST has them: a pair of idx files, plain or gzip.

LeCun, Cortes, Burges, "The MNIST database of handwritten digits", 1998: a big-endian header (two
zero bytes, the type, the number of axes, the length of each), then the values. Read are pictures of
unsigned bytes in three axes, and their labels in one; a label's name is its number.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from saccade.data.pictures import MAX_PIXELS
from saccade.errors import InputError
from saccade.values import Sample, UInt8Array

MAX_IDX_BYTES = 8 << 30
BLOCK_BYTES = 1 << 20
UNSIGNED_BYTE = 8
IMAGES = re.compile(r"(?P<set>.*?)images(?P<dot>[-.])idx3-ubyte(?P<gz>\.gz)?")
Stream = IO[bytes] | gzip.GzipFile
# What the word before "images" says of the part of the data.
PART_OF_WORD = {"train": "train", "val": "val", "t10k": "test", "test": "test"}


def is_idx(source: Path) -> bool:
    """True for an idx file of pictures, and for a folder that holds one."""
    if source.is_dir():
        return bool(_image_files(source))
    return IMAGES.fullmatch(source.name) is not None


def idx_parts(source: Path) -> dict[str, Path]:
    """Return the file of pictures of each part ("train-…" is train, "t10k-…" test) of a folder."""
    if not source.is_dir():
        return {}
    parts: dict[str, Path] = {}
    for file in _image_files(source):
        part = PART_OF_WORD.get(re.split(r"[-._ ]", _set_name(file))[-1])
        if part is None:
            continue
        if part in parts:
            raise InputError(
                f"{source} holds two sets for {part}, {parts[part].name} and {file.name}; name a "
                "file of pictures, not the folder"
            )
        parts[part] = file
    return parts


def read_idx(source: Path) -> list[Sample]:
    """Return the samples of a file of pictures, or of the only one in a folder, in their order.

    Raises InputError, naming the file, when it is cut short, is longer than its header says, is not
    of bytes in the right number of axes, when the labels are missing, or the two numbers differ.
    """
    images = _only_file(source) if source.is_dir() else source
    labels = _labels_of(images)
    pictures, names = _read_array(images, axes=3), _read_array(labels, axes=1)
    if len(pictures) != len(names):
        raise InputError(
            f"{images} holds {len(pictures):,} pictures but {labels.name} {len(names):,} labels; "
            "copy both again"
        )
    return [
        Sample(images.with_name(f"{images.name}#{number}"), str(name), array=picture)
        for number, (picture, name) in enumerate(zip(pictures, names.tolist(), strict=True))
    ]


def _image_files(folder: Path) -> list[Path]:
    """The files of pictures of a folder; of one both plain and packed, the plain one."""
    files = sorted(item for item in folder.iterdir() if IMAGES.fullmatch(item.name))
    return [file for file in files if file.suffix != ".gz" or file.with_suffix("") not in files]


def _set_name(file: Path) -> str:
    found = IMAGES.fullmatch(file.name)
    return found["set"].rstrip("-._ ") if found else ""


def _only_file(folder: Path) -> Path:
    files = _image_files(folder)
    if len(files) > 1:
        raise InputError(
            f"{folder} holds {len(files)} files of pictures; name one, as {folder / files[0].name}"
        )
    return files[0]


def _labels_of(images: Path) -> Path:
    found = IMAGES.fullmatch(images.name)
    if found is None:
        raise InputError(f"{images} is no idx file of pictures; name …-images-idx3-ubyte")
    name = f"{found['set']}labels{found['dot']}idx1-ubyte"
    ending = found["gz"] or ""
    for candidate in (name + ending, name if ending else f"{name}.gz"):
        if images.with_name(candidate).is_file():
            return images.with_name(candidate)
    raise InputError(f"{images.with_name(name + ending)} does not exist; put the labels there")


def _read_array(file: Path, *, axes: int) -> UInt8Array:
    try:
        with file.open("rb") as plain:
            if file.suffix != ".gz":
                return _array_of(file, plain, axes)
            with gzip.GzipFile(fileobj=plain) as unpacked:
                return _array_of(file, unpacked, axes)
    except EOFError as error:
        raise InputError(f"{file} is cut short; copy it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{file} is damaged ({error}); copy it again") from error


def _array_of(file: Path, stream: Stream, axes: int) -> UInt8Array:
    shape = _read_shape(file, stream, axes)
    content = _read_exactly(stream, math.prod(shape))
    if stream.read(1):
        raise InputError(f"{file} is longer than its header says; copy it again")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _read_shape(file: Path, stream: Stream, axes: int) -> tuple[int, ...]:
    zeros, kind, found = struct.unpack(">HBB", _read_exactly(stream, 4))
    if (zeros, kind, found) != (0, UNSIGNED_BYTE, axes):
        raise InputError(
            f"{file} must be an idx file of type 8, unsigned bytes, in {axes} axes. "
            f"Its first bytes say type {kind} in {found} axes instead"
        )
    shape: tuple[int, ...] = struct.unpack(f">{axes}I", _read_exactly(stream, 4 * axes))
    too_large = math.prod(shape) > MAX_IDX_BYTES or math.prod(shape[1:]) > MAX_PIXELS
    if 0 in shape or too_large:
        raise InputError(
            f"{file} says it holds {' x '.join(map(str, shape))} values; at least one, at most "
            f"{MAX_IDX_BYTES >> 30} GiB and {MAX_PIXELS:,} pixels a picture are read"
        )
    return shape


def _read_exactly(stream: Stream, size: int) -> bytearray:
    """Read ``size`` bytes, never reserving more memory than the file has filled."""
    content = bytearray()
    while len(content) < size:
        block = stream.read(min(BLOCK_BYTES, size - len(content)))
        if not block:
            raise EOFError
        content += block
    return content
