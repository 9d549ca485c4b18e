"""The network that pictures are seen with while one is stylized, and where its weights are from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from saccade.api.evaluate import load
from saccade.api.weights import find_weights
from saccade.errors import InputError
from saccade.nn import make_backbone
from saccade.nn.foreign import ForeignBackbone
from saccade.nn.weights import load_foreign, read_weights
from saccade.nn.weights_card import WeightsCard
from saccade.pictures.style_features import PROBE_HW, StyleFeatures
from saccade.tasks.network import BackboneNetwork

BACKBONE = "torchvision/squeezenet1_1"
WIDTH = 32  # of our own backbones without weights
UNTRAINED = (
    "these features are untrained: strokes and colours are taken over, forms hardly; name the "
    "weights of a trained network with --weights"
)


class Seen(NamedTuple):
    """The features, what they are in words, and what speaks against them, or ""."""

    features: StyleFeatures
    told: str
    warning: str


def style_features(
    backbone: str | None,
    weights: str,
    *,
    strides: Sequence[int] = (),
    content_stride: int | None = None,
    seed: int = 0,
) -> Seen:
    """Return the features of a run's folder, or of a ``backbone``, else BACKBONE, by its name.

    ``weights``: "", a run's folder, or as ``find_weights`` takes them. Raises InputError.
    """
    chosen: dict[str, Any] = {"strides": strides, "content_stride": content_stride}
    if weights and Path(weights).is_dir():
        return _of_run(Path(weights), backbone, chosen)
    name = backbone or BACKBONE
    try:
        found = find_weights(name, weights)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = make_backbone(name, channels=3, width=WIDTH, size_hw=PROBE_HW)
        card = WeightsCard() if found is None else found.card
        if found is not None:
            foreign = cast(ForeignBackbone, network)  # ``find_weights`` refuses others.
            load_foreign(foreign, read_weights(Path(found.place)), where=found.place)
    except InputError as error:  # Training has the same words for its settings.
        message = str(error).replace("--model.", "--").replace("model.backbone", "--backbone")
        raise type(error)(message) from error
    features = StyleFeatures(network, name=name, mean=card.mean, std=card.std, **chosen)
    if found is None:
        return Seen(features, f"{name}, untrained", UNTRAINED)
    return Seen(features, f"{name}, weights {found.place}, licence: {found.licence}", "")


def _of_run(folder: Path, backbone: str | None, chosen: dict[str, Any]) -> Seen:
    model = load(folder)
    network, name = model.network, str(model.card.get("backbone", "pixels"))
    if backbone not in (None, name):
        raise InputError(f"run {folder} has the backbone {name}; leave out --backbone")
    if not isinstance(network, BackboneNetwork):
        raise InputError(f"run {folder} has no layers to see with; name one with a backbone")
    features = StyleFeatures(
        network.backbone,
        name=name,
        channels=model.channels,
        mean=network.mean,
        std=network.std,
        **chosen,
    )
    return Seen(features, f"{name}, of the run {folder}", "")
