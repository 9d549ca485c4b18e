"""LeNet-5.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", Proc.
IEEE 86, 1998, section II.B and figure 2; ``width`` 6 gives its 6, 16, 120 and 84 units. We differ:
tanh is not scaled, and comes before pooling, which has no weights; each map of C3 sees all of S2;
weights by Glorot and Bengio, 2010; the last layer, of radial basis functions, is the task's.
"""

from torch import Tensor, nn

from saccade.nn.activations import make_activation
from saccade.nn.blocks import fully_connected, to_grid
from saccade.nn.initialisation import initialise
from saccade.nn.normalisation import make_normalisation

SIDE = 32  # of the paper's pictures; smaller ones get a frame of zeros, as its digits of 28 pixels
GRID = 5


class LeNet(nn.Module):
    """Two convolutions of 5x5 with average pooling, then fully connected layers.

    ``features`` is 14 · ``width``. Larger maps than the paper's 5x5 are averaged to that.
    """

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "tanh",
        normalisation: str = "none",
        initialisation: str = "xavier",
    ) -> None:
        super().__init__()
        second, self.features = width * 8 // 3, 14 * width
        frame = [max(0, SIDE - side) for side in size_hw]
        rows, columns = (_side(side + more) for side, more in zip(size_hw, frame, strict=True))
        average, grid = to_grid((rows, columns), most=GRID)
        layers: list[nn.Module] = [nn.ZeroPad2d((*_halves(frame[1]), *_halves(frame[0])))]
        for start, end in ((channels, width), (width, second)):
            normal = make_normalisation(normalisation, end)
            layers += [nn.Conv2d(start, end, 5), normal, make_activation(activation)]
            layers.append(nn.AvgPool2d(2, ceil_mode=True))
        layers += [*average, nn.Flatten()]
        layers += fully_connected(second * grid[0] * grid[1], 20 * width, activation=activation)
        layers += fully_connected(20 * width, self.features, activation=activation)
        self.layers = nn.Sequential(*layers)
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, normalised → (n, features) float."""
        features: Tensor = self.layers(pictures)
        return features


def _side(side: int) -> int:
    """That of the last maps: twice a convolution without padding, and a half, rounded up."""
    for _ in range(2):
        side = -(-(side - 4) // 2)
    return side


def _halves(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2
