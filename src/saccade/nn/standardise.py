"""Bring a batch of pictures to the range that a network likes."""

from torch import Tensor

SMALLEST_DEVIATION = 0.02


def standardise(pictures: Tensor) -> Tensor:
    """(n, c, H, W) float in [0, 1] → each picture with mean 0 and standard deviation 1.

    A picture's own mean and deviation are used, over all its pixels and channels, so that brighter
    light or a paler print changes nothing. A flat picture becomes zeros: the deviation is taken as
    at least SMALLEST_DEVIATION.
    """
    axes = (1, 2, 3)
    mean = pictures.mean(axes, keepdim=True)
    deviation = pictures.std(axes, keepdim=True, correction=0)
    return (pictures - mean) / deviation.clamp(min=SMALLEST_DEVIATION)
