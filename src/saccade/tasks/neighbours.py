"""Task ``classify`` by the nearest training pictures, which vote.

Fix and Hodges, "Discriminatory Analysis", 1951; Cover and Hart, "Nearest Neighbor Pattern
Classification", 1967. Each of the k nearest has one vote; a class's probability is its share of the
votes. Of equally near pictures the first counts, of equally many votes the first class wins, as in
scikit-learn. Features are compared as bytes: pixels as they are, others in 256 equal steps from the
smallest to the largest that training saw, so that every distance is a whole number, the same on
every machine.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from saccade import scan
from saccade.data.stored import Pictures
from saccade.errors import InputError
from saccade.nn.pixels import Pixels
from saccade.tasks.closed_form import features_of
from saccade.tasks.network import BackboneNetwork
from saccade.values import Float64Array, IntArray

DISTANCES = ("l1", "l2")
MOST_NUMBERS = 32768  # of the compiled search
BATCH = 64  # pictures whose features are made at a time
TOGETHER = 1024  # that are best compared at a time
KEPT = ("learned", "targets", "codes")  # a row a training picture


class NeighboursNetwork(BackboneNetwork):
    """The training pictures' bytes (n, c·H·W), their classes (n,), and their features (n, length).

    None before ``learn``, or before weights are loaded. The features are empty where they are the
    pixels themselves; ``low`` and ``step``: the feature of byte 0, and the difference from one byte
    to the next. The rest as ``BackboneNetwork``.
    """

    learned: Tensor
    targets: Tensor
    codes: Tensor
    low: Tensor
    step: Tensor

    def __init__(
        self,
        *,
        classes: int,
        k: int,
        distance: str,
        channels: int,
        size_hw: tuple[int, int],
        **backbone: object,
    ) -> None:
        super().__init__(channels=channels, size_hw=size_hw, **backbone)  # type: ignore[arg-type]
        if self.length > MOST_NUMBERS:
            raise InputError(
                f"{self.length:,} numbers a picture are more than the {MOST_NUMBERS:,} that model "
                "knn compares; set a smaller data.size, or name other model.features"
            )
        self.classes, self.k, self.distance = classes, k, distance
        self.shape = (channels, *size_hw)
        self.plain = isinstance(self.backbone, Pixels)
        numbers = channels * size_hw[0] * size_hw[1]
        for name, tensor in (
            ("learned", torch.zeros((0, numbers), dtype=torch.uint8)),
            ("targets", torch.zeros(0, dtype=torch.int64)),
            ("codes", torch.zeros((0, self.length), dtype=torch.uint8)),
            ("low", torch.zeros((), dtype=torch.float64)),
            ("step", torch.full((), 1 / 255, dtype=torch.float64)),
        ):
            self.register_buffer(name, tensor)

    @torch.no_grad()
    def learn(self, pictures: Pictures, targets: Tensor) -> None:
        """Keep (n, c, H, W) uint8 with their classes (n,) int64."""
        self.learned = pictures[torch.arange(len(pictures))].flatten(1).contiguous()
        self.targets = targets.clone()
        if self.plain:
            return
        features = features_of(self, pictures)
        if not torch.isfinite(features).all():
            raise InputError(
                "the backbone makes NaN or infinity of the training pictures; name other "
                "model.weights, or model.features"
            )
        self.low = features.min().double()
        self.step = ((features.max().double() - self.low) / 255).clamp(min=1e-30)
        self.codes = self._codes(features)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """As torch's, but that the number of pictures comes with them."""
        for name in KEPT:
            found, own = state.get(prefix + name), getattr(self, name)
            if found is not None and found.shape[1:] == own.shape[1:] and found.dtype == own.dtype:
                setattr(self, name, torch.empty_like(found))
        super()._load_from_state_dict(state, prefix, *rest)

    def require_pictures(self) -> None:
        """Raise RuntimeError when what was loaded cannot answer."""
        pictures = len(self.targets)
        rows = (len(self.learned), pictures if self.plain else len(self.codes))
        known = pictures and self.targets.min() >= 0 and self.targets.max() < self.classes
        if not known or rows != (pictures, pictures) or self.k > pictures:
            raise RuntimeError("the training pictures do not belong together")

    @torch.no_grad()
    def nearest(self, pictures: Tensor) -> tuple[Float64Array, IntArray]:
        """(q, c, H, W) float in [0, 1] → the k nearest: distances (q, k) and rows (q, k) int64.

        Distances are those of the features, of pixels as values in [0, 1]: ``l1`` the sum of
        absolute differences, ``l2`` the Euclidean.
        """
        rows = self.learned if self.plain else self.codes
        features = torch.cat([self.features(block) for block in torch.split(pictures, BATCH)])
        sums, numbers = scan.neighbours(
            scan.kernel(),
            rows.numpy(),
            self._codes(features).numpy(),
            self.k,
            self.distance,
            threads=torch.get_num_threads(),
        )
        whole = torch.from_numpy(sums).double()
        distances = (whole if self.distance == "l1" else whole.sqrt()) * self.step
        return distances.numpy(), numbers.astype("int64")

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, c, H, W) float in [0, 1] → (n, classes) float logits, whose softmax is the shares."""
        _, numbers = self.nearest(pictures)
        votes = functional.one_hot(self.targets[torch.from_numpy(numbers)], self.classes).sum(1)
        return (votes.float() / self.k).log()

    def picture(self, row: int) -> Tensor:
        """Return a training picture, (c, H, W) uint8."""
        return self.learned[row].reshape(self.shape)

    def _codes(self, features: Tensor) -> Tensor:
        """(n, length) float → uint8; of pixels their bytes again."""
        codes = torch.empty(features.shape, dtype=torch.uint8)
        for rows in torch.split(torch.arange(len(features)), TOGETHER):
            steps = (features[rows].double() - self.low) / self.step
            codes[rows] = steps.round().clamp(0, 255).to(torch.uint8)
        return codes


class NeighboursTask(nn.Module):
    """The network, to be completed; nothing is made small step by step."""

    def __init__(self, network: NeighboursNetwork) -> None:
        super().__init__()
        self.network = network

    def complete(self, pictures: Pictures, targets: Tensor) -> None:
        """Keep the training pictures: (n, c, H, W) uint8, (n,) int64."""
        self.network.learn(pictures, targets)
