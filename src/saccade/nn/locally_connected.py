"""A layer between a linear one and a convolution: local, but not shared."""

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold


class LocallyConnected(nn.Module):
    """As a convolution, but with weights of its own at every place: none are shared.

    Taigman, Yang, Ranzato, Wolf, "DeepFace", CVPR 2014, section 3.1, layers L4 to L6. ``size_hw``
    is that of the maps it will see. ``weight`` is (places, channels_out, channels_in · size²),
    ``bias`` (channels_out, rows, columns); both begin as torch begins a convolution.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        size: int,
        *,
        size_hw: tuple[int, int],
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = size, stride, padding
        rows, columns = ((side + 2 * padding - size) // stride + 1 for side in size_hw)
        fan_in = channels_in * size**2
        bound = fan_in**-0.5
        weight = torch.empty(rows * columns, channels_out, fan_in)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(channels_out, rows, columns).uniform_(-bound, bound))

    def forward(self, maps: Tensor) -> Tensor:
        """(n, channels_in, H, W) float → (n, channels_out, rows, columns) float."""
        patches = unfold(maps, self.kernel_size, padding=self.padding, stride=self.stride)
        found = torch.einsum("nip,poi->nop", patches, self.weight)
        summed: Tensor = found.view(-1, *self.bias.shape) + self.bias
        return summed
