"""Regularisers: what keeps a network from learning its training pictures by heart.

A weight matrix is a parameter of two dimensions or more; its first counts the units (output
channels, classes). Biases and normalisation weights, of one dimension, are left alone by all of
these.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import softshrink
from torch.optim import Optimizer

from saccade.optim.patience import Patience
from saccade.shelf import Entry

AfterStep = Callable[[Optimizer], None]


def weight_matrices(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters of two dimensions or more."""
    return [p for p in parameters if p.ndim > 1]


class SquaredNorm:
    """Weight decay as a term of the loss: ``weight_decay / 2`` times the sum of squares."""

    def __init__(self, *, weight_decay: float) -> None:
        self.weight_decay = weight_decay

    def __call__(self, parameters: Iterable[Tensor]) -> Tensor:
        """Parameters of any shapes → a scalar ≥ 0, over the weight matrices among them."""
        squares = [p.square().sum() for p in weight_matrices(parameters)]
        return self.weight_decay / 2 * torch.stack(squares).sum() if squares else torch.zeros(())


class SoftThreshold:
    """The L1 penalty, as the step that follows each step of an optimiser."""

    def __init__(self, *, l1: float) -> None:
        self.l1 = l1

    @torch.no_grad()
    def __call__(self, optimiser: Optimizer) -> None:
        """Bring each weight nearer to 0 by ``l1`` times its group's learning rate, in place.

        What is frozen stays as it is.
        """
        for group in optimiser.param_groups:
            for matrix in _learning(group["params"]):
                matrix.copy_(softshrink(matrix, self.l1 * group["lr"]))


class MaxNorm:
    """A ball of radius ``max_norm`` > 0 that the weights of each unit are kept in."""

    def __init__(self, *, max_norm: float) -> None:
        self.max_norm = max_norm

    @torch.no_grad()
    def __call__(self, optimiser: Optimizer) -> None:
        """Shorten, in place, the weights of each unit whose L2 norm is over the radius.

        What is frozen, or of a group without a learning rate, stays as it is.
        """
        for group in optimiser.param_groups:
            for matrix in _learning(group["params"]) if group["lr"] else ():
                matrix.renorm_(2, 0, self.max_norm)


def _learning(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The weight matrices that a gradient may reach."""
    return [matrix for matrix in weight_matrices(parameters) if matrix.requires_grad]


def after_step(*, l1: float, max_norm: float) -> list[AfterStep]:
    """Return what is to be done after each step; a strength of 0 turns one off."""
    asked = {"l1": l1, "max_norm": max_norm}
    return [REGULARISERS[name].make(**asked) for name, strength in asked.items() if strength]


REGULARISERS = {
    "dropout": Entry(
        build=nn.Dropout,
        definition="y = m x / (1 - p), m = 1 with chance 1 - p, else 0; y = x when trained",
        source="Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, Dropout, JMLR 15, 2014, "
        "section 4",
        range="p in [0, 1)",
        note="model.dropout: on the features before the last map; 0.5 is usual",
    ),
    "early_stop": Entry(
        build=Patience,
        definition="stop after n epochs without a better figure; the best epoch's weights are kept",
        source="Prechelt, Early stopping - but when?, 1998",
        range="n ≥ 1",
        note="train.patience; the figure is that of the held-out pictures, for embed the loss",
    ),
    "l1": Entry(
        build=SoftThreshold,
        definition="loss + λ Σ|w|: after each step w ← sign(w) max(|w| - lr λ, 0)",
        source="Tibshirani, Lasso, 1996; Duchi and Singer, JMLR 10, 2009, section 5.1",
        range="λ ≥ 0",
        note="optim.l1: makes weights exactly 0; 1e-5 to 1e-3 is usual",
    ),
    "max_norm": Entry(
        build=MaxNorm,
        definition="after each step w ← w min(1, c / |w|) for the weights w of each unit",
        source="Srebro and Shraibman, 2005; Srivastava et al., JMLR 15, 2014, section 5.1",
        range="c > 0",
        note="optim.max_norm: 3 to 4 is usual, together with dropout and high learning rates",
    ),
    "weight_decay": Entry(
        build=SquaredNorm,
        definition="loss + λ/2 Σw²; adamw and muon, decoupled: w ← (1 - lr λ) w at each step",
        source="Krogh and Hertz, 1991; Loshchilov and Hutter, 2017, arXiv:1711.05101",
        range="λ ≥ 0",
        note="optim.weight_decay: 0.01 to 0.1 is usual decoupled, 1e-4 to 1e-3 in the loss",
    ),
}
