"""A foreign graph at work: checked against its card, fed with pictures in pieces, on all cores.

The run is onnxruntime's, on the processor only, with as many threads as torch uses.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.exchange.card import Card, card_of
from saccade.exchange.fit import Placement, placed, require_picture, scaled
from saccade.exchange.trust import Outline, library, require_moderate
from saccade.names import suggest
from saccade.values import Float32Array, UInt8Array

FORMAT = 1  # rises when the same graph and card would be answered otherwise
PIECE = 8  # pictures at once, where the graph takes any number
PIECE_BYTES = 64 << 20  # of their input; fewer at once when they are very large
QUIET = 4  # onnxruntime's own lines on the error stream: only what ends the program
DTYPES: dict[str, type[np.floating[Any]]] = {"float": np.float32, "float16": np.float16}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pictures ready to run: ``batch`` in the graph's layout, and how each lies in it."""

    batch: NDArray[Any]
    placements: tuple[Placement, ...]


class Session:
    """A graph with its card, ready to answer. Threads may share it."""

    def __init__(self, outline: Outline, card: Card) -> None:
        """Raises InputError where graph and card do not fit, or onnxruntime refuses the graph."""
        self.file = outline.file
        self.card = card
        _require_input(outline, card)
        _require_outputs(outline, card)
        self._input = outline.input
        self._fixed = (outline.input.shape or (None,))[0]
        self._shape = (3, *card.size) if card.layout == "nchw" else (*card.size, 3)
        self._piece = self._fixed or max(1, min(PIECE, PIECE_BYTES // (4 * math.prod(self._shape))))
        require_moderate(outline, (self._piece, *self._shape))
        self._levels = _levels(card)
        deciding = {"format": FORMAT, "graph": outline.sha256, "card": card.deciding}
        told = json.dumps(deciding, sort_keys=True)
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()
        self._session = _opened(outline)

    def answers(
        self, pictures: Sequence[UInt8Array]
    ) -> Iterator[tuple[dict[str, Float32Array], tuple[Placement, ...]]]:
        """Yield the outputs of some pictures at a time, meaning → (n, ...), and how they lay."""
        if isinstance(pictures, np.ndarray) and pictures.ndim == 3:
            raise InputError("several pictures are expected, as [picture]. Got one array (H, W, 3)")
        for picture in pictures:
            require_picture(picture)
        starts = range(0, len(pictures), self._piece)
        blocks = [pictures[start : start + self._piece] for start in starts]
        with ThreadPoolExecutor(1) as beside:  # Prepares the next while onnxruntime runs this one.
            waiting = [beside.submit(self.prepared, block) for block in blocks[:1]]
            for number in range(len(blocks)):
                piece = waiting.pop().result()
                waiting = [beside.submit(self.prepared, b) for b in blocks[number + 1 : number + 2]]
                yield self.run(piece), piece.placements

    def prepared(self, pictures: Sequence[UInt8Array]) -> Piece:
        """Return pictures (H, W, 3) uint8 fitted and normalised; a fixed batch is filled up."""
        # What no picture covers stays 0, which is the mean.
        batch = np.zeros((self._fixed or len(pictures), *self._shape), dtype=np.float32)
        planes = batch if self.card.layout == "nchw" else batch.transpose(0, 3, 1, 2)
        placements = tuple(map(self._fill, planes, pictures))
        return Piece(batch.astype(DTYPES[self._input.dtype], copy=False), placements)

    def _fill(self, planes: Float32Array, picture: UInt8Array) -> Placement:
        """Write a picture into its place of the batch, (3, H, W): (pixel - mean) / std."""
        card = self.card
        lies = placed((picture.shape[0], picture.shape[1]), card.size, card.fit)
        left, top, width, height = lies.part
        seen = scaled(picture, lies)
        colours = seen if card.colours == "rgb" else seen[::-1]
        inside = planes[:, top : top + height, left : left + width]
        for plane, pixels, levels in zip(inside, colours, self._levels, strict=True):
            np.take(levels, pixels, out=plane, mode="clip")  # Any other mode copies what it writes.
        return lies

    def run(self, piece: Piece) -> dict[str, Float32Array]:
        """Return the outputs that the card names, meaning → (n, ...) float32, all finite."""
        names = list(self.card.outputs.values())
        try:
            found = self._session.run(names, {self._input.name: piece.batch})
        except Exception as error:  # The errors of onnxruntime have no common root.
            raise InputError(
                f"{self.file} cannot run on {len(piece.batch)} pictures of "
                f"{self.card.size[0]}x{self.card.size[1]}: {_one_line(error)}"
            ) from error
        count = len(piece.placements)
        return {
            meaning: self._checked(meaning, name, value, len(piece.batch))[:count]
            for (meaning, name), value in zip(self.card.outputs.items(), found, strict=True)
        }

    def _checked(self, meaning: str, name: str, value: Any, count: int) -> Float32Array:
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            raise self.refusal(f"output {name} ({meaning}) holds no numbers with fractions")
        if value.ndim < 2 or len(value) != count:
            raise self.refusal(
                f"output {name} ({meaning}) has shape {value.shape} for {count} pictures; its "
                "first side must be theirs"
            )
        with np.errstate(over="ignore"):  # What is too large for float32 is infinity, and refused.
            numbers: Float32Array = value.astype(np.float32, copy=False)
        if not np.isfinite(numbers).all():
            raise self.refusal(
                f"output {name} ({meaning}) holds NaN or infinity; check mean and std in "
                f"{card_of(self.file).name}"
            )
        return numbers

    def refusal(self, why: str) -> InputError:
        """Return the error that names the graph and what is wrong with its answer."""
        return InputError(f"{self.file}: {why}")


def _levels(card: Card) -> list[Float32Array]:
    """For each colour (256,): what the graph is fed for a pixel, (pixel - mean) / std."""
    pixels = np.arange(256, dtype=np.float32)
    return [
        (pixels - np.float32(mean)) / np.float32(std)
        for mean, std in zip(card.mean, card.std, strict=True)
    ]


def _require_input(outline: Outline, card: Card) -> None:
    where = f"card {card_of(outline.file)} does not fit {outline.file.name}"
    port = outline.input
    if port.dtype not in DTYPES:
        raise InputError(
            f"{outline.file}: its input {port.name} takes {port.dtype}; float or float16 is needed"
        )
    shape = port.shape or (None,) * 4
    if len(shape) != 4:
        raise InputError(f"{outline.file}: its input {port} is no batch of pictures")
    channels, *size = (shape[1], *shape[2:]) if card.layout == "nchw" else (shape[3], *shape[1:3])
    if channels not in (None, 3):
        raise InputError(
            f"{where}: as {card.layout} its input {port} has {channels} colours, not 3"
        )
    if any(side not in (None, wanted) for side, wanted in zip(size, card.size, strict=True)):
        raise InputError(
            f"{where}: input.size is {list(card.size)}, the graph takes {port} ({card.layout})"
        )


def _require_outputs(outline: Outline, card: Card) -> None:
    names = [port.name for port in outline.outputs]
    for name in card.outputs.values():
        if name not in names:
            raise InputError(
                f"card {card_of(outline.file)} does not fit {outline.file.name}: the graph has no "
                f"output '{name}'; {suggest(name, names)}"
            )


def _opened(outline: Outline) -> Any:
    runtime = library("onnxruntime")
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = QUIET
    try:
        return runtime.InferenceSession(
            outline.content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # The errors of onnxruntime have no common root.
        raise InputError(f"{outline.file} cannot be run: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
