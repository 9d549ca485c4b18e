"""Task ``forecast`` in training, and how its models are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from saccade.api.frames import answer_frames
from saccade.api.judging import judge_model
from saccade.api.parts import LONGEST_SIDE, Parts, read_parts
from saccade.api.recipe import OF_WHOLE_PICTURES, chosen_loss, require_usual
from saccade.config import Recipe
from saccade.data.sequences import read_sequences, windows
from saccade.data.splits import stratified_split
from saccade.data.stored import Pictures
from saccade.errors import InputError, SettingError
from saccade.judge.forecast import ForecastScores
from saccade.names import look_up
from saccade.nn.recurrent import CELLS
from saccade.tasks.forecast import ForecastTask
from saccade.tasks.forecaster import Forecaster
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.values import Sample

FEWEST_HELD = 2  # sequences: fewer have no interval
OF_PICTURES = (
    "name",
    "features",
    "backbone",
    "weights",
    "activation",
    "normalisation",
    "initialisation",
)


class ForecastProcedure:
    """The part val, else a share of the sequences, is held out; no epoch is preferred."""

    batches = "shuffled"
    watched: str | None = None
    longest = LONGEST_SIDE

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        names = [f"model.{name}" for name in OF_PICTURES]
        require_usual(recipe, [*names, *OF_WHOLE_PICTURES, "loss.class_weights"])
        if not recipe.train.epochs:
            raise SettingError("train.epochs 0 trains no forecaster; take 1 or more")
        look_up(CELLS, recipe.forecast.cell, "recurrent cell")
        self.window = recipe.forecast.seen + recipe.forecast.ahead

    def parts(self, source: Path, *, validation: bool) -> Parts:
        return read_parts(source, self.read, validation=validation)

    def read(self, place: Path) -> list[Sample]:
        """Return the frames of undivided data, or of one part."""
        return read_sequences(place, least=self.window)

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        if not len(windows(samples, self.window)):
            raise InputError(
                f"data {place} have no {self.window} frames in a row to learn from; add frames, or "
                "lower forecast.seen or forecast.ahead"
            )

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        if validation and len(_names(validation)) < FEWEST_HELD:
            raise InputError(
                "the part val has one sequence to judge on; put more there, or say "
                "data.validation 0"
            )
        if validation:
            return list(samples), list(validation)
        names = _names(samples)
        share = self.recipe.data.validation if len(names) >= FEWEST_HELD + 2 else 0.0
        _, held = stratified_split(
            [""] * len(names), share=share, seed=self.recipe.train.seed, least=FEWEST_HELD
        )
        apart = {names[place] for place in held}
        kept = [sample for sample in samples if sample.label not in apart]
        return kept, [sample for sample in samples if sample.label in apart]

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        settings = self.recipe.forecast
        told = {key: getattr(settings, key) for key in ("cell", "reach", "seen", "ahead")}
        return {
            "kind": "forecaster",
            "backbone": settings.cell,
            "width": settings.channels,
            "standardise": "not at all",
            "forecast": told,
        }

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        """Return zeros, a row a window: the frames themselves are what is to be said."""
        return torch.zeros(len(windows(kept, self.window)), dtype=torch.int64)

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        name, settings = chosen_loss(self.recipe, auto="absolute_squared")
        return ForecastTask(cast(Forecaster, network), loss=name, **settings)

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float | None:
        return None

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Nothing remains."""

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> ForecastScores:
        model.save(run)
        said = answer_frames(model, held, pictures)
        scores = judge_model(model, held, said, report=run / "report.html", run=run)
        assert isinstance(scores, ForecastScores)
        told = {
            "squared ratio": scores.squared.ratio,
            "absolute ratio": scores.absolute.ratio,
        }
        figures = {name: asdict(one) for name, one in told.items() if one is not None}
        model.card["score"] = {"on": "held-out sequences", **figures}
        model.save(run)
        return scores


def _names(samples: Sequence[Sample]) -> list[str]:
    return list(dict.fromkeys(sample.label for sample in samples))
