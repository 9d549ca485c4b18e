"""Frames of a video file or a camera, and a file of painted ones; through av, an extra.

A file is opened by us and read by its bytes, and only containers of FORMATS are decoded: a playlist
that names other files or addresses is none of them.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from saccade.data.pictures import MAX_PIXELS
from saccade.errors import InputError
from saccade.files import existing_folder
from saccade.values import UInt8Array

VIDEO_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts"})
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts"
CODECS = ("libx264", "mpeg4")  # the first that this av has
TICKS = 1000  # a second: the clock of painted videos
# What cameras are called, by the system: the format of av, and the name of camera N.
CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}"),
    "win32": ("dshow", "video={}"),
}
CAMERA_REMEDY = "plug it in, give yourself the right to use it, or name another"


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A frame: its number from 0, its time in seconds from the start, (H, W, 3) uint8 RGB."""

    number: int
    time_s: float
    picture: UInt8Array


def is_video(path: Path) -> bool:
    """True for a name that ends as one of a video."""
    return path.suffix.lower() in VIDEO_ENDINGS


def frames_of(path: Path, *, every: int = 1) -> Iterator[Frame]:
    """Yield every ``every``-th frame of a video file, upright, the first one included.

    Raises InputError when it is missing, empty, no video, too large, or breaks off; what came
    before has been yielded.
    """
    av = _av()
    try:
        stream = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check the path") from error
    with stream:
        options = {"format_whitelist": FORMATS}
        yield from _decoded(av, f"{path}", every, stream, container_options=options)


def frames_of_camera(name: str, *, every: int = 1) -> Iterator[Frame]:
    """Yield every ``every``-th frame of a camera until nobody asks for more.

    ``name``: its number, from 0; on Windows the name that the system gives it. Raises InputError
    when there is none.
    """
    av = _av()
    system, device = CAMERAS.get(sys.platform, CAMERAS["linux"])
    place = device.format(name)
    yield from _decoded(av, f"camera {name}", every, place, remedy=CAMERA_REMEDY, format=system)


class PaintedVideo:
    """A video that is written frame by frame; use it as a context manager.

    It stands at ``path`` when it is closed, also after an interruption, with what came until then.
    """

    def __init__(self, path: Path) -> None:
        """Open ``path``, an .mp4; raises InputError when it exists or cannot be written."""
        self._av = _av()
        if path.suffix.lower() != ".mp4":
            raise InputError(f"{path} must end in .mp4; of a video, --painted names such a file")
        existing_folder(path.absolute().parent, "folder")
        if path.exists():
            raise InputError(f"{path} exists already; name a new file")
        try:
            self._container = self._av.open(str(path), "w", format="mp4")
        except (OSError, self._av.FFmpegError) as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from error
        self._path = path
        self._stream: Any = None
        self._last = -1

    def __enter__(self) -> "PaintedVideo":
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if self._stream is None:
            self._path.unlink(missing_ok=True)

    def add(self, picture: UInt8Array, time_s: float) -> None:
        """Append (H, W, 3) uint8 RGB at a time in seconds; later ones must be as large."""
        # Its pixels share their colours by fours, so both sides are even.
        even = np.ascontiguousarray(picture[: len(picture) & ~1, : picture.shape[1] & ~1])
        if self._stream is None:
            self._stream = self._new_stream(even)
        frame = self._av.VideoFrame.from_ndarray(even, format="rgb24")
        self._last = max(self._last + 1, round(time_s * TICKS))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        self._container.mux(self._stream.encode(frame))

    def _new_stream(self, picture: UInt8Array) -> Any:
        codec = next(name for name in CODECS if name in self._av.codecs_available)
        stream = self._container.add_stream(codec, rate=TICKS)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS)
        return stream


def _decoded(
    av: Any, shown: str, every: int, *place: Any, remedy: str = "copy it again", **options: Any
) -> Iterator[Frame]:
    number = -1
    try:
        with contextlib.closing(av.open(*place, **options)) as container:
            if not container.streams.video:
                raise InputError(f"{shown} holds no moving picture; name a video")
            stream = container.streams.video[0]
            _require_size(stream, shown)
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                _require_size(frame, shown)  # Frames need not be as large as the first.
                if number % every == 0:
                    yield Frame(number, float(frame.time or 0.0), _upright(frame))
    except (OSError, ValueError, av.FFmpegError) as error:
        if number >= 0:
            raise InputError(f"{shown} breaks off after frame {number}; {remedy}") from error
        why = error.strerror or "it is damaged" if isinstance(error, OSError) else "it is damaged"
        raise InputError(f"{shown} cannot be read as a video: {why}; {remedy}") from error
    if number < 0:
        raise InputError(f"{shown} has no frame; name another video")


def _require_size(seen: Any, shown: str) -> None:
    if seen.width * seen.height > MAX_PIXELS:
        raise InputError(f"{shown} has frames over {MAX_PIXELS:,} pixels; make it smaller")


def _upright(frame: Any) -> UInt8Array:
    """(H, W, 3), turned as the file says; it counts degrees against the clock."""
    turned: UInt8Array = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
    return np.ascontiguousarray(turned)


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise InputError("video needs the library av: pip install 'saccade[video]'") from error
    return av
