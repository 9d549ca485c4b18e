"""No layers at all: what a task then learns is a linear map of the pixels.

Linear regression on pixels goes back to Widrow and Hoff, "Adaptive switching circuits", 1960.
"""

from torch import Tensor, nn


class Pixels(nn.Module):
    """The picture's values in a row: ``features`` = channels · H · W. They are not normalised."""

    def __init__(self, *, channels: int, size_hw: tuple[int, int]) -> None:
        super().__init__()
        self.features = channels * size_hw[0] * size_hw[1]

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float → (n, features) float."""
        return pictures.flatten(1)
