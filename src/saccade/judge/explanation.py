"""What was explained, in values and in words: where the places lie that made an answer."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.judge.attribution import Attribution
from saccade.values import Float32Array, UInt8Array

NINTHS = (
    ("top left", "top", "top right"),
    ("left", "centre", "right"),
    ("bottom left", "bottom", "bottom right"),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """Where the values of a map lie.

    ``strongest``: the ninth of the picture with the most of them, such as "top left"; "nowhere"
    where all are 0. ``half_in``: the smallest share of the places that holds half of them.
    """

    strongest: str
    half_in: float

    def __str__(self) -> str:
        if self.strongest == "nowhere":
            return "nowhere: no place speaks for it"
        return (
            f"strongest at the {self.strongest}, half of it in {share(self.half_in)} of the places"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Why a model answers as it does about one picture.

    ``answer``: what it says; ``explained``: what the places found speak for. Both, and
    ``attribution``, are empty where the picture could not be read, as ``reason`` then says.
    """

    picture: str
    answer: str = ""
    explained: str = ""
    attribution: Attribution | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and text; of the maps, where their values lie."""
        told = {"picture": self.picture, "error": self.reason or None}
        found = self.attribution
        if found is None:
            return told
        return told | {
            "answer": self.answer,
            "explained": self.explained,
            "score": found.score,
            "baseline": found.baseline,
            "off": found.off,
            "steps": found.steps,
            "grad_cam": None if found.grad_cam is None else _told(found.grad_cam),
            "no_grad_cam": found.no_grad_cam or None,
            "integrated_gradients": {**_told(found.gradients), "against": against(found)},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Neighbour:
    """A training picture, (H, W) or (H, W, 3) uint8 as the model sees it, and how near it is.

    ``similarity``: the cosine of the features of both, in [-1, 1].
    """

    picture: str
    label: str
    similarity: float
    pixels: UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Mistake:
    """A picture that was given a wrong class; what speaks for either; what it was learned from.

    ``probability``: of the answer, in [0, 1]; ``row``: the picture's place among those judged.
    """

    row: int
    truth: str
    probability: float
    for_answer: Explanation
    for_truth: Explanation
    neighbours: tuple[Neighbour, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and text."""
        return {
            "picture": self.for_answer.picture,
            "truth": self.truth,
            "answer": self.for_answer.explained,
            "probability": self.probability,
            "for_answer": self.for_answer.to_dict(),
            "for_truth": self.for_truth.to_dict(),
            "neighbours": [
                {"picture": one.picture, "label": one.label, "similarity": one.similarity}
                for one in self.neighbours
            ],
        }


def spread(values: Float32Array) -> Spread:
    """Say where the values of a map (h, w) lie; those below 0 do not count."""
    found = values.astype(np.float64).clip(min=0)
    if not found.any():
        return Spread("nowhere", 0.0)
    rows, columns = (((np.arange(side) + 0.5) / side * 3).astype(int) for side in found.shape)
    sums = np.zeros((3, 3))
    np.add.at(sums, (rows[:, None], columns[None]), found)
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    falling = np.sort(found, axis=None)[::-1].cumsum()
    places = 1 + int(np.searchsorted(falling, falling[-1] / 2))
    return Spread(NINTHS[row][column], places / found.size)


def against(found: Attribution) -> float:
    """Return the share of the gradients' parts, counted without sign, that speak against."""
    parts = np.abs(found.gradients.astype(np.float64))
    total = parts.sum()
    return float(parts[found.gradients < 0].sum() / total) if total > 0 else 0.0


def places_told(one: Explanation) -> str:
    """Say where the Grad-CAM of an explanation lies, or the gradients of a model without."""
    found = one.attribution
    if found is None:
        return one.reason
    return str(spread(found.gradients if found.grad_cam is None else found.grad_cam))


def sum_told(found: Attribution) -> str:
    """Say how nearly the parts of the integrated gradients add up."""
    return (
        f"score {found.score:.4g}, of a flat picture {found.baseline:.4g}; the parts miss the "
        f"difference by {share(found.off)}, in {found.steps} steps"
    )


def share(found: float) -> str:
    """Write a share with three digits."""
    return f"{100 * found:.3g} %"


def _told(values: Float32Array) -> dict[str, Any]:
    found = spread(values)
    size = [int(side) for side in values.shape]
    return {"strongest": found.strongest, "half_in": found.half_in, "size_hw": size}
