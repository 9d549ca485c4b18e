"""New classes from old ones: a mirrored or turned picture is taken for another identity's.

With few classes to learn from, an embedding learns more when each picture's mirror image, or its
quarter turns, count as classes of their own. Quarter turns: Santoro et al., "One-shot Learning with
Memory-Augmented Neural Networks", 2016, arXiv:1605.06065, section 4.1.
"""

import torch
from torch import Tensor

from saccade.data.stored import StoredPictures
from saccade.errors import SettingError
from saccade.names import look_up


def add_classes(
    pictures: StoredPictures, targets: Tensor, *, how: str
) -> tuple[StoredPictures, Tensor]:
    """Return ``pictures`` (n, c, H, W) and ``targets`` (n,) int64 with their images appended.

    ``how`` is "none", "mirrored" (2 classes for one) or "turned" (8: four quarter turns, each also
    mirrored; needs square pictures). The first n rows are the pictures as they were. Images are
    made when they are gathered and take no memory.
    """
    images = look_up(EXTRA_CLASSES, how, "way to add classes")
    if how == "turned" and pictures.shape[2] != pictures.shape[3]:
        height, width = pictures.shape[2:]
        raise SettingError(
            f"data.extra_classes 'turned' needs square pictures. Got {height}x{width} instead; "
            "set data.size, as 64x64"
        )
    classes = int(targets.max()) + 1
    shifted = [targets + classes * number for number in range(len(images))]
    return StoredPictures(pictures.pixels, pictures.rows, images=images), torch.cat(shifted)


# Each way as its images: (mirrored, quarter turns), the picture itself first.
EXTRA_CLASSES: dict[str, tuple[tuple[bool, int], ...]] = {
    "none": ((False, 0),),
    "mirrored": ((False, 0), (True, 0)),
    "turned": tuple((mirror, turns) for mirror in (False, True) for turns in range(4)),
}
