"""Optimisers by name, each built from ``params`` (groups of parameters) and ``lr``.

w are the weights, g the gradient of the loss, η the learning rate; where a rule does not say
otherwise, weight decay λ is added to the gradient as λ w. Those of torch where it has them.

We differ for ``asgd``: torch's averages into a place that nothing reads, and its rate follows a
schedule one step late, so that here it is plain descent, and the loop's average of the weights is
taken. In ``gd``, ``lbfgs`` and ``newton`` a step takes the gradient of all pictures.
"""

from dataclasses import dataclass
from functools import partial

from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, RMSprop

from saccade.optim.lbfgs import LBFGS
from saccade.optim.muon import Muon
from saccade.optim.newton import Newton
from saccade.shelf import Entry

MOMENTUM = 0.9
FULL_BATCH = ("gd", "lbfgs", "newton")
AVERAGED = ("asgd",)  # The model gets the mean of the weights after all steps.


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimiser(Entry):
    """An optimiser, and what it takes where the recipe says auto.

    ``lr`` is the highest learning rate, ``schedule`` the name of how it goes through the run,
    ``warm_up`` the share of the run in which it rises.
    """

    lr: float
    schedule: str = "one_cycle"
    warm_up: float = 0.15


OPTIMISERS = {
    "adadelta": Optimiser(
        build=partial(Adadelta, rho=0.9, eps=1e-6),
        definition="v ← ρ v + (1 - ρ) g², δ = √(u + ε) / √(v + ε) g, u ← ρ u + (1 - ρ) δ², "
        "w ← w - η δ, ρ = 0.9",
        source="Zeiler, 2012, arXiv:1212.5701, algorithm 1; torch",
        note="lr 1",
        lr=1.0,
    ),
    "adagrad": Optimiser(
        build=Adagrad,
        definition="v ← v + g², w ← w - η g / (√v + ε)",
        source="Duchi, Hazan, Singer, JMLR 12, 2011, with a diagonal matrix; torch",
        note="lr 0.01 to 0.1",
        lr=0.01,
    ),
    "adam": Optimiser(
        build=partial(Adam, fused=True),
        definition="m ← 0.9 m + 0.1 g, v ← 0.999 v + 0.001 g², "
        "w ← w - η m̂ / (√v̂ + ε), m̂ = m / (1 - 0.9ᵗ), v̂ = v / (1 - 0.999ᵗ)",
        source="Kingma and Ba, 2014, arXiv:1412.6980, algorithm 1; torch",
        note="lr 0.001",
        lr=0.001,
    ),
    "adamw": Optimiser(
        build=partial(AdamW, fused=True),
        definition="w ← (1 - η λ) w, then as adam without λ in the gradient",
        source="Loshchilov and Hutter, 2017, arXiv:1711.05101, algorithm 2; torch",
        note="lr 0.001 to 0.003",
        lr=0.002,
    ),
    "asgd": Optimiser(
        build=partial(SGD, fused=True),
        definition="w ← w - η g; the model gets the mean of w after all steps",
        source="Polyak and Juditsky, 1992; torch for the step",
        note="lr 0.05 to 0.5; optim.ema gives another average",
        lr=0.1,
        schedule="constant",
    ),
    "gd": Optimiser(
        build=partial(SGD, fused=True),
        definition="w ← w - η g, g over all pictures, one step an epoch",
        source="Cauchy, 1847; torch",
        note="lr 0.1 to 1, and many epochs",
        lr=0.1,
    ),
    "lbfgs": Optimiser(
        build=LBFGS,
        definition="w ← w - t H g: H from the last 20 changes of w and g, t by a line search "
        "(strong Wolfe); λ/2 |w|² in the loss; one step an epoch",
        source="Liu and Nocedal, 1989; Nocedal and Wright, 2006, algorithms 7.4 and 3.5; torch",
        note="lr 1; needs a loss without chance, so no augmentation",
        lr=1.0,
        schedule="constant",
        warm_up=0.0,
    ),
    "momentum": Optimiser(
        build=partial(SGD, momentum=MOMENTUM, fused=True),
        definition="b ← 0.9 b + g, w ← w - η b",
        source="Polyak, 1964, the heavy ball; torch",
        note="lr 0.01 to 0.1",
        lr=0.02,
    ),
    "muon": Optimiser(
        build=Muon,
        definition="b ← 0.95 b + 0.05 g, w ← (1 - η λ) w - 0.2 η √max(rows, columns) O, O the "
        "nearest orthogonal matrix to 0.95 b + 0.05 g, nearly; other weights by adamw",
        source="Jordan et al., 2024; Liu et al., 2025, arXiv:2502.16982, eq. 4",
        note="lr 0.001 to 0.003",
        lr=0.002,
    ),
    "nadam": Optimiser(
        build=NAdam,
        definition="as adam, m̂ looking one step ahead: "
        "μₜ₊₁ m / (1 - μ₁…μₜ₊₁) + (1 - μₜ) g / (1 - μ₁…μₜ), μₜ = 0.9 (1 - 0.5 · 0.96^(0.004 t))",
        source="Dozat, ICLR workshop, 2016, algorithm 2; torch",
        note="lr 0.002",
        lr=0.002,
    ),
    "nesterov": Optimiser(
        build=partial(SGD, momentum=MOMENTUM, nesterov=True, fused=True),
        definition="b ← 0.9 b + g, w ← w - η (g + 0.9 b)",
        source="Nesterov, 1983; Sutskever et al., ICML 2013, eq. 3 and 4; torch",
        note="lr 0.01 to 0.1",
        lr=0.02,
    ),
    "newton": Optimiser(
        build=Newton,
        definition="w ← w + t d, H d = -g nearly, by conjugate gradients with products H v, t by "
        "backtracking; λ/2 |w|² in the loss; one step an epoch",
        source="Nocedal and Wright, 2006, algorithm 7.1; Martens, ICML 2010; Pearlmutter, 1994",
        note="lr 1; needs a loss without chance, so no augmentation",
        lr=1.0,
        schedule="constant",
        warm_up=0.0,
    ),
    "rmsprop": Optimiser(
        build=partial(RMSprop, alpha=0.99),
        definition="v ← 0.99 v + 0.01 g², w ← w - η g / (√v + ε)",
        source="Tieleman and Hinton, Coursera lecture 6.5, 2012; torch",
        note="lr 0.001",
        lr=0.001,
    ),
    "sgd": Optimiser(
        build=partial(SGD, fused=True),
        definition="w ← w - η g, g of one batch",
        source="Robbins and Monro, 1951; torch",
        note="lr 0.05 to 0.5",
        lr=0.1,
    ),
}
