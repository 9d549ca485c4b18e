"""What is found in data before anything learns from them: counts, and suggestions with evidence.

Nothing is decided for the user: a suggestion names a picture, says why, and stands in a list of its
kind, surest first.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saccade.data.first_look import Looked
from saccade.judge.duplicates import Copy, find_copies
from saccade.judge.label_errors import doubted_labels, picture_features
from saccade.judge.quality import Odd, badly_lit, blurred, constant
from saccade.values import IntArray, Sample

FEW = 30  # pictures of a class, below which its figures say little
# Of copies in several parts the one stays on which most depends.
PRIORITY = {"train": 0, "val": 1, "test": 2}
# What is found, in the order in which it is told, and what it means.
KINDS = {
    "leak": "pictures of one part that are copies of pictures in another",
    "two_labels": "copies with another label",
    "exact": "exact copies within a part",
    "near": "near copies within a part",
    "unreadable": "pictures that cannot be read",
    "constant": "pictures without content",
    "label": "labels that are probably wrong",
    "blurred": "blurred pictures",
    "light": "badly lit or clipped pictures",
}
REMOVED = ("leak", "exact", "near", "unreadable", "constant")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A picture that deserves a look: its row, and why, in words.

    ``other``: the row of the copy that stays, else -1. ``suggested``: the label that is more
    likely, where one is. ``score``: what the list is ordered by, and its meaning is the kind's own:
    the difference of two copies, the probability of a label, deviations from what is usual.
    """

    kind: str
    picture: int
    evidence: str
    score: float = 0.0
    other: int = -1
    suggested: str = ""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in ``samples``, whose parts are ``parts`` ("" where data are not divided).

    ``classes``: pictures of each label, ``few`` the labels with fewer than FEW, ``imbalance`` the
    largest class over the smallest. ``formats`` and ``sizes`` (height x width): how many of each,
    the commonest first; ``aspects``: least, median and largest width over height. ``coloured``: how
    many are not grey. ``copy_limit``: how different copies may be. ``found``: suggestions of each
    of KINDS, surest first. ``notes``: what was not looked for, and why.
    """

    samples: tuple[Sample, ...]
    parts: tuple[str, ...]
    classes: Mapping[str, int]
    imbalance: float
    few: tuple[str, ...]
    formats: Mapping[str, int]
    sizes: Mapping[str, int]
    aspects: tuple[float, float, float] | None
    coloured: int
    copy_limit: float
    found: Mapping[str, tuple[Suggestion, ...]]
    notes: tuple[str, ...] = ()

    @property
    def labelled(self) -> bool:
        """True where pictures are of classes; those with boxes or masks have no label."""
        return any(self.classes)

    @property
    def suggestions(self) -> int:
        """How many there are of all kinds."""
        return sum(len(found) for found in self.found.values())

    @property
    def removed(self) -> frozenset[int]:
        """The rows that a clean table leaves out: copies, and pictures that show nothing."""
        return frozenset(one.picture for kind in REMOVED for one in self.found[kind])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text, pictures by their paths."""
        told = {kind: [self._told(one) for one in found] for kind, found in self.found.items()}
        return {
            "pictures": len(self.samples),
            "parts": dict(Counter(self.parts)) if any(self.parts) else {},
            "classes": dict(self.classes),
            "imbalance": self.imbalance,
            "few": list(self.few),
            "formats": dict(self.formats),
            "sizes": dict(self.sizes),
            "aspects": None if self.aspects is None else list(self.aspects),
            "coloured": self.coloured,
            "copy_limit": self.copy_limit,
            "counts": {kind: len(found) for kind, found in self.found.items()},
            "found": told,
            "removed": len(self.removed),
            "notes": list(self.notes),
        }

    def _told(self, one: Suggestion) -> dict[str, Any]:
        sample = self.samples[one.picture]
        told = {"picture": str(sample.path), "part": self.parts[one.picture], "label": sample.label}
        if one.other >= 0:
            other = self.samples[one.other]
            told["copy_of"] = str(other.path)
            told["copy_part"], told["copy_label"] = self.parts[one.other], other.label
        told |= {"suggested": one.suggested} if one.suggested else {}
        return {**told, "score": one.score, "evidence": one.evidence}


