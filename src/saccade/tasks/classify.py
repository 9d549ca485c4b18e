"""Task ``classify``: pictures to one of the classes learned, each with a probability.

The head is a linear map on the pooled features, trained by cross-entropy on its softmax: Bridle,
"Probabilistic interpretation of feedforward classification network outputs", 1990.
"""

from typing import Any

import torch
from torch import Tensor, nn

from saccade.losses import LOGIT_LOSSES, find_loss
from saccade.tasks.network import BackboneNetwork


class ClassifyNetwork(BackboneNetwork):
    """A backbone, then a linear map to one logit a class; the rest as ``BackboneNetwork``."""

    def __init__(self, *, classes: int, **backbone: Any) -> None:
        super().__init__(**backbone)
        self.head = nn.Linear(self.length, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, classes) float logits."""
        logits: Tensor = self.head(self.features(pictures))
        return logits


class ClassifyTask(nn.Module):
    """The network with the loss that trains it; ``settings`` are those that a loss may take.

    ``dropout`` falls on the features in training.
    """

    def __init__(
        self, network: ClassifyNetwork, *, loss: str, dropout: float = 0.0, **settings: Any
    ) -> None:
        super().__init__()
        self.network = network
        self.dropout = nn.Dropout(dropout)
        self.criterion = find_loss(LOGIT_LOSSES, loss, "task classify").make(**settings)

    def forward(self, pictures: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n,) int64 → the loss, a scalar in float32.

        Targets may be shares (n, classes) where the loss takes them; ``weights`` (n,) of pictures.
        """
        logits = self.network.head(self.dropout(self.network.features(pictures)))
        loss: Tensor = self.criterion(logits.float(), targets, weights)
        return loss


@torch.inference_mode()
def classify_batch(network: nn.Module, pictures: Tensor, *, mirror: bool) -> Tensor:
    """(n, c, H, W) uint8 → (n, classes) float32 probabilities, from the network in eval mode.

    With ``mirror`` the probabilities of the picture and of its mirror image are averaged.
    """
    network.eval()
    scaled = pictures.float() / 255
    shares: Tensor = network(scaled).softmax(1)
    return (shares + network(scaled.flip(3)).softmax(1)) / 2 if mirror else shares
