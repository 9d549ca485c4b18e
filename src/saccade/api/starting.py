"""``train --from``: what a run starts from, in one word, and the settings that follow from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.api.recipe import whole_recipe
from saccade.api.weights import HUB, TIMM
from saccade.config import AUTO, ModelSettings, Recipe
from saccade.errors import InputError, SettingError
from saccade.nn import FAMILIES, PLAIN
from saccade.nn.weights import read_weights
from saccade.nn.weights_card import WeightsCard, read_weights_card
from saccade.tasks.card import CARD_FILE, PART_KEYS, read_card
from saccade.tasks.model import WEIGHTS_FILE

COLOURS = {1: "grey", 3: "rgb"}
SOURCES = "a finished run, timm:NAME, or a .safetensors file"


@dataclass(frozen=True)
class Start:
    """A source of first weights; ``settings`` are those that it decides, by their names."""

    source: str
    settings: Mapping[str, Any]

    def sentence(self) -> str:
        """What is taken of the source, in words."""
        taken = (
            f"{name.partition('.')[2].replace('colour', 'pictures in')} {value}"
            for name, value in self.settings.items()
            if value and name != "model.weights"
        )
        return f"starts from {self.source}: {', '.join(taken)}, with a new head"


def started_recipe(
    recipe: Recipe | Path | str | None,
    task: str | None,
    changes: Mapping[str, Any],
    start: Path | str | None,
) -> tuple[Recipe, Start | None]:
    """Return the whole recipe of a run that starts from ``start``, as ``find_start`` takes it.

    What the source decides is laid over the recipe. Raises SettingError where ``changes`` say
    otherwise, or the recipe freezes what no source brought.
    """
    whole, found = whole_recipe(recipe, task, changes), None
    if start is not None:
        model = whole.model
        if model.features:
            raise SettingError(
                f"the start {start} brings a backbone, and model.features {model.features} takes "
                "its place; leave one of them out"
            )
        named = model.backbone
        found = find_start(start, backbone="" if named == ModelSettings().backbone else named)
        for name, value in found.settings.items():
            if str(changes.get(name, value)) not in (str(value), AUTO):
                raise SettingError(
                    f"the start {start} brings {name} '{value}', and the settings say "
                    f"'{changes[name]}'; leave one of them out"
                )
        whole = whole_recipe(recipe, task, {**changes, **found.settings})
    if whole.optim.frozen and not whole.model.weights:
        raise SettingError(
            f"optim.frozen {whole.optim.frozen} keeps the weights that a run starts from, and this "
            "one starts from scratch; name a source with --from, or take 0"
        )
    return whole, found


def find_start(source: Path | str, *, backbone: str = "") -> Start:
    """Return what a finished run, "timm:NAME" or a .safetensors file brings.

    ``backbone`` is the name that counts for a file whose card tells none; "" where none is known.
    Weights are not looked at yet. Raises InputError when the source is none of these.
    """
    text, place = str(source), Path(source)
    library, colon, name = text.partition(":")
    if colon and not place.exists() and (library in FAMILIES or not place.suffix):
        return _published(text, library, name)
    if place.is_dir():
        return _run(text, place)
    if not place.is_file():
        raise InputError(f"the start {text} does not exist; name {SOURCES}")
    if _is_ours(place):
        return _run(text, place.parent)
    card = read_weights_card(place, otherwise=WeightsCard())
    named = card.backbone or backbone
    if not named:
        read_weights(place)  # Its refusals come first.
        raise InputError(
            f"no card beside {text} names its network; say it with --model.backbone, such as "
            f"torchvision/squeezenet1_1, or as backbone in {place.with_suffix('.toml').name}"
        )
    return Start(text, {"model.backbone": named, "model.weights": text})


def _published(text: str, library: str, name: str) -> Start:
    if f"{library}/" != TIMM or not name:
        raise InputError(
            f"there is no start '{text}'; those of the hub are timm:NAME, such as timm:resnet18, "
            "and of other libraries a .safetensors file"
        )
    return Start(text, {"model.backbone": f"{TIMM}{name}", "model.weights": HUB})


def _run(text: str, folder: Path) -> Start:
    card = read_card(folder / CARD_FILE)
    backbone = card.get("backbone", "pixels")
    if backbone in PLAIN:
        raise InputError(
            f"run {folder} sees by {backbone}, which holds no weights to start from; name a run "
            "with a network"
        )
    if card["kind"] == "forecaster":
        raise InputError(
            f"run {folder} is a forecaster, whose network no other task has; name a run of another"
        )
    settings = {"model.backbone": backbone, "model.weights": str(folder)}
    if "/" not in backbone:
        settings |= {"model.width": card["width"], "data.colour": COLOURS[card["channels"]]}
        settings |= {f"model.{key}": card.get(key, "") for key in PART_KEYS}
    return Start(text, settings)


def _is_ours(file: Path) -> bool:
    """True for the weights of a run, named by themselves."""
    card = file.with_name(CARD_FILE)
    if file.name != WEIGHTS_FILE or not card.is_file():
        return False
    try:
        found = json.loads(card.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(found, dict) and {"format", "kind"} <= found.keys()
