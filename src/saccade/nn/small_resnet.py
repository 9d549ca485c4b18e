"""A small residual network that trains in minutes on two processor cores.

He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385, eq. 1 and 2; the
shortcut of a narrowing block averages before its 1x1 convolution (He T. et al., "Bag of Tricks",
2018, arXiv:1812.01187, ResNet-D), so that no pixel is dropped. We differ: one block a stage, a 3x3
stem without max pooling, and no head; the output is the pooled feature vector.
"""

import torch
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; halves the sides when ``stride`` is 2."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        shrink = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        self.shortcut = nn.Sequential(
            *shrink,
            nn.Conv2d(channels_in, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(n, channels_in, H, W) float → (n, channels_out, ceil(H / stride), ceil(W / stride))."""
        return torch.relu(self.body(features) + self.shortcut(features))


class SmallResNet(nn.Module):
    """A stem and four residual stages, each twice as wide as the one before it.

    A stage halves the sides only while the shorter one is over MIN_SIDE pixels, so that an 8x8
    digit and a 112x92 face both work. ``features`` is the length of the pooled vector.
    """

    STAGES = 4
    MIN_SIDE = 4

    def __init__(self, *, channels: int, width: int, size_hw: tuple[int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        side, last = min(size_hw), width
        for stage in range(self.STAGES):
            stride = 2 if side > self.MIN_SIDE else 1
            layers.append(ResidualBlock(last, width << stage, stride=stride))
            side, last = -(-side // stride), width << stage
        self.layers = nn.Sequential(*layers)
        self.features = last

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, channels, H, W) float, standardised → (n, features) float."""
        pooled: Tensor = self.layers(pictures).mean(dim=(2, 3))
        return pooled
