"""Whitening: directions in which data have variance 1 and do not vary together.

Kessy, Lewin, Strimmer, "Optimal Whitening and Decorrelation", The American Statistician 72, 2018,
for PCA and ZCA whitening; of patches: Coates and Ng, "The Importance of Encoding Versus Training
with Sparse Coding and Vector Quantization", ICML 2011, and Coates, Lee, Ng, AISTATS 2011.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, unfold

from saccade.errors import InputError

SMALLEST = 1e-10  # of the largest eigenvalue; below it is rounding, and the direction is left out
MOST_PATCHES = 100_000
PATCH_EPS = 5e-4


def whitening_directions(rows: Tensor, *, eps: float) -> tuple[Tensor, Tensor]:
    """(n, d) float → mean (d,) and directions (d, k), both float64; k is the rank, at most d.

    ``(rows - mean) @ directions`` has the identity as its covariance (divided by n), for ``eps``
    0: each column is an eigenvector of the covariance over the root of its eigenvalue + ``eps``,
    the largest eigenvalue first, its largest component positive. Raises InputError for rows that
    do not differ or are not finite.
    """
    rows = rows.double()
    if not torch.isfinite(rows).all():
        raise InputError("whitening needs finite values; some that were given are NaN or infinite")
    mean = rows.mean(0)
    centred = rows - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
    values, vectors = values.flip(0), vectors.flip(1)
    if not values[0] > SMALLEST**2 * rows.square().mean():
        raise InputError("whitening needs pictures that differ; all that were given are alike")
    kept = values > SMALLEST * values[0]
    values, vectors = values[kept], vectors[:, kept]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return mean, vectors * largest.sign() / (values + eps).sqrt()


def patch_rows(pictures: Tensor, layer: nn.Conv2d) -> Tensor:
    """(n, c, H, W) → (m, c·h·w): the patches that a convolution sees, at most about MOST_PATCHES.

    Those that reach into the padding are left out; the rest are taken evenly over pictures and
    places. Raises InputError for maps that are smaller than a patch.
    """
    height, width = layer.kernel_size
    dilation = (int(layer.dilation[0]), int(layer.dilation[1]))
    reach = ((height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1)
    if pictures.shape[2] < reach[0] or pictures.shape[3] < reach[1]:
        raise InputError(
            f"whitening looks at patches of {reach[0]}x{reach[1]}, and gets maps of "
            f"{pictures.shape[2]}x{pictures.shape[3]}; take larger pictures"
        )
    found = unfold(pictures, (height, width), dilation=dilation).transpose(1, 2).flatten(0, 1)
    return found[:: max(1, -(-len(found) // MOST_PATCHES))]


class PatchWhitening(nn.Module):
    """A first layer that is not trained: a convolution with whitening filters of patches.

    As the first layer of Page, "How to Train Your ResNet 8", 2019, and Jordan, "94% on CIFAR-10 in
    3.29 Seconds on a Single GPU", 2024, arXiv:2404.00498, section 3.2: each filter and its
    negative, so that an activation loses neither side. We differ: the mean of the patches is taken
    off, by a bias that is fixed too. ``size`` is odd and the sides are kept; outside is 0.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, channels: int, *, size: int = 3, eps: float = PATCH_EPS) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.zeros(2 * channels * size**2, channels, size, size))
        self.register_buffer("bias", torch.zeros(2 * channels * size**2))

    @torch.no_grad()
    def fit(self, pictures: Tensor) -> Self:
        """Take the filters from (n, channels, H, W) float; InputError when they do not differ."""
        count, channels, size, _ = self.weight.shape
        mean, directions = whitening_directions(
            patch_rows(pictures, nn.Conv2d(channels, 1, size)), eps=self.eps
        )
        filters = torch.zeros(count // 2, count // 2, dtype=torch.float64)
        filters[: directions.shape[1]] = directions.T
        both = torch.cat([filters, -filters])
        self.weight.copy_(both.view_as(self.weight))
        self.bias.copy_(-both @ mean)
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float → (n, 2 · channels · size², H, W) float."""
        if not self.weight.any():
            raise InputError("patch_whitening has no filters yet; give it pictures with fit(…)")
        return conv2d(pictures, self.weight, self.bias, padding=self.weight.shape[-1] // 2)
