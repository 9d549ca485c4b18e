"""Bring a batch of pictures to the range that a network likes."""

from collections.abc import Sequence

from torch import Tensor

SMALLEST_DEVIATION = 0.02


def normalise(
    pictures: Tensor, *, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Tensor:
    """(n, c, H, W) float in [0, 1] → by fixed figures where there are any, else ``standardise``.

    Fixed are those that weights were learned with, one for red, green and blue, of values in
    [0, 1]: (value - mean) / std. A grey picture is seen as three equal channels: (n, 3, H, W).
    """
    if mean is None or std is None:
        return standardise(pictures)
    shift, factor = (pictures.new_tensor(found).view(1, -1, 1, 1) for found in (mean, std))
    return (pictures - shift) / factor


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
