"""First weights by name: functions that set those of a whole network in place, and biases to 0.

Linear layers, convolutions and locally connected layers are meant by "layer". Some look at
pictures (``needs_pictures``): they take ``batch``, (n, channels, H, W) float, normalised as for
training.
"""

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from saccade.errors import InputError
from saccade.names import look_up
from saccade.nn.locally_connected import LocallyConnected
from saccade.nn.whitening import PATCH_EPS, patch_rows, whitening_directions
from saccade.shelf import Entry

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d | LocallyConnected


def initialise(network: nn.Module, name: str, *, batch: Tensor | None = None) -> None:
    """Set the weights of ``network`` by the initialisation ``name``; "" leaves them as they are.

    Raises UnknownNameError, and InputError when it needs a ``batch`` and has none, or cannot.
    """
    if not name:
        return
    row = look_up(INITIALISATIONS, name, "initialisation")
    if batch is None and needs_pictures(name):
        raise InputError(
            f"initialisation {name} looks at pictures: build the network with another, then call "
            f"initialise(network, '{name}', batch=pictures)"
        )
    row.make(network=network, batch=batch)


def needs_pictures(name: str) -> bool:
    """True when the initialisation ``name`` takes a batch; UnknownNameError for no such name."""
    if not name:
        return False
    row = look_up(INITIALISATIONS, name, "initialisation")
    return "batch" in inspect.signature(row.build).parameters


@torch.no_grad()
def xavier(network: nn.Module) -> None:
    """Uniform: variance neither grows nor shrinks, forward and backward, where f'(0) = 1."""
    for layer in _layers(network):
        fan_in, fan_out = fans(layer)
        bound = math.sqrt(6 / (fan_in + fan_out))
        layer.weight.uniform_(-bound, bound)


@torch.no_grad()
def he(network: nn.Module, *, slope: float = 0.0) -> None:
    """Normal; twice the variance, because relu lets half through; ``slope`` is that below zero."""
    for layer in _layers(network):
        fan_in, _ = fans(layer)
        layer.weight.normal_(0, math.sqrt(2 / ((1 + slope**2) * fan_in)))


@torch.no_grad()
def lsuv(network: nn.Module, batch: Tensor) -> None:
    """Orthonormal rows or columns, then each layer's output brought to variance 1 on ``batch``.

    Mishkin and Matas, "All you need is a good init", 2015, arXiv:1511.06422, algorithm 1. We
    differ: a layer's output is scaled as it is met, so that one pass does what theirs repeats; a
    layer is linear and its bias 0, so the variance is exact. Dropout and batch normalisation work
    as outside training.
    """
    for layer in _layers(network):
        for weight in layer.weight if isinstance(layer, LocallyConnected) else [layer.weight]:
            nn.init.orthogonal_(weight)
    _at_each_layer(network, batch, _to_unit_variance)


@torch.no_grad()
def whitening(network: nn.Module, batch: Tensor) -> None:
    """The first layer gets whitening filters of what it sees of ``batch``; all others as ``he``.

    Leading directions first, then their negatives; filters beyond these stay as ``he`` made them.
    Coates and Ng, ICML 2011; the filters are trained on, other than patch_whitening's.
    """
    he(network)
    met: list[Layer] = []

    def fill(layer: Layer, seen: Tensor, output: Tensor) -> None:
        if not met:
            _whiten(layer, seen)
        met.append(layer)

    _at_each_layer(network, batch, fill)


@torch.no_grad()
def bilinear(network: nn.Module) -> None:
    """Transposed convolutions begin as bilinear interpolation; other layers are left alone.

    Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2014,
    arXiv:1411.4038, section 3.3. Output channel j of a group is made of its input channel j modulo
    their number. InputError for a network without such layers.
    """
    found = [layer for layer in network.modules() if isinstance(layer, nn.ConvTranspose2d)]
    if not found:
        raise InputError("initialisation bilinear is for transposed convolutions; here are none")
    for layer in found:
        rows, columns = (
            _triangle(size, step)
            for size, step in zip(layer.kernel_size, layer.stride, strict=True)
        )
        per_group = layer.in_channels // layer.groups
        layer.weight.zero_()
        for source in range(layer.in_channels):
            layer.weight[source, source % per_group :: per_group] = torch.outer(rows, columns)
        if layer.bias is not None:
            layer.bias.zero_()


