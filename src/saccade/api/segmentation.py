"""Task ``segment`` in training, and how its models are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from saccade.api.judging import judge_model
from saccade.api.mask_samples import mask_parts
from saccade.api.parts import Parts
from saccade.api.recipe import OF_WHOLE_PICTURES, chosen_loss, require_usual
from saccade.config import Recipe
from saccade.data.mask_classes import MaskClasses
from saccade.data.mask_targets import mask_of, mask_targets
from saccade.data.pictures import usual_size
from saccade.data.splits import stratified_split
from saccade.data.stored import Pictures
from saccade.errors import InputError, SettingError
from saccade.judge.segmentation import SegmentationScores
from saccade.tasks.card import seen_whole
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.tasks.segment import SegmentTask, pixel_weights
from saccade.tasks.segmenter import SegmentNetwork
from saccade.values import VOID, Sample

FEWEST_HELD = 2  # pictures: fewer have no interval
KEPT = ("stride", "depth", "fit", "overlap", "masks")  # what the card keeps of the recipe


class SegmentProcedure:
    """The part val, else a share of the pictures, is held out; no epoch is preferred."""

    batches = "shuffled"
    watched: str | None = None
    longest = 256
    window = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._meaning = MaskClasses()
        require_usual(recipe, ("model.name", *OF_WHOLE_PICTURES))
        if not recipe.train.epochs:
            raise SettingError("train.epochs 0 trains no segmenter; take 1 or more")

    def parts(self, source: Path, *, validation: bool) -> Parts:
        found, self._meaning = mask_parts(source, self.recipe.segment, validation=validation)
        return found

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        if not samples:
            raise InputError(f"data {place} hold no picture with a mask to learn from")

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        if validation:
            return list(samples), list(validation)
        share = self.recipe.data.validation if len(samples) >= FEWEST_HELD + 2 else 0.0
        kept, held = stratified_split(
            [""] * len(samples), share=share, seed=self.recipe.train.seed, least=FEWEST_HELD
        )
        return [samples[place] for place in kept], [samples[place] for place in held]

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        self._pixels: list[int] = []
        if self.recipe.loss.class_weights == "balanced":
            self._pixels = _pixels_of(kept, len(self._meaning.names))
        told = {key: getattr(self.recipe.segment, key) for key in KEPT}
        if told["fit"] == "tiles":
            sides, _ = usual_size(kept)
            told["whole_hw"] = [round(side) for side in sides]
        return {
            "kind": "segmenter",
            "classes": list(self._meaning.names),
            "segment": told,
            "masks": self._meaning.to_dict(),
        }

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        """Return (n, H, W) uint8: the masks at the size of the pictures that are learned from."""
        return mask_targets(kept, seen_whole(card))

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        name, settings = chosen_loss(self.recipe, auto="cross_entropy")
        return SegmentTask(
            cast(SegmentNetwork, network),
            loss=name,
            dice=self.recipe.segment.dice,
            class_weights=pixel_weights(self._pixels) if self._pixels else None,
            dropout=self.recipe.model.dropout,
            **settings,
        )

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float | None:
        return None

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Nothing remains."""

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> SegmentationScores:
        model.save(run)
        found = model.segment(held)
        scores = judge_model(model, held, found, report=run / "report.html", run=run)
        assert isinstance(scores, SegmentationScores)
        told = {name: asdict(figure) for name, figure in scores.headline}
        model.card["score"] = {"on": "held-out pictures", **told}
        model.save(run)
        return scores


def _pixels_of(samples: Sequence[Sample], classes: int) -> list[int]:
    """Return how many pixels each class has in the masks; what is VOID is left out."""
    total = np.zeros(VOID + 1, np.int64)
    for sample in samples:
        total += np.bincount(mask_of(sample).read().ravel(), minlength=VOID + 1)
    return [int(one) for one in total[:classes]]
