"""Task ``classify`` by ridge regression: a number a class, 1 for the right one, in closed form.

Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", 2nd ed., section 4.2:
linear regression of an indicator matrix. A picture's numbers add up to 1, but some may be below 0
or above 1; as probabilities, those below 0 count as 0 and the others are divided by their sum.
"""

from torch import Tensor, nn
from torch.nn import functional

from saccade.data.stored import Pictures
from saccade.tasks.classify import ClassifyNetwork
from saccade.tasks.closed_form import solve_head


class RidgeNetwork(ClassifyNetwork):
    """A backbone as it is, then the linear map that ``RidgeTask`` solves for."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, classes) float logits, whose softmax is the shares."""
        shares = super().forward(pictures).clamp(min=0)
        return (shares / shares.sum(1, keepdim=True).clamp(min=1e-30)).log()


class RidgeTask(nn.Module):
    """The network, to be completed; nothing is made small step by step."""

    def __init__(self, network: RidgeNetwork, *, penalty: float) -> None:
        super().__init__()
        self.network, self.penalty = network, penalty

    def complete(self, pictures: Pictures, targets: Tensor) -> None:
        """Solve for the head: (n, c, H, W) uint8, (n,) int64."""
        head = self.network.head
        wanted = functional.one_hot(targets, head.out_features)
        solve_head(self.network, head, pictures, wanted, penalty=self.penalty)
