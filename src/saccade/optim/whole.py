"""What an optimiser needs that evaluates the whole loss several times for one step.

The loss comes in parts, one a batch, so that one batch's graph is held at a time however many
pictures there are. It must be the same function at each evaluation: the same pictures in the same
batches, nothing random.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.autograd import grad
from torch.optim import Optimizer

from saccade.optim.regularisers import SquaredNorm

Parts = Callable[[], Iterable[Tensor]]


class WholeLossOptimiser(Optimizer):
    """One that is moved by ``descend``, with one group of parameters.

    The group's ``weight_decay`` is a term of the loss; ``lr`` is the share of its direction that
    the line search tries first.
    """

    @abstractmethod
    def descend(self, parts: Parts) -> tuple[float, float]:
        """Move the parameters once; returns the loss, and the norm of its gradient, before that.

        Each call of ``parts`` gives scalars with their graphs, whose sum is the loss. The decay
        counts in the gradient and in what is made small, not in the loss that is returned.
        """

    def objective(self, parts: Parts) -> "Objective":
        """Return the loss with the decay, as a function of the group's parameters."""
        group = self.param_groups[0]
        return Objective(parts, group["params"], weight_decay=group["weight_decay"])


class Objective:
    """Value, gradient and curvature of a loss in parts, plus weight decay.

    Gradients and directions are vectors (n,) over all n numbers of the parameters, of their type.
    """

    def __init__(
        self, parts: Parts, parameters: Sequence[Tensor], *, weight_decay: float = 0.0
    ) -> None:
        self.parts, self.parameters = parts, list(parameters)
        self.penalty = SquaredNorm(weight_decay=weight_decay)

    @torch.no_grad()
    def value(self) -> float:
        """Return the loss with the decay."""
        return sum(map(float, self._terms()))

    @torch.enable_grad()
    def gradient(self) -> tuple[float, Tensor]:
        """Return the loss with the decay, and its gradient (n,)."""
        value, total = 0.0, self._zeros()
        for term in self._terms():
            value += float(term.detach())
            total += self._slope(term)
        return value, total

    @torch.enable_grad()
    def curvature(self, direction: Tensor) -> Tensor:
        """Return the Hessian times ``direction`` (n,), exactly: (n,).

        Pearlmutter, "Fast Exact Multiplication by the Hessian", 1994: the gradient of the slope in
        that direction.
        """
        total = self._zeros()
        for term in self._terms():
            total += self._slope(self._slope(term, twice=True) @ direction)
        return total

    def move(self, start: Sequence[Tensor], direction: Tensor, length: float) -> None:
        """Set the parameters to ``start`` plus ``length`` times ``direction`` (n,)."""
        with torch.no_grad():
            for parameter, origin, part in zip(
                self.parameters, start, self.split(direction), strict=True
            ):
                parameter.copy_(origin + length * part)

    def split(self, vector: Tensor) -> list[Tensor]:
        """Cut a vector (n,) into tensors of the parameters' shapes."""
        parts = torch.split(vector, [p.numel() for p in self.parameters])
        return [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def _terms(self) -> Iterator[Tensor]:
        yield from self.parts()
        if self.penalty.weight_decay:
            yield self.penalty(self.parameters)

    def _slope(self, term: Tensor, *, twice: bool = False) -> Tensor:
        if not term.requires_grad:  # It does not depend on them, or its slope does not.
            return self._zeros()
        slopes = grad(term, self.parameters, create_graph=twice, materialize_grads=True)
        return torch.cat([slope.reshape(-1) for slope in slopes])

    def _zeros(self) -> Tensor:
        first = self.parameters[0]
        return first.new_zeros(sum(p.numel() for p in self.parameters))
