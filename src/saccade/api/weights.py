"""The weights that a run starts from: found, put into its network, and told in its model's card."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, cast

from torch import Tensor, nn

from saccade.config import ModelSettings
from saccade.errors import InputError
from saccade.files import sha256_file
from saccade.nn import FAMILIES
from saccade.nn.foreign import ForeignBackbone
from saccade.nn.hub import fetch, published_card
from saccade.nn.weights import load_foreign, load_own, read_weights
from saccade.nn.weights_card import UNKNOWN, WeightsCard, read_weights_card
from saccade.tasks.card import PART_KEYS
from saccade.tasks.model import WEIGHTS_FILE, Model

HUB = "hub"
TIMM = "timm/"
OF_PICTURES = "that of the pictures it learned from"
STATES_NONE = "unknown, because no card states it"


@dataclass(frozen=True)
class Weights:
    """Where a network's first weights come from.

    ``place``: the file, or the run's folder; ``sha256``: of the file; ``library``: as of
    ``library_of``. A checkpoint keeps it all (``notes``), so
    that a resumed run needs the file no more.
    """

    backbone: str
    place: str
    sha256: str
    library: str
    card: WeightsCard

    @property
    def licence(self) -> str:
        """The licence of the weights, or that it is not known."""
        return STATES_NONE if self.card.licence == UNKNOWN else self.card.licence

    def load(self, network: nn.Module) -> None:
        """Put them into the backbone of ``network``; InputError when they do not fit."""
        backbone = cast(nn.Module, network.backbone)
        place = Path(self.place)
        if place.is_dir():
            tensors = _of_run(Model.load(place))
            load_own(backbone, tensors, where=self.place)
        else:
            tensors = read_weights(place)
            load_foreign(cast(ForeignBackbone, backbone), tensors, where=self.place)

    def entries(self) -> dict[str, Any]:
        """What the model's card says in place of what it says of one trained from scratch."""
        card, file = self.card, Path(self.place).name
        told: dict[str, Any] = {
            "licence": f"of the weights it started from: {self.licence}; else {OF_PICTURES}",
            "weights": {
                "backbone": self.backbone,
                "file": file,
                "sha256": self.sha256,
                "source": card.source,
                "licence": card.licence,
            },
        }
        if card.mean and card.std:
            by = "assumed, because no card states them" if card.assumed else "those of the weights"
            told["standardise"] = f"each channel by the mean and deviation in this card, {by}"
            told |= {"mean": list(card.mean), "std": list(card.std)}
        return told

    def provenance(self) -> str:
        """One sentence on where they come from."""
        library = f" of {self.library}" if self.library else ""
        source = f", from {self.card.source}" if self.card.source != UNKNOWN else ""
        return (
            f"started from the weights {Path(self.place).name} (SHA-256 {self.sha256}){source}, "
            f"in the backbone {self.backbone}{library}"
        )

    def notes(self) -> dict[str, Any]:
        """Plain values, from which ``from_notes`` makes the same."""
        return asdict(self)

    @classmethod
    def from_notes(cls, notes: Mapping[str, Any]) -> Self:
        """Return what ``notes`` gave, also after it was written as JSON."""
        card: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in notes["card"].items()
        }
        return cls(**{**notes, "card": WeightsCard(**card)})


def library_of(backbone: str) -> str:
    """Return the library that a backbone is of, with its version, as "timm 1.0"; "" for ours."""
    family, slash, _ = backbone.partition("/")
    return f"{family} {version(family)}" if slash and family in FAMILIES else ""


def chosen_parts(model: ModelSettings) -> dict[str, str]:
    """What weights were learned with, beside the backbone: by PART_KEYS, "" for its own."""
    return {key: getattr(model, key) for key in PART_KEYS}


def find_weights(
    backbone: str, weights: str, *, parts: Mapping[str, str] | None = None
) -> Weights | None:
    """Return what ``weights`` names: a safetensors file, a finished run, "hub"; None for "".

    ``parts``, as of ``chosen_parts``, must be those of a run. Raises InputError when there is none,
    or the backbone cannot take such.
    """
    if not weights:
        return None
    library, place = library_of(backbone), Path(weights)
    if weights == HUB:
        if not backbone.startswith(TIMM):
            raise InputError(
                f"backbone {backbone} has no weights on the hub as safetensors; "
                "those of timm do, such as --model.backbone timm/resnet18"
            )
        name = backbone.removeprefix(TIMM)
        place, card = fetch(name), published_card(name)
    elif place.is_dir():
        return _run_weights(backbone, place, library, parts or {})
    elif not library:
        raise InputError(
            f"backbone {backbone} starts from scratch or from a finished run; for the weights "
            f"{weights} name the network they were learned with, such as timm/resnet18"
        )
    else:
        read_weights(place)  # Its refusals come before those of the card.
        card = read_weights_card(place, otherwise=_assumed(backbone))
    return Weights(backbone, str(place), sha256_file(place), library, card)


def _assumed(backbone: str) -> WeightsCard:
    """What is likely where no card says it: timm's figures for that network, else ImageNet's."""
    if not backbone.startswith(TIMM):
        return WeightsCard()
    known = published_card(backbone.removeprefix(TIMM))
    return WeightsCard(known.mean, known.std, known.size_hw)


def _run_weights(backbone: str, folder: Path, library: str, parts: Mapping[str, str]) -> Weights:
    model = Model.load(folder)
    if model.network is None or model.card["backbone"] != backbone:
        raise InputError(
            f"run {folder} has the backbone {model.card.get('backbone', 'pixels')}, not "
            f"{backbone}; name the same with --model.backbone"
        )
    for key, value in parts.items():
        if model.card.get(key, "") != value:
            raise InputError(
                f"run {folder} has the {key} '{model.card.get(key, '')}', not '{value}'; name the "
                f"same with --model.{key}"
            )
    card = WeightsCard(
        mean=model.card.get("mean") and tuple(model.card["mean"]),
        std=model.card.get("std") and tuple(model.card["std"]),
        size_hw=model.size_hw,
        licence=str(model.card.get("licence", UNKNOWN)),
        source=str(model.card.get("provenance", UNKNOWN)),
        assumed=False,
    )
    return Weights(backbone, str(folder), sha256_file(folder / WEIGHTS_FILE), library, card)


def _of_run(model: Model) -> dict[str, Tensor]:
    return dict(cast(nn.Module, cast(nn.Module, model.network).backbone).state_dict())
