"""When to stop early: the loop is a generator, so whoever iterates over it stops.

Prechelt, "Early stopping – but when?", 1998, with the plainest rule: a number of epochs without a
new best figure.
"""

import math


class Patience:
    """Counts the epochs since the lowest figure, which may be a loss or an error rate.

    ``epochs`` is how many without a lower one are borne; 0 never stops.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.best: float | None = None
        self.waited = 0

    def saw(self, figure: float) -> None:
        """Note the figure of an epoch; one that is not a number counts as no improvement."""
        better = not math.isnan(figure) and (self.best is None or figure < self.best)
        self.best = figure if better else self.best
        self.waited = 0 if better else self.waited + 1

    @property
    def ended(self) -> bool:
        """True when it is time to stop."""
        return 0 < self.epochs <= self.waited

    def state(self) -> dict[str, float | int | None]:
        """What a checkpoint keeps."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float | int | None]) -> None:
        """Take up what ``state`` gave."""
        self.best, self.waited = state["best"], int(state["waited"] or 0)
