"""Disturbances of graded strength, to see how far a model can be trusted when pictures get worse.

After D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions
and Perturbations", ICLR 2019 (arXiv:1903.12261). We differ: strengths are in natural units rather
than severities 1 to 5; what a picture is moved by, hidden at, or given as noise is drawn once and
grows with the strength, so that all strengths, and all models, meet the same choices. Where a
moved picture ends, its edge is repeated.
"""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample
from torchvision.transforms import v2

GREY = 128
SIGMAS = 3  # of a blur's weights; beyond, they are left out


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A row of DISTURBANCES.

    ``apply`` is called with pictures (n, c, H, W) uint8, a strength and a generator, and returns
    the same shape; ``strengths`` rise, and one of them, ``undisturbed``, leaves pictures as they
    are. ``unit`` says what a strength counts, and ``at`` writes one: "{:g} of the width".
    """

    apply: Callable[[Tensor, float, Generator], Tensor]
    strengths: tuple[float, ...]
    undisturbed: float
    unit: str
    at: str


def disturb(pictures: Tensor, row: Disturbance, strength: float, *, seed: int) -> Tensor:
    """(n, c, H, W) uint8, n at least 1 → the same, disturbed; the seed decides what is drawn."""
    if strength == row.undisturbed:
        return pictures
    return row.apply(pictures, strength, torch.Generator().manual_seed(seed))


def shift(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Move by a share of the width, in a direction drawn for each picture."""
    angle = 2 * math.pi * torch.rand(len(pictures), generator=generator)
    far = strength * pictures.shape[3]
    return moved(pictures, right=far * angle.cos(), down=far * angle.sin())


