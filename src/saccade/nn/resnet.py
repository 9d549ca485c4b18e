"""ResNet-20, as its authors made it for pictures of 32 pixels.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, section
4.2, n = 3, with shortcuts that have no weights (option A). We differ: ``width`` for 16 channels in
the first stage. ``small_resnet`` has wider and fewer blocks, and costs less.
"""

from torch import Tensor, nn
from torch.nn.functional import pad

from saccade.nn.activations import make_activation
from saccade.nn.blocks import convolution
from saccade.nn.initialisation import initialise

STAGES, BLOCKS = 3, 3


class PlainShortcutBlock(nn.Module):
    """Two 3x3 convolutions beside the input itself, eq. 1.

    With ``stride`` 2 the input's every second pixel is taken, and channels of zeros are added.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        stride: int,
        activation: str,
        normalisation: str,
    ) -> None:
        super().__init__()
        self.more, self.stride = channels_out - channels_in, stride
        self.body = nn.Sequential(
            *convolution(
                channels_in,
                channels_out,
                stride=stride,
                normalisation=normalisation,
                activation=activation,
            ),
            *convolution(channels_out, channels_out, normalisation=normalisation, activation=None),
        )
        self.activation = make_activation(activation)

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels_in, H, W) float → (n, channels_out, ceil(H / stride), ceil(W / stride))."""
        beside = pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))
        found: Tensor = self.activation(self.body(maps) + beside)
        return found


class ResNet(nn.Module):
    """A 3x3 convolution and three stages of three blocks; ``features`` is 4 · ``width``."""

    def __init__(
        self,
        *,
        channels: int,
        width: int,
        size_hw: tuple[int, int],
        activation: str = "relu",
        normalisation: str = "batch",
        initialisation: str = "he",
    ) -> None:
        super().__init__()
        named = {"activation": activation, "normalisation": normalisation}
        layers = convolution(channels, width, activation=activation, normalisation=normalisation)
        last = width
        for number in range(STAGES * BLOCKS):
            stage, place = divmod(number, BLOCKS)
            stride = 2 if stage and not place else 1
            layers.append(PlainShortcutBlock(last, width << stage, stride=stride, **named))
            last = width << stage
        self.layers = nn.Sequential(*layers)
        self.features = last
        initialise(self, initialisation)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, normalised → (n, features) float."""
        pooled: Tensor = self.layers(pictures).mean((2, 3))
        return pooled