def inspect_pictures(
    samples: Sequence[Sample],
    parts: Sequence[str],
    looked: Looked,
    *,
    seed: int = 0,
    threads: int = 1,
) -> Inspection:
    """Return what is found in ``samples`` (n,), which ``looked`` has seen; ``parts`` (n,)."""
    readable = np.array([row for row in range(len(samples)) if row not in looked.broken], np.int64)
    flat = constant(looked, readable)
    rows = np.setdiff1d(readable, [one.picture for one in flat])
    priority = np.array([PRIORITY.get(part, 0) for part in parts], np.int64)
    copies = find_copies(looked, rows, priority=priority, threads=threads)
    labels = [sample.label for sample in samples]
    classes = dict(sorted(Counter(labels).items(), key=lambda item: (-item[1], item[0])))
    found = {kind: list[Suggestion]() for kind in KINDS}
    for one in copies.copies:
        kind = "exact" if one.exact else "near"
        across = parts[one.picture] != parts[one.kept]
        found["leak" if across else kind].append(_of_copy("leak" if across else kind, one))
        if labels[one.picture] != labels[one.kept]:
            found["two_labels"].append(_of_copy("two_labels", one, labels[one.picture]))
    for row, reason in sorted(looked.broken.items()):
        found["unreadable"].append(Suggestion("unreadable", row, reason))
    found["constant"] += _of_odd("constant", flat)
    found["blurred"] += _of_odd("blurred", blurred(looked, rows))
    found["light"] += _of_odd("light", badly_lit(looked, rows))
    doubts, notes = _doubted(looked, rows, copies.copies, labels, seed, threads)
    found["label"] += doubts
    return Inspection(
        samples=tuple(samples),
        parts=tuple(parts),
        classes=classes,
        imbalance=max(classes.values()) / min(classes.values()),
        few=tuple(label for label, count in classes.items() if count < FEW),
        formats=_counted([looked.formats[row] for row in readable.tolist()]),
        sizes=_counted([f"{high}x{wide}" for high, wide in looked.sides[readable].tolist()]),
        aspects=_aspects(looked.sides[readable]),
        coloured=int(looked.coloured[readable].sum()),
        copy_limit=copies.limit,
        found={kind: tuple(suggestions) for kind, suggestions in found.items()},
        notes=tuple(notes),
    )


def _of_copy(kind: str, copy: Copy, suggested: str = "") -> Suggestion:
    evidence = "the same pixels" if copy.exact else f"gradients differ by {copy.difference:.4f}"
    if kind == "two_labels":  # Told of the one that stays in a clean table.
        return Suggestion(kind, copy.kept, evidence, copy.difference, copy.picture, suggested)
    return Suggestion(kind, copy.picture, evidence, copy.difference, copy.kept)


def _of_odd(kind: str, odd: Sequence[Odd]) -> list[Suggestion]:
    return [Suggestion(kind, one.picture, one.evidence, one.score) for one in odd]


def _doubted(
    looked: Looked,
    rows: IntArray,
    copies: Sequence[Copy],
    labels: Sequence[str],
    seed: int,
    threads: int,
) -> tuple[list[Suggestion], list[str]]:
    """Doubts about labels, and why there are none; of copies one is asked, and answers for all."""
    single = np.setdiff1d(rows, [one.picture for one in copies])
    given = [labels[row] for row in single.tolist()]
    features = np.zeros((len(single), 0), np.float32)
    if looked.vectors is not None:
        features = looked.vectors[single]
    elif len(single):
        features = picture_features(looked.small[single])
    doubts, note = doubted_labels(features, given, seed=seed, threads=threads)
    return [
        Suggestion(
            "label",
            int(single[one.picture]),
            f"probability {max(0.01, one.given_probability):.2f}"
            f"{' or less' if one.given_probability < 0.01 else ''}, of {one.suggested} "
            f"{one.suggested_probability:.2f}",
            one.given_probability,
            suggested=one.suggested,
        )
        for one in doubts
    ], [note] if note else []


def _counted(names: Sequence[str]) -> dict[str, int]:
    return dict(Counter(sorted(names)).most_common())


def _aspects(sides: IntArray) -> tuple[float, float, float] | None:
    if not len(sides):
        return None
    ratios = sides[:, 1] / sides[:, 0]
    return float(ratios.min()), float(np.median(ratios)), float(ratios.max())
