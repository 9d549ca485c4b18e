"""VGG for small pictures.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014,
arXiv:1409.1556, table 1. We differ: the first four stages of its configuration B, two convolutions
each; ``width`` for 64 channels in the first; pooling ends where a side would fall under 4; the
fully connected layers have 16 · ``width`` units for 4,096; weights by He et al., 2015.
"""

from torch import Tensor, nn

from saccade.nn.blocks import convolution, fully_connected, to_grid
from saccade.nn.initialisation import initialise

STAGES, CONVOLUTIONS = 4, 2
MIN_SIDE = 4
GRID = 7
DROPOUT = 0.5


class Vgg(nn.Module):
    """Four stages of two 3x3 convolutions and max pooling, then two fully connected layers.

    ``features`` is 16 · ``width``. Larger maps than the paper's 7x7 are averaged to that.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "relu",
        normalisation: str = "none",
        initialisation: str = "he",
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        (rows, columns), last = size_hw, channels
        for stage in range(STAGES):
            for _ in range(CONVOLUTIONS):
                layers += convolution(
                    last, width << stage, normalisation=normalisation, activation=activation
                )
                last = width << stage
            if min(rows, columns) > MIN_SIDE:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
                rows, columns = -(-rows // 2), -(-columns // 2)
        average, grid = to_grid((rows, columns), most=GRID)
        layers += [*average, nn.Flatten()]
        self.features = 16 * width
        for length in (last * grid[0] * grid[1], self.features):
            layers += fully_connected(length, self.features, activation=activation, dropout=DROPOUT)
        self.layers = nn.Sequential(*layers)
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, normalised → (n, features) float."""
        features: Tensor = self.layers(pictures)
        return features
