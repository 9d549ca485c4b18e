"""The task ``embed``: whole classes are held out, and the model is judged as searches are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from saccade.api.class_samples import OfClasses, class_names
from saccade.api.evaluate import find_threshold
from saccade.api.judging import judge_model
from saccade.api.recipe import chosen_loss
from saccade.config import Recipe
from saccade.data.splits import hold_out_classes
from saccade.data.stored import Pictures
from saccade.errors import SettingError
from saccade.judge.embedding import EmbeddingScores
from saccade.tasks.embed import EmbeddingNetwork, EmbedTask
from saccade.tasks.model import Model
from saccade.tasks.networks import Network
from saccade.values import Sample


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
        return {"kind": "network", "dimension": dimension, "classes": class_names(kept)}

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
        assert isinstance(scores, EmbeddingScores)
        model.card["score"] = {"on": "held-out classes", "rank_1": asdict(scores.rank_1)}
        model.save(run)
        return scores


def _searchable(validation: Sequence[Sample], learned: Sequence[Sample]) -> bool:
    """True for two classes or more, one with two pictures, none of which is learned from."""
    counts = Counter(sample.label for sample in validation)
    enough = len(counts) > 1 and max(counts.values()) > 1
    return enough and not counts.keys() & {sample.label for sample in learned}
