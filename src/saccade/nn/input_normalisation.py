"""Normalisation of inputs: a map that is fitted to pictures, then used on these and on others."""

from collections.abc import Callable
from functools import partial
from typing import Self

import torch
from torch import Tensor

from saccade.errors import InputError
from saccade.nn.whitening import whitening_directions

Map = tuple[Tensor, Tensor]


class InputNormalisation:
    """x → (x - centre) · factor, of pictures seen as rows of d = c·H·W values.

    ``find`` gives ``centre`` (d,) and ``factor``, (d,) or a matrix (d, k), from rows (n, d), all
    float64.
    """

    def __init__(self, find: Callable[[Tensor], Map]) -> None:
        self.find = find
        self.fitted: Map | None = None

    def fit(self, pictures: Tensor) -> Self:
        """Learn the map from (n, …) float, n at least 1; InputError when it cannot be found."""
        if not len(pictures):
            raise InputError("a normalisation of inputs cannot be fitted to no picture")
        self.fitted = self.find(pictures.flatten(1).double())
        return self

    def __call__(self, pictures: Tensor) -> Tensor:
        """(n, …) float → the same shape and type; (n, k) where k is not d."""
        if self.fitted is None:
            raise InputError(
                "this normalisation has seen no pictures yet; give it some with fit(…)"
            )
        centre, factor = (part.to(pictures.device) for part in self.fitted)
        centred = pictures.flatten(1).double() - centre
        found = (centred * factor if factor.ndim == 1 else centred @ factor).to(pictures.dtype)
        return found.view_as(pictures) if found.shape[1] == centred.shape[1] else found


def minmax() -> InputNormalisation:
    """Each column to [0, 1]; one that is the same everywhere to 0."""
    return InputNormalisation(_by_range)


def standardise() -> InputNormalisation:
    """Each column to mean 0 and deviation 1; one that is the same everywhere to 0."""
    return InputNormalisation(_by_deviation)


def pca_whitening(*, eps: float = 0.0) -> InputNormalisation:
    """Uncorrelated columns of variance 1, that of the largest eigenvalue first."""
    return InputNormalisation(partial(whitening_directions, eps=eps))


def zca_whitening(*, eps: float = 0.0) -> InputNormalisation:
    """The whitening that stays nearest to the pictures: they still look like pictures."""
    return InputNormalisation(partial(_zero_phase, eps=eps))


def _by_range(rows: Tensor) -> Map:
    lowest, highest = rows.aminmax(dim=0)
    return lowest, _inverse(highest - lowest, where=highest > lowest)


def _by_deviation(rows: Tensor) -> Map:
    lowest, highest = rows.aminmax(dim=0)
    return rows.mean(0), _inverse(rows.std(0, correction=0), where=highest > lowest)


def _zero_phase(rows: Tensor, *, eps: float) -> Map:
    mean, directions = whitening_directions(rows, eps=eps)
    return mean, directions @ (directions / directions.norm(dim=0)).T


def _inverse(spread: Tensor, *, where: Tensor) -> Tensor:
    return torch.where(where, 1 / spread, 1.0)
