"""How much each class counts, from how many pictures it has.

King and Zeng, "Logistic Regression in Rare Events Data", Political Analysis 9, 2001, section 4.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from saccade.errors import InputError


def balanced(counts: Sequence[int]) -> Tensor:
    """Pictures of each class → (classes,) float32: all pictures / (classes * own pictures).

    So each class has the same weight in all, and a picture the weight 1 on average. Raises
    InputError for a class without pictures.
    """
    if min(counts, default=0) < 1:
        raise InputError(f"balanced weights need a picture of each class. Got {list(counts)}")
    own = torch.tensor(counts, dtype=torch.float64)
    return (own.sum() / (len(own) * own)).float()


CLASS_WEIGHTS = {"none": lambda counts: None, "balanced": balanced}
