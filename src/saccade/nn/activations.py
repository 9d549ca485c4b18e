"""Activations by name, with what a user should know before choosing one."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from saccade.names import look_up
from saccade.nn.activation_layers import HardSigmoid, SwishBeta
from saccade.shelf import Entry

COSTS_FILE = Path(__file__).with_name("activation_costs.json")
SATURATED = 0.01  # |derivative| below which a unit hardly learns
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation(Entry):
    """An activation; ``build`` gives a module that keeps the shape of what it is called with.

    ``derivative`` is the formula of what ``slope`` computes, any float → the same shape, with the
    settings that ``build`` has by itself. ``saturation``: the half-lines (from, to) in which
    |derivative| stays below SATURATED. ``zero_centred``: the mean of f(x) for normal x is 0 within
    0.01 (x of mean 0 and deviation 1).
    """

    derivative: str
    slope: Callable[[Tensor], Tensor]
    saturation: tuple[tuple[float, float], ...] = ()
    zero_centred: bool = False


def make_activation(name: str) -> nn.Module:
    """Return the activation ``name``, as a layer of a network; UnknownNameError for no such name.

    It may change its input in place, as some do, which a network never needs again.
    """
    module: nn.Module = look_up(ACTIVATIONS, name, "activation").make(inplace=True)
    return module


def activation_costs() -> dict[str, float]:
    """Return the time of each activation, forward and backward, as a multiple of relu's.

    As benchmarks/activation_cost.py measured it; the file also names the machine.
    """
    costs: dict[str, float] = json.loads(COSTS_FILE.read_text(encoding="utf-8"))["cost"]
    return costs


def _below(place: float) -> tuple[float, float]:
    return (-math.inf, place)


def _above(place: float) -> tuple[float, float]:
    return (place, math.inf)


def _sigmoid_slope(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


def _leaky_slope(x: Tensor, *, negative: float) -> Tensor:
    return torch.where(x > 0, 1.0, torch.full_like(x, negative))


def _elu_slope(x: Tensor, *, scale: float = 1.0, alpha: float = 1.0) -> Tensor:
    return scale * torch.where(x > 0, 1.0, alpha * x.clamp(max=0).exp())


def _swish_slope(x: Tensor) -> Tensor:
    return torch.sigmoid(x) + x * _sigmoid_slope(x)


def _hard_swish_slope(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, (2 * x + 3) / 6, (x >= 3).to(x))


def _mish_slope(x: Tensor) -> Tensor:
    bent = torch.tanh(torch.logaddexp(x, torch.zeros_like(x)))
    return bent + x * (1 - bent**2) * torch.sigmoid(x)


def _gelu_slope(x: Tensor) -> Tensor:
    share: Tensor = torch.special.ndtr(x)
    return share + x * torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


ACTIVATIONS = {
    "sigmoid": Activation(
        build=nn.Sigmoid,
        definition="f(x) = 1 / (1 + exp(-x))",
        derivative="f(x) (1 - f(x))",
        slope=_sigmoid_slope,
        range="(0, 1)",
        saturation=(_below(-4.585), _above(4.585)),
        source="Rumelhart, Hinton, Williams, Nature 323, 1986, eq. 2",
    ),
    "hard_sigmoid": Activation(
        build=HardSigmoid,
        definition="f(x) = min(1, max(0, slope x + ½)), slope 0.2",
        derivative="slope where |x| < ½ / slope, else 0",
        slope=lambda x: 0.2 * (x.abs() < 2.5).to(x),
        range="[0, 1]",
        saturation=(_below(-2.5), _above(2.5)),
        source="Courbariaux, Bengio, David, 2015, arXiv:1511.00363, eq. 3, there with slope ½",
        note="slope 1/6 gives the one within hard_swish",
    ),
    "tanh": Activation(
        build=nn.Tanh,
        definition="f(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
        derivative="1 - f(x)²",
        slope=lambda x: torch.cosh(x) ** -2,
        range="(-1, 1)",
        saturation=(_below(-2.993), _above(2.993)),
        zero_centred=True,
        source="LeCun, Bottou, Orr, Müller, Efficient BackProp, 1998, section 4.4",
    ),
    "softmax": Activation(
        build=partial(nn.Softmax, dim=1),
        definition="f(x)_i = exp(x_i - m) / Σ_j exp(x_j - m), m = max_j x_j, over channels",
        derivative="∂f_i/∂x_i = f_i (1 - f_i); ∂f_i/∂x_j = -f_i f_j",
        slope=lambda x: torch.softmax(x, 1) * (1 - torch.softmax(x, 1)),
        range="(0, 1)",
        saturation=(_below(-4.585), _above(4.585)),
        source="Bridle, 1990",
        note="saturation: of x_i - log Σ exp(x_j) over the others; more for an output than between "
        "layers",
    ),
    "softplus": Activation(
        build=nn.Softplus,
        definition="f(x) = log(1 + exp(x))",
        derivative="1 / (1 + exp(-x))",
        slope=torch.sigmoid,
        range="(0, ∞)",
        saturation=(_below(-4.595),),
        source="Dugas, Bengio, Bélisle, Nadeau, Garcia, NIPS 2000",
    ),
    "relu": Activation(
        build=nn.ReLU,
        definition="f(x) = max(0, x)",
        derivative="1 where x > 0, else 0; 0 at 0",
        slope=lambda x: (x > 0).to(x),
        range="[0, ∞)",
        saturation=(_below(0.0),),
        source="Nair and Hinton, ICML 2010; Glorot, Bordes, Bengio, AISTATS 2011",
        note="a unit that is below 0 for every picture stays dead",
    ),
    "leaky_relu": Activation(
        build=nn.LeakyReLU,
        definition="f(x) = x where x > 0, else 0.01 x",
        derivative="1 where x > 0, else 0.01",
        slope=partial(_leaky_slope, negative=0.01),
        range="(-∞, ∞)",
        source="Maas, Hannun, Ng, ICML workshop 2013, eq. 2",
    ),
    "prelu": Activation(
        build=nn.PReLU,
        definition="f(x) = x where x > 0, else a x; one a a layer, learned, at first 0.25",
        derivative="1 where x > 0, else a; by a: min(0, x)",
        slope=partial(_leaky_slope, negative=0.25),
        range="(-∞, ∞)",
        source="He, Zhang, Ren, Sun, 2015, arXiv:1502.01852, eq. 1",
    ),
    "elu": Activation(
        build=nn.ELU,
        definition="f(x) = x where x > 0, else exp(x) - 1",
        derivative="1 where x > 0, else exp(x)",
        slope=_elu_slope,
        range="(-1, ∞)",
        saturation=(_below(-4.605),),
        source="Clevert, Unterthiner, Hochreiter, 2015, arXiv:1511.07289, with α = 1",
    ),
    "selu": Activation(
        build=nn.SELU,
        definition="f(x) = λ x where x > 0, else λ α (exp(x) - 1); λ = 1.0507, α = 1.6733",
        derivative="λ where x > 0, else λ α exp(x)",
        slope=partial(_elu_slope, scale=SELU_SCALE, alpha=SELU_ALPHA),
        range="(-1.7581, ∞)",
        saturation=(_below(-5.169),),
        zero_centred=True,
        source="Klambauer, Unterthiner, Mayr, Hochreiter, 2017, arXiv:1706.02515, eq. 2",
        note="keeps mean 0 and variance 1 of its own where weights have variance 1 / fan in",
    ),
    "swish": Activation(
        build=nn.SiLU,
        definition="f(x) = x σ(x), σ(x) = 1 / (1 + exp(-x))",
        derivative="σ(x) + x σ(x) (1 - σ(x))",
        slope=_swish_slope,
        range="[-0.2785, ∞)",
        saturation=(_below(-6.261),),
        source="Ramachandran, Zoph, Le, 2017, arXiv:1710.05941, with β = 1",
    ),
    "swish_beta": Activation(
        build=SwishBeta,
        definition="f(x) = x σ(β x); one β a layer, learned, at first 1",
        derivative="σ(βx) + β x σ(βx) (1 - σ(βx)); by β: x² σ(βx) (1 - σ(βx))",
        slope=_swish_slope,
        range="[-0.2785, ∞)",
        saturation=(_below(-6.261),),
        source="Ramachandran, Zoph, Le, 2017, arXiv:1710.05941, section 2",
        note="range and saturation: for β = 1; divide by β for another",
    ),
    "hard_swish": Activation(
        build=nn.Hardswish,
        definition="f(x) = x min(6, max(0, x + 3)) / 6",
        derivative="0 where x ≤ -3, 1 where x ≥ 3, else (2 x + 3) / 6",
        slope=_hard_swish_slope,
        range="[-0.3750, ∞)",
        saturation=(_below(-3.0),),
        source="Howard et al., 2019, arXiv:1905.02244, section 5.2",
    ),
    "relu6": Activation(
        build=nn.ReLU6,
        definition="f(x) = min(6, max(0, x))",
        derivative="1 where 0 < x < 6, else 0",
        slope=lambda x: ((x > 0) & (x < 6)).to(x),
        range="[0, 6]",
        saturation=(_below(0.0), _above(6.0)),
        source="Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010",
    ),
    "mish": Activation(
        build=nn.Mish,
        definition="f(x) = x tanh(log(1 + exp(x)))",
        derivative="t + x (1 - t²) / (1 + exp(-x)), t = tanh(log(1 + exp(x)))",
        slope=_mish_slope,
        range="[-0.3088, ∞)",
        saturation=(_below(-6.264),),
        source="Misra, 2019, arXiv:1908.08681, eq. 1",
    ),
    "gelu": Activation(
        build=nn.GELU,
        definition="f(x) = x Φ(x), Φ the normal distribution function",
        derivative="Φ(x) + x φ(x), φ the normal density",
        slope=_gelu_slope,
        range="[-0.1700, ∞)",
        saturation=(_below(-3.067),),
        source="Hendrycks and Gimpel, 2016, arXiv:1606.08415, section 2",
    ),
}
