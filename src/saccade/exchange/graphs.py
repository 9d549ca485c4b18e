"""Networks as ONNX graphs, from pixels to vectors, boxes or classes, that any runtime can run.

Open Neural Network Exchange, operator set 17. The input is (n, 3, H, W) float in [0, 1], red, green
and blue, for any n, of detectors of two stages for n = 1; overlapping boxes are left to who reads
them, as in graphs of others.
"""

import io
import warnings
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from saccade.boxes.formats import mirrored
from saccade.errors import InputError
from saccade.exchange.trust import library
from saccade.tasks.detector import OneStageNetwork, TwoStageNetwork
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.segmenter import SegmentNetwork

OPERATORS = 17
INPUT = "pictures"
Free = Mapping[str, Mapping[int, str]]  # input or output → side that is free → its name
MANY = {INPUT: {0: "n"}}
GREY = (19595 / 65536, 38470 / 65536, 7471 / 65536)  # of red, green, blue: ITU-R 601, as Pillow


class DetectorGraph(nn.Module):
    """Pictures → ``boxes`` (n, a, 4), corners in pixels, and ``scores`` (n, a, classes).

    With ``mirror`` twice as many: those of the mirror image come after the picture's own.
    """

    outputs = ("boxes", "scores")
    pictures = 2  # shown while it is drawn
    free: ClassVar[Free] = MANY | {"boxes": {0: "n"}, "scores": {0: "n"}}

    def __init__(self, network: OneStageNetwork, *, channels: int, mirror: bool) -> None:
        super().__init__()
        self.network, self.channels, self.mirror = network, channels, mirror

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, H, W) float in [0, 1] → boxes and scores."""
        seen = _coloured(pictures, self.channels)
        boxes, scores = self._found(seen)
        if self.mirror:
            other, more = self._found(seen.flip(3))
            boxes = torch.cat([boxes, mirrored(other, self.network.size_hw[1])], 1)
            scores = torch.cat([scores, more], 1)
        return boxes, scores

    def _found(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.network.head(self.network.maps(seen))
        return self.network.placed(answers), self.network.scores(answers)


class TwoStageGraph(DetectorGraph):
    """One picture → ``boxes`` (1, m, 4) and ``scores`` (1, m, classes), m as the picture shows.

    The proposals, moved; those of several pictures would differ in number.
    """

    network: TwoStageNetwork
    pictures = 1
    free: ClassVar[Free] = {"boxes": {1: "m"}, "scores": {1: "m"}}

    def _found(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.network.maps(seen)
        boxes, scores = self.network.judged(maps, self.network.proposed(self.network.head(maps)))
        return boxes[None], scores[None]


class EmbedderGraph(nn.Module):
    """Pictures → ``vector`` (n, dimension) of length 1; ``mirror`` as ``embed_batch``."""

    outputs = ("vector",)
    pictures = 2
    free: ClassVar[Free] = MANY | {"vector": {0: "n"}}

    def __init__(self, network: EmbeddingNetwork, *, channels: int, mirror: bool) -> None:
        super().__init__()
        self.network, self.channels, self.mirror = network, channels, mirror

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(n, 3, H, W) float in [0, 1] → the vectors."""
        seen = _coloured(pictures, self.channels)
        vectors = normalize(self.network(seen))
        if self.mirror:
            vectors = normalize(vectors + normalize(self.network(seen.flip(3))))
        return (vectors,)


class SegmenterGraph(nn.Module):
    """Pictures → ``classes`` (n, classes, H, W): the probability of each class at each pixel.

    With ``mirror`` those of the picture and of its mirror image are averaged.
    """

    outputs = ("classes",)
    pictures = 2
    free: ClassVar[Free] = MANY | {"classes": {0: "n"}}

    def __init__(self, network: SegmentNetwork, *, channels: int, mirror: bool) -> None:
        super().__init__()
        self.network, self.channels, self.mirror = network, channels, mirror

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(n, 3, H, W) float in [0, 1] → the probabilities."""
        seen = _coloured(pictures, self.channels)
        shares: Tensor = self.network(seen).softmax(1)
        if self.mirror:
            shares = (shares + self.network(seen.flip(3)).softmax(1).flip(3)) / 2
        return (shares,)


Graph = DetectorGraph | EmbedderGraph | SegmenterGraph


def graph_bytes(graph: Graph, size_hw: tuple[int, int]) -> bytes:
    """Return the ONNX file; raises InputError where the network has parts that ONNX has not."""
    library("onnx")
    file, example = io.BytesIO(), torch.full((graph.pictures, 3, *size_hw), 0.5)
    try:
        with warnings.catch_warnings():  # Of the tracer, on checks of shapes that never change.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph.eval(),
                (example,),
                file,  # type: ignore[arg-type]  # torch takes any file
                input_names=[INPUT],
                output_names=list(graph.outputs),
                dynamic_axes=graph.free,
                opset_version=OPERATORS,
                dynamo=False,
            )
    except (RuntimeError, NotImplementedError, TypeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"this network has a part that ONNX cannot hold: {why}") from error
    return file.getvalue()


def _coloured(pictures: Tensor, channels: int) -> Tensor:
    """(n, 3, H, W) in [0, 1] → what the network sees: as it is, or grey, in steps of 1/255."""
    if channels != 1:
        return pictures
    weights = pictures.new_tensor(GREY).view(1, 3, 1, 1)
    grey = (pictures * weights).sum(1, keepdim=True)
    return (grey * 255 + 0.5).floor() / 255
