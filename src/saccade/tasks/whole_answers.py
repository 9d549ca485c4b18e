"""Answers of a model for whole pictures: vectors, classes, numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from saccade.data.batches import load_pictures, load_readable
from saccade.data.pictures import read_picture, resize, several
from saccade.data.stored import Pictures
from saccade.errors import InputError
from saccade.metrics.calibration import at_temperature
from saccade.tasks.classify import classify_batch
from saccade.tasks.embed import EmbeddingNetwork, embed_batch
from saccade.tasks.model_facts import ModelFacts
from saccade.tasks.neighbours import TOGETHER, NeighboursNetwork
from saccade.tasks.networks import Classifier
from saccade.tasks.regress import RegressNetwork, estimate_batch
from saccade.values import (
    Estimate,
    Float32Array,
    Float64Array,
    Prediction,
    Sample,
    UInt8Array,
)

BATCH = 64


class WholeAnswers(ModelFacts):
    """What an embedder, a classifier and a regressor say; others refuse with InputError."""

    def __call__(self, pictures: Sequence[UInt8Array]) -> Float32Array:
        """(H, W, 3) uint8 pictures of any size → (n, dimension) float32 rows of length 1."""
        if isinstance(pictures, np.ndarray) and pictures.ndim == 3:
            raise InputError("several pictures are expected, as [picture]. Got one array (H, W, 3)")
        if len(pictures) == 0:
            return np.zeros((0, self.dimension), dtype=np.float32)
        prepared = np.stack([resize(item, self.size_hw, self.channels) for item in pictures])
        return self.embed_prepared(torch.from_numpy(prepared))

    def embed(self, pictures: Sequence[Path | str | Sample]) -> Float32Array:
        """Decode files or samples; returns (n, dimension) float32 rows of length 1."""
        sources = several(pictures)
        blocks = [sources[start : start + BATCH] for start in range(0, len(sources), BATCH)]
        vectors = [self([read_picture(source) for source in block]) for block in blocks]
        return np.concatenate([np.zeros((0, self.dimension), np.float32), *vectors])

    def embed_prepared(self, pictures: Pictures) -> Float32Array:
        """(n, channels, H, W) uint8 of the model's own size → (n, dimension) float32."""
        blocks = blocks_of(pictures)
        if self.network is None:
            vectors = [_pixels(block) for block in blocks]
        elif not isinstance(self.network, EmbeddingNetwork):
            raise InputError(f"{self.called} makes no vectors; train a model with --task embed")
        else:
            mirror = bool(self.card.get("mirror"))
            vectors = [embed_batch(self.network, block, mirror=mirror) for block in blocks]
        return np.ascontiguousarray(torch.cat(vectors).numpy(), dtype=np.float32)

    def predict(
        self, pictures: Sequence[Path | str | Sample], *, at_least: float = 0.0
    ) -> list[Prediction]:
        """Decode files or samples and say what each shows, with probabilities.

        Below the probability ``at_least`` a Prediction's ``answer`` is "unsure"; that of a picture
        that cannot be read has a ``reason`` instead. Raises InputError when the model is no
        classifier.
        """
        sources, classes = several(pictures), self.classes or ()
        found: list[Prediction] = []
        for start in range(0, len(sources), BATCH):
            block = sources[start : start + BATCH]
            prepared, broken = load_readable(block, size_hw=self.size_hw, channels=self.channels)
            rows = iter(self.classify_prepared(prepared))
            for number, source in enumerate(block):
                name = str(source.path if isinstance(source, Sample) else source)
                if number in broken:
                    found.append(Prediction(name, at_least=at_least, reason=broken[number]))
                else:
                    found.append(_prediction(name, next(rows), classes, at_least))
        return found

    def probabilities(self, pictures: Sequence[Path | str | Sample]) -> Float32Array:
        """Decode files or samples → (n, classes) float32, rows that sum to 1; for classifiers.

        Raises PictureError for one that cannot be read.
        """
        sources = several(pictures)
        rows = [np.zeros((0, len(self.classes or ())), np.float32)]
        for start in range(0, len(sources), BATCH):
            block = sources[start : start + BATCH]
            prepared = load_pictures(block, size_hw=self.size_hw, channels=self.channels)
            rows.append(self.classify_prepared(prepared))
        return np.concatenate(rows)

    def classify_prepared(self, pictures: Pictures) -> Float32Array:
        """(n, channels, H, W) uint8 of the model's own size → (n, classes) float32."""
        network = self.network
        if not isinstance(network, Classifier):
            raise InputError(
                f"{self.called} knows no classes to choose from; train a model with --task classify"
            )
        if len(pictures) == 0:
            return np.zeros((0, len(self.classes or ())), np.float32)
        mirror = bool(self.card.get("mirror"))
        size = TOGETHER if isinstance(network, NeighboursNetwork) else BATCH
        blocks = blocks_of(pictures, size)
        blocks_of_shares = [classify_batch(network, block, mirror=mirror) for block in blocks]
        shares = torch.cat(blocks_of_shares).numpy()
        if self.temperature is not None:
            shares = at_temperature(shares, self.temperature)
        return np.ascontiguousarray(shares, dtype=np.float32)

    def estimate(self, pictures: Sequence[Path | str | Sample]) -> list[Estimate]:
        """Decode files or samples and say each one's number for every target; for regressors.

        That of a picture that cannot be read has a ``reason`` instead.
        """
        sources, names = several(pictures), self.targets or ()
        found: list[Estimate] = []
        for start in range(0, len(sources), BATCH):
            block = sources[start : start + BATCH]
            prepared, broken = load_readable(block, size_hw=self.size_hw, channels=self.channels)
            rows = iter(self.estimate_prepared(prepared).tolist())
            for number, source in enumerate(block):
                name = str(source.path if isinstance(source, Sample) else source)
                if number in broken:
                    found.append(Estimate(name, reason=broken[number]))
                else:
                    found.append(Estimate(name, dict(zip(names, next(rows), strict=True))))
        return found

    def estimate_prepared(self, pictures: Pictures) -> Float64Array:
        """(n, channels, H, W) uint8 of the model's own size → (n, targets) float64, their units."""
        network = self.network
        if not isinstance(network, RegressNetwork):
            raise InputError(
                f"{self.called} knows no numbers to estimate; train a model with --task regress"
            )
        if len(pictures) == 0:
            return np.zeros((0, len(self.targets or ())), np.float64)
        mirror = bool(self.card.get("mirror"))
        values = [estimate_batch(network, block, mirror=mirror) for block in blocks_of(pictures)]
        return np.ascontiguousarray(torch.cat(values).numpy())


def _prediction(
    name: str, shares: Float32Array, classes: Sequence[str], at_least: float
) -> Prediction:
    best, second = np.argsort(-shares, kind="stable")[:2].tolist()
    return Prediction(
        picture=name,
        label=classes[best],
        probability=float(shares[best]),
        runner_up=classes[second],
        runner_up_probability=float(shares[second]),
        at_least=at_least,
    )


def blocks_of(pictures: Pictures, size: int = BATCH) -> Iterator[torch.Tensor]:
    """Gather (n, c, H, W) uint8 a few at a time; one empty block when there are none."""
    for rows in torch.split(torch.arange(len(pictures)), size):
        yield pictures[rows]


def _pixels(pictures: torch.Tensor) -> torch.Tensor:
    rows = pictures.flatten(1).float()
    rows[rows.sum(1) == 0] = 1.0  # A black picture has no direction; it gets that of a flat one.
    return torch.nn.functional.normalize(rows)
