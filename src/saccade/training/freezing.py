"""Freezing: which parts of a backbone learn, epoch by epoch.

A new head first finds its place on features that stay as they are; then the backbone learns too, at
once, or part by part from the head on: Howard and Ruder, "Universal language model fine-tuning for
text classification", ACL 2018, arXiv:1801.06146, section 3.3, gradual unfreezing. We differ: parts
thaw evenly over a stated number of epochs, not one an epoch.
"""

from torch import nn


def frozen_epochs(share: float, epochs: int) -> int:
    """Return how many of the ``epochs`` are ``share`` (0 to 1) of them; at least one above 0."""
    return max(1, round(share * epochs)) if share else 0


def parts_of(backbone: nn.Module) -> list[nn.Module]:
    """Return the parts of a backbone that hold weights, from the pictures on to the head.

    They are its layers, or the blocks that its author made of these, as registered: the first
    level at which there are several. One that has no such level is its own only part.
    """
    parts = [backbone]
    while len(parts) == 1:
        inner = [part for part in parts[0].children() if any(True for _ in part.parameters())]
        if not inner:
            break
        parts = inner
    return parts


class Freezing:
    """Keeps a backbone as it is for the first ``epochs`` of a run; called before each epoch.

    What is frozen has no gradient, so that no optimiser moves it, and its normalisations neither
    see the batch nor gather its figures. With ``by_part``, of n parts the last thaws after an nth
    of the ``epochs``, and so on; the first, and weights outside of all parts, at their end. It
    holds no state: what learns in an epoch depends on its number alone, also of a resumed run.
    """

    def __init__(self, backbone: nn.Module, *, epochs: int, by_part: bool = False) -> None:
        self.backbone, self.epochs, self.by_part = backbone, epochs, by_part
        self.parts = parts_of(backbone)
        self.weights = [weight for weight in backbone.parameters() if weight.requires_grad]

    def thawed(self, epoch: int) -> int:
        """Return how many parts, counted from the head, learn in ``epoch``, counted from 0."""
        if epoch >= self.epochs:
            return len(self.parts)
        return len(self.parts) * epoch // self.epochs if self.by_part else 0

    def __call__(self, epoch: int) -> None:
        """Freeze and thaw for ``epoch``, from 0; the backbone comes in training mode."""
        thawed = self.thawed(epoch)
        if thawed == len(self.parts):
            self.end()
            return
        learning = self.parts[len(self.parts) - thawed :]
        ours = {id(weight) for part in learning for weight in part.parameters()}
        for weight in self.weights:
            weight.requires_grad_(id(weight) in ours)
        self.backbone.eval()
        for part in learning:
            part.train()

    def end(self) -> None:
        """Let all learn that learned before; modes stay as they are."""
        for weight in self.weights:
            weight.requires_grad_(True)
