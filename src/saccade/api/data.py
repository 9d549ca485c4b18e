"""What a run learns from and is judged on: samples, their parts, the model card, the pixels."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from saccade.api.procedures import Procedure
from saccade.api.weights import OF_PICTURES, Weights, chosen_parts, library_of
from saccade.config import Recipe, parse_size
from saccade.data.broken import part_broken, require_few
from saccade.data.cache_file import DECODING
from saccade.data.decode_once import Decoded, decode_once
from saccade.data.pictures import suit
from saccade.data.sequences import windows
from saccade.data.stored import StoredPictures, StoredWindows
from saccade.data.symmetries import add_classes
from saccade.nn import PLAIN
from saccade.tasks.card import FORMAT, seen_whole
from saccade.values import Sample


class TrainingData:
    """The data of one run; first the samples are read, then, with ``decode``, their pictures.

    ``source``: as the user names it; ``part``: the part train of it, or all of it. ``kept`` are
    learned from, ``held`` are judged on, ``classes`` are the names of those kept, sorted, if the
    task has any, and ``card`` holds their model's size, channels and names. ``apart``: places in
    ``part``, and after them in the part val, of a fold that is neither; its samples are ``fold``.
    ``learned``: places to learn from, where it is not from all others; one that stands twice counts
    twice. Every picture is decoded then, so that all choices of them share a cache and a size.
    ``left_out`` and ``changed``: what of true boxes was not used, or read otherwise, with counts;
    ``broken``: pictures that a reader of boxes left out and, after ``decode``, all others too.
    After it: ``pictures`` (n, c, H, W) uint8 with ``targets``, a row each, ``held_pictures`` and
    ``fold_pictures`` likewise. ``note`` says why the cache was not used, if it should have been.
    """

    pictures: StoredPictures
    targets: Tensor
    held_pictures: StoredPictures
    fold_pictures: StoredPictures

    def __init__(
        self,
        source: Path,
        *,
        recipe: Recipe,
        procedure: Procedure,
        weights: Weights | None = None,
        apart: Collection[int] = (),
        learned: Sequence[int] | None = None,
    ) -> None:
        self.source, self.recipe, self.procedure = source, recipe, procedure
        self.weights = weights
        places = frozenset(apart)
        wanted = bool(recipe.data.validation or learned)
        parts = procedure.parts(source, validation=wanted)
        self.part, samples, validation = parts.place, parts.samples, parts.validation
        self.left_out, self.changed = parts.left_out, parts.changed
        self.broken = parts.broken
        self._order = samples + validation
        self._decodes_all = learned is not None
        if learned is None:
            learned = [place for place in range(len(samples)) if place not in places]
        self.fold = [one for place, one in enumerate(self._order) if place in places]
        self._learned = [self._order[place] for place in learned]
        procedure.require(self._learned, self.part)
        if not recipe.data.validation or {*range(len(samples), len(self._order))} & places:
            validation = []
        self._validation = validation
        self._suited = suit(
            self._order if self._decodes_all else self._learned, longest=procedure.longest
        )
        self.note = ""
        self._hold_out()

    def decode(self) -> bool:
        """Decode every picture once; True when some were left out, so that classes may differ.

        Raises InputError when more than the share data.broken cannot be read.
        """
        height, width = seen_whole(self.card)
        used = {id(sample) for sample in self.kept + self.held + self.fold}
        # In the readers' order: the cache finds them again whoever is held out, in every fold.
        samples = [one for one in self._order if self._decodes_all or id(one) in used]
        decoded = decode_once(
            samples,
            size_hw=(height, width),
            channels=self.card["channels"],
            budget_bytes=int(self.recipe.data.cache * 2**30),
        )
        self.note = decoded.note
        read, broken = part_broken(samples, decoded.broken)
        self.broken = (*self.broken, *broken)
        many = len(read) + len(self.broken)
        require_few(self.broken, of=many, allowed=self.recipe.data.broken)
        if broken:
            good = {id(sample) for sample in read}
            self._learned = [sample for sample in self._learned if id(sample) in good]
            self._validation = [sample for sample in self._validation if id(sample) in good]
            self.fold = [sample for sample in self.fold if id(sample) in good]
            self._hold_out()
        taken = {id(sample) for sample in self.kept + self.held + self.fold}
        self._unused = [sample for sample in read if id(sample) not in taken]
        self._gather({id(sample): row for row, sample in enumerate(samples)}, decoded)
        return bool(broken)

    def digest(self) -> str:
        """SHA-256, in hexadecimal, of what the run learns from and what it is judged on.

        It comes from the files' content, so moved pictures have the same, written anew another.
        """
        judged = [_judged_by(one) for one in self.held + self.fold + self._unused]
        tree = (self.card["tree"],) if "tree" in self.card else ()
        names = (DECODING, *self.pictures.shape, self.classes, judged, *tree)
        digest = hashlib.sha256(repr(names).encode())
        digest.update(self._sources.tobytes())
        digest.update(self.targets.numpy().tobytes())
        return digest.hexdigest()

    def _gather(self, place: Mapping[int, int], decoded: Decoded) -> None:
        """Set pictures and targets; ``place`` is the row of each sample, by its id."""
        kept, held, fold = (
            np.array([place[id(sample)] for sample in part], np.int64)
            for part in (self.kept, self.held, self.fold)
        )
        targets = self.procedure.targets(self.kept, self.card)
        self.held_pictures = StoredPictures(decoded.pixels, held)
        self.fold_pictures = StoredPictures(decoded.pixels, fold)
        if self.procedure.window > 1:
            rows = kept[windows(self.kept, self.procedure.window)]
            self.pictures, self.targets = StoredWindows(decoded.pixels, rows), targets
        else:
            self.pictures, self.targets = add_classes(
                StoredPictures(decoded.pixels, kept), targets, how=self.recipe.data.extra_classes
            )
        unused = np.array([place[id(sample)] for sample in self._unused], np.int64)
        self._sources = decoded.sources[np.concatenate([kept, held, fold, unused])]

    def _hold_out(self) -> None:
        self.procedure.require(self._learned, self.part)
        distinct = list({id(sample): sample for sample in self._learned}.values())
        kept, self.held = self.procedure.hold_out(distinct, self._validation)
        ours = {id(sample) for sample in kept}
        self.kept = [sample for sample in self._learned if id(sample) in ours]
        card = _card(
            self.recipe,
            data=self.source,
            pictures=len(self._learned),
            suited=self._suited,
            weights=self.weights,
        )
        self.card = card | self.procedure.card(self.kept)
        self.classes: list[str] = self.card.get("classes", [])


def _judged_by(sample: Sample) -> object:
    """What an answer for a sample is compared with."""
    boxes = sample.boxes
    if sample.mask is not None:
        return sample.mask.size_hw, hashlib.sha256(sample.mask.read().tobytes()).hexdigest()
    if boxes is None:
        return sample.numbers or sample.label
    return boxes.labels, boxes.size_hw, boxes.xywh.tolist(), boxes.passed.tolist()


def _card(
    recipe: Recipe,
    *,
    data: Path,
    pictures: int,
    suited: tuple[tuple[int, int], int],
    weights: Weights | None,
) -> dict[str, Any]:
    """The entries of ``model.json`` that every task has; ``suited`` as from ``suit``."""
    size_hw, channels = suited
    if weights is not None and weights.card.size_hw is not None:
        size_hw = weights.card.size_hw
    learned = "trained" if recipe.train.epochs else "only fitted"
    source = f"on {data.resolve().name}, {pictures} pictures"
    library = library_of(recipe.model.backbone)
    colour, plain = recipe.data.colour, recipe.model.backbone in PLAIN
    card = {
        "format": FORMAT,
        "task": recipe.task,
        "backbone": recipe.model.backbone,
        "width": recipe.model.width,
        "channels": channels if colour == "auto" else {"grey": 1, "rgb": 3}[colour],
        "mirror": recipe.model.mirror,
        "size_hw": list(parse_size(recipe.data.size) or size_hw),
        "standardise": "not at all" if plain else "each picture by its own mean and deviation",
        "licence": f"{OF_PICTURES}; no weights of others",
        "provenance": f"{learned} from scratch {source}",
    }
    card |= {"library": library} if library else {}
    card |= {key: value for key, value in chosen_parts(recipe.model).items() if value}
    if weights is None:
        return card
    provenance = f"{weights.provenance()}; then {learned} {source}"
    return card | weights.entries() | {"provenance": provenance}
