"""The task ``classify``: by a network, or by a model without descent, with or without a tree."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from saccade.api.class_samples import OfClasses, class_names
from saccade.api.judging import judge_model
from saccade.api.recipe import WITHOUT_DESCENT, chosen_loss
from saccade.class_tree import ClassTree
from saccade.config import Recipe
from saccade.data.readers import read_data
from saccade.data.splits import stratified_split
from saccade.data.stored import Pictures
from saccade.data.trees import nested_tree, read_tree
from saccade.errors import InputError, SettingError
from saccade.judge.classification import FEW, ClassificationScores, numbered
from saccade.losses.class_weights import CLASS_WEIGHTS
from saccade.metrics.calibration import fit_temperature
from saccade.tasks.classify import ClassifyNetwork, ClassifyTask
from saccade.tasks.model import Model
from saccade.tasks.neighbours import NeighboursNetwork, NeighboursTask
from saccade.tasks.networks import Network
from saccade.tasks.ridge import RidgeNetwork, RidgeTask
from saccade.values import Sample

FOLDERS = "folders"  # data.tree: the folders say it


class ClassifyProcedure(OfClasses):
    """The part val, else a share of each class's pictures, is held out; it chooses the epoch."""

    batches = "shuffled"
    watched: str | None = "validation_accuracy"

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if not recipe.train.epochs and recipe.model.name not in WITHOUT_DESCENT:
            raise SettingError(
                "train.epochs 0 trains no head, so it is for embed, regress, and model.name knn or "
                "ridge only; take 1 or more"
            )
        if recipe.data.extra_classes != "none":
            raise SettingError(
                "data.extra_classes makes classes that have no name, so it is for task embed only. "
                f"Got '{recipe.data.extra_classes}'; take none, or augment.flip"
            )

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        labels = [sample.label for sample in samples]
        if validation:
            numbered([sample.label for sample in validation], sorted(set(labels)))
            return list(samples), list(validation)
        share, seed = self.recipe.data.validation, self.recipe.train.seed
        kept, held = stratified_split(labels, share=share, seed=seed, least=1)
        return [samples[place] for place in kept], [samples[place] for place in held]

    def read(self, place: Path) -> list[Sample]:
        return read_data(place, nested=self.recipe.data.tree == FOLDERS)

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        classes = class_names(kept)
        told = self._tree(kept, classes) | self._without_descent(len(kept))
        return {"kind": "classifier", "classes": classes, **told}

    def _without_descent(self, pictures: int) -> dict[str, Any]:
        """The card's entries of a model without descent; none of others."""
        model = self.recipe.model
        if model.name not in WITHOUT_DESCENT:
            return {}
        if self.recipe.loss.class_weights != "none":
            raise SettingError(
                f"loss.class_weights is for models that learn by descent, and {model.name} does "
                "not; take none"
            )
        if model.name == "ridge":
            return {"model": model.name}
        if model.k > pictures:
            raise SettingError(
                f"model.k {model.k} is more than the {pictures} pictures learned from; take "
                f"{pictures} or fewer"
            )
        return {"model": model.name, "k": model.k, "distance": model.distance}

    def _tree(self, kept: Sequence[Sample], classes: Sequence[str]) -> dict[str, Any]:
        """The card's entries of the classes' tree, if there is one."""
        name = self.recipe.data.tree
        if not name:
            return {}
        tree = nested_tree(kept) if name == FOLDERS else read_tree(Path(name))
        try:
            parents = tree.above(classes).parents
        except InputError as error:
            raise InputError(
                f"data.tree {name}: {error}; every class must be one of its leaves"
            ) from error
        return {"tree": dict(parents), "nested": name == FOLDERS}

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        if isinstance(network, NeighboursNetwork):
            return NeighboursTask(network)
        if isinstance(network, RidgeNetwork):
            return RidgeTask(network, penalty=self.recipe.model.ridge)
        tree = ClassTree(card["tree"]) if "tree" in card else None
        auto = "cross_entropy" if tree is None else "hierarchical_cross_entropy"
        name, settings = chosen_loss(self.recipe, auto=auto)
        weights = CLASS_WEIGHTS[self.recipe.loss.class_weights](counts)
        return ClassifyTask(
            cast(ClassifyNetwork, network),
            loss=name,
            class_weights=weights,
            tree=tree,
            classes=card["classes"],
            dropout=self.recipe.model.dropout,
            **settings,
        )

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> float:
        answers = model.classify_prepared(pictures).argmax(axis=1)
        names = model.classes or ()
        return float(np.mean([names[a] == s.label for a, s in zip(answers, held, strict=True)]))

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        """Nothing remains but for a model without descent, which is made here."""
        if isinstance(task, NeighboursTask | RidgeTask):
            task.complete(pictures, targets)

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> ClassificationScores:
        model.save(run)
        mendable = self.recipe.model.name != "knn"  # whose shares are votes
        shares = model.classify_prepared(pictures)
        if mendable and self.recipe.train.calibrate and len(held) >= FEW:
            truth = numbered([sample.label for sample in held], model.classes or ())
            model.card["temperature"] = fit_temperature(shares, truth)
            shares = model.classify_prepared(pictures)
        scores = judge_model(
            model,
            held,
            shares,
            report=run / "report.html",
            run=run,
            chosen=self.recipe.train.epochs > 0,
        )
        assert isinstance(scores, ClassificationScores)
        model.card["score"] = {"on": "held-out pictures", "accuracy": asdict(scores.accuracy)}
        model.save(run)
        return scores
