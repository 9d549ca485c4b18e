"""What the networks of all tasks begin with: normalised pictures, and a backbone."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from saccade.nn import PLAIN, make_backbone
from saccade.nn.initialisation import initialise
from saccade.nn.sift import Sift
from saccade.nn.standardise import normalise


class BackboneNetwork(nn.Module):
    """A backbone by its name; ``mean`` and ``std`` as ``normalise`` takes them.

    ``activation``, ``normalisation`` and ``initialisation`` as ``make_backbone`` takes them.
    ``length`` is that of the features, which the task's own last map takes.
    """

    def __init__(
        self,
        *,
        backbone: str,
        width: int,
        channels: int,
        size_hw: tuple[int, int],
        activation: str = "",
        normalisation: str = "",
        initialisation: str = "",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.mean, self.std = mean, std
        self.backbone = make_backbone(
            backbone,
            channels=channels,
            width=width,
            size_hw=size_hw,
            activation=activation,
            normalisation=normalisation,
            initialisation=initialisation,
        )
        self.length = cast(int, self.backbone.features)

    def initialise(self, name: str, pictures: Tensor) -> None:
        """Set the backbone's first weights by what it sees of ``pictures``, as ``features``."""
        if isinstance(self.backbone, Sift):
            self.backbone.learn(pictures)
            return
        seen = normalise(pictures, mean=self.mean, std=self.std)
        initialise(self.backbone, name, batch=seen)

    def clear_head(self) -> None:
        """Let a linear last map begin at zero, where the backbone begins with weights that know.

        A. Dosovitskiy and others, "An image is worth 16x16 words", ICLR 2021, arXiv:2010.11929,
        section 3.2. Of a drawn one, what no training picture speaks of would stay as it fell.
        """
        head = getattr(self, "head", None)
        if isinstance(head, nn.Linear):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def seen(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → what the backbone is given, as ``normalise``."""
        plain = isinstance(self.backbone, tuple(PLAIN.values()))
        return pictures if plain else normalise(pictures, mean=self.mean, std=self.std)

    def features(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, ``length``) float."""
        found: Tensor = self.backbone(self.seen(pictures))
        return found
