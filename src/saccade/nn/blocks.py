"""What several networks are built of: a convolution with what follows it, and a residual block."""

from torch import Tensor, nn

from saccade.nn.activations import make_activation
from saccade.nn.normalisation import make_normalisation


def convolution(
    channels_in: int,
    channels_out: int,
    size: int = 3,
    *,
    normalisation: str,
    activation: str | None,
    stride: int = 1,
) -> list[nn.Module]:
    """Return a convolution that keeps the sides (over ``stride``), its normalisation, activation.

    It has a bias where the normalisation has none. ``size`` is odd; activation None leaves it out.
    """
    normal = make_normalisation(normalisation, channels_out)
    bias = getattr(normal, "bias", None) is None
    conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=bias)
    return [conv, normal, *([] if activation is None else [make_activation(activation)])]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; halves the sides when ``stride`` is 2."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        stride: int,
        activation: str = "relu",
        normalisation: str = "batch",
    ) -> None:
        super().__init__()
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
        shrink = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        self.shortcut = nn.Sequential(
            *shrink,
            *convolution(
                channels_in, channels_out, 1, normalisation=normalisation, activation=None
            ),
        )
        self.activation = make_activation(activation)

    def forward(self, features: Tensor) -> Tensor:
        """(n, channels_in, H, W) float → (n, channels_out, ceil(H / stride), ceil(W / stride))."""
        found: Tensor = self.activation(self.body(features) + self.shortcut(features))
        return found


def to_grid(size_hw: tuple[int, int], *, most: int) -> tuple[list[nn.Module], tuple[int, int]]:
    """Return layers that average maps of ``size_hw`` to at most ``most`` a side, and the new size.

    What follows, fully connected, is then of bounded size whatever the pictures'.
    """
    grid = (min(size_hw[0], most), min(size_hw[1], most))
    return [] if grid == size_hw else [nn.AdaptiveAvgPool2d(grid)], grid


def fully_connected(
    length_in: int, length_out: int, *, activation: str, dropout: float = 0.0
) -> list[nn.Module]:
    """Return a linear layer, its activation and, with a share to drop, dropout."""
    linear = nn.Linear(length_in, length_out)
    return [linear, make_activation(activation), *([nn.Dropout(dropout)] if dropout else [])]
