"""The network of a model, of any task, made as its card describes it."""

from typing import Any

from saccade.tasks.card import COLOUR_KEYS, PART_KEYS
from saccade.tasks.classify import ClassifyNetwork
from saccade.tasks.detector import FAMILIES, OneStageNetwork
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.forecaster import Forecaster
from saccade.tasks.neighbours import NeighboursNetwork
from saccade.tasks.regress import RegressNetwork
from saccade.tasks.ridge import RidgeNetwork
from saccade.tasks.segmenter import SegmentNetwork

Classifier = ClassifyNetwork | NeighboursNetwork
Network = (
    EmbeddingNetwork | Classifier | RegressNetwork | OneStageNetwork | SegmentNetwork | Forecaster
)


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
    if card["kind"] == "forecaster":
        return Forecaster(channels=card["channels"], width=card["width"], **card["forecast"])
    return EmbeddingNetwork(dimension=card["dimension"], size_hw=size_hw, **shape)
