"""The colours of the content, kept while its style is changed.

Gatys, Bethge, Hertzmann, Shechtman, "Preserving Color in Neural Artistic Style Transfer", 2016,
arXiv:1606.05897: section 4, colour histogram matching with the square roots of the covariances
("Image Analogies"); section 5, luminance alone, in YIQ. Pictures are (1, 3, H, W) float.
"""

import torch
from torch import Tensor

# NTSC: luminance, then the two axes of colour, from red, green and blue in [0, 1].
YIQ = (
    (0.299, 0.587, 0.114),
    (0.595716, -0.274453, -0.321263),
    (0.211456, -0.522591, 0.311135),
)
LEAST_VARIANCE = 1e-6  # of a colour axis of the style; one that is flat has none to be stretched


def matched(style: Tensor, content: Tensor) -> Tensor:
    """Return ``style`` with the mean and the covariance of the content's colours; may leave [0, 1].

    A = C_content^(1/2) C_style^(-1/2), b = mean_content - A mean_style, eq. 1 to 4 and section 4.
    """
    mean, covariance = _statistics(content)
    own_mean, own_covariance = _statistics(style)
    change = _power(covariance, 0.5) @ _power(own_covariance, -0.5)
    pixels = change @ (style.double().flatten(2) - own_mean) + mean
    return pixels.view_as(style).to(style.dtype)


def luminance(picture: Tensor) -> Tensor:
    """Return how bright each place is: (1, 1, H, W)."""
    return torch.einsum("nchw,c->nhw", picture, picture.new_tensor(YIQ[0]))[:, None]


def matched_luminance(style: Tensor, content: Tensor) -> Tensor:
    """(1, 1, H, W) each → ``style`` with the content's mean and deviation of brightness, eq. 5."""
    deviation = style.std(correction=0).clamp(min=LEAST_VARIANCE**0.5)
    return content.std(correction=0) / deviation * (style - style.mean()) + content.mean()


def coloured(bright: Tensor, content: Tensor) -> Tensor:
    """Return the brightness ``bright``, (1, 1, H, W), with the content's colours, (1, 3, H, W)."""
    there = content.new_tensor(YIQ, dtype=torch.float64)
    axes = torch.einsum("nchw,kc->nkhw", content.double(), there)
    axes[:, :1] = bright
    return torch.einsum("nkhw,ck->nchw", axes, torch.linalg.inv(there)).to(content.dtype)


def _statistics(picture: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (3, 1) and the covariance (3, 3) of the colours, float64."""
    pixels = picture.double().flatten(2)[0]
    mean = pixels.mean(1, keepdim=True)
    centred = pixels - mean
    return mean, centred @ centred.T / pixels.shape[1]


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A symmetric matrix, its eigenvalues at least LEAST_VARIANCE, to a power."""
    values, directions = torch.linalg.eigh(matrix)
    powers: Tensor = values.clamp(min=LEAST_VARIANCE) ** exponent
    found: Tensor = directions * powers @ directions.T
    return found
