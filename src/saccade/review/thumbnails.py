"""Checks a gallery by its thumbnails: tiny, blurred, badly lit, without content."""

from collections.abc import Iterable, Mapping
from io import BytesIO

import numpy as np
from PIL import Image

from saccade.data.first_look import Looked
from saccade.data.measures import measure
from saccade.judge.quality import Odd, badly_lit, blurred, constant
from saccade.review.findings import Finding, Members

TINY = 32  # pixels of the longer side: less shows no face


def check_thumbnails(
    thumbnails: Iterable[tuple[int, bytes]], members: Members
) -> Mapping[str, tuple[Finding, ...]]:
    """Return what JPEGs of at most 96 × 96 tell of the pictures' quality, by their numbers.

    Odd is what differs from the gallery's other pictures (``judge.quality``). One at a time is
    decoded.
    """
    numbers, sides, figures = [], [], []
    for number, jpeg in thumbnails:
        image = Image.open(BytesIO(jpeg)).convert("RGB")
        numbers.append(number)
        sides.append((image.height, image.width))
        figures.append(measure(image))
    if not numbers:
        return {}
    looked = _looked(np.array(sides), np.stack(figures))
    rows = np.arange(len(numbers))
    flat = constant(looked, rows)
    rest = np.setdiff1d(rows, [one.picture for one in flat])
    longer = looked.sides.max(axis=1)
    tiny = [
        Odd(int(row), 0.0, f"its longer side is {longer[row]} pixels; {TINY} are the least")
        for row in rest[longer[rest] < TINY]
    ]
    found = {
        "constant": flat,
        "tiny": tiny,
        "blurred": blurred(looked, rest),
        "light": badly_lit(looked, rest),
    }
    whose = members.identities[np.searchsorted(members.numbers, numbers)]

    def told(kind: str, one: Odd) -> Finding:
        place = one.picture
        return Finding(kind, (int(whose[place]),), (numbers[place],), one.score, one.evidence)

    return {kind: tuple(told(kind, one) for one in ones) for kind, ones in found.items()}


def _looked(sides: np.ndarray, figures: np.ndarray) -> Looked:
    """What the checks of quality ask for; nothing else is known of thumbnails."""
    n = len(sides)
    none = np.zeros((n, 0), np.uint8)
    return Looked(
        sides=sides,
        digests=none,
        figures=figures,
        coloured=np.zeros(n, np.bool_),
        formats=["jpeg"] * n,
        small=none,
        usual=(0.0, 0.0),
        vectors=None,
        broken={},
    )
