"""Task ``regress`` in training, and how its models are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from saccade.api.judging import judge_model, numbers_of
from saccade.api.parts import LONGEST_SIDE, Parts, read_parts
from saccade.api.recipe import chosen_loss
from saccade.config import Recipe
from saccade.data.readers import read_data
from saccade.data.splits import stratified_split
from saccade.data.stored import Pictures
from saccade.data.targets import target_names
from saccade.errors import InputError, SettingError
from saccade.judge.regression import RegressionScores
from saccade.metrics import r2
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.tasks.regress import RegressNetwork, RegressTask
from saccade.values import Sample

FEWEST_HELD = 2  # pictures: fewer have no interval


class RegressProcedure:
    """The part val, else a share of the pictures, is held out; it chooses the epoch."""

    batches = "shuffled"
    longest = LONGEST_SIDE
    window = 1
    watched: str | None = "validation_r2"

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.names = target_names(recipe.data.target)
        if recipe.model.name == "knn":
            raise SettingError("model.name knn is for task classify; take network, linear or ridge")
        for name, value, neutral in (
            ("data.tree", recipe.data.tree, ("",)),
            ("data.extra_classes", recipe.data.extra_classes, ("none",)),
            ("loss.class_weights", recipe.loss.class_weights, ("none",)),
            ("train.batches", recipe.train.batches, ("auto", "shuffled")),
        ):
            if value not in neutral:
                raise SettingError(
                    f"{name} {value} needs classes, and task regress has none; "
                    f"{'leave it out' if neutral == ('',) else f'take {neutral[-1]}'}"
                )

    def parts(self, source: Path, *, validation: bool) -> Parts:
        return read_parts(source, self.read, validation=validation)

    def read(self, place: Path) -> list[Sample]:
        """Return the samples of undivided data, or of one part."""
        return read_data(place, targets=self.names)

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        self._require_two_values(samples, f"data {place} hold")

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        if len(validation) == 1:
            raise InputError("the part val has one picture to judge numbers on; put more there")
        if validation:
            return list(samples), list(validation)
        share = self.recipe.data.validation if len(samples) >= FEWEST_HELD + 2 else 0.0
        kept, held = stratified_split(
            [""] * len(samples), share=share, seed=self.recipe.train.seed, least=FEWEST_HELD
        )
        return [samples[place] for place in kept], [samples[place] for place in held]

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        self._require_two_values(kept, "the pictures left to learn from have")
        numbers = numbers_of(kept)
        return {
            "kind": "regressor",
            "targets": list(self.names),
            "centre": numbers.mean(axis=0).tolist(),
            "spread": numbers.std(axis=0).tolist(),
        }

    def _require_two_values(self, samples: Sequence[Sample], who: str) -> None:
        for name, column in zip(self.names, numbers_of(samples).T, strict=True):
            if (column == column[0]).all() or not column.std() > 0:
                raise InputError(
                    f"{who} one value of {name}, {column[0]:g}, in {len(column)} pictures, from "
                    "which nothing can be learned; name another column with data.target, or add "
                    "pictures"
                )

    def targets(self, kept: Sequence[Sample], card: Mapping[str, Any]) -> Tensor:
        return torch.from_numpy(numbers_of(kept))

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        name, settings = chosen_loss(self.recipe, auto="squared")
        dropout = self.recipe.model.dropout
        return RegressTask(cast(RegressNetwork, network), loss=name, dropout=dropout, **settings)

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float | None:
        """R², averaged over the targets; None when one never varies in what is held out."""
        figure = r2(numbers_of(held), model.estimate_prepared(pictures))
        return None if np.isnan(figure) else figure

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Solve for the head where it was not trained; else nothing remains."""
        if not self.recipe.train.epochs:
            cast(RegressTask, task).complete(pictures, targets, penalty=self.recipe.model.ridge)

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> RegressionScores:
        model.save(run)
        estimates = model.estimate_prepared(pictures)
        scores = judge_model(
            model,
            held,
            estimates,
            report=run / "report.html",
            run=run,
            chosen="best_epoch" in model.card,
        )
        assert isinstance(scores, RegressionScores)
        figures = {name: getattr(scores, name) for name in ("mae", "rmse", "r2")}
        told = {name: asdict(figure) for name, figure in figures.items() if figure is not None}
        model.card["score"] = {"on": "held-out pictures", **told}
        model.save(run)
        return scores
