"""A model folder: ``model.safetensors`` and ``model.json``; what can predict, loaded from a run."""

import hashlib
import json
from pathlib import Path
from typing import Self

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from saccade.errors import InputError
from saccade.files import existing_folder, sha256_file, write_atomic
from saccade.tasks.card import CARD_FILE, FORMAT, read_card
from saccade.tasks.neighbours import NeighboursNetwork
from saccade.tasks.networks import build_network
from saccade.tasks.place_answers import PlaceAnswers
from saccade.tasks.whole_answers import WholeAnswers

WEIGHTS_FILE = "model.safetensors"


class Model(WholeAnswers, PlaceAnswers):
    """A trained network of any task, or plain pixels as an embedder, with its card.

    An embedder is called with pictures, or ``embed`` with files; of a classifier, ``predict``; of a
    regressor, ``estimate``; of a detector, ``detect``; of a segmenter, ``segment``; of a
    forecaster, ``forecast``. Each refuses the others' work with InputError. ``card`` is the content
    of ``model.json``: format, kind, task, classes or targets, preprocessing, licence, provenance,
    threshold, score, and the SHA-256 of the weights.
    """

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
