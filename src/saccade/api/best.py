"""The best epoch of a run, by the figure that its task watches."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from saccade.training.checkpoint import load_best


@dataclass(frozen=True)
class Best:
    """The epoch (from 1) with the highest watched figure, and the network's weights after it."""

    epoch: int
    figure: float
    weights: dict[str, Tensor]

    def notes(self) -> dict[str, Any]:
        """What a checkpoint keeps beside the weights."""
        return {"epoch": self.epoch, "figure": self.figure}


def better(former: Best | None, epoch: int, figure: float, weights: Mapping[str, Tensor]) -> Best:
    """Return the better of two epochs; of equally good ones the later, its weights copied."""
    if former is not None and figure < former.figure:
        return former
    return Best(epoch, figure, {name: value.clone() for name, value in weights.items()})


def restored(
    run: Path, notes: Mapping[str, Any] | None, *, like: Mapping[str, Tensor]
) -> Best | None:
    """Return the best epoch of a checkpoint; None when it had none.

    ``like`` are weights of the right names and shapes. Raises InputError when it is damaged.
    """
    if notes is None:
        return None
    return Best(int(notes["epoch"]), float(notes["figure"]), load_best(run, like=like))
