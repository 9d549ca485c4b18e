"""A foreign graph at work: checked against its card, fed with pictures in pieces, on all cores.

The run is onnxruntime's, on the processor only, with as many threads as torch uses: all of them on
one piece, or, where pictures are spread, each on a piece of its own.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saccade.errors import InputError
from saccade.exchange.card import Card, card_of
from saccade.exchange.fit import Placement, placed, require_picture, scaled
from saccade.exchange.matching import DTYPES, require_match
from saccade.exchange.trust import Outline, library, require_moderate
from saccade.values import Float32Array, UInt8Array

FORMAT = 1  # rises when the same graph and card would be answered otherwise
PIECE = 8  # pictures at once, where the graph takes any number
PIECE_BYTES = 64 << 20  # of their input; fewer at once when they are very large
QUIET = 4  # onnxruntime's own lines on the error stream: only what ends the program


@dataclass(frozen=True, slots=True)
class Piece:
    """Some pictures ready to run: ``batch`` in the graph's layout, and how each lies in it."""

    batch: NDArray[Any]
    placements: tuple[Placement, ...]


# Of some pictures: their outputs, meaning → (n, ...), and how they lay.
Answer = tuple[dict[str, Float32Array], tuple[Placement, ...]]


class Session:
    """A graph with its card, ready to answer. Threads may share it."""

    def __init__(self, outline: Outline, card: Card, *, spread: bool = False) -> None:
        """Raises InputError where graph and card do not fit, or onnxruntime refuses the graph.

        With ``spread`` several pictures are answered by a thread a piece, without waiting for each
        other at every layer. It costs the weights once more, from the first such call on.
        """
        self.file = outline.file
        self.card = card
        require_match(outline, card)
        self._input = outline.input
        self._fixed = (outline.input.shape or (None,))[0]
        self._shape = (3, *card.size) if card.layout == "nchw" else (*card.size, 3)
        self._most = max(1, min(PIECE, PIECE_BYTES // (4 * math.prod(self._shape))))
        self._piece = self._fixed or self._most
        require_moderate(outline, (self._piece, *self._shape))
        colours = zip(card.mean, card.std, strict=True)
        self._scales = [(np.float32(mean), np.float32(std)) for mean, std in colours]
        deciding = {"format": FORMAT, "graph": outline.sha256, "card": card.deciding}
        told = json.dumps(deciding, sort_keys=True)
        self.fingerprint = hashlib.sha256(told.encode()).hexdigest()
        self._threads = torch.get_num_threads()
        self._outline = outline
        self._session = _opened(outline, self._threads)
        self._spread = spread and self._threads > 1
        self._single: Any = None  # the same graph on one thread, once it is needed
        self._opening = Lock()

    def answers(self, pictures: Sequence[UInt8Array]) -> Iterator[Answer]:
        """Yield the outputs of some pictures at a time, meaning → (n, ...), and how they lay."""
        if isinstance(pictures, np.ndarray) and pictures.ndim == 3:
            raise InputError("several pictures are expected, as [picture]. Got one array (H, W, 3)")
        for picture in pictures:
            require_picture(picture)
        share = self._share(len(pictures))
        if share:
            yield from self._side_by_side(_blocks(pictures, share))
        else:
            yield from self._one_by_one(_blocks(pictures, self._piece))

    def _share(self, count: int) -> int:
        """Return how many pictures each thread runs at once; 0: all threads run the same ones.

        Each thread has some, and all together no more than PIECE and PIECE_BYTES allow.
        """
        share = self._fixed or min(self._most // self._threads, -(-count // self._threads))
        if not self._spread or not 0 < share * self._threads <= self._most:
            return 0
        return share if -(-count // share) >= self._threads else 0

    def _side_by_side(self, blocks: Sequence[Sequence[UInt8Array]]) -> Iterator[Answer]:
        with self._opening:
            self._single = self._single or _opened(self._outline, 1)

        # Memory that was written before: new pages would cost as much as scaling a picture.
        spare: SimpleQueue[Float32Array] = SimpleQueue()
        for _ in range(self._threads):
            spare.put(self._empty(len(blocks[0])))

        def answer(block: Sequence[UInt8Array]) -> Answer:
            batch = spare.get()
            try:
                piece = self.prepared(block, batch)
                return self.run(piece, self._single), piece.placements
            finally:
                spare.put(batch)

        with ThreadPoolExecutor(self._threads) as threads:
            yield from threads.map(answer, blocks)

    def _one_by_one(self, blocks: Sequence[Sequence[UInt8Array]]) -> Iterator[Answer]:
        with ThreadPoolExecutor(1) as beside:  # Prepares the next while onnxruntime runs this one.
            waiting = [beside.submit(self.prepared, block) for block in blocks[:1]]
            for number in range(len(blocks)):
                piece = waiting.pop().result()
                waiting = [beside.submit(self.prepared, b) for b in blocks[number + 1 : number + 2]]
                yield self.run(piece), piece.placements

    def _empty(self, count: int) -> Float32Array:
        return np.empty((self._fixed or count, *self._shape), dtype=np.float32)

    def prepared(self, pictures: Sequence[UInt8Array], batch: Float32Array | None = None) -> Piece:
        """Return pictures (H, W, 3) uint8 fitted and normalised; a fixed batch is filled up.

        Written into ``batch``, where there is one: it has places for as many or more.
        """
        count = self._fixed or len(pictures)
        batch = self._empty(count) if batch is None else batch[:count]
        batch[len(pictures) :] = 0
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
        if inside.shape != planes.shape:
            planes[:] = 0  # What no picture covers is the mean.
        for plane, pixels, (mean, std) in zip(inside, colours, self._scales, strict=True):
            np.subtract(pixels, mean, out=plane)
            np.divide(plane, std, out=plane)
        return lies

    def run(self, piece: Piece, graph: Any = None) -> dict[str, Float32Array]:
        """Return the outputs that the card names, meaning → (n, ...) float32, all finite.

        ``graph``: the open one that answers; without it the one on all threads.
        """
        names = list(self.card.outputs.values())
        try:
            found = (graph or self._session).run(names, {self._input.name: piece.batch})
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


def _blocks(pictures: Sequence[UInt8Array], size: int) -> list[Sequence[UInt8Array]]:
    return [pictures[start : start + size] for start in range(0, len(pictures), size)]


def _opened(outline: Outline, threads: int) -> Any:
    runtime = library("onnxruntime")
    runtime.disable_telemetry_events()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = QUIET
    try:
        return runtime.InferenceSession(
            outline.content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # The errors of onnxruntime have no common root.
        raise InputError(f"{outline.file} cannot be run: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
