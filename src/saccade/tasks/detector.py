"""The networks of task ``detect``: one stage or two, on one backbone, pyramid and set of anchors.

One stage: each anchor gives a box with a score a class, its objectness times the class's share of
it (J. Redmon and A. Farhadi, "YOLOv3", 2018, arXiv:1804.02767). Two stages: the boxes that are
likeliest to hold an object are proposals, and a second head looks at each (S. Ren and others,
"Faster R-CNN", NIPS 2015, arXiv:1506.01497).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.onnx import is_in_onnx_export
from torchvision.ops import nms

from saccade.boxes.anchors import AnchorShapes, make_anchors
from saccade.boxes.coding import decode
from saccade.boxes.formats import clip
from saccade.errors import InputError
from saccade.nn.anchor_head import AnchorHead, Answers
from saccade.nn.pyramid import Pyramid
from saccade.nn.region_head import RegionHead
from saccade.tasks.network import BackboneNetwork

PROPOSAL_IOU = 0.7  # of proposals that overlap more the likeliest stays (Ren et al., section 3.3)
MOST_ANCHORS = 2_000_000  # of one picture; every one costs memory for each box of each picture
FIRST_TRIED = 2  # times the proposals that are kept
SHORTEST_SIDE = 1.0  # pixels; boxes with a shorter one are no proposals


class Seen(NamedTuple):
    """Boxes of one picture: ``corners`` (m, 4) in pixels of the input, ``scores`` (m, classes)."""

    corners: Tensor
    scores: Tensor


class OneStageNetwork(BackboneNetwork):
    """A backbone, a pyramid of maps, and a head that answers for every anchor.

    ``strides``: of the levels; one that the backbone has no map for is left out. ``side``: of a
    level's smallest anchor, in strides; ``scales``: anchors an octave; ``ratios``: their heights by
    their widths, at the finest level ``fine_ratios``. ``depth``: channels of the maps.
    """

    anchors: Tensor

    def __init__(
        self,
        *,
        classes: int,
        strides: Sequence[int],
        side: float,
        scales: int,
        ratios: Sequence[float],
        fine_ratios: Sequence[float],
        depth: int,
        **backbone: Any,
    ) -> None:
        super().__init__(**backbone)
        self.size_hw: tuple[int, int] = backbone["size_hw"]
        self.classes = classes
        self.pyramid = Pyramid(
            self.backbone,
            channels=backbone["channels"] if self.mean is None else 3,
            size_hw=self.size_hw,
            strides=strides,
            depth=depth,
        )
        levels = self.pyramid.strides
        shapes = AnchorShapes(
            strides=levels,
            sizes=tuple(
                tuple(side * stride * 2 ** (step / scales) for step in range(scales))
                for stride in levels
            ),
            ratios=(tuple(fine_ratios), *(tuple(ratios) for _ in levels[1:])),
        )
        _require_bounded(shapes, self.pyramid.map_hw)
        anchors = make_anchors(self.size_hw, shapes, map_hw=self.pyramid.map_hw)
        self.register_buffer("anchors", anchors, persistent=False)
        self.head = self._head(depth, shapes.shapes())

    def _head(self, depth: int, shapes: Sequence[int]) -> AnchorHead:
        return AnchorHead(depth=depth, shapes=shapes, classes=self.classes)

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """(n, c, H, W) float in [0, 1] → the pyramid's maps, the finest first."""
        found: list[Tensor] = self.pyramid(self.backbone, self.seen(pictures))
        return found

    def forward(self, pictures: Tensor, at_least: float = 0.0) -> list[Seen]:
        """(n, c, H, W) float in [0, 1] → for each picture a box and its scores an anchor.

        Anchors none of whose scores can be ``at_least`` are left out: a class's share is at most 1.
        """
        answers: Answers = self.head(self.maps(pictures))
        found = []
        for row, objectness in enumerate(answers.objectness):
            able = objectness.sigmoid() >= at_least
            own = Answers(answers.offsets[row][able], objectness[able], answers.classes[row][able])
            found.append(Seen(self._placed(own.offsets, self.anchors[able]), self.scores(own)))
        return found

    def scores(self, answers: Answers) -> Tensor:
        """Return the scores (…, a, classes): objectness times each class's share of it."""
        return answers.objectness.sigmoid()[..., None] * answers.classes.softmax(-1)

    def placed(self, answers: Answers) -> Tensor:
        """Return the boxes (n, a, 4), corners in pixels, within the picture."""
        return self._placed(answers.offsets, self.anchors)

    def _placed(self, offsets: Tensor, starts: Tensor) -> Tensor:
        return clip(decode(offsets.float(), starts), self.size_hw)


