"""What a model's card says of it: its kind, its classes or targets, what decides its answers."""

import hashlib
import json
from typing import Any

import torch

from saccade.class_tree import ClassTree
from saccade.tasks.card import COLOUR_KEYS, PART_KEYS
from saccade.tasks.detector import OneStageNetwork
from saccade.tasks.networks import Network
from saccade.tasks.segmenter import SegmentNetwork

KINDS = {"network": "an embedder", "pixels": "an embedder"}  # the others as "a classifier"
# The keys of the card that decide what the model answers; the rest tells where it comes from.
ANSWER_KEYS = ("kind", "backbone", "width", "dimension", "channels", "size_hw", "mirror", "sha256")
# And of what looks at places, beside its classes.
PLACE_KEYS = {"detector": ("detect", "answer"), "segmenter": ("segment",)}
# And these of a classifier; without, its head was trained by descent.
HEAD_KEYS = ("model", "k", "distance", "temperature")


class ModelFacts:
    """A model's card and network; whoever answers stands on it."""

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
    def window(self) -> tuple[int, int] | None:
        """How many frames a forecaster is given, and how many after them it has learned to say."""
        if self.card["kind"] != "forecaster":
            return None
        return self.card["forecast"]["seen"], self.card["forecast"]["ahead"]

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
        keys += ["forecast"] if self.window else []
        answers = {key: self.card.get(key) for key in keys}
        return hashlib.sha256(json.dumps(answers, sort_keys=True).encode()).hexdigest()

    @property
    def threshold(self) -> float | None:
        """The similarity from which two pictures are taken for one identity, if it is known."""
        found = self.card.get("threshold")
        return None if found is None else float(found["similarity"])
