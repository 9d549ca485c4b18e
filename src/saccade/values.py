"""Frozen values that pass between the layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
UInt8Array = NDArray[np.uint8]
UInt16Array = NDArray[np.uint16]
UInt32Array = NDArray[np.uint32]
UInt64Array = NDArray[np.uint64]
Int8Array = NDArray[np.int8]
Int32Array = NDArray[np.int32]
IntArray = NDArray[np.int64]

UNKNOWN = "unknown"
UNSURE = "unsure"
VOID = 255  # in a mask: a pixel of which no class is told; it counts nowhere


@dataclass(frozen=True, slots=True, eq=False)
class PictureBoxes:
    """The m true boxes of one picture, whose height and width in pixels are ``size_hw``.

    ``labels``: the class of each; ``xywh`` (m, 4) and ``area`` (m,) float64 pixels, x and y the
    left upper corner counted from 0; ``passed`` (m,) bool: need not be found, and are no background
    either, as crowds and difficult ones.
    """

    size_hw: tuple[int, int]
    labels: tuple[str, ...]
    xywh: Float64Array
    area: Float64Array
    passed: NDArray[np.bool_]


class TrueMask(Protocol):
    """The class of every pixel of one picture, read when it is asked for."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels: those of the upright picture."""

    def read(self) -> UInt8Array:
        """Return (H, W) uint8: numbers of classes, or VOID. Raises InputError naming the file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and the class or identity it shows.

    ``path`` is its file. Where ``array`` holds the picture, (H, W) or (H, W, 3) uint8, ``path`` is
    the name it is shown by, such as "train-images-idx3-ubyte.gz#17". ``metadata`` is whatever else
    the data say of it, by column; ``numbers`` are the targets of a regression, if any were asked
    for; ``boxes`` are the objects in it, for a detector; ``mask`` the class of each of its pixels.
    """

    path: Path
    label: str
    array: UInt8Array | None = field(default=None, compare=False, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    numbers: tuple[float, ...] = ()
    boxes: PictureBoxes | None = field(default=None, compare=False, repr=False)
    mask: TrueMask | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Broken:
    """A picture that was left out because it cannot be read."""

    picture: str
    reason: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence interval; ``n`` is the number of units that were resampled."""

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Hit:
    """An identity that a picture may show.

    ``similarity`` is the cosine, in [-1, 1], to the enrolled picture that matched best, whose file
    name (``picture``) and number in the gallery (``picture_id``) are given.
    """

    identity: str
    similarity: float
    picture: str
    picture_id: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a gallery answers for one picture: the best hits, best first, and the verdict.

    ``reason`` says why there is no answer, when the picture could not be read.
    """

    query: str
    hits: tuple[Hit, ...]
    threshold: float | None
    reason: str = ""

    @property
    def known(self) -> bool:
        """True when the best hit reaches the threshold, or no threshold is set and a hit exists."""
        if not self.hits:
            return False
        return self.threshold is None or self.hits[0].similarity >= self.threshold

    @property
    def identity(self) -> str:
        """The best hit's identity, or "unknown"."""
        return self.hits[0].identity if self.known else UNKNOWN


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a classifier says of one picture: the likeliest class and the one after it.

    Probabilities in [0, 1]; they are the model's own confidence, right as often as evaluation says.
    ``reason`` says why there is no answer, and no label, when the picture could not be read.
    """

    picture: str
    label: str = ""
    probability: float = 0.0
    runner_up: str = ""
    runner_up_probability: float = 0.0
    at_least: float = 0.0
    reason: str = ""

    @property
    def sure(self) -> bool:
        """True when the picture could be read and the probability reaches ``at_least``."""
        return not self.reason and self.probability >= self.at_least

    @property
    def answer(self) -> str:
        """The label, or "unsure"; empty when the picture could not be read."""
        return self.label if self.sure or self.reason else UNSURE


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a regressor says of one picture: ``values``, the number of each target by its name.

    Numbers are in the unit of what was learned from. ``reason`` says why there is none, when the
    picture could not be read.
    """

    picture: str
    values: Mapping[str, float] = field(default_factory=dict, hash=False)
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """What a detector of many classes found in one picture: m boxes, the surest first.

    ``size_hw``: height and width of the picture in pixels; ``labels``: the class of each box;
    ``xywh`` (m, 4) float64 pixels of the picture, inside it; ``scores`` (m,) float64 in [0, 1].
    ``reason`` says why there is no answer, when the picture could not be read.
    """

    picture: str
    size_hw: tuple[int, int] = (0, 0)
    labels: tuple[str, ...] = ()
    xywh: Float64Array = field(default_factory=lambda: np.zeros((0, 4)))
    scores: Float64Array = field(default_factory=lambda: np.zeros(0))
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a segmenter says of one picture: ``mask`` (H, W) uint8, the class of every pixel.

    Of the picture's own size; numbers are places in ``classes``. ``reason`` says why there is no
    answer, when the picture could not be read.
    """

    picture: str
    classes: tuple[str, ...] = ()
    mask: UInt8Array = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    reason: str = ""

    @property
    def pixels(self) -> dict[str, int]:
        """How many pixels each class has, in the order of their numbers."""
        counts = np.bincount(self.mask.ravel(), minlength=len(self.classes)).tolist()
        return dict(zip(self.classes, counts, strict=True))


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next frames of one sequence: the ``files`` of those said after the frame ``last``.

    In their order. ``reason`` is empty: frames that cannot be read are an error.
    """

    sequence: str
    last: str
    files: tuple[str, ...]
    reason: str = ""


class Embedder(Protocol):
    """Turns pictures into vectors.

    Called with decoded pictures, each (H, W, 3) uint8 RGB of any size, it returns (n, dimension)
    float32 rows of Euclidean length 1. ``fingerprint`` (SHA-256) changes when its answers would.
    """

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal of all that decides the vectors."""

    @property
    def dimension(self) -> int:
        """Length of the vectors."""

    def __call__(self, pictures: Sequence[UInt8Array]) -> Float32Array: ...


@dataclass(frozen=True, slots=True)
class Detected:
    """The objects that a detector saw in one picture, the surest first.

    ``xywh`` (n, 4) float32: x, y, width, height in the picture's pixels, x and y its left upper
    corner counted from 0, as everywhere (see ``saccade.boxes``); a box may reach over the edge.
    ``scores`` (n,) float32 in [0, 1]. ``landmarks`` (n, p, 2) float32: x, y in the same pixels, in
    the order of the detector's card; None where the detector gives none.
    """

    xywh: Float32Array
    scores: Float32Array
    landmarks: Float32Array | None = None


class Detector(Protocol):
    """Finds objects, such as faces, in pictures.

    Called with decoded pictures, each (H, W, 3) uint8 RGB of any size, it returns what it saw in
    each, in order. ``fingerprint`` (SHA-256) changes when its answers would. ``template`` says
    where the landmarks of an aligned object lie: (p, 2) in [0, 1] of the crop's width and height;
    None where there are no landmarks.
    """

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hexadecimal of whatever decides the answers."""

    @property
    def template(self) -> Float32Array | None:
        """Places of the landmarks in an aligned crop."""

    def __call__(self, pictures: Sequence[UInt8Array]) -> Sequence[Detected]: ...
