"""Whether a crop shows enough to be recognised: size, blur, light; the reasons in words.

The figures are those of ``data.measures``, taken of the crop at the size it is looked at. The
limits leave out what measurably loses its name: docs/decisions/0016-crops-that-do-not-fit.md.
"""

import math
from dataclasses import dataclass

from PIL import Image

from saccade.data.measures import FIGURES, measure
from saccade.values import UInt8Array

LEAST_SIDE = 24.0  # pixels of the box's longer side
LEAST_DETAIL = 6.0  # squared grey levels: variance of the Laplacian
DARK, BRIGHT = 25.0, 230.0  # of 255: nearly all pixels on one side of it
MOST_CLIPPED = 0.2  # of the pixels


@dataclass(frozen=True, slots=True)
class Quality:
    """What a crop is like.

    ``side``: longer side of the box, pixels; ``detail``: variance of the Laplacian, squared grey
    levels; ``dark``, ``bright``: shares of pixels that are clipped, in [0, 1]; ``poor``: why it is
    of little use, in words; empty when it is good.
    """

    side: float
    detail: float
    dark: float
    bright: float
    poor: tuple[str, ...]


def quality_of(crop: UInt8Array, side: float) -> Quality:
    """Return the quality of a crop (s, s, 3) uint8 whose box is ``side`` pixels long."""
    figures = dict(zip(FIGURES, measure(Image.fromarray(crop)).tolist(), strict=True))
    detail = math.exp(figures["detail"])
    poor = []
    if side < LEAST_SIDE:
        poor.append(f"too small: {side:.0f} pixels, {LEAST_SIDE:.0f} are needed")
    poor += _lit(figures)
    if not poor and detail < LEAST_DETAIL:
        poor.append(f"blurred: detail {detail:.0f}, {LEAST_DETAIL:.0f} is needed")
    return Quality(side, detail, figures["black"], figures["white"], tuple(poor))


def _lit(figures: dict[str, float]) -> list[str]:
    """Say whether it is too dark or too bright."""
    for name, share, limit, beyond in (
        ("dark", figures["black"], figures["high"], figures["high"] < DARK),
        ("bright", figures["white"], figures["low"], figures["low"] > BRIGHT),
    ):
        if share > MOST_CLIPPED:
            return [f"too {name}: {100 * share:.0f} % of its pixels are clipped"]
        if beyond:
            side = "most" if name == "dark" else "least"
            return [f"too {name}: 95 % of its pixels are at {side} {limit:.0f} of 255"]
    return []
