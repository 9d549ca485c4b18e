"""Heat maps over pictures, and the legend that says what their colours mean.

Colours: viridis, of equal steps to the eye, also to one that tells no red from green (Nuñez,
Anderton, Renslow, PLoS ONE 13(7), 2018, on such maps). A place is the more covered the stronger it
is; the picture below is grey and a little darker, so that no colour of its own is taken for heat.
"""

from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from saccade.errors import InputError
from saccade.report.canvas import drawing, finish
from saccade.report.parts import Chart
from saccade.values import Float32Array, UInt8Array

LONGEST_SIDE = 320  # pixels
COVER = 0.85  # of the strongest place
DIM = 0.75  # of the picture's own light
BRIGHTEST = 0.99  # quantile of the values above 0 that gets the last colour
STEPS = 48  # of the legend
PAPER_GREY = 0.5
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601


def heat(picture: UInt8Array, values: Float32Array) -> UInt8Array:
    """Lay a map (h, w), of which what is below 0 is not drawn, over (H, W, 3) uint8: the like.

    The larger side becomes LONGEST_SIDE pixels; the map is stretched over the whole picture.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or values.ndim != 2:
        raise InputError(
            f"a heat map needs (H, W, 3) and (h, w); got {picture.shape} and {values.shape}"
        )
    factor = LONGEST_SIDE / max(picture.shape[:2])
    size = [max(1, round(side * factor)) for side in picture.shape[:2]]
    light = np.asarray(picture @ np.array(GREY_WEIGHTS) / 255, np.float32)
    strength = _to_size(strengths(values), size)
    return (_blend(_to_size(light, size), strength) * 255).round().astype(np.uint8)


def strengths(values: Float32Array) -> Float32Array:
    """Return values (h, w) as shares in [0, 1] of the brightest; all 0 where none is above 0."""
    above = values[values > 0]
    if not above.size:
        return np.zeros_like(values)
    top = np.quantile(above, BRIGHTEST, method="higher")
    return (values / top).clip(0, 1).astype(np.float32)


def heat_legend() -> Chart:
    """Return a bar of the colours, on grey as they lie over a picture."""
    scale = np.linspace(0, 1, STEPS, dtype=np.float32)
    colours = _blend(np.full(STEPS, PAPER_GREY, np.float32), scale)
    with drawing():
        figure = Figure(figsize=(4.8, 0.62), layout="constrained")
        axes = figure.add_subplot()
        axes.bar(scale, 1, width=1.5 / (STEPS - 1), color=[tuple(one) for one in colours])
        axes.set_xticks([0, 1], ["nothing", "the most in this picture"])
        for tick, side in zip(axes.get_xticklabels(), SIDES, strict=True):
            tick.set_horizontalalignment(side)
        axes.set_yticks([])
        axes.set_xlim(0, 1)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        svg = finish(figure, "Colours of the maps", "From clear, nothing, to yellow, the most.")
    return Chart(
        "What the colours mean",
        svg,
        "Each map has its own scale: colours of two "
        "pictures cannot be compared, places within one can.",
    )


def _blend(grey: NDArray[np.float32], strength: NDArray[np.float32]) -> NDArray[np.float64]:
    cover = COVER * strength[..., None]
    colours = colormaps["viridis"](strength)[..., :3]
    return np.asarray((1 - cover) * DIM * grey[..., None] + cover * colours, np.float64)


def _to_size(values: NDArray[np.float32], size_hw: list[int]) -> NDArray[np.float32]:
    """(h, w) in [0, 1] → (H, W), bilinear, averaged where it is made smaller."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    found = image.resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR)
    return np.asarray(found, np.float32).clip(0, 1)
