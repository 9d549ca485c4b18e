"""Pictures whose class is decided by a bright patch in a corner, and by nothing else."""

import numpy as np
from PIL import Image

SIDE, PATCH = 32, 10
CORNERS = {"low": (slice(SIDE - PATCH, SIDE),) * 2, "top": (slice(0, PATCH),) * 2}


def planted(label, draw):
    """Return one (SIDE, SIDE) uint8 picture of noise with the patch of ``label``."""
    picture = draw.normal(90, 25, (SIDE, SIDE))
    picture[CORNERS[label]] += 110
    return picture.clip(0, 255).astype(np.uint8)


def write_planted(folder, count, *, seed):
    """Write ``count`` pictures of each class, one sub-folder a class; returns the folder."""
    draw = np.random.default_rng(seed)
    for label in CORNERS:
        (folder / label).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(planted(label, draw)).save(folder / label / f"{number:02}.png")
    return folder
