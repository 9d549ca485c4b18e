"""Limited-memory BFGS, by torch.

Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989; Nocedal
and Wright, "Numerical Optimization", 2nd ed., 2006, algorithms 7.4 and 3.5 (strong Wolfe
conditions). We differ from torch's defaults: one direction a step, and no tolerance, so that the
caller says when to end.
"""

from collections.abc import Sequence
from typing import Any

import torch

from saccade.optim.whole import Parts, WholeLossOptimiser

TRIALS = 25  # most lengths that the line search tries
SCRATCH = "al"  # an entry of torch's state that is written before it is read


class LBFGS(WholeLossOptimiser, torch.optim.LBFGS):
    """One direction from the last ``history`` steps and a line search at each ``descend``."""

    def __init__(
        self, params: Sequence[dict[str, Any]], *, lr: float = 1.0, history: int = 20
    ) -> None:
        torch.optim.LBFGS.__init__(
            self,
            params,
            lr=lr,
            max_iter=1,
            max_eval=1 + TRIALS,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            history_size=history,
            line_search_fn="strong_wolfe",
        )
        self.param_groups[0].setdefault("weight_decay", 0.0)

    def descend(self, parts: Parts) -> tuple[float, float]:
        """Move along one direction, as far as the strong Wolfe conditions ask."""
        objective = self.objective(parts)
        decay = float(objective.penalty(objective.parameters).detach())
        first: list[tuple[float, float]] = []

        def closure() -> float:
            value, gradient = objective.gradient()
            for parameter, slope in zip(
                objective.parameters, objective.split(gradient), strict=True
            ):
                parameter.grad = slope
            first.append((value - decay, float(gradient.norm())))
            return value

        self.step(closure)  # type: ignore[no-untyped-call]
        return first[0]

    def state_dict(self) -> dict[str, Any]:
        """What torch's gives, without what it need not keep."""
        whole = super().state_dict()
        kept = {
            number: {key: value for key, value in entry.items() if key != SCRATCH}
            for number, entry in whole["state"].items()
        }
        return {**whole, "state": kept}
