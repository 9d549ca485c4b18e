"""Muon: momentum whose singular values are made equal, for weight matrices.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, with the
coefficients given there; decoupled weight decay and the scale that lets AdamW's learning rate
serve: Liu et al., "Muon is Scalable for LLM Training", 2025, arXiv:2502.16982, eq. 4. The other
parameters are moved by AdamW. We differ from Jordan: first and last matrix are turned as well; and
from torch.optim.Muon, which takes matrices only and rounds them to bfloat16: a kernel (out, in,
height, width) is taken as (out, in · height · width), and nothing is rounded.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

MOMENTUM = 0.95
TURNS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
TINY = 1e-7
ADAMW_RMS = 0.2


class Muon(AdamW):
    """Orthogonalised Nesterov momentum on weight matrices, AdamW on the rest."""

    def __init__(self, params: Sequence[dict[str, Any]], *, lr: float) -> None:
        super().__init__(params, lr=lr, fused=True)

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Move all parameters by their gradients, once."""
        hidden = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.ndim > 1 and parameter.grad is not None:
                    self._turn(parameter, parameter.grad, group["lr"], group["weight_decay"])
                    hidden.append((parameter, parameter.grad))
                    parameter.grad = None  # AdamW leaves alone what has no gradient.
        super().step()
        for parameter, gradient in hidden:
            parameter.grad = gradient

    def _turn(self, matrix: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
            state["step"] = torch.zeros(())  # AdamW looks for it when it is loaded.
        state["step"] += 1
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(state["momentum"], MOMENTUM).flatten(1)
        scale = ADAMW_RMS * max(ahead.shape) ** 0.5
        matrix.mul_(1 - lr * weight_decay)
        matrix.add_(orthogonalised(ahead).view(matrix.shape), alpha=-lr * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """(rows, columns) float → the same with singular values near 1, by Newton-Schulz turns.

    Between 0.68 and 1.14 after TURNS, where they were over 0.02 of the Frobenius norm.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    turned: Tensor = matrix.T if tall else matrix
    turned = turned / (turned.norm() + TINY)
    for _ in range(TURNS):
        gram = turned @ turned.T
        turned = a * turned + (b * gram + c * gram @ gram) @ turned
    return turned.T if tall else turned
