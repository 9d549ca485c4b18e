"""Layers by name: what networks are put together from."""

from functools import partial

from torch import Tensor, nn

from saccade.nn.initialisation import bilinear
from saccade.nn.locally_connected import LocallyConnected
from saccade.shelf import Entry


class GlobalPool(nn.Module):
    """All places of each channel as one value: their mean or, with ``largest``, their maximum."""

    def __init__(self, *, largest: bool = False) -> None:
        super().__init__()
        self.largest = largest

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels, H, W) float → (n, channels) float."""
        return maps.amax((2, 3)) if self.largest else maps.mean((2, 3))


def transposed_conv(
    channels_in: int, channels_out: int, *, factor: int = 2, groups: int = 1
) -> nn.ConvTranspose2d:
    """Return a transposed convolution that makes the sides ``factor`` times as long.

    It begins as bilinear interpolation: output channel j of input channel j modulo their number, of
    each group of channels.
    """
    size, padding = 2 * factor - factor % 2, factor // 2
    layer = nn.ConvTranspose2d(
        channels_in, channels_out, size, factor, padding=padding, groups=groups
    )
    bilinear(layer)
    return layer


LAYERS = {
    "linear": Entry(
        build=nn.Linear,
        definition="y = W x + b",
        source="Rosenblatt, 1958; Rumelhart, Hinton, Williams, 1986, eq. 1",
        note="fully connected: inputs · outputs weights",
    ),
    "conv": Entry(
        build=nn.Conv2d,
        definition="y_o(p) = b_o + Σ_c Σ_q W_oc(q) x_c(stride p + dilation q - padding)",
        source="LeCun, Bottou, Bengio, Haffner, 1998, section II; groups: Krizhevsky et al., 2012; "
        "1×1: Lin, Chen, Yan, 2013, arXiv:1312.4400; dilation: Yu and Koltun, 2015, "
        "arXiv:1511.07122, eq. 2",
        note="size, stride, padding, dilation, groups",
    ),
    "transposed_conv": Entry(
        build=transposed_conv,
        definition="the linear map whose matrix is a convolution's, transposed; sides × factor",
        source="Long, Shelhamer, Darrell, 2014, arXiv:1411.4038, section 3.3",
        note="begins as bilinear interpolation, then learns",
    ),
    "locally_connected": Entry(
        build=LocallyConnected,
        definition="y_o(p) = b_o(p) + Σ_c Σ_q W_oc(p, q) x_c(stride p + q - padding)",
        source="Taigman, Yang, Ranzato, Wolf, CVPR 2014, section 3.1",
        note="as many times the weights of conv as there are places; for aligned pictures",
    ),
    "max_pool": Entry(
        build=nn.MaxPool2d,
        definition="y_c(p) = max_q x_c(stride p + q)",
        source="Riesenhuber and Poggio, Nature Neuroscience 2, 1999; overlapping: Krizhevsky et "
        "al., 2012, section 3.4",
        note="overlapping with stride below size",
    ),
    "avg_pool": Entry(
        build=nn.AvgPool2d,
        definition="y_c(p) = mean_q x_c(stride p + q)",
        source="LeCun et al., Neural Computation 1, 1989",
        note="overlapping with stride below size",
    ),
    "global_avg_pool": Entry(
        build=GlobalPool,
        definition="y_c = mean over all places of x_c",
        source="Lin, Chen, Yan, Network in Network, 2013, arXiv:1312.4400, section 3.2",
    ),
    "global_max_pool": Entry(
        build=partial(GlobalPool, largest=True),
        definition="y_c = maximum over all places of x_c",
        source="Oquab, Bottou, Laptev, Sivic, CVPR 2015, section 3",
    ),
}
