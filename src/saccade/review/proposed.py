"""Proposals in words, as users see them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Proposed:
    """A proposal in words. ``action``: what accepting it does; empty where the user must look.

    ``identities`` are names, ``pictures`` numbers, in the order of ``Finding``.
    """

    number: int
    kind: str
    identities: tuple[str, ...]
    pictures: tuple[int, ...]
    score: float
    evidence: str
    action: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a look through a gallery proposes; ``notes``: what was not looked for, and why."""

    pictures: int
    identities: int
    proposals: tuple[Proposed, ...]
    notes: tuple[str, ...] = ()
    report: Path | None = None

    def of(self, kind: str) -> tuple[Proposed, ...]:
        """Those of a kind, surest first."""
        return tuple(one for one in self.proposals if one.kind == kind)