def rotation(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Turn by degrees about the middle, one way or the other, drawn for each picture."""
    way = torch.randint(2, (len(pictures),), generator=generator) * 2 - 1
    return moved(pictures, degrees=strength * way)


def moved(
    pictures: Tensor,
    *,
    degrees: Tensor | None = None,
    right: Tensor | None = None,
    down: Tensor | None = None,
) -> Tensor:
    """Turn counter-clockwise, then move by pixels; (n,) each; between pixels bilinear.

    ``pictures`` (n, c, H, W) uint8.
    """
    none = torch.zeros(len(pictures))
    angle = (none if degrees is None else degrees).deg2rad()
    right, down = (none if far is None else far for far in (right, down))
    height, width = pictures.shape[2:]
    cosine, sine = angle.cos(), angle.sin()
    # Where each pixel comes from, as places from -1 to 1 on both axes: moved back, then turned.
    from_x = cosine, -sine * height / width, 2 * (down * sine - right * cosine) / width
    from_y = sine * width / height, cosine, -2 * (down * cosine + right * sine) / height
    matrices = torch.stack([torch.stack(row, dim=1) for row in (from_x, from_y)], dim=1)
    places = affine_grid(matrices, list(pictures.shape), align_corners=False)
    found = grid_sample(pictures.float(), places, padding_mode="border", align_corners=False)
    return found.round().to(torch.uint8)


def scale(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Make everything so many times as large about the middle; the picture keeps its size."""
    height, width = pictures.shape[2:]
    sides = [max(1, round(strength * side)) for side in (height, width)]
    found: Tensor = v2.functional.resize(pictures, sides, antialias=True)
    if strength > 1:
        found = v2.functional.center_crop(found, [height, width])
        return found
    top, left = (height - sides[0]) // 2, (width - sides[1]) // 2
    rest = [left, top, width - sides[1] - left, height - sides[0] - top]
    found = v2.functional.pad(found, rest, padding_mode="edge")
    return found


def occlusion(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Hide a share of the area behind a grey rectangle of the picture's shape, put by lot.

    After T. DeVries and G. W. Taylor, "Improved Regularization of Convolutional Neural Networks
    with Cutout", 2017 (arXiv:1708.04552), which hides squares.
    """
    height, width = pictures.shape[2:]
    put = torch.rand((2, len(pictures), 1), generator=generator)
    covered = []
    for side, share in zip((height, width), put, strict=True):
        long = round(math.sqrt(strength) * side)
        first = (share * (side - long + 1)).floor()
        places = torch.arange(side)
        covered.append((places >= first) & (places < first + long))
    rows, columns = covered
    hidden = rows[:, None, :, None] & columns[:, None, None, :]
    return pictures.masked_fill(hidden, GREY)


def greying(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Take away a share of the colour (ITU-R 601 luma); pictures of one channel have none."""
    found: Tensor = v2.functional.adjust_saturation(pictures, 1.0 - strength)
    return found


def blur(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Blur by a Gaussian whose sigma is a share of the width; mirrored at the edge."""
    sigma = strength * pictures.shape[3]
    radius = min(math.ceil(SIGMAS * sigma), min(pictures.shape[2:]) - 1)
    size = [2 * radius + 1] * 2
    found: Tensor = v2.functional.gaussian_blur(pictures, kernel_size=size, sigma=[sigma, sigma])
    return found


def noise(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Add Gaussian noise to every value; sigma is a share of the range from black to white."""
    drawn = torch.randn(pictures.shape, generator=generator)
    return (pictures + 255 * strength * drawn).round().clamp(0, 255).to(torch.uint8)


def jpeg(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Compress as JPEG of this quality, 1 to 100, and decode again."""
    return torch.stack([_compressed(picture, int(strength)) for picture in pictures])


def _compressed(picture: Tensor, quality: int) -> Tensor:
    """(c, H, W) uint8, one channel or three, through a JPEG file in memory."""
    stream = io.BytesIO()
    image = Image.fromarray(picture.movedim(0, -1).squeeze(-1).numpy())
    image.save(stream, "JPEG", quality=quality)
    found: Tensor = v2.functional.pil_to_tensor(Image.open(stream))
    return found


def brightness(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Multiply every value; what passes white is cut off."""
    found: Tensor = v2.functional.adjust_brightness(pictures, strength)
    return found


def contrast(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Multiply every value's distance from the picture's mean luma; cut off at black and white."""
    found: Tensor = v2.functional.adjust_contrast(pictures, strength)
    return found


DISTURBANCES = {
    "shift": Disturbance(
        shift, (0.0, 0.05, 0.1, 0.2, 0.3), 0.0, "share of the width", "{:g} of the width"
    ),
    "rotation": Disturbance(rotation, (0.0, 5.0, 15.0, 30.0, 45.0), 0.0, "degrees", "{:g} degrees"),
    "scale": Disturbance(
        scale, (0.5, 0.7, 1.0, 1.4, 2.0), 1.0, "times the size", "{:g} times the size"
    ),
    "occlusion": Disturbance(
        occlusion, (0.0, 0.05, 0.1, 0.2, 0.4), 0.0, "share hidden", "{:g} of the area hidden"
    ),
    "greying": Disturbance(
        greying, (0.0, 0.25, 0.5, 0.75, 1.0), 0.0, "share of colour lost", "{:g} of the colour lost"
    ),
    "blur": Disturbance(
        blur, (0.0, 0.01, 0.02, 0.04, 0.08), 0.0, "sigma, share of the width", "sigma {:g} widths"
    ),
    "noise": Disturbance(
        noise, (0.0, 0.04, 0.08, 0.16, 0.32), 0.0, "sigma, share of the range", "sigma {:g}"
    ),
    "jpeg": Disturbance(jpeg, (5.0, 10.0, 25.0, 50.0, 100.0), 100.0, "quality", "quality {:g}"),
    "brightness": Disturbance(
        brightness, (0.4, 0.7, 1.0, 1.4, 2.0), 1.0, "times as bright", "{:g} times as bright"
    ),
    "contrast": Disturbance(
        contrast, (0.25, 0.5, 1.0, 1.5, 2.5), 1.0, "times the contrast", "{:g} times the contrast"
    ),
}
