"""A picture that shows one thing in the style of others: made by descent on its own pixels.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, eq. 1
to 7, with the total variation of Mahendran and Vedaldi, 2015, arXiv:1412.0035, section 3. Coarse to
fine: Gatys and others, "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017,
section 6.
"""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.optim import Optimizer

from saccade.errors import InputError
from saccade.optim.lbfgs import LBFGS
from saccade.optim.optimisers import OPTIMISERS
from saccade.pictures.colours import coloured, luminance, matched, matched_luminance
from saccade.pictures.style_features import StyleFeatures
from saccade.pictures.style_losses import StyleObjective, StyleRecord, Weights

STARTS = ("noise", "content")
DESCENTS = ("lbfgs", "adam")
COLOURS = ("style", "matched", "luminance")
NOISE = 0.4  # how far apart the values of the first noise are, around grey
ADAM_RATE = 0.02  # of values in [0, 1]
HISTORY = 10  # steps that L-BFGS remembers; each takes two pictures of float32
LEAST_LAYER = 4  # pixels of the shorter side of the coarsest layer of a picture
COARSEST_SIDE = 64  # pixels: no level has a shorter side below, unless levels are counted


def level_sizes(size_hw: tuple[int, int], levels: int | None) -> list[tuple[int, int]]:
    """Return the size of each level, coarsest first, each half of the next.

    Without ``levels`` as many as leave COARSEST_SIDE pixels.
    """
    if levels is None:
        levels = 1
        while min(size_hw) >> levels >= COARSEST_SIDE:
            levels += 1
    return [(max(1, size_hw[0] >> n), max(1, size_hw[1] >> n)) for n in reversed(range(levels))]


def stylizing(
    content: Tensor,
    styles: Sequence[Tensor],
    features: StyleFeatures,
    *,
    sizes: Sequence[tuple[int, int]],
    steps: int,
    weights: Weights,
    shares: Sequence[float],
    style_scale: float = 1.0,
    colours: str = "style",
    start: str = "noise",
    optimiser: str = "lbfgs",
    seed: int = 0,
) -> Iterator[tuple[StyleRecord, Tensor]]:
    """Yield the picture, (1, 3, H, W) float, before the first step, step 0, and after each.

    ``content`` and ``styles``: (1, 3, H, W) float in [0, 1]; ``shares``: what of each style is
    mixed in, their sum 1. The ``steps``, at least one a size, are dealt evenly to ``sizes``,
    coarsest first. ``style_scale``: how large the brush strokes are, beside the content. Values may
    leave [0, 1]. Raises InputError for a picture that is too small, NotFiniteError, naming the
    step, for a loss that is no number.
    """
    draw = torch.Generator().manual_seed(seed)
    done, seen = 0, torch.zeros(0)
    for place, size_hw in enumerate(sizes):
        shown = _resized(content, size_hw)
        target, examples = _prepared(shown, styles, size_hw, style_scale, colours)
        objective = StyleObjective(features, target, examples, weights, shares)
        if place:
            first = interpolate(seen, size_hw, mode="bicubic", align_corners=False)
        elif start == "noise":
            drawn = torch.rand(target.shape, generator=draw, dtype=target.dtype)
            first = 0.5 + NOISE * (drawn - 0.5)
        else:
            first = target.clone()
        count = steps * (place + 1) // len(sizes) - steps * place // len(sizes)
        for number, seen in enumerate(_descent(objective, first, count, optimiser)):
            done += number > 0
            if number or not place:
                picture = coloured(seen, shown) if colours == "luminance" else seen
                yield objective.record(done), picture


def _prepared(
    content: Tensor, styles: Sequence[Tensor], size_hw: tuple[int, int], scale: float, colours: str
) -> tuple[Tensor, list[Tensor]]:
    """What the picture is compared with: the content, and each style with about its pixels."""
    examples = []
    for style in styles:
        factor = scale * (size_hw[0] * size_hw[1] / (style.shape[2] * style.shape[3])) ** 0.5
        sides = [max(1, round(side * factor)) for side in style.shape[2:]]
        examples.append(_resized(style, (sides[0], sides[1])))
    if colours == "luminance":
        bright = luminance(content)
        return bright, [matched_luminance(luminance(style), bright) for style in examples]
    if colours == "matched":
        return content, [matched(style, content) for style in examples]
    return content, examples


def _resized(picture: Tensor, size_hw: tuple[int, int]) -> Tensor:
    if picture.shape[2:] == size_hw:
        return picture
    found = interpolate(picture, size_hw, mode="bicubic", align_corners=False, antialias=True)
    return found.clamp(0, 1)


def _descent(
    objective: StyleObjective, first: Tensor, steps: int, optimiser: str
) -> Iterator[Tensor]:
    """Yield ``first`` and the picture after each step, each as the objective was last asked.

    The picture is a sum of pictures, each half the size of the one before, so that a step moves
    whole areas as well as single pixels: Kolkin, Salavon, Shakhnarovich, CVPR 2019,
    arXiv:1904.12785, section 2.5.
    """
    layers = [first.clone().requires_grad_()]
    while min(layers[-1].shape[2:]) >= 2 * LEAST_LAYER:
        sides = [side // 2 for side in layers[-1].shape[2:]]
        layers.append(first.new_zeros(*first.shape[:2], *sides).requires_grad_())
    descent = _optimiser(optimiser, layers)

    def whole() -> Tensor:
        coarse = [
            interpolate(one, first.shape[2:], mode="bilinear", align_corners=False)
            for one in layers[1:]
        ]
        return torch.stack([layers[0], *coarse]).sum(0)

    def closure() -> float:
        with torch.enable_grad():
            picture = whole()
        value, slope = objective.gradient(picture.detach())
        for layer, part in zip(layers, torch.autograd.grad(picture, layers, slope), strict=True):
            layer.grad = part
        return value

    closure()
    yield first
    for _ in range(steps):
        descent.step(closure)
        closure()
        with torch.no_grad():
            yield whole()


def _optimiser(name: str, layers: list[Tensor]) -> Optimizer:
    groups = [{"params": layers}]
    if name == "lbfgs":
        return LBFGS(groups, history=HISTORY)
    if name == "adam":
        return cast(Optimizer, OPTIMISERS[name].make(params=groups, lr=ADAM_RATE))
    raise InputError(f"there is no optimiser '{name}' of pictures; take {' or '.join(DESCENTS)}")
