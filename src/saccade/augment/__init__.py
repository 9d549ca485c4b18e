"""Random changes to whole batches of training pictures."""

from saccade.augment.batch import Augment
from saccade.augment.boxes import BoxAugment

__all__ = ["Augment", "BoxAugment"]
