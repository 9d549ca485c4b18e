"""What differs by task when a model is trained; ``Training`` does the rest.

Each task has a row in PROCEDURES: how pictures are held out, how the network and its task are made,
which figure is watched, how training is completed, and how the model is judged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from saccade.api.evaluate import Scores, find_threshold, judge_classifier, judge_model
from saccade.api.recipe import WITHOUT_DESCENT, chosen_loss
from saccade.api.regression import RegressProcedure
from saccade.class_tree import ClassTree
from saccade.config import Recipe
from saccade.data.readers import read_data
from saccade.data.splits import hold_out_classes, stratified_split
from saccade.data.stored import Pictures
from saccade.data.targets import LABEL
from saccade.data.trees import nested_tree, read_tree
from saccade.errors import InputError, SettingError
from saccade.judge.classification import ClassificationScores, numbered
from saccade.judge.embedding import EmbeddingScores
from saccade.losses.class_weights import CLASS_WEIGHTS
from saccade.tasks.classify import ClassifyNetwork, ClassifyTask
from saccade.tasks.embed import EmbeddingNetwork, EmbedTask
from saccade.tasks.model import Model, Network
from saccade.tasks.neighbours import NeighboursNetwork, NeighboursTask
from saccade.tasks.ridge import RidgeNetwork, RidgeTask
from saccade.values import Sample

FOLDERS = "folders"  # data.tree: the folders say it


class Procedure(Protocol):
    """One task's part of training, for one recipe.

    ``batches``: those that the recipe's "auto" means; ``watched``: the name of the figure that
    ``watch`` gives, higher is better, or None when no epoch is preferred.
    """

    batches: str
    watched: str | None

    def __init__(self, recipe: Recipe) -> None: ...

    def read(self, place: Path) -> list[Sample]:
        """Return the samples of undivided data, or of one part."""

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

    def targets(self, kept: Sequence[Sample]) -> Tensor:
        """Return what the task is called with beside these pictures, a row a sample."""

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


class OfClasses:
    """What procedures have in common whose samples show classes."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        if recipe.data.target != LABEL:
            raise SettingError(
                f"data.target is for task regress; task {recipe.task} learns the column label. "
                f"Got '{recipe.data.target}'; leave it out"
            )

    def read(self, place: Path) -> list[Sample]:
        return read_data(place)

    def require(self, samples: Sequence[Sample], place: Path) -> None:
        labels = sorted({sample.label for sample in samples})
        if len(labels) < 2:
            has = f"one class, '{labels[0]}'" if labels else "no class"
            raise InputError(f"data {place} hold {has}; training needs pictures of at least two")

    def targets(self, kept: Sequence[Sample]) -> Tensor:
        number = {label: place for place, label in enumerate(_classes(kept))}
        return torch.tensor([number[sample.label] for sample in kept])


class EmbedProcedure(OfClasses):
    """Whole classes are held out: an embedding must tell apart who it has never seen."""

    batches = "balanced"
    watched: str | None = None

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if not recipe.train.epochs and recipe.model.projection == "trained":
            raise SettingError(
                "train.epochs 0 trains no head, which model.projection trained would take; "
                "take whitened, or train.epochs 1 or more"
            )
        if recipe.data.tree:
            raise SettingError(
                f"data.tree is for task classify. Got '{recipe.data.tree}'; leave it out"
            )
        if recipe.model.name != "network":
            raise SettingError(f"model.name {recipe.model.name} is for task classify; take network")
        if recipe.loss.class_weights != "none":
            raise SettingError(
                "loss.class_weights is for task classify; for embed, train.batches balanced draws "
                f"every class equally often. Got '{recipe.loss.class_weights}'; take none"
            )

    def hold_out(
        self, samples: Sequence[Sample], validation: Sequence[Sample]
    ) -> tuple[list[Sample], list[Sample]]:
        if _searchable(validation, samples):
            return list(samples), list(validation)
        labels = [sample.label for sample in samples]
        share, seed = self.recipe.data.validation, self.recipe.train.seed
        _, held = hold_out_classes(labels, share=share, seed=seed)
        kept = [sample for sample in samples if sample.label not in held]
        return kept, [sample for sample in samples if sample.label in held]

    def card(self, kept: Sequence[Sample]) -> dict[str, Any]:
        dimension = self.recipe.model.dimension
        return {"kind": "network", "dimension": dimension, "classes": _classes(kept)}

    def task(
        self, network: Network, *, counts: Sequence[int], card: Mapping[str, Any]
    ) -> nn.Module:
        name, settings = chosen_loss(self.recipe, auto="arcface")
        return EmbedTask(
            cast(EmbeddingNetwork, network),
            loss=name,
            classes=len(counts),
            dropout=self.recipe.model.dropout,
            **settings,
        )

    def watch(self, model: Model, held: Sequence[Sample], pictures: Pictures) -> None:
        """Nothing: the last map is fitted only when training ends."""

    def complete(self, task: nn.Module, pictures: Pictures, targets: Tensor) -> None:
        settings = self.recipe.model
        cast(EmbedTask, task).complete(
            pictures, targets, projection=settings.projection, shrinkage=settings.shrinkage
        )

    def judge(
        self, model: Model, held: Sequence[Sample], pictures: Pictures, *, run: Path
    ) -> EmbeddingScores:
        vectors = model.embed_prepared(pictures)
        model.card["threshold"] = find_threshold(vectors, [sample.label for sample in held])
        model.save(run)
        scores = judge_model(model, held, vectors, report=run / "report.html", run=run)
        model.card["score"] = {"on": "held-out classes", "rank_1": asdict(scores.rank_1)}
        model.save(run)
        return scores


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
        classes = _classes(kept)
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
        shares = model.classify_prepared(pictures)
        scores = judge_classifier(
            model,
            held,
            shares,
            report=run / "report.html",
            run=run,
            chosen=self.recipe.train.epochs > 0,
        )
        model.card["score"] = {"on": "held-out pictures", "accuracy": asdict(scores.accuracy)}
        model.save(run)
        return scores


def _classes(samples: Sequence[Sample]) -> list[str]:
    return sorted({sample.label for sample in samples})


def _searchable(validation: Sequence[Sample], learned: Sequence[Sample]) -> bool:
    """True for two classes or more, one with two pictures, none of which is learned from."""
    counts = Counter(sample.label for sample in validation)
    enough = len(counts) > 1 and max(counts.values()) > 1
    return enough and not counts.keys() & {sample.label for sample in learned}


PROCEDURES: dict[str, type[Procedure]] = {
    "classify": ClassifyProcedure,
    "embed": EmbedProcedure,
    "regress": RegressProcedure,
}
