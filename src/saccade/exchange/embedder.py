"""``OnnxEmbedder``: vectors of pictures from a foreign graph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saccade.errors import InputError
from saccade.exchange.card import EMBEDDER, card_of, read_card
from saccade.exchange.session import Session
from saccade.exchange.trust import read_outline
from saccade.files import write_atomic
from saccade.values import Float32Array, UInt8Array

KEPT = "model.onnx"  # the graph of a saved embedder, in its folder


class OnnxEmbedder:
    """An ``Embedder``: called with pictures, it returns (n, dimension) rows of length 1."""

    def __init__(self, file: Path | str) -> None:
        """Open ``FILE.onnx`` and the card beside it; raises InputError, see ``read_card``."""
        self.file = Path(file)
        outline = read_outline(self.file)
        self._session = Session(outline, read_card(self.file, kind=EMBEDDER), spread=True)
        self.dimension = self._session.card.dimension
        self.size_hw = self._session.card.size
        self.fingerprint = self._session.fingerprint
        name = self._session.card.outputs["vector"]
        port = next(port for port in outline.outputs if port.name == name)
        if port.shape is not None and None not in port.shape[1:]:
            self._require_shape((1, *(side or 1 for side in port.shape[1:])))

    def __call__(self, pictures: Sequence[UInt8Array]) -> Float32Array:
        """(H, W, 3) uint8 pictures of any size → (n, dimension) float32 rows of length 1.

        Raises InputError where the graph answers with another shape, NaN, or a vector of zeros.
        """
        rows = [self._unit(found["vector"]) for found, _ in self._session.answers(pictures)]
        return np.concatenate([np.zeros((0, self.dimension), np.float32), *rows])

    def save(self, folder: Path) -> None:
        """Copy graph and card into an existing folder, the graph as KEPT.

        Raises InputError when they are no longer those that were loaded.
        """
        copy = folder / KEPT
        write_atomic(copy, self.file.read_bytes())
        write_atomic(card_of(copy), card_of(self.file).read_bytes())
        if OnnxEmbedder(copy).fingerprint != self.fingerprint:
            raise InputError(f"{self.file} or its card has changed meanwhile; load it again")

    def _unit(self, vectors: Float32Array) -> Float32Array:
        self._require_shape(vectors.shape)
        flat = vectors.reshape(len(vectors), self.dimension)
        lengths = np.linalg.norm(flat.astype(np.float64), axis=1, keepdims=True)
        if not lengths.all():
            raise self._session.refusal("a vector holds zeros only, so it has no direction")
        unit: Float32Array = (flat / lengths).astype(np.float32)
        return unit

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        """(n, dimension), or with sides of one behind."""
        if shape[1:2] != (self.dimension,) or set(shape[2:]) - {1}:
            raise self._session.refusal(
                f"its vectors have shape {shape}, {card_of(self.file).name} says "
                f"embedder.dimension = {self.dimension}"
            )
