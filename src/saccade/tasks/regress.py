"""Task ``regress``: pictures to numbers, one for each target, in the targets' own units.

The head is a linear map on the pooled features, learned by descent or, on a backbone as it is, in
closed form: Hoerl and Kennard, "Ridge regression", 1970. It learns standardised targets, so that
targets of any unit count the same (LeCun, Bottou, Orr, Müller, "Efficient BackProp", 1998, section
4.3, for inputs); the mean and deviation of what is learned from are put back into every answer.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from saccade.data.stored import Pictures
from saccade.losses import VALUE_LOSSES, find_loss
from saccade.tasks.closed_form import solve_head
from saccade.tasks.network import BackboneNetwork


class RegressNetwork(BackboneNetwork):
    """A backbone, then a linear map to a number a target; the rest as ``BackboneNetwork``.

    ``centre`` and ``spread``: each target's mean and deviation (> 0) in its own unit.
    """

    centre: Tensor
    spread: Tensor

    def __init__(
        self, *, centre: Sequence[float], spread: Sequence[float], **backbone: Any
    ) -> None:
        super().__init__(**backbone)
        self.head = nn.Linear(self.length, len(centre))
        for name, values in (("centre", centre), ("spread", spread)):
            tensor = torch.tensor(values, dtype=torch.float64)
            self.register_buffer(name, tensor, persistent=False)  # The card keeps them.

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, targets) float64, in the targets' units."""
        standardised: Tensor = self.head(self.features(pictures))
        return standardised.double() * self.spread + self.centre

    def standardised(self, targets: Tensor) -> Tensor:
        """(n, targets) float64 in their units → float64 of mean 0 and deviation 1."""
        return (targets - self.centre) / self.spread


class RegressTask(nn.Module):
    """The network with the loss that trains it; ``settings`` are those that a loss may take.

    ``dropout`` falls on the features in training.
    """

    def __init__(
        self, network: RegressNetwork, *, loss: str, dropout: float = 0.0, **settings: Any
    ) -> None:
        super().__init__()
        self.network = network
        self.dropout = nn.Dropout(dropout)
        self.criterion = find_loss(VALUE_LOSSES, loss, "task regress").make(**settings)

    def forward(self, pictures: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n, targets) float64 → the loss, a scalar in float32.

        It is that of standardised numbers: an error of 1 is one deviation of the target.
        ``weights`` (n,): how much each picture counts.
        """
        values = self.network.head(self.dropout(self.network.features(pictures)))
        wanted = self.network.standardised(targets).float()
        loss: Tensor = self.criterion(values.float(), wanted, weights)
        return loss

    def complete(self, pictures: Pictures, targets: Tensor, *, penalty: float) -> None:
        """Set the head in closed form, by ridge regression on the features of these pictures.

        (n, c, H, W) uint8, (n, targets) float64; ``penalty`` on the squared weights of standardised
        targets, 0 for least squares. Raises InputError when the features take too much memory.
        """
        wanted = self.network.standardised(targets)
        solve_head(self.network, self.network.head, pictures, wanted, penalty=penalty)


@torch.inference_mode()
def estimate_batch(network: RegressNetwork, pictures: Tensor, *, mirror: bool) -> Tensor:
    """(n, c, H, W) uint8 → (n, targets) float64, from the network in eval mode.

    With ``mirror`` the numbers for the picture and for its mirror image are averaged.
    """
    network.eval()
    scaled = pictures.float() / 255
    values: Tensor = network(scaled)
    return (values + network(scaled.flip(3))) / 2 if mirror else values
