"""A small residual network that trains in minutes on two processor cores.

He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, eq. 1 and 2; the
shortcut of a narrowing block averages before its 1x1 convolution (He T. et al., "Bag of Tricks",
2018, arXiv:1812.01187, ResNet-D), so that no pixel is dropped. We differ: one block a stage, a 3x3
stem without max pooling, and no head; the output is the pooled feature vector; first weights are as
torch draws them.
"""

from torch import Tensor, nn

from saccade.nn.blocks import ResidualBlock, convolution
from saccade.nn.initialisation import initialise


class SmallResNet(nn.Module):
    """A stem and four residual stages, each twice as wide as the one before it.

    A stage halves the sides only while the shorter one is over MIN_SIDE pixels, so that an 8x8
    digit and a 112x92 face both work. ``features`` is the length of the pooled vector.
    """

    STAGES = 4
    MIN_SIDE = 4

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "relu",
        normalisation: str = "batch",
        initialisation: str = "",
    ) -> None:
        super().__init__()
        named = {"activation": activation, "normalisation": normalisation}
        layers = convolution(channels, width, activation=activation, normalisation=normalisation)
        side, last = min(size_hw), width
        for stage in range(self.STAGES):
            stride = 2 if side > self.MIN_SIDE else 1
            layers.append(ResidualBlock(last, width << stage, stride=stride, **named))
            side, last = -(-side // stride), width << stage
        self.layers = nn.Sequential(*layers)
        self.features = last
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, standardised → (n, features) float."""
        pooled: Tensor = self.layers(pictures).mean(dim=(2, 3))
        return pooled
