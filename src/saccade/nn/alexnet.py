"""AlexNet for small pictures.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NIPS 2012, sections 3 and 4.2; widths in the proportion of its 96, 256, 384, 384 and 256. We differ:
the first convolution is 5x5 without a stride, for pictures of about 32 pixels; none is grouped;
pooling ends where a side would fall under 4; the fully connected layers have 16 · ``width`` units
for 4,096; weights by He et al., 2015, for deviation 0.01, and biases 0.
"""

from torch import Tensor, nn

from saccade.nn.blocks import convolution, fully_connected, to_grid
from saccade.nn.initialisation import initialise
from saccade.nn.normalisation import make_normalisation

MIN_SIDE = 4
GRID = 6
DROPOUT = 0.5
PAPER = "local_response"
# Of each convolution: width over the first's, size, whether the paper normalises, whether it pools.
STAGES = (
    (1, 5, True, True),
    (8 / 3, 5, True, True),
    (4, 3, False, False),
    (4, 3, False, False),
    (8 / 3, 3, False, True),
)


class AlexNet(nn.Module):
    """Five convolutions with overlapping max pooling, then two fully connected layers with dropout.

    local_response comes where the paper has it, after the activation of the first two; any other
    normalisation before each activation. ``features`` is 16 · ``width``. Larger maps than the
    paper's 6x6 are averaged to that.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "relu",
        normalisation: str = PAPER,
        initialisation: str = "he",
    ) -> None:
        super().__init__()
        before = "none" if normalisation == PAPER else normalisation
        layers: list[nn.Module] = []
        (rows, columns), last = size_hw, channels
        for factor, size, normalised, pooled in STAGES:
            count = int(width * factor)
            layers += convolution(last, count, size, normalisation=before, activation=activation)
            if normalised and normalisation == PAPER:
                layers.append(make_normalisation(PAPER, count))
            if pooled and min(rows, columns) > MIN_SIDE:
                layers.append(nn.MaxPool2d(3, 2, padding=1))
                rows, columns = -(-rows // 2), -(-columns // 2)
            last = count
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
