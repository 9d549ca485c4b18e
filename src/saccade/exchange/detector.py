"""``OnnxDetector``: objects in pictures, found by a foreign graph."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torchvision.ops import nms

from saccade.exchange.card import ANY, DETECTOR, read_card
from saccade.exchange.fit import Placement
from saccade.exchange.priors import decode_boxes, decode_points, make_priors
from saccade.exchange.session import Session
from saccade.exchange.trust import read_outline
from saccade.values import Detected, Float32Array, Float64Array, IntArray, UInt8Array

FARTHEST = 1e9  # pixels of the input
MOST_BOXES = 10_000  # of one picture; the surest are looked at


class OnnxDetector:
    """A ``Detector``: called with pictures, it returns a ``Detected`` for each."""

    def __init__(self, file: Path | str) -> None:
        """Open ``FILE.onnx`` and the card beside it; raises InputError, see ``read_card``."""
        self.file = Path(file)
        self._session = Session(read_outline(self.file), read_card(self.file, kind=DETECTOR))
        self.fingerprint = self._session.fingerprint
        card = self._session.card
        self.template: Float32Array | None = card.template_array
        self._priors = None
        if card.coding == "priors":
            self._priors = make_priors(
                card.size, strides=card.strides, sizes=card.sizes, clip=card.clip
            )

    def __call__(self, pictures: Sequence[UInt8Array]) -> list[Detected]:
        """(H, W, 3) uint8 pictures of any size → what was seen in each, the surest first.

        Boxes without an area are left out, as are those beyond the MOST_BOXES surest. Raises
        InputError where the graph answers with other shapes than its card says, NaN, or scores
        outside [0, 1].
        """
        found: list[Detected] = []
        for outputs, placements in self._session.answers(pictures):
            scores = self._scores(outputs["scores"])
            self._require_priors(scores.shape[1])
            boxes = self._pairs(outputs["boxes"], scores.shape, 2, "boxes")
            marks = outputs.get("landmarks")
            points = None
            if marks is not None:
                count = len(self._session.card.template)
                points = self._pairs(marks, scores.shape, count, "landmarks")
            for row, lies in enumerate(placements):
                of_row = None if points is None else points[row]
                found.append(self._detected(scores[row], boxes[row], of_row, lies))
        return found

    def _require_priors(self, boxes: int) -> None:
        if self._priors is not None and len(self._priors.sides) != boxes:
            raise self._session.refusal(
                f"it answers with {boxes} boxes, [priors] of its card lays out "
                f"{len(self._priors.sides)}"
            )

    def _scores(self, scores: Float32Array) -> Float32Array:
        """(n, m, columns) → those of the object, (n, m), in [0, 1]."""
        wanted = self._session.card.object
        if scores.ndim != 3 or scores.shape[2] <= max(wanted, 0):
            raise self._session.refusal(
                f"its scores have shape {scores.shape}, without a column {max(wanted, 0)} "
                "(detector.object); (pictures, boxes, columns) is needed"
            )
        chosen: Float32Array = scores.max(axis=2) if wanted == ANY else scores[:, :, wanted]
        if chosen.size and (chosen.min() < 0 or chosen.max() > 1):
            raise self._session.refusal(
                f"its scores reach from {chosen.min():.4g} to {chosen.max():.4g}; they must lie in "
                "0 to 1. Export the graph with its last sigmoid or softmax"
            )
        return chosen

    def _pairs(
        self, values: Float32Array, expected: tuple[int, ...], count: int, what: str
    ) -> Float64Array:
        """(n, m, 2 count) or (n, m, count, 2) → (n, m, count, 2) float64, as the graph codes it."""
        whole = (*expected, count, 2)
        if values.shape not in (whole, (*expected, 2 * count)):
            raise self._session.refusal(
                f"its {what} have shape {values.shape} for scores of {expected}; "
                f"{(*expected, 2 * count)} is needed"
            )
        return values.reshape(whole).astype(np.float64)

    def _detected(
        self,
        scores: Float32Array,
        boxes: Float64Array,
        marks: Float64Array | None,
        lies: Placement,
    ) -> Detected:
        """One picture: scores (m,), boxes (m, 2, 2), marks (m, p, 2) as coded → its objects."""
        card = self._session.card
        places = np.flatnonzero(scores >= card.threshold)
        if len(places) > MOST_BOXES:
            surest = np.argsort(-scores[places], kind="stable")[:MOST_BOXES]
            places = np.sort(places[surest])
        corners, points = self._decoded(boxes, marks, places)
        if not (np.abs(corners) < FARTHEST).all():
            raise self._session.refusal(
                "a box reaches to infinity; check detector.coding, detector.units and [priors] in "
                "its card"
            )
        real = np.flatnonzero((corners[:, 1] > corners[:, 0]).all(axis=1))
        sure = torch.from_numpy(scores[places[real]].astype(np.float64))
        kept = real[nms(torch.from_numpy(corners[real].reshape(-1, 4)), sure, card.iou).numpy()]
        in_picture = lies.to_picture(corners[kept])
        xywh = np.concatenate([in_picture[:, 0], in_picture[:, 1] - in_picture[:, 0]], axis=1)
        found = None
        if points is not None:
            near = np.clip(points[kept], -FARTHEST, FARTHEST)
            found = lies.to_picture(near).astype(np.float32)
        return Detected(xywh.astype(np.float32), scores[places[kept]], found)

    def _decoded(
        self, boxes: Float64Array, marks: Float64Array | None, places: IntArray
    ) -> tuple[Float64Array, Float64Array | None]:
        """Return of these places corners (k, 2, 2), landmarks (k, p, 2), in the input's pixels."""
        card = self._session.card
        chosen, points = boxes[places], None if marks is None else marks[places]
        if self._priors is not None:
            own = self._priors.take(places)
            corners = decode_boxes(chosen, own, card.variances)
            return corners, points if points is None else decode_points(points, own, card.variances)
        unit = np.array(card.size[::-1] if card.units == "normalised" else (1, 1))
        return CODINGS[card.coding](chosen) * unit, points if points is None else points * unit


def _from_corners(pairs: Float64Array) -> Float64Array:
    return pairs


def _from_xywh(pairs: Float64Array) -> Float64Array:
    return np.stack([pairs[:, 0], pairs[:, 0] + pairs[:, 1]], axis=1)


def _from_centre(pairs: Float64Array) -> Float64Array:
    half = pairs[:, 1] / 2
    return np.stack([pairs[:, 0] - half, pairs[:, 0] + half], axis=1)


# (m, 2, 2) as a graph codes its boxes → (m, 2, 2): left upper and right lower corner, x and y.
CODINGS = {"corners": _from_corners, "xywh": _from_xywh, "centre": _from_centre}
