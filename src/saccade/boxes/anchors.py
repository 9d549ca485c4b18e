"""Anchors: the boxes that a detector starts from, laid out over the maps of its levels.

Ren, He, Girshick, Sun, "Faster R-CNN", 2015, arXiv:1506.01497, section 3.1.1; a level for each
stride as in Lin, Dollár, Girshick, He, Hariharan, Belongie, "Feature Pyramid Networks", 2017,
arXiv:1612.03144, section 4.1. We differ: a level may have shapes of its own, such as fewer on the
fine ones, where most anchors lie.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from saccade.boxes.formats import corners_from_centres
from saccade.errors import InputError


@dataclass(frozen=True, slots=True)
class AnchorShapes:
    """The shapes of the anchors, level by level, the finest first.

    ``strides``: pixels of the input between two cells of a level. ``sizes``: for each level, the
    square roots of areas, pixels. ``ratios``: for each level, heights over widths. A cell has an
    anchor of each size in each ratio: all ratios of the first size, then those of the next.
    """

    strides: tuple[int, ...]
    sizes: tuple[tuple[float, ...], ...]
    ratios: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Raise InputError for levels that do not fit each other, or that hold nothing."""
        if not len(self.strides) == len(self.sizes) == len(self.ratios) > 0:
            raise InputError(
                "anchors need as many strides, groups of sizes and groups of ratios. Got "
                f"{len(self.strides)}, {len(self.sizes)} and {len(self.ratios)}"
            )
        for level, values in enumerate(zip(self.strides, self.sizes, self.ratios, strict=True)):
            stride, sizes, ratios = values
            if not (
                sizes and ratios and all(0 < it < math.inf for it in (stride, *sizes, *ratios))
            ):
                raise InputError(
                    f"anchors of level {level} need a stride, sizes and ratios above 0. Got "
                    f"{stride}, {sizes} and {ratios}"
                )

    def shapes(self) -> tuple[int, ...]:
        """Return how many anchors a cell has, level by level."""
        return tuple(len(s) * len(r) for s, r in zip(self.sizes, self.ratios, strict=True))

    def cells(self, size_hw: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """Return (rows, columns) of each level's map; cells at the far edges may reach over it."""
        return tuple((-(-size_hw[0] // s), -(-size_hw[1] // s)) for s in self.strides)

    def counts(self, size_hw: tuple[int, int]) -> tuple[int, ...]:
        """Return how many anchors each level has for an input of this size, pixels."""
        cells = zip(self.cells(size_hw), self.shapes(), strict=True)
        return tuple(rows * columns * shapes for (rows, columns), shapes in cells)


def make_anchors(
    size_hw: tuple[int, int],
    shapes: AnchorShapes,
    *,
    map_hw: Sequence[tuple[int, int]] | None = None,
) -> Tensor:
    """Return (a, 4) float32 corners, pixels of the input, about the middles of the cells.

    In the order level, row, column, shape; ``shapes.counts`` says how many are of each level. They
    may reach over the edges. ``map_hw``: rows and columns of each level where they are not those of
    ``shapes.cells``, as in networks that do not pad; the cells then share the input evenly.
    """
    levels = []
    cells = map_hw or shapes.cells(size_hw)
    of_levels = zip(cells, shapes.strides, shapes.sizes, shapes.ratios, strict=True)
    for (rows, columns), stride, sizes, ratios in of_levels:
        sides = torch.tensor([(s / r**0.5, s * r**0.5) for s in sizes for r in ratios])
        down, across = (size_hw[0] / rows, size_hw[1] / columns) if map_hw else (stride, stride)
        y = (torch.arange(rows) + 0.5) * down
        x = (torch.arange(columns) + 0.5) * across
        middles = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)[:, :, None]
        middles, sides = torch.broadcast_tensors(middles, sides)  # type: ignore[no-untyped-call]
        levels.append(corners_from_centres(torch.cat([middles, sides], -1)).reshape(-1, 4))
    return torch.cat(levels)
