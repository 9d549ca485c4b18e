"""Task ``detect`` in training, and how its models are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from saccade.api.box_samples import box_parts, boxes_of
from saccade.api.judging import judge_model
from saccade.api.parts import Parts
from saccade.api.recipe import OF_WHOLE_PICTURES, require_usual
from saccade.config import DetectSettings, Recipe
from saccade.data.splits import stratified_split
from saccade.data.stored import Pictures
from saccade.errors import InputError, SettingError
from saccade.judge.detection_scores import DetectionScores
from saccade.losses.box_losses import BOX_LOSSES
from saccade.losses.remedies import REMEDIES
from saccade.names import look_up
from saccade.tasks.card import MOST_OF_A_LIST
from saccade.tasks.detect import DetectTask, Sampling, Weights
from saccade.tasks.detect_targets import NO_BOX
from saccade.tasks.detector import OneStageNetwork
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.values import Sample

FEWEST_HELD = 2  # pictures: fewer have no interval
# Which setting of the recipe a remedy takes, by its own name for it.
REMEDY_SETTINGS = {
    "extra_positives": {"positive": "positive", "negative": "negative"},
    "ignore_band": {"positive": "positive", "negative": "negative"},
    "background_weight": {"weight": "background"},
    "hard_negative_mining": {"ratio": "negatives"},
}
ANSWER = ("suppression", "overlap", "at_least", "most")
SECOND_STAGE = ("proposals", "kept", "units", "pool")


class DetectProcedure:
    """The part val, else a share of the pictures, is held out; no epoch is preferred."""

    batches = "shuffled"
    watched: str | None = None
    longest = 320
    window = 1

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        names = ("model.name", *OF_WHOLE_PICTURES, "loss.class_weights", "loss.name")
        require_usual(recipe, names, instead={"loss.name": "detect.box_loss or detect.remedy"})
        if not recipe.train.epochs:
            raise SettingError("train.epochs 0 trains no detector; take 1 or more")
        self.network = network_settings(recipe.detect)
        make_remedy(recipe.detect)
        look_up(BOX_LOSSES, recipe.detect.box_loss, "loss of boxes")

    def parts(self, source: Path, *, validation: bool) -> Parts:
        return box_parts(source, validation=validation)

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        if not _asks(samples):
            raise InputError(f"data {place} hold no box; a detector needs some to learn from")

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        if validation:
            _require_known(samples, validation)
            return list(samples), list(validation) if _asks(validation) else []
        share = self.recipe.data.validation if len(samples) >= FEWEST_HELD + 2 else 0.0
        kept, held = stratified_split(
            [""] * len(samples), share=share, seed=self.recipe.train.seed, least=FEWEST_HELD
        )
        known = _labels([samples[place] for place in kept])
        # A picture with a class that no other has is learned from: it could not be judged.
        judged = [samples[place] for place in held if _labels([samples[place]]) <= known]
        apart = {id(sample) for sample in judged}
        left = [sample for sample in samples if id(sample) not in apart]
        if not (_asks(judged) and _asks(left)):
            return list(samples), []
        return left, judged

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        return {
            "kind": "detector",
            "classes": sorted(_labels(kept)),
            "detect": self.network,
            "answer": {key: getattr(self.recipe.detect, key) for key in ANSWER},
        }

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        """Return (n, m, 6) float32 rows: corners in pixels of the input, class, passed over."""
        number = {label: place for place, label in enumerate(card["classes"])}
        most = max(len(boxes_of(sample).labels) for sample in kept)
        rows = torch.full((len(kept), most, 6), float(NO_BOX))
        height, width = card["size_hw"]
        for row, sample in zip(rows, kept, strict=True):
            boxes = boxes_of(sample)
            own = torch.tensor(boxes.xywh, dtype=torch.float64)
            own[:, 2:] += own[:, :2]
            share = [width / boxes.size_hw[1], height / boxes.size_hw[0]]
            many = len(own)
            row[:many, :4] = (own * torch.tensor(share * 2, dtype=torch.float64)).float()
            row[:many, 4] = torch.tensor([number[label] for label in boxes.labels])
            row[:many, 5] = torch.from_numpy(boxes.passed).float()
        return rows

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        settings = self.recipe.detect
        return DetectTask(
            cast(OneStageNetwork, network),
            remedy=make_remedy(settings),
            box_loss=BOX_LOSSES[settings.box_loss].make(),
            weights=Weights(settings.box_weight, settings.repulsion),
            sampling=Sampling(settings.sampled, settings.foreground),
        )

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float | None:
        return None

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Nothing remains."""

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> DetectionScores:
        model.save(run)
        sizes = [boxes_of(sample).size_hw for sample in held]
        found = model.detect_prepared(pictures, [str(one.path) for one in held], sizes)
        scores = judge_model(model, held, found, report=run / "report.html", run=run)
        assert isinstance(scores, DetectionScores)
        told = {name: asdict(figure) for name, figure in scores.headline}
        model.card["score"] = {"on": "held-out pictures", **told}
        model.save(run)
        return scores


def _asks(samples: Sequence[Sample]) -> bool:
    """True when one of the samples has a box that must be found."""
    return any((~boxes_of(sample).passed).any() for sample in samples)


def _labels(samples: Sequence[Sample]) -> set[str]:
    return {label for sample in samples for label in boxes_of(sample).labels}


def _require_known(samples: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Raise InputError, before anything is learned, for a class that could not be."""
    known = _labels(samples)
    for sample in validation:
        for label in boxes_of(sample).labels:
            if label not in known:
                raise InputError(
                    f"{sample.path} of the part val shows '{label}', which no picture to learn "
                    "from does; add some, or leave the class out"
                )


def make_remedy(settings: DetectSettings) -> Any:
    """Return the remedy that the recipe names, with its settings."""
    row = look_up(REMEDIES, settings.remedy, "remedy")
    names = REMEDY_SETTINGS.get(settings.remedy, {})
    return row.make(**{own: getattr(settings, name) for own, name in names.items()})


def network_settings(settings: DetectSettings) -> dict[str, Any]:
    """Return what the network is made with, as the card keeps it; raises SettingError."""
    ratios = _numbers(settings.ratios, "detect.ratios")
    fine = _numbers(settings.fine_ratios, "detect.fine_ratios") if settings.fine_ratios else ratios
    strides = [int(one) for one in _numbers(settings.strides, "detect.strides")]
    if strides != sorted(set(strides)) or any(one & (one - 1) or one < 2 for one in strides):
        raise SettingError(
            f"detect.strides must be rising powers of two, as 8,16,32. Got '{settings.strides}'"
        )
    told = {
        "family": settings.family,
        "strides": strides,
        "side": settings.side,
        "scales": settings.scales,
        "ratios": ratios,
        "fine_ratios": fine,
        "depth": settings.depth,
    }
    if settings.family == "two_stage":
        told |= {key: getattr(settings, key) for key in SECOND_STAGE}
    return told


def _numbers(text: str, where: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not 0 < len(found) <= MOST_OF_A_LIST or not all(0 < one < 10_000 for one in found):
        raise SettingError(
            f"{where} must be 1 to {MOST_OF_A_LIST} numbers above 0, as 0.5,1,2. Got '{text}' "
            "instead"
        )
    return found
