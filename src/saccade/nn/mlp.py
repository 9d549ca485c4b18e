"""Fully connected layers on pixels.

Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature 323,
1986. We differ: relu for sigmoid (Glorot, Bordes, Bengio, AISTATS 2011), weights by He et al.,
2015.
"""

from torch import Tensor, nn

from saccade.nn.activations import make_activation
from saccade.nn.initialisation import initialise
from saccade.nn.normalisation import make_normalisation

LAYERS = 2


class Mlp(nn.Module):
    """Two hidden layers of ``features`` = 8 · ``width`` units; a picture is one row of values.

    Weights grow with the pictures' sides: this one is for small ones.
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
        self.features = 8 * width
        layers: list[nn.Module] = [nn.Flatten()]
        length = channels * size_hw[0] * size_hw[1]
        for _ in range(LAYERS):
            normal = make_normalisation(normalisation, self.features, vectors=True)
            layers += [nn.Linear(length, self.features), normal, make_activation(activation)]
            length = self.features
        self.layers = nn.Sequential(*layers)
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, normalised → (n, features) float."""
        features: Tensor = self.layers(pictures)
        return features
