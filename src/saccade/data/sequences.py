"""Sequences of frames: a folder of folders, each one sequence whose pictures are its frames.

Frames stand in natural order, frame_2 before frame_10. Where their names differ in one number
alone, it must count evenly, so that a frame that is missing is named rather than jumped over.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from saccade.data.folders import PARTS
from saccade.data.pictures import is_picture, picture_size_hw, pictures_below
from saccade.errors import InputError, PictureError
from saccade.files import existing_folder
from saccade.values import IntArray, Sample

SEQUENCE, FRAME = "sequence", "frame"  # columns of a frame's metadata
LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)", re.DOTALL)


def read_sequences(root: Path | str, *, least: int) -> list[Sample]:
    """Return the frames below ``root``, sequence by sequence in natural order, frame by frame.

    A frame's label is the name of its sequence; its metadata have that, and the frame's place in
    the sequence, from 0. A ``root`` with frames of its own is one sequence. Raises InputError,
    naming the place, for a sequence with fewer than ``least`` frames, with a gap, with frames of
    several sizes, or in folders of its own, and where nothing is a sequence. A frame that cannot be
    read is told when it is decoded.
    """
    samples: list[Sample] = []
    for folder in _sequence_folders(existing_folder(root, "data folder")):
        frames = frames_in(folder)
        if len(frames) < least:
            raise InputError(
                f"sequence {folder} has {len(frames)} frames, and {least} are needed "
                "(forecast.seen + forecast.ahead); add frames, move it away, or lower a setting"
            )
        samples += [
            Sample(path, folder.name, metadata={SEQUENCE: folder.name, FRAME: str(place)})
            for place, path in enumerate(frames)
        ]
    return samples


def frames_in(folder: Path) -> list[Path]:
    """Return the frames of one sequence in natural order.

    Raises InputError, naming it, for a frame that is missing between others, for two with one
    number, and for one whose size is not that of the first.
    """
    found = sorted(
        (item for item in folder.iterdir() if is_picture(item) and item.name[:1] != "."),
        key=lambda item: natural(item.name),
    )
    _require_even(folder, found)
    _require_one_size(found)
    return found


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key by which names sort with numbers by their value: frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    keys = ((int(part), "") if part.isdecimal() else (-1, part) for part in parts)
    return *keys, (-1, name)


def windows(samples: Sequence[Sample], length: int, *, every: int = 1) -> IntArray:
    """Return (n, ``length``) rows of ``samples``: all runs of so many frames of one sequence.

    ``samples`` are in the order of ``read_sequences``; where one is left out, no run goes across.
    Runs begin at every ``every``-th frame after a gap or a beginning.
    """
    starts: list[int] = []
    begun = 0
    for row in range(1, len(samples) + 1):
        if row < len(samples) and _follows(samples[row - 1], samples[row]):
            continue
        starts += range(begun, row - length + 1, every)
        begun = row
    return np.array(starts, np.int64)[:, None] + np.arange(length)


def _follows(before: Sample, after: Sample) -> bool:
    same = before.label == after.label and before.path.parent == after.path.parent
    return same and int(after.metadata[FRAME]) == int(before.metadata[FRAME]) + 1


def _sequence_folders(root: Path) -> list[Path]:
    """The folders that are sequences: those below ``root``, or ``root`` itself."""
    below = sorted(
        (item for item in root.iterdir() if item.is_dir() and item.name[:1] != "."),
        key=lambda item: natural(item.name),
    )
    folders = [folder for folder in below if pictures_below(folder)]
    loose = [item for item in root.iterdir() if is_picture(item)]
    if loose and folders:
        raise InputError(
            f"{root} holds frames, as {min(loose).name}, beside sequences, as {folders[0].name}; "
            "put the frames into a folder of their own"
        )
    if not loose and not folders:
        raise InputError(
            f"data {root} hold no sequence; put the frames of each into a folder of its own, as "
            f"{root / 'SEQUENCE' / 'frame_000.png'}"
        )
    for folder in folders:
        deeper = next((one for one in pictures_below(folder) if one.parent != folder), None)
        if deeper is not None:
            raise InputError(
                f"{deeper} lies too deep: the frames of a sequence must stand in one folder below "
                f"{root}; move them, or name {folder}"
            )
    if len({folder.name for folder in folders} & set(PARTS)) > 1:
        raise InputError(
            f"the parts of {root} hold loose frames; put those of each sequence into a folder, as "
            f"{folders[0] / 'SEQUENCE' / 'frame_000.png'}"
        )
    return folders or [root]


def _require_even(folder: Path, frames: Sequence[Path]) -> None:
    """Raise InputError for a number that is missing, or there twice, where one number counts."""
    found = [LAST_NUMBER.fullmatch(frame.stem) for frame in frames]
    matches = [match for match in found if match is not None]
    if len(matches) < len(frames) or len({(m[1], m[3]) for m in matches}) > 1 or len(frames) < 2:
        return  # The names do not count, or not by one number.
    numbers = [int(match[2]) for match in matches]
    for (one, other), (low, high) in zip(pairwise(frames), pairwise(numbers), strict=True):
        if low == high:
            raise InputError(
                f"sequence {folder} has two frames of number {low}, {one.name} and {other.name}; "
                "remove one"
            )
    steps = [high - low for low, high in pairwise(numbers)]
    step = min(steps)
    for match, frame, gap in zip(matches, frames, steps, strict=False):
        if gap != step:
            missing = str(int(match[2]) + step).zfill(len(match[2]))
            name = f"{match[1]}{missing}{match[3]}{frame.suffix}"
            raise InputError(
                f"sequence {folder} has a gap: {name} is missing after {frame.name}; add it, or "
                "divide the sequence there into two folders"
            )


def _require_one_size(frames: Sequence[Path]) -> None:
    """Raise InputError for a frame of another size than most; those that cannot be read pass."""
    sizes: dict[Path, tuple[int, int]] = {}
    for frame in frames:
        try:
            sizes[frame] = picture_size_hw(frame)
        except PictureError:
            continue
    if len(set(sizes.values())) < 2:
        return
    (usual, _), *_ = Counter(sizes.values()).most_common()
    frame, size = next((one, size) for one, size in sizes.items() if size != usual)
    raise InputError(
        f"{frame} is {size[0]}x{size[1]} pixels, other frames of its sequence "
        f"{usual[0]}x{usual[1]}; bring all of a sequence to one size"
    )
