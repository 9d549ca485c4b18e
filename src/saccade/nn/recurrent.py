"""Recurrent cells on maps by name: what a network keeps of the frames that it has seen.

A cell is called with the maps of one frame and its state, None before the first frame; it returns
its own maps and the state after that frame. All convolutions keep the size of the maps.
"""

import torch
from torch import Tensor, nn

from saccade.shelf import Entry

State = tuple[Tensor, ...]
FORGET_BIAS = 1.0  # Jozefowicz, Zaremba, Sutskever, ICML 2015, section 4.2: what was seen stays.


class ConvLSTM(nn.Module):
    """A long short-term memory whose maps are convolved; the state is its output and its memory.

    We differ from the paper in that the gates do not look at the memory (no "peepholes").
    """

    def __init__(self, channels_in: int, channels: int, *, size: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.Conv2d(channels_in + channels, 4 * channels, size, padding=size // 2)
        with torch.no_grad():
            self.gates.bias[channels : 2 * channels] = FORGET_BIAS  # type: ignore[index]

    def forward(self, seen: Tensor, state: State | None) -> tuple[Tensor, State]:
        """(n, channels_in, H, W) float → (n, channels, H, W), and the state after it."""
        before, memory = state or (_nothing(seen, self.channels),) * 2
        gates = self.gates(torch.cat([seen, before], 1)).chunk(4, 1)
        let_in, keep, let_out = (gate.sigmoid() for gate in (gates[0], gates[1], gates[3]))
        memory = keep * memory + let_in * gates[2].tanh()
        after = let_out * memory.tanh()
        return after, (after, memory)


class ConvGRU(nn.Module):
    """A gated recurrent unit whose maps are convolved; the state is its output alone."""

    def __init__(self, channels_in: int, channels: int, *, size: int = 3) -> None:
        super().__init__()
        self.channels = channels
        self.gates = nn.Conv2d(channels_in + channels, 2 * channels, size, padding=size // 2)
        self.candidate = nn.Conv2d(channels_in + channels, channels, size, padding=size // 2)

    def forward(self, seen: Tensor, state: State | None) -> tuple[Tensor, State]:
        """(n, channels_in, H, W) float → (n, channels, H, W), and the state after it."""
        (before,) = state or (_nothing(seen, self.channels),)
        update, reset = self.gates(torch.cat([seen, before], 1)).sigmoid().chunk(2, 1)
        new = self.candidate(torch.cat([seen, reset * before], 1)).tanh()
        after = before + update * (new - before)
        return after, (after,)


def _nothing(seen: Tensor, channels: int) -> Tensor:
    return seen.new_zeros((len(seen), channels, *seen.shape[2:]))


CELLS = {
    "convlstm": Entry(
        build=ConvLSTM,
        definition="i, f, o = σ(W * [x, h] + b); c' = f ∘ c + i ∘ tanh(V * [x, h] + a); "
        "h' = o ∘ tanh(c')",
        source="Shi et al., 2015, arXiv:1506.04214, eq. 3, without peepholes",
        range="(-1, 1)",
        note="the forget gate begins with bias 1",
    ),
    "convgru": Entry(
        build=ConvGRU,
        definition="z, r = σ(W * [x, h] + b); h' = (1 - z) ∘ h + z ∘ tanh(V * [x, r ∘ h] + a)",
        source="Ballas, Yao, Pal, Courville, 2015, arXiv:1511.06432, eq. 6 to 9",
        range="(-1, 1)",
        note="three quarters of the weights of convlstm",
    ),
}
