"""What each layer of a network costs and does: shapes, weights, operations, sizes of its numbers.

Weights of the equal layers: LeCun, Bottou, Bengio, Haffner, 1998, section II.A: a convolution is a
fully connected layer whose weights are mostly 0 and otherwise shared; a locally connected one
shares none. Glorot and Bengio, AISTATS 2010, section 4.2, look at networks by the sizes of values
and of gradients, layer by layer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd import grad
from torch.utils.hooks import RemovableHandle

from saccade.errors import InputError
from saccade.nn.locally_connected import LocallyConnected


@dataclass(slots=True)
class LayerFigures:
    """One layer, as one picture goes through it.

    ``shape`` is that of its output, for one picture. ``fully_connected`` and ``locally_connected``:
    the weights that such a layer between the same numbers would have, None where that says nothing.
    ``operations``: multiplications and additions of linear maps and convolutions, without biases.
    ``value`` and ``gradient``: root mean squares of the output, and of the gradient of one
    picture's loss by it; None where none arrives.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    fully_connected: int | None
    locally_connected: int | None
    operations: int
    value: float
    gradient: float | None = None


def layer_figures(
    network: nn.Module, batch: Tensor, loss: Callable[[Tensor], Tensor] | None
) -> list[LayerFigures]:
    """Run ``batch`` (n, …) through ``network`` and back, and return the layers in the order used.

    ``loss`` gives the sum over the pictures, a scalar; without one there is no way back. The
    network is in eval mode meanwhile; its
    gradients are not kept. Raises InputError for an empty batch.
    """
    if len(batch) == 0:
        raise InputError("there is no picture to run through the network; give at least one")
    found: list[LayerFigures] = []
    counted: set[int] = set()

    def watch(name: str) -> Callable[[nn.Module, tuple[Any, ...], Any], None]:
        def hook(layer: nn.Module, seen: tuple[Any, ...], output: Any) -> None:
            if not isinstance(output, Tensor) or not seen or not isinstance(seen[0], Tensor):
                return
            figures = _figures(name, layer, seen[0], output, counted)
            found.append(figures)
            if output.requires_grad:
                output.register_hook(lambda slope: _note(figures, slope))  # type: ignore[no-untyped-call]

        return hook

    training = [module for module in network.modules() if module.training]
    handles: list[RemovableHandle] = [
        layer.register_forward_hook(watch(name))
        for name, layer in network.named_modules()
        if _is_layer(layer)
    ]
    network.eval()
    try:
        # By the batch itself, behind which every layer lies, and by the weights, where features
        # made by hand lie in between.
        pictures = batch.detach().requires_grad_(loss is not None)
        output = network(pictures)
        if loss is not None:
            grad(loss(output), [pictures, *network.parameters()], allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True
    return found


def _is_layer(layer: nn.Module) -> bool:
    own = next(layer.parameters(recurse=False), None)
    return own is not None or next(layer.children(), None) is None


def _note(figures: LayerFigures, slope: Tensor) -> None:
    figures.gradient = _size(slope)


def _figures(
    name: str, layer: nn.Module, seen: Tensor, output: Tensor, counted: set[int]
) -> LayerFigures:
    inputs, outputs = math.prod(seen.shape[1:]), math.prod(output.shape[1:])
    own = list(layer.parameters(recurse=False))
    fan_in = _fan_in(layer)
    biases = outputs if getattr(layer, "bias", None) is not None else 0
    fully = local = None
    if isinstance(layer, nn.Linear | nn.Conv2d | LocallyConnected):
        fully = inputs * outputs + biases
    if isinstance(layer, nn.Conv2d | LocallyConnected):
        local = fan_in * outputs + biases
    if isinstance(layer, nn.Linear) and output.ndim > 2:
        fully = None  # The same map at many places.
    size = 0 if id(layer) in counted else sum(p.numel() for p in own)
    counted.add(id(layer))
    places = inputs if isinstance(layer, nn.ConvTranspose2d) else outputs
    return LayerFigures(
        name=name,
        kind=type(layer).__name__,
        shape=tuple(output.shape[1:]),
        parameters=size,
        fully_connected=fully,
        locally_connected=local,
        operations=2 * fan_in * places,
        value=_size(output),
    )


def _fan_in(layer: nn.Module) -> int:
    """The weights that make one output; of a transposed convolution, that take one input."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return layer.weight[0].numel()
    return layer.weight.shape[2] if isinstance(layer, LocallyConnected) else 0


def _size(values: Tensor) -> float:
    return float(values.detach().double().square().mean().sqrt())
