"""Windows of Penn-Fudan street pictures, with a person and without, as a table with boxes."""

import csv

import numpy as np
from PIL import Image

MARGIN = 0.5  # of the person's box, on each side


def write_people_windows(source, root, *, seed=0):
    """Write windows and the tables train.csv and test.csv, apart by street picture.

    Each person gives a window with a margin around its box, and one of the same shape elsewhere in
    the picture, of the class street, that shows no part of a person, smaller if need be; both tell
    the inner box.
    """
    draw = np.random.default_rng(seed)
    root.mkdir(parents=True)
    rows = {"train": [], "test": []}
    for number, file in enumerate(sorted((source / "PNGImages").glob("*.png"))):
        picture = Image.open(file).convert("RGB")
        mask = np.asarray(Image.open(source / "PedMasks" / f"{file.stem}_mask.png"))
        part = "test" if number % 3 == 2 else "train"
        for person in range(1, mask.max() + 1):
            for label, window, box in _windows(mask, person, draw):
                name = f"{file.stem}-{person}-{label}.png"
                picture.crop(window).save(root / name)
                rows[part].append((name, label, *box))
    for part, found in rows.items():
        with (root / f"{part}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([("path", "label", "x", "y", "width", "height"), *found])
    return root


def _windows(mask, person, draw):
    """Yield (label, window as left, top, right, bottom, inner box as x, y, width, height)."""
    ys, xs = np.nonzero(mask == person)
    left, top, right, bottom = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    wide, high = int((right - left) * MARGIN), int((bottom - top) * MARGIN / 2)
    outer = (
        max(0, left - wide),
        max(0, top - high),
        min(mask.shape[1], right + wide),
        min(mask.shape[0], bottom + high),
    )
    inner = left - outer[0], top - outer[1], right - left, bottom - top
    yield "person", tuple(map(int, outer)), tuple(map(int, inner))
    for size in (1.0, 0.8, 0.6, 0.4):
        x, y, width, height = (int(size * v) for v in (*inner[:2], *_sides(outer)))
        box = x, y, int(size * inner[2]), int(size * inner[3])
        for _ in range(100):
            left = int(draw.integers(0, mask.shape[1] - width + 1))
            top = int(draw.integers(0, mask.shape[0] - height + 1))
            if not mask[top : top + height, left : left + width].any():
                yield "street", (left, top, left + width, top + height), box
                return


def _sides(window):
    return window[2] - window[0], window[3] - window[1]
