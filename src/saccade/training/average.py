"""A running average of the weights.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, and its
exponential form in Tarvainen and Valpola, "Mean teachers", 2017, arXiv:1703.01780, section 3.
Early in a run the plain mean of all steps is kept, until its window is as long as that of the
decay (as in the code of the second), so that the random first weights are forgotten.
"""

import torch
from torch import Tensor, nn


class WeightAverage:
    """The average of a module's weights after each step.

    What is not trained is averaged in the same way: the running means and variances of batch
    normalisation belong to the weights that they were seen with. Counters take their last value.
    A ``decay`` of 1 gives the plain mean of all steps.
    """

    def __init__(self, module: nn.Module, *, decay: float) -> None:
        self.module = module
        self.decay = decay
        self.updates = 0
        self.average = {name: value.clone() for name, value in module.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of now into the average; the first call makes them the average."""
        share = max(1 - self.decay, 1 / (self.updates + 1))
        self.updates += 1
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, share)
            else:
                self.average[name].copy_(value)

    def apply(self) -> None:
        """Give the module the averaged weights; without an update it keeps its own."""
        self.module.load_state_dict(self.average)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged tensors, and ``updates``, the number of steps in them."""
        return {"updates": torch.tensor(self.updates), **self.average}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what ``state_dict`` gave, in place."""
        self.updates = int(state["updates"])
        for name, value in self.average.items():
            value.copy_(state[name])
