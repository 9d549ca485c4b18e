"""Random changes to whole batches of training pictures."""

from saccade.augment.batch import Augment
from saccade.augment.boxes import BoxAugment
from saccade.augment.masks import MaskAugment
from saccade.augment.mixing import Mixing

__all__ = ["Augment", "BoxAugment", "MaskAugment", "Mixing"]
