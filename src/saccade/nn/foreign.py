"""A network of another library as a backbone: three channels in, one vector a picture out."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from saccade.errors import InputError

Remap = Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


class ForeignBackbone(nn.Module):
    """``body`` with its head taken off; maps (n, d, h, w) are averaged to (n, d).

    ``features`` is d, found by showing it one black picture of ``size_hw``. ``head`` are the names
    of what was taken off, whose weights a file may hold; ``remap``, if any, brings weights that
    were stored in another way to those of ``body``.
    """

    def __init__(
        self,
        make: Callable[[], nn.Module],
        *,
        name: str,
        size_hw: tuple[int, int],
        head: tuple[str, ...],
        remap: Callable[[nn.Module], Remap | None] = lambda body: None,
    ) -> None:
        """Call ``make`` for the body; InputError when that, or a picture of this size, fails."""
        super().__init__()
        self.name, self.head = name, head
        try:
            self.body = make()
            self.features = self._length(size_hw)
        except Exception as error:  # Each network has errors of its own for what it cannot take.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"backbone {name} cannot take pictures of {size_hw[0]}x{size_hw[1]}: "
                f"{reason[:150]}; name the size that it was made for, such as --data.size 224x224"
            ) from error
        self.remap = remap(self.body)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 1 or 3, H, W) float, normalised → (n, features) float; grey is repeated."""
        found: Tensor = self.body(pictures.expand(-1, 3, -1, -1))
        return found.mean((2, 3)) if found.ndim == 4 else found

    def _length(self, size_hw: tuple[int, int]) -> int:
        self.eval()
        with torch.no_grad():
            found = self(torch.zeros(1, 3, *size_hw))
        self.train()
        if found.ndim != 2 or len(found) != 1:
            raise ValueError(f"it gives {tuple(found.shape)} for one picture, not one vector")
        return int(found.shape[1])
