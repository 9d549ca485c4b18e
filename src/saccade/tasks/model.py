"""A model folder: ``model.safetensors`` and ``model.json``; what can predict, loaded from a run."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from saccade.class_tree import ClassTree
from saccade.data.batches import load_pictures, load_readable
from saccade.data.pictures import read_image, read_picture, resize, several, to_size
from saccade.data.stored import Pictures
from saccade.errors import InputError, PictureError
from saccade.files import existing_folder, sha256_file, write_atomic
from saccade.metrics.calibration import at_temperature
from saccade.tasks.card import CARD_FILE, FORMAT, PART_KEYS, read_card
from saccade.tasks.classify import ClassifyNetwork, classify_batch
from saccade.tasks.detecting import as_detection, detect_batch
from saccade.tasks.detector import FAMILIES, OneStageNetwork
from saccade.tasks.embed import EmbeddingNetwork, embed_batch
from saccade.tasks.neighbours import TOGETHER, NeighboursNetwork
from saccade.tasks.regress import RegressNetwork, estimate_batch
from saccade.tasks.ridge import RidgeNetwork
from saccade.tasks.segmenter import SegmentNetwork, likeliest, segment_batch
from saccade.tasks.tiling import segment_tiles
from saccade.values import (
    Detection,
    Estimate,
    Float32Array,
    Float64Array,
    Prediction,
    Sample,
    Segmentation,
    UInt8Array,
)

Classifier = ClassifyNetwork | NeighboursNetwork
Network = EmbeddingNetwork | Classifier | RegressNetwork | OneStageNetwork | SegmentNetwork

BATCH = 64
DETECTED_TOGETHER = 4  # pictures: their maps are large
WEIGHTS_FILE = "model.safetensors"
KINDS = {"network": "an embedder", "pixels": "an embedder"}  # the others as "a classifier"
# The keys of the card that decide what the model answers; the rest tells where it comes from.
ANSWER_KEYS = ("kind", "backbone", "width", "dimension", "channels", "size_hw", "mirror", "sha256")
# And of what looks at places, beside its classes.
PLACE_KEYS = {"detector": ("detect", "answer"), "segmenter": ("segment",)}
# Those that decide it only where they are; without, each picture is brought to its own mean.
COLOUR_KEYS = ("mean", "std")
# And these of a classifier; without, its head was trained by descent.
HEAD_KEYS = ("model", "k", "distance", "temperature")


class Model:
    """An embedder (a trained network, or plain pixels) or what another task made, with its card.

    An embedder is called with pictures, or ``embed`` with files; of a classifier, ``predict``; of a
    regressor, ``estimate``; of a detector, ``detect``; of a segmenter, ``segment``. Each refuses
    the others' work with InputError. ``card`` is the content of ``model.json``: format, kind, task,
    classes or targets, preprocessing, licence, provenance, threshold, score, and the SHA-256 of the
    weights.
    """

    def __init__(self, card: dict[str, Any], network: Network | None) -> None:
        self.card = card
        # One layout in memory, so that a model just trained answers as it will when loaded; of
        # detectors and segmenters that in which they are shown pictures, a little faster.
        places = isinstance(network, OneStageNetwork | SegmentNetwork)
        layout = torch.channels_last if places else torch.contiguous_format
        self.network = None if network is None else network.to(memory_format=layout)
        self.size_hw: tuple[int, int] = (int(card["size_hw"][0]), int(card["size_hw"][1]))
        self.channels: int = card["channels"]
        self.dimension: int = card.get("dimension", 0)  # Only an embedder has one.

    @property
    def called(self) -> str:
        """What it is, in words: "an embedder", "a classifier", "a regressor"."""
        kind: str = self.card["kind"]
        return KINDS.get(kind, f"a {kind}")

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The labels that a classifier chooses from, in the order of its probabilities."""
        return tuple(self.card["classes"]) if self.card["kind"] == "classifier" else None

    @property
    def objects(self) -> tuple[str, ...] | None:
        """The classes of objects that a detector finds."""
        return tuple(self.card["classes"]) if self.card["kind"] == "detector" else None

    @property
    def surfaces(self) -> tuple[str, ...] | None:
        """The classes that a segmenter chooses from for every pixel, in the order of numbers."""
        return tuple(self.card["classes"]) if self.card["kind"] == "segmenter" else None

    @property
    def targets(self) -> tuple[str, ...] | None:
        """The names of a regressor's numbers, in their order."""
        return tuple(self.card["targets"]) if self.card["kind"] == "regressor" else None

    @property
    def temperature(self) -> float | None:
        """By which a classifier's log-probabilities are divided, if it was calibrated."""
        found = self.card.get("temperature")
        return None if found is None else float(found)

    @property
    def tree(self) -> ClassTree | None:
        """The tree that a classifier's classes are the leaves of, if it has learned one."""
        return ClassTree(self.card["tree"]) if "tree" in self.card else None

    @property
    def fingerprint(self) -> str:
        """SHA-256 of everything that decides the answers, in hexadecimal."""
        keys = [
            *ANSWER_KEYS,
            *(key for key in COLOUR_KEYS + PART_KEYS + HEAD_KEYS if key in self.card),
        ]
        keys += ["classes"] if self.classes else []
        keys += ["classes", *PLACE_KEYS[self.card["kind"]]] if self.objects or self.surfaces else []
        keys += ["targets", "centre", "spread"] if self.targets else []
        answers = {key: self.card.get(key) for key in keys}
        return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()

    @property
    def threshold(self) -> float | None:
        """The similarity from which two pictures are taken for one identity, if it is known."""
        found = self.card.get("threshold")
        return None if found is None else float(found["similarity"])

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
        blocks = _blocks(pictures)
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
        blocks = _blocks(pictures, size)
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
        values = [estimate_batch(network, block, mirror=mirror) for block in _blocks(pictures)]
        return np.ascontiguousarray(torch.cat(values).numpy())

    def detect(self, pictures: Sequence[Path | str | Sample]) -> list[Detection]:
        """Decode files or samples and say which objects are where in each; for detectors.

        That of a picture that cannot be read has a ``reason`` instead.
        """
        found: list[Detection] = []
        for source in several(pictures):
            name = str(source.path if isinstance(source, Sample) else source)
            try:
                image = read_image(source)
            except PictureError as error:
                found.append(Detection(name, reason=str(error)))
                continue
            prepared = torch.from_numpy(to_size(image, self.size_hw, self.channels))[None]
            size_hw = (image.height, image.width)
            found += self.detect_prepared(prepared, [name], [size_hw])
        return found

    def detect_prepared(
        self, pictures: Pictures, names: Sequence[str], sizes_hw: Sequence[tuple[int, int]]
    ) -> list[Detection]:
        """(n, channels, H, W) uint8 of the model's own size → what is in each, in its own pixels.

        ``names`` and ``sizes_hw``, height and width, are those of the pictures as they were.
        """
        network = self.network
        if not isinstance(network, OneStageNetwork):
            raise InputError(f"{self.called} finds no objects; train a model with --task detect")
        mirror = bool(self.card.get("mirror"))
        kept = [
            one
            for block in _blocks(pictures, DETECTED_TOGETHER)
            for one in detect_batch(network, block, self.card["answer"], mirror=mirror)
        ]
        return [
            as_detection(one, name, self.objects or (), from_hw=self.size_hw, to_hw=size_hw)
            for one, name, size_hw in zip(kept, names, sizes_hw, strict=True)
        ]

    def segment(self, pictures: Sequence[Path | str | Sample]) -> list[Segmentation]:
        """Decode files or samples and say the class of every pixel of each; for segmenters.

        That of a picture that cannot be read has a ``reason`` instead.
        """
        found: list[Segmentation] = []
        for source in several(pictures):
            name = str(source.path if isinstance(source, Sample) else source)
            try:
                image = read_image(source)
            except PictureError as error:
                found.append(Segmentation(name, reason=str(error)))
                continue
            size_hw = (image.height, image.width)
            if self.card["segment"]["fit"] == "tiles":
                whole = torch.from_numpy(to_size(image, size_hw, self.channels))
                shares = self._of_tiles(whole)
            else:
                prepared = torch.from_numpy(to_size(image, self.size_hw, self.channels))[None]
                shares = self.segment_prepared(prepared)[0]
            mask = likeliest(shares, size_hw).numpy()
            found.append(Segmentation(name, self.surfaces or (), mask))
        return found

    def segment_prepared(self, pictures: Pictures) -> torch.Tensor:
        """(n, channels, H, W) uint8 of the model's own size → (n, classes, H, W) probabilities."""
        network = self._segmenter()
        mirror = bool(self.card.get("mirror"))
        blocks = _blocks(pictures, DETECTED_TOGETHER)
        return torch.cat([segment_batch(network, block, mirror=mirror) for block in blocks])

    def _of_tiles(self, picture: torch.Tensor) -> torch.Tensor:
        """(channels, H, W) uint8 of any size → (classes, H, W) probabilities."""
        overlap = self.card["segment"]["overlap"]
        classes = len(self.surfaces or ())
        return segment_tiles(
            self.segment_prepared, picture, self.size_hw, classes=classes, overlap=overlap
        )

    def _segmenter(self) -> SegmentNetwork:
        if not isinstance(self.network, SegmentNetwork):
            raise InputError(f"{self.called} marks no pixels; train a model with --task segment")
        return self.network

    def save(self, folder: Path) -> None:
        """Write the card and, for a network, its weights into an existing folder."""
        if self.network is not None:
            # Copies, because safetensors refuses tensors that two parts of a network share.
            state = self.network.state_dict()
            weights = save({k: v.contiguous().clone() for k, v in state.items()})
            write_atomic(folder / WEIGHTS_FILE, weights)
            self.card["sha256"] = hashlib.sha256(weights).hexdigest()
        write_atomic(folder / CARD_FILE, json.dumps(self.card, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Open a model folder; nothing in it can run code.

        Raises InputError when it is missing, of a newer format, or the weights are not those that
        the card names.
        """
        root = existing_folder(folder, "model folder")
        card = read_card(root / CARD_FILE)
        if card["kind"] == "pixels":
            return cls(card, None)
        weights = root / WEIGHTS_FILE
        if not weights.is_file() or sha256_file(weights) != card["sha256"]:
            raise InputError(
                f"{weights} is missing or not the file that {CARD_FILE} names; copy the run again"
            )
        try:
            network = build_network(card)
            network.load_state_dict(load_file(weights))
            if isinstance(network, NeighboursNetwork):
                network.require_pictures()
        except (SafetensorError, RuntimeError) as error:
            raise InputError(f"{weights} does not fit {CARD_FILE}; copy the run again") from error
        return cls(card, network.eval())


def build_network(card: dict[str, Any], *, initialisation: str = "") -> Network:
    """Return the network that a card describes, with fresh weights, as ``make_backbone``."""
    size_hw = (card["size_hw"][0], card["size_hw"][1])
    shape = {key: card[key] for key in ("backbone", "width", "channels")}
    shape |= {key: card.get(key) for key in COLOUR_KEYS}
    shape |= {key: card.get(key, "") for key in PART_KEYS}
    shape["initialisation"] = initialisation
    if card["kind"] == "classifier":
        shape |= {"classes": len(card["classes"]), "size_hw": size_hw}
        if card.get("model") == "knn":
            return NeighboursNetwork(k=card["k"], distance=card["distance"], **shape)
        return (RidgeNetwork if card.get("model") == "ridge" else ClassifyNetwork)(**shape)
    if card["kind"] == "regressor":
        shape |= {key: card[key] for key in ("centre", "spread")}
        return RegressNetwork(size_hw=size_hw, **shape)
    if card["kind"] == "detector":
        told = {key: value for key, value in card["detect"].items() if key != "family"}
        network = FAMILIES[card["detect"]["family"]]
        return network(classes=len(card["classes"]), size_hw=size_hw, **told, **shape)
    if card["kind"] == "segmenter":
        told = {key: card["segment"][key] for key in ("stride", "depth")}
        return SegmentNetwork(classes=len(card["classes"]), size_hw=size_hw, **told, **shape)
    return EmbeddingNetwork(dimension=card["dimension"], size_hw=size_hw, **shape)


def pixel_model(*, size_hw: tuple[int, int] = (16, 16), channels: int = 1) -> Model:
    """Return the plainest embedder: the picture's pixels, scaled to ``size_hw``, at length 1."""
    card = {
        "format": FORMAT,
        "kind": "pixels",
        "task": "embed",
        "dimension": channels * size_hw[0] * size_hw[1],
        "channels": channels,
        "size_hw": list(size_hw),
        "licence": "none needed: no weights",
    }
    return Model(card, None)


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


def _blocks(pictures: Pictures, size: int = BATCH) -> Iterator[torch.Tensor]:
    """Gather (n, c, H, W) uint8 a few at a time; one empty block when there are none."""
    for rows in torch.split(torch.arange(len(pictures)), size):
        yield pictures[rows]


def _pixels(pictures: torch.Tensor) -> torch.Tensor:
    rows = pictures.flatten(1).float()
    rows[rows.sum(1) == 0] = 1.0  # A black picture has no direction; it gets that of a flat one.
    return torch.nn.functional.normalize(rows)
