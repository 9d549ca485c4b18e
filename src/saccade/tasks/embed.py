"""Task ``embed``: pictures to vectors in which the same identity lies close."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from saccade.losses import LOSSES
from saccade.names import look_up
from saccade.nn import BACKBONES
from saccade.nn.standardise import standardise


class EmbeddingNetwork(nn.Module):
    """Backbone, then a linear map to ``dimension`` and batch normalisation."""

    def __init__(
        self, *, backbone: str, width: int, dimension: int, channels: int, size_hw: tuple[int, int]
    ) -> None:
        super().__init__()
        build = look_up(BACKBONES, backbone, "backbone")
        self.backbone = build(channels=channels, width=width, size_hw=size_hw)
        features = cast(int, self.backbone.features)
        self.project = nn.Linear(features, dimension, bias=False)
        self.norm = nn.BatchNorm1d(dimension)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, dimension) float, of any length."""
        features = self.backbone(standardise(pictures))
        vectors: Tensor = self.norm(self.project(features))
        return vectors


class EmbedTask(nn.Module):
    """The network with the loss that trains it."""

    def __init__(
        self, network: EmbeddingNetwork, *, loss: str, classes: int, margin: float, scale: float
    ) -> None:
        super().__init__()
        self.network = network
        build = look_up(LOSSES, loss, "loss")
        dimension = network.project.out_features
        self.criterion = build(classes=classes, dimension=dimension, margin=margin, scale=scale)

    def forward(self, pictures: Tensor, targets: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n,) int64 → the loss, a scalar in float32."""
        loss: Tensor = self.criterion(self.network(pictures).float(), targets)
        return loss


@torch.inference_mode()
def embed_batch(network: EmbeddingNetwork, pictures: Tensor) -> Tensor:
    """(n, c, H, W) uint8 → (n, dimension) float32 rows of length 1, from the network in eval mode.

    Each picture is embedded as it is and mirrored, and the two vectors are averaged.
    """
    scaled = pictures.float() / 255
    network.eval()
    both = normalize(network(scaled)) + normalize(network(scaled.flip(3)))
    return normalize(both)