class TwoStageNetwork(OneStageNetwork):
    """The same with objectness alone, and a second head that looks at what is likeliest.

    ``proposals``: the likeliest anchors that are kept before those that overlap are left out,
    ``kept``: after that; ``units`` of the second head; ``pool``: align or pool.
    """

    def __init__(
        self, *, proposals: int, kept: int, units: int, pool: str, depth: int, **others: Any
    ) -> None:
        super().__init__(depth=depth, **others)
        self.proposals, self.kept = proposals, kept
        self.regions = RegionHead(
            depth=depth,
            strides=self.pyramid.strides,
            size_hw=self.size_hw,
            classes=self.classes,
            units=units,
            pool=pool,
        )

    def _head(self, depth: int, shapes: Sequence[int]) -> AnchorHead:
        return AnchorHead(depth=depth, shapes=shapes, classes=0)

    def forward(self, pictures: Tensor, at_least: float = 0.0) -> list[Seen]:
        """(n, c, H, W) float in [0, 1] → for each picture the proposals, moved, with scores.

        None is left out by ``at_least``.
        """
        maps = self.maps(pictures)
        proposed = self.proposed(self.head(maps))
        many = [len(one) for one in proposed]
        whole = (torch.split(one, many) for one in self.judged(maps, proposed))
        return [Seen(*row) for row in zip(*whole, strict=True)]

    def judged(self, maps: list[Tensor], proposed: list[Tensor]) -> Seen:
        """Return what the second head makes of the proposals of all pictures, in a row."""
        logits, offsets = self.regions(maps, proposed)
        boxes = self._placed(offsets, torch.cat(proposed))
        return Seen(boxes, logits.float().softmax(-1)[:, :-1])

    @torch.no_grad()
    def proposed(self, answers: Answers) -> list[Tensor]:
        """Return for each picture at most ``kept`` boxes (m, 4), the likeliest first."""
        boxes = self.placed(answers)
        found = []
        for corners, likely in zip(boxes, answers.objectness.float(), strict=True):
            best = likely.topk(min(self.proposals, len(likely))).indices
            corners, likely = corners[best], likely[best]
            real = (corners[:, 2:] - corners[:, :2]).min(dim=1).values >= SHORTEST_SIDE
            corners, likely = corners[real], likely[real]
            found.append(corners[self._apart(corners, likely)])
        return found

    def _apart(self, corners: Tensor, likely: Tensor) -> Tensor:
        """Boxes (m, 4), the likeliest first → (k,) places of those that are kept.

        Whether a box stays is decided by those before it, so that the first few are tried, then
        twice as many until enough stay; a graph that is exported cannot try, and takes all.
        """
        many = self.proposals if is_in_onnx_export() else FIRST_TRIED * self.kept
        while True:
            kept: Tensor = nms(corners[:many], likely[:many], PROPOSAL_IOU)[: self.kept]
            if many >= len(corners) or len(kept) == self.kept:
                return kept
            many *= 2


def _require_bounded(shapes: AnchorShapes, map_hw: Sequence[tuple[int, int]]) -> None:
    many = sum(
        own * rows * columns for own, (rows, columns) in zip(shapes.shapes(), map_hw, strict=True)
    )
    if many > MOST_ANCHORS:
        raise InputError(
            f"a detector may have {MOST_ANCHORS:,} anchors, these settings make {many:,}; take "
            "coarser strides, fewer scales or ratios, or smaller pictures"
        )


FAMILIES: dict[str, type[OneStageNetwork]] = {
    "one_stage": OneStageNetwork,
    "two_stage": TwoStageNetwork,
}
