"""What a tutorial of torchvision would write, with the strengths of our own augmentation."""

from collections.abc import Callable
from typing import Any

from torchvision import transforms

from saccade.config import Recipe

AUGMENT = Recipe().augment


def random_changes() -> list[Callable[[Any], Any]]:
    """Return the random changes of one picture in order; a tensor comes out."""
    return [
        transforms.RandomAffine(
            AUGMENT.rotate,
            translate=(AUGMENT.shift, AUGMENT.shift),
            scale=(1 / (1 + AUGMENT.scale), 1 + AUGMENT.scale),
        ),
        transforms.ColorJitter(brightness=AUGMENT.brightness, contrast=AUGMENT.contrast),
        transforms.ToTensor(),
        transforms.RandomErasing(AUGMENT.erase),
    ]
