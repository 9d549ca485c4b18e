"""Task ``embed``: pictures to vectors in which the same identity lies close."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from saccade.data.stored import Pictures
from saccade.losses import PAIR_LOSSES, VECTOR_LOSSES, find_loss
from saccade.tasks.network import BackboneNetwork
from saccade.tasks.projection import within_class_whitening

BATCH = 64
FIT_PICTURES = 20_000


class EmbeddingNetwork(BackboneNetwork):
    """A backbone, then a linear map to ``dimension``; the rest as ``BackboneNetwork``."""

    def __init__(self, *, dimension: int, **backbone: Any) -> None:
        super().__init__(**backbone)
        self.project = nn.Linear(self.length, dimension)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, dimension) float, of any length."""
        vectors: Tensor = self.project(self.features(pictures))
        return vectors


class EmbedTask(nn.Module):
    """The network with the head and the loss that train it; ``settings``: what a loss may take.

    The head, a linear map and batch normalisation, is used in training only; ``complete`` puts the
    network's own last map in its place. ``dropout`` falls on the features in training.
    """

    def __init__(
        self,
        network: EmbeddingNetwork,
        *,
        loss: str,
        classes: int,
        dropout: float = 0.0,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.network = network
        self.dropout = nn.Dropout(dropout)
        dimension, features = network.project.weight.shape
        network.project.requires_grad_(False)
        self.head = nn.Sequential(
            nn.Linear(features, dimension, bias=False), nn.BatchNorm1d(dimension)
        )
        found = find_loss(VECTOR_LOSSES | PAIR_LOSSES, loss, "task embed")
        self.criterion = found.make(classes=classes, dimension=dimension, **settings)

    def forward(self, pictures: Tensor, targets: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1], (n,) int64 → the loss, a scalar in float32."""
        vectors = self.head(self.dropout(self.network.features(pictures)))
        loss: Tensor = self.criterion(vectors.float(), targets)
        return loss

    @torch.no_grad()
    def complete(
        self, pictures: Pictures, targets: Tensor, *, projection: str, shrinkage: float
    ) -> None:
        """Set the network's last map.

        ``projection`` "whitened" fits it to these pictures, "trained" copies the head.
        ``pictures`` is (n, c, H, W) uint8 and ``targets`` (n,) int64; at most FIT_PICTURES, spread
        evenly, are used.
        """
        self.eval()
        if projection == "trained":
            weight, bias = _folded(self.head)
        else:
            step = -(-len(pictures) // FIT_PICTURES)
            blocks = torch.split(torch.arange(0, len(pictures), step), BATCH)
            features = torch.cat(
                [self.network.features(pictures[rows].float() / 255) for rows in blocks]
            )
            dimension = self.network.project.out_features
            weight, bias = within_class_whitening(
                features, targets[::step], dimension=dimension, shrinkage=shrinkage
            )
        self.network.project.weight.copy_(weight)
        self.network.project.bias.copy_(bias)


@torch.inference_mode()
def embed_batch(network: EmbeddingNetwork, pictures: Tensor, *, mirror: bool) -> Tensor:
    """(n, c, H, W) uint8 → (n, dimension) float32 rows of length 1, from the network in eval mode.

    With ``mirror`` the vectors of the picture and of its mirror image are averaged.
    """
    network.eval()
    scaled = pictures.float() / 255
    vectors = normalize(network(scaled))
    return normalize(vectors + normalize(network(scaled.flip(3)))) if mirror else vectors


def _folded(head: nn.Sequential) -> tuple[Tensor, Tensor]:
    """A linear map and the batch normalisation behind it, in eval mode, as one linear map."""
    linear, norm = cast(nn.Linear, head[0]), cast(nn.BatchNorm1d, head[1])
    mean, variance = cast(Tensor, norm.running_mean), cast(Tensor, norm.running_var)
    factor = norm.weight / (variance + norm.eps).sqrt()
    return linear.weight * factor[:, None], norm.bias - mean * factor
