"""Random changes to whole batches of training pictures."""

from saccade.augment.batch import Augment

__all__ = ["Augment"]
