"""Newton's method by conjugate gradients: curvature without its matrix.

Nocedal and Wright, "Numerical Optimization", 2nd ed., 2006, algorithm 7.1 (line search Newton-CG)
with the forcing sequence after eq. 7.3 that makes the convergence superlinear, and backtracking
(algorithm 3.1). For networks: Martens, "Deep learning via Hessian-free optimization", ICML 2010.
We differ from the second: the Hessian itself, not the Gauss-Newton matrix, so no damping; a
direction of negative curvature ends the conjugate gradients, as in the first.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from saccade.optim.whole import Objective, Parts, WholeLossOptimiser

SUFFICIENT = 1e-4  # share of the promised fall that a step must bring, N & W eq. 3.4
HALVINGS = 40
ROUNDING = 16  # units in the last place of the loss that a fall cannot be told from


class Newton(WholeLossOptimiser):
    """Newton-CG with at most ``products`` products with the Hessian a step; holds no state."""

    def __init__(
        self, params: Sequence[dict[str, Any]], *, lr: float = 1.0, products: int = 250
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": 0.0, "products": products})

    def descend(self, parts: Parts) -> tuple[float, float]:
        """Move by one Newton step, or stay where no length of it lowers the loss."""
        group = self.param_groups[0]
        objective = self.objective(parts)
        decay = float(objective.penalty(objective.parameters).detach())
        value, gradient = objective.gradient()
        norm = float(gradient.norm())
        if math.isfinite(value) and 0 < norm < math.inf:
            direction = newton_direction(objective, gradient, products=group["products"])
            _search(objective, value, float(gradient @ direction), direction, group["lr"])
        return value - decay, norm


def newton_direction(objective: Objective, gradient: Tensor, *, products: int) -> Tensor:
    """Solve Hessian · direction = -gradient (n,), nearly; the direction leads down.

    Ends when the residual is below min(1/2, √|gradient|) |gradient|, where the curvature is not
    positive, or after so many products.
    """
    norm = float(gradient.norm())
    enough = min(0.5, math.sqrt(norm)) * norm
    solution, residual = torch.zeros_like(gradient), gradient.clone()
    search, square = -gradient, norm * norm
    for turn in range(products):
        product = objective.curvature(search)
        curvature = float(search @ product)
        if not curvature > 0:
            return search if turn == 0 else solution
        length = square / curvature
        solution.add_(search, alpha=length)
        residual.add_(product, alpha=length)
        former, square = square, float(residual @ residual)
        if math.sqrt(square) < enough:
            break
        search.mul_(square / former).sub_(residual)
    return solution


def _search(
    objective: Objective, value: float, slope: float, direction: Tensor, first: float
) -> None:
    """Try ``first`` times the direction, then half as much, until the loss falls enough."""
    start = [p.detach().clone() for p in objective.parameters]
    blur = ROUNDING * torch.finfo(direction.dtype).eps * abs(value)
    slope, length = min(slope, 0.0), first  # Rounding may turn a slope near 0.
    for _ in range(HALVINGS):
        objective.move(start, direction, length)
        if objective.value() <= value + SUFFICIENT * length * slope + blur:
            return
        length /= 2
    objective.move(start, direction, 0.0)
