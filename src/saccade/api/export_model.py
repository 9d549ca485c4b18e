"""``export_model``: a trained model as an ONNX file with its card, for other programs too."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from saccade.api.evaluate import load
from saccade.errors import InputError, SaccadeError
from saccade.exchange.card import DETECTOR, EMBEDDER, SEGMENTER, card_of, fields_of, read_card
from saccade.exchange.first_card import USUAL, card_text
from saccade.exchange.graphs import (
    DetectorGraph,
    EmbedderGraph,
    Graph,
    SegmenterGraph,
    TwoStageGraph,
    graph_bytes,
)
from saccade.exchange.session import Session
from saccade.exchange.trust import ENDING, read_outline
from saccade.files import write_atomic
from saccade.names import look_up
from saccade.tasks.detector import OneStageNetwork, TwoStageNetwork
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.model import Model
from saccade.tasks.segmenter import SegmentNetwork
from saccade.values import UInt8Array

MOST_APART = 1e-3  # of the largest number that an output holds
# Where two proposals overlap by just the threshold, rounding says which of them stays.
SAME_PROPOSALS = 0.9
COMPARED = 1000  # of the boxes of two stages, the likeliest


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: ``file`` and ``card``; the ``outputs`` of the graph.

    ``one_by_one``: it takes one picture at a time, as those of detectors of two stages do.
    ``apart``: how far the answers of graph and model differ at most, by the largest there is; of
    the boxes of two stages nine in ten differ no more from the nearest of the other's.
    """

    file: Path
    card: Path
    kind: str
    size_hw: tuple[int, int]
    outputs: tuple[str, ...]
    classes: tuple[str, ...]
    apart: float
    one_by_one: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"file": str(self.file), "card": str(self.card)}


def export_model(
    model: Model | Path | str, file: Path | str, *, object: str = "any", force: bool = False
) -> Exported:
    """Write an embedder, a detector or a segmenter as ``FILE.onnx``, its card beside it.

    ``model``: a Model, or the folder of a run. ``object``: the class of objects that the card says
    is to be found, or "any". The graph is run and compared with the model before it is written.
    Files that are there are replaced only with ``force``. Raises InputError for other models.
    """
    place = Path(file)
    for one in (place, card_of(place)):
        if one.exists() and not force:
            raise InputError(f"{one} exists already; name another file, or say --force")
    if place.suffix.lower() != ENDING or not place.absolute().parent.is_dir():
        raise InputError(f"{place} must end in {ENDING} and lie in a folder that exists")
    loaded = model if isinstance(model, Model) else load(model)
    graph = _graph(loaded)
    content, told = graph_bytes(graph, loaded.size_hw), _card(loaded, object)
    with TemporaryDirectory() as temporary:
        tried = Path(temporary) / place.name
        write_atomic(tried, content)
        write_atomic(card_of(tried), told)
        apart = _apart(tried, graph, loaded)
    write_atomic(place, content)
    write_atomic(card_of(place), told)
    return Exported(
        file=place,
        card=card_of(place),
        kind=_kind(loaded),
        size_hw=loaded.size_hw,
        outputs=graph.outputs,
        classes=loaded.objects or loaded.surfaces or (),
        apart=apart,
        one_by_one=graph.pictures == 1,
    )


def _graph(model: Model) -> Graph:
    network = model.network
    mirror = bool(model.card.get("mirror"))
    if isinstance(network, TwoStageNetwork):
        return TwoStageGraph(network, channels=model.channels, mirror=mirror)
    if isinstance(network, OneStageNetwork):
        return DetectorGraph(network, channels=model.channels, mirror=mirror)
    if isinstance(network, EmbeddingNetwork):
        return EmbedderGraph(network, channels=model.channels, mirror=mirror)
    if isinstance(network, SegmentNetwork):
        return SegmenterGraph(network, channels=model.channels, mirror=mirror)
    raise InputError(
        f"{model.called} has no card for a graph; a trained embedder, detector or segmenter is "
        "needed"
    )


def _kind(model: Model) -> str:
    if model.surfaces:
        return SEGMENTER
    return DETECTOR if model.objects else EMBEDDER


def _card(model: Model, object: str) -> str:
    """Return the text of the card."""
    values: dict[str, Any] = {
        "kind": _kind(model),
        "licence": model.card.get("licence", "unknown"),
        "source": model.card.get("provenance", "unknown"),
        "input.size": list(model.size_hw),
        "input.layout": "nchw",
        "input.colours": "rgb",
        "input.mean": [0, 0, 0],
        "input.std": [255, 255, 255],
        "input.fit": "stretch",
        "embedder.dimension": model.dimension,
        "segmenter.classes": list(model.surfaces or ()),
    }
    meanings: tuple[str, ...] = ("vector",)
    if model.surfaces:
        meanings = SegmenterGraph.outputs
    if model.objects:
        columns = {name: column for column, name in enumerate(model.objects)}
        values |= USUAL | {
            "detector.object": "any" if object == "any" else look_up(columns, object, "object"),
            "detector.coding": "corners",
            "detector.units": "pixels",
            "detector.iou": model.card["answer"]["overlap"],
        }
        meanings = DetectorGraph.outputs
    fields = fields_of(values["kind"])
    return card_text(
        {name: (values[name], field.text) for name, field in fields.items()},
        {name: ("", name) for name in meanings},
    )


def _apart(file: Path, graph: Graph, model: Model) -> float:
    """Run the graph as it will be used; raises SaccadeError where it answers otherwise."""
    kind = _kind(model)
    session = Session(read_outline(file), read_card(file, kind=kind))
    pictures = np.random.default_rng(0).integers(0, 256, (3, *model.size_hw, 3), np.uint8)
    blocks = [pictures] if graph.pictures > 1 else list(pictures[:, None])
    distances = [_distances(session, graph, block) for block in blocks]
    share = SAME_PROPOSALS if isinstance(graph, TwoStageGraph) else 1.0
    most = float(torch.cat(distances).quantile(share))
    if not most <= MOST_APART:
        raise SaccadeError(
            f"{file.name} answers otherwise than its model, by {most:.2g}; nothing was written. "
            "Report it, with the recipe of the run"
        )
    return most


@torch.inference_mode()
def _distances(session: Session, graph: Graph, pictures: UInt8Array) -> torch.Tensor:
    """Pictures (n, H, W, 3) → (k,) how far apart the answers are, output by output or row by row.

    Rows of a detector of two stages are those nearest to each other, and counted from both sides.
    """
    ((answers, _),) = session.answers(list(pictures))
    wanted = graph(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    pairs = []
    for name, value in zip(graph.outputs, wanted, strict=True):
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        pairs.append((torch.from_numpy(answers[name]) / scale, value / scale))
    if not isinstance(graph, TwoStageGraph):
        return torch.stack([(one - other).abs().max() for one, other in pairs])
    found, held = (torch.cat(rows, dim=-1)[0, :COMPARED] for rows in zip(*pairs, strict=True))
    if not (len(found) and len(held)):
        return torch.full((1,), 0.0 if len(found) == len(held) else torch.inf)
    apart = torch.cdist(found, held, p=torch.inf)
    return torch.cat([apart.amin(0), apart.amin(1)])
