"""Total-variation denoising: the picture that is near to a given one and varies little.

Rudin, Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 60,
1992: the least of |u - f|² / 2 + weight * TV(u). Chambolle, "An Algorithm for Total Variation
Minimization and Applications", 2004: its dual. Beck and Teboulle, "Fast Gradient-Based Algorithms
for Constrained Total Variation Image Denoising and Deblurring Problems", IEEE TIP 18, 2009,
algorithm FGP: how that is solved. We differ: no bounds, which the least never leaves, and an end
by the duality gap, which says how far from the least it is at most.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from saccade.losses.pictures import TotalVariation

CHECKED_EVERY = 10  # steps


@dataclass(frozen=True, slots=True)
class Smoothed:
    """A denoised ``picture``, its objective's ``value``, and by how much of it more than the least.

    ``gap`` is an upper bound of that share; ``steps`` were taken.
    """

    picture: Tensor
    value: float
    gap: float
    steps: int


@torch.no_grad()
def smoothed(
    picture: Tensor, *, weight: float, tolerance: float = 1e-3, most_steps: int = 1000
) -> Smoothed:
    """(1, c, H, W) float → the denoised one, each channel by itself.

    ``weight``: how much variation costs, above 0, of values in [0, 1]; as scikit-image's
    ``denoise_tv_chambolle`` counts it. Ends when ``gap`` is at most ``tolerance``.
    """
    variation = TotalVariation(beta=1.0)
    dual = picture.new_zeros(2, *picture.shape)
    ahead, momentum = dual, 1.0
    for step in range(1, 1 + most_steps):
        # 8 bounds the squared norm of ``slopes``.
        moved = ahead + slopes(picture - weight * gathered(ahead)) / (8 * weight)
        moved = moved / moved.norm(dim=0).clamp(min=1)
        faster = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1) / faster * (moved - dual)
        dual, momentum = moved, faster
        if step % CHECKED_EVERY == 0 or step == most_steps:
            found = picture - weight * gathered(dual)
            varies = float(variation(found))
            value = float((found - picture).square().sum()) / 2 + weight * varies
            excess = weight * (varies - float((slopes(found) * dual).sum()))
            gap = max(0.0, excess) / value if value > 0 else 0.0
            if gap <= tolerance:
                break
    return Smoothed(found, value, gap, step)


def slopes(picture: Tensor) -> Tensor:
    """(…, H, W) → (2, …, H, W): the differences to the right and below, 0 at the border."""
    across = pad(picture.diff(dim=-1), (0, 1))
    down = pad(picture.diff(dim=-2), (0, 0, 0, 1))
    return torch.stack((across, down))


def gathered(fields: Tensor) -> Tensor:
    """(2, …, H, W) → (…, H, W): the transpose of ``slopes``."""
    across, down = fields[0][..., :-1], fields[1][..., :-1, :]
    return (
        pad(across, (1, 0))
        - pad(across, (0, 1))
        + pad(down, (0, 0, 1, 0))
        - pad(down, (0, 0, 0, 1))
    )
