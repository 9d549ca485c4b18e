"""The network of task ``forecast``: frames in, the next frames out.

Each frame is encoded at half resolution; a recurrent cell keeps what was seen; from its maps each
pixel of the next frame is said. It is mixed of the pixels around it in the last frame, by shares
that sum to 1: Finn, Goodfellow, Levine, "Unsupervised Learning for Physical Interaction through
Video Prediction", 2016, arXiv:1605.07157, section 3.1, eq. 1 and 2 (dynamic neural advection), and
De Brabandere, Jia, Tuytelaars, Van Gool, "Dynamic Filter Networks", 2016, arXiv:1605.09673. One
more share is that of a colour which the network paints, for what was hidden before. Ground that is
still is copied exactly where its own pixel has all of the shares. We differ from the first in that
every pixel has its own shares at full resolution, and that the painted colour is one of them.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, unfold

from saccade.names import look_up
from saccade.nn.recurrent import CELLS, State

CELL_SIZE = 5  # pixels, at half resolution, that a cell looks at along each side
STAY, PAINT = 4.0, -2.0  # first logits of a pixel's own place and of the painted colour; others 0


class Encoder(nn.Module):
    """A frame, and its change since the one before, to maps at full resolution and at half."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(2 * channels, width // 2, 3, padding=1), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(width // 2, width, 3, 2, padding=1), nn.ReLU())

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 2 · channels, H, W) float → (n, width / 2, H, W), (n, width, ⌈H / 2⌉, ⌈W / 2⌉)."""
        fine = self.fine(frames)
        return fine, self.coarse(fine)


class Forecaster(nn.Module):
    """``channels`` of a frame, 1 or 3; ``cell``: its name; ``width``: channels of its maps.

    ``reach``: pixels that a thing may move from one frame to the next, along each side. ``seen``
    and ``ahead``: how many frames of a window are given, and how many are said. Raises
    UnknownNameError for a cell that does not exist.
    """

    def __init__(
        self, *, channels: int, cell: str, width: int, reach: int, seen: int, ahead: int
    ) -> None:
        super().__init__()
        self.channels, self.reach, self.seen, self.ahead = channels, reach, seen, ahead
        self.backbone = Encoder(channels, width)
        made = look_up(CELLS, cell, "recurrent cell")
        self.cell = made.make(channels_in=width, channels=width, size=CELL_SIZE)
        self.rise = nn.Conv2d(width, 4 * (width // 2), 3, padding=1)
        self.mix = nn.Sequential(nn.Conv2d(2 * (width // 2), width, 3, padding=1), nn.ReLU())
        self.shares = nn.Conv2d(width, self.places + 1, 1)
        self.paint = nn.Conv2d(width, channels, 1)
        with torch.no_grad():
            bias = cast(Tensor, self.shares.bias)
            bias.zero_()
            bias[self.places // 2], bias[-1] = STAY, PAINT

    @property
    def places(self) -> int:
        """How many pixels of the last frame a pixel of the next is mixed of."""
        return (2 * self.reach + 1) ** 2

    def forward(self, frames: Tensor, ahead: int | None = None) -> Tensor:
        """(n, t, c, H, W) float in [0, 1] → (n, ahead, c, H, W) in [0, 1]: the frames after them.

        ``ahead``: how many, else as many as were learned. From the second on each is said from
        those said before it.
        """
        return self.unrolled(frames, ahead or self.ahead)[:, frames.shape[1] - 1 :]

    def unrolled(self, frames: Tensor, ahead: int) -> Tensor:
        """Return also what is said after each frame before: (n, t - 1 + ahead, c, H, W)."""
        state: State | None = None
        last = before = frames[:, 0]
        said: list[Tensor] = []
        for place in range(frames.shape[1] - 1 + ahead):
            if place:
                before, last = last, frames[:, place] if place < frames.shape[1] else said[-1]
            following, state = self.step(last, before, state)
            said.append(following)
        return torch.stack(said, 1)

    def step(self, last: Tensor, before: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Two frames (n, c, H, W) and the state before the last → the next frame, and the state."""
        height, width = last.shape[2:]
        fine, coarse = self.backbone(torch.cat([last, last - before], 1))
        maps, state = self.cell(coarse, state)
        risen = pixel_shuffle(self.rise(maps), 2).relu()[:, :, :height, :width]
        mixed = self.mix(torch.cat([risen, fine], 1))
        shares = self.shares(mixed).softmax(1)
        painted = self.paint(mixed).sigmoid()
        return self._moved(last, shares[:, :-1]) + shares[:, -1:] * painted, state

    def _moved(self, last: Tensor, shares: Tensor) -> Tensor:
        """Each pixel as a sum of those around it, by ``shares`` (n, places, H, W).

        Beyond the edge stands what is at the edge.
        """
        count, channels, height, width = last.shape
        around = unfold(pad(last, (self.reach,) * 4, mode="replicate"), 2 * self.reach + 1)
        return (around.view(count, channels, -1, height, width) * shares[:, None]).sum(2)
