"""A head that is solved for, on the features of a network as it is."""

import numpy as np
import torch
from torch import Tensor, nn

from saccade.data.stored import Pictures
from saccade.errors import InputError
from saccade.models.least_squares import ridge
from saccade.tasks.network import BackboneNetwork

BATCH = 64
MAX_BYTES = 4 << 30


@torch.no_grad()
def features_of(network: BackboneNetwork, pictures: Pictures) -> Tensor:
    """(n, c, H, W) uint8 → (n, ``network.length``) float32, from the network in eval mode.

    Raises InputError when the features take over MAX_BYTES.
    """
    network.eval()
    size_bytes = 4 * len(pictures) * network.length
    if size_bytes > MAX_BYTES:
        raise InputError(
            f"the features of {len(pictures):,} pictures take {size_bytes / 2**30:.0f} GiB, "
            f"more than {MAX_BYTES >> 30}; set a smaller data.size, or learn by descent: "
            "model.name network or linear, with train.epochs 1 or more"
        )
    blocks = torch.split(torch.arange(len(pictures)), BATCH)
    return torch.cat([network.features(pictures[rows].float() / 255) for rows in blocks])


@torch.no_grad()
def solve_head(
    network: BackboneNetwork, head: nn.Linear, pictures: Pictures, wanted: Tensor, *, penalty: float
) -> None:
    """Set ``head`` by ridge regression of ``wanted`` (n, outputs) on the features of pictures.

    (n, c, H, W) uint8; ``penalty`` on the squared weights, 0 for least squares.
    """
    features = features_of(network, pictures).numpy()
    found = ridge(features, wanted.numpy().astype(np.float64), penalty=penalty)
    head.weight.copy_(torch.from_numpy(found.weights.T))
    head.bias.copy_(torch.from_numpy(found.bias))
