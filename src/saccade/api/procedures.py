"""What differs by task when a model is trained; ``Training`` does the rest.

Each task has a row in PROCEDURES: how pictures are held out, how the network and its task are made,
which figure is watched, how training is completed, and how the model is judged.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor, nn

from saccade.api.classification import ClassifyProcedure
from saccade.api.detection import DetectProcedure
from saccade.api.embedding import EmbedProcedure
from saccade.api.forecasting import ForecastProcedure
from saccade.api.judging import Scores
from saccade.api.parts import Parts
from saccade.api.regression import RegressProcedure
from saccade.api.segmentation import SegmentProcedure
from saccade.config import Recipe
from saccade.data.stored import Pictures
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.values import Sample


class Procedure(Protocol):
    """One task's part of training, for one recipe.

    ``batches``: those that the recipe's "auto" means; ``watched``: the name of the figure that
    ``watch`` gives, higher is better, or None when no epoch is preferred; ``longest``: pixels of
    the longer side that pictures have unless a size is named, at most; ``window``: how many frames
    are learned from at once, 1 where every picture stands for itself.
    """

    batches: str
    watched: str | None
    longest: int
    window: int

    def __init__(self, recipe: Recipe) -> None: ...

    def parts(self, source: Path, *, validation: bool) -> Parts:
        """Return the samples of the part train, or of undivided data, and those of the part val.

        Without ``validation`` the part val is left alone.
        """

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        """Raise InputError, naming ``place``, when there is nothing to learn from these samples."""

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        """Return who is learned from and who is judged on: ``validation``, where that serves.

        ``validation`` is the data's part val, empty when there is none; else of ``samples``.
        """

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        """Return the model card's entries of this task, for who is learned from."""

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        """Return what the task is called with beside these pictures, a row a sample.

        ``card`` is the model's.
        """

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        """Return the module that trains ``network``, called with pictures and targets.

        ``counts`` are the pictures learned from, class by class; empty without classes. ``card``
        is the model's.
        """

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float | None:
        """Return that figure on the held-out ``pictures`` (n, c, H, W) uint8."""

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Do what remains on the training pictures when the last epoch is over."""

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> Scores:
        """Judge on the held-out pictures, and write card, weights and report into ``run``."""


PROCEDURES: dict[str, type[Procedure]] = {
    "classify": ClassifyProcedure,
    "detect": DetectProcedure,
    "embed": EmbedProcedure,
    "forecast": ForecastProcedure,
    "regress": RegressProcedure,
    "segment": SegmentProcedure,
}
