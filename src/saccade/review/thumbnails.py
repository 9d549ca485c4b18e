"""Checks a gallery by its thumbnails: tiny, blurred, badly lit, without content."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from saccade.data.first_look import look
from saccade.judge.quality import Odd, badly_lit, blurred, constant
from saccade.review.findings import Finding
from saccade.values import IntArray, Sample, UInt8Array

TINY = 32  # pixels of the longer side: less shows no face


def check_thumbnails(
    pictures: Sequence[UInt8Array], numbers: IntArray, identities: IntArray
) -> Mapping[str, tuple[Finding, ...]]:
    """Return what pictures (H, W, 3) uint8, at most 96 × 96, tell of their quality.

    ``numbers`` (n,) and ``identities`` (n,) are those of the pictures. Odd is what differs from the
    gallery's other pictures (``judge.quality``).
    """
    if not len(pictures):
        return {}
    looked = look([Sample(Path(str(row)), "", picture) for row, picture in enumerate(pictures)])
    rows = np.arange(len(pictures))
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
    return {
        kind: tuple(
            Finding(
                kind,
                (int(identities[one.picture]),),
                (int(numbers[one.picture]),),
                one.score,
                one.evidence,
            )
            for one in ones
        )
        for kind, ones in found.items()
    }
