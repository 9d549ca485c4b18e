"""Task ``forecast``: the next frames of a sequence, learned from windows of its frames."""

from typing import Any

import torch
from torch import Tensor, nn

from saccade.losses import VALUE_LOSSES, find_loss
from saccade.tasks.forecaster import Forecaster

WARM = 1  # frames after which what is said next counts: of one frame alone nothing moves


class ForecastTask(nn.Module):
    """The network with the loss that trains it; ``settings`` are those that a loss may take."""

    def __init__(self, network: Forecaster, *, loss: str, **settings: Any) -> None:
        super().__init__()
        self.network = network
        self.criterion = find_loss(VALUE_LOSSES, loss, "task forecast").make(**settings)

    def forward(self, windows: Tensor, targets: Tensor) -> Tensor:
        """(n, (seen + ahead) · c, H, W) float in [0, 1] → the loss, a scalar in float32.

        Of what is said after the second frame and each one on; those seen are given as they are,
        those after them as they were said. ``targets`` are not looked at: the frames are the truth.
        """
        network = self.network
        many, size_hw = network.seen + network.ahead, windows.shape[2:]
        frames = windows.reshape(len(windows), many, network.channels, *size_hw)
        said = network.unrolled(frames[:, : network.seen], network.ahead)
        loss: Tensor = self.criterion(said[:, WARM:].float(), frames[:, 1 + WARM :])
        return loss


@torch.inference_mode()
def forecast_batch(network: Forecaster, frames: Tensor, *, ahead: int, mirror: bool) -> Tensor:
    """(n, t, c, H, W) uint8 → (n, ahead, c, H, W) uint8, from the network in eval mode.

    With ``mirror`` it is averaged with what is said of the mirror images.
    """
    network.eval()
    scaled = frames.float() / 255
    said: Tensor = network(scaled, ahead)
    if mirror:
        said = (said + network(scaled.flip(4), ahead).flip(4)) / 2
    return (said * 255).round().clamp(0, 255).to(torch.uint8)