def fans(layer: Layer) -> tuple[float, float]:
    """How many inputs an output of ``layer`` adds up, and how many outputs an input reaches.

    As torch counts them: of a convolution, its stride left out. Of a transposed one, where torch
    has them the wrong way round, the inputs by its stride.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    if isinstance(layer, LocallyConnected):
        return layer.weight.shape[2], layer.weight.shape[1] * layer.kernel_size**2
    size = math.prod(layer.kernel_size) / layer.groups
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * size / math.prod(layer.stride), layer.out_channels * size
    return layer.in_channels * size, layer.out_channels * size


def _layers(network: nn.Module) -> list[Layer]:
    """Its layers, in the order in which they were made, their biases set to 0."""
    found = [layer for layer in network.modules() if isinstance(layer, Layer)]
    for layer in found:
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return found


def _at_each_layer(
    network: nn.Module, batch: Tensor, act: Callable[[Layer, Tensor, Tensor], Tensor | None]
) -> None:
    """Show ``batch`` to ``network``; ``act`` gets each layer, what it sees and what it gives.

    It is called when a layer is first met; what it returns, if anything, goes on in its place.
    """
    handles: dict[nn.Module, RemovableHandle] = {}
    was_training = [module for module in network.modules() if module.training]

    def hook(layer: Any, seen: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
        handles.pop(layer).remove()
        return act(layer, seen[0], output)

    for layer in network.modules():
        if isinstance(layer, Layer):
            handles[layer] = layer.register_forward_hook(hook)
    network.eval()
    try:
        network(batch)
    finally:
        for handle in handles.values():
            handle.remove()
        for module in was_training:
            module.training = True


def _to_unit_variance(layer: Layer, seen: Tensor, output: Tensor) -> Tensor:
    deviation = output.std(correction=0)
    if not deviation > 0:
        raise InputError("initialisation lsuv needs pictures that differ; a layer sees no variance")
    layer.weight.div_(deviation)
    return output / deviation


def _whiten(layer: Layer, seen: Tensor) -> None:
    """Give the first layer, linear or a convolution, the whitening filters of what it sees."""
    if isinstance(layer, nn.Linear):
        rows = seen
    elif isinstance(layer, nn.Conv2d) and layer.groups == 1:
        rows = patch_rows(seen, layer)
    else:
        raise InputError("initialisation whitening needs a first layer that is linear or conv")
    mean, directions = whitening_directions(rows, eps=PATCH_EPS)
    filters = torch.cat([directions.T, -directions.T])[: len(layer.weight)].to(layer.weight)
    layer.weight[: len(filters)] = filters.view(-1, *layer.weight.shape[1:])
    if layer.bias is not None:
        layer.bias[: len(filters)] = -(filters.flatten(1) @ mean.to(filters))


def _triangle(size: int, step: int) -> Tensor:
    """(size,) weights of linear interpolation between points ``step`` apart."""
    centre = (size - 1) / 2
    return (1 - (torch.arange(size) - centre).abs() / step).clamp(min=0)


INITIALISATIONS = {
    "xavier": Entry(
        build=xavier,
        definition="W uniform in ± (6 / (fan in + fan out))^½",
        source="Glorot and Bengio, AISTATS 2010, eq. 16",
        note="for tanh and sigmoid",
    ),
    "he": Entry(
        build=he,
        definition="W normal, variance 2 / fan in",
        source="He, Zhang, Ren, Sun, 2015, arXiv:1502.01852, eq. 10",
        note="for relu and its kin",
    ),
    "lsuv": Entry(
        build=lsuv,
        definition="W orthonormal, then W / deviation of the layer's output, layer by layer",
        source="Mishkin and Matas, 2015, arXiv:1511.06422, algorithm 1; Saxe et al., 2013, "
        "arXiv:1312.6120",
        note="looks at pictures; for any activation",
    ),
    "whitening": Entry(
        build=whitening,
        definition="first layer ± v_i / (λ_i + 5e-4)^½ of what it sees, the others as he",
        source="Coates and Ng, ICML 2011; Jordan, 2024, arXiv:2404.00498, section 3.2",
        note="looks at pictures",
    ),
    "bilinear": Entry(
        build=bilinear,
        definition="W_jj(p, q) = (1 - |p| / stride) (1 - |q| / stride), from the kernel's centre",
        source="Long, Shelhamer, Darrell, 2014, arXiv:1411.4038, section 3.3",
        note="for transposed convolutions",
    ),
}
