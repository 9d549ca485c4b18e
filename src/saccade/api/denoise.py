"""``denoise``: a picture without its noise, by total variation."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saccade.api.picture_file import new_picture, read_colours, to_pixels, write_picture
from saccade.errors import SettingError
from saccade.losses.pictures import TotalVariation
from saccade.pictures.denoise import smoothed
from saccade.values import UInt8Array


@dataclass(frozen=True, slots=True)
class Denoised:
    """A picture (H, W, 3) uint8, and its total variation a pixel and colour, before and after.

    ``gap``: by which share its objective is above the least at most; ``steps`` were taken.
    """

    picture: UInt8Array = field(repr=False)
    before: float
    after: float
    gap: float
    steps: int
    out: Path | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": None if self.out is None else str(self.out),
            "size_hw": self.picture.shape[:2],
            "total_variation": {"before": self.before, "after": self.after},
            "gap": self.gap,
            "steps": self.steps,
        }


def denoise(
    picture: Path | str,
    *,
    weight: float = 0.1,
    out: Path | str | None = None,
    force: bool = False,
) -> Denoised:
    """Return the picture that is nearest to one while varying little, each colour by itself.

    ``weight``: what variation costs, above 0, as of scikit-image's ``denoise_tv_chambolle``; more
    smooths more. ``out``: a picture to write. Raises InputError, SettingError, and for a file that
    is there unless ``force``.
    """
    if not 0 < weight < math.inf:
        raise SettingError(f"--denoise must be a number above 0, as 0.1. Got {weight} instead")
    place = None if out is None else new_picture(out, [picture], force=force)
    noisy = read_colours(picture)
    found = smoothed(noisy, weight=weight)
    variation = TotalVariation(beta=1.0)
    before, after = (float(variation(one)) / noisy.numel() for one in (noisy, found.picture))
    pixels = to_pixels(found.picture)
    if place is not None:
        write_picture(pixels, place)
    return Denoised(pixels, before, after, found.gap, found.steps, place)
