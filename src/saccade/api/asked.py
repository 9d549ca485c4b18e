"""What a user wants to be told of the pictures judged, besides the figures of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saccade.data.readers import column
from saccade.judge.by_group import ByGroup
from saccade.judge.operating_point import Wanted
from saccade.values import Sample

if TYPE_CHECKING:
    from saccade.report import Section  # Loads the charts.


@dataclass(frozen=True, slots=True)
class Asked:
    """What else is to be told of the pictures judged.

    ``groups``: the column of metadata whose pictures are alike and count together; ``by``: the one
    whose values are judged each by itself; ``alarm``: what an alarm for one class may cost;
    ``note``: what the reader of the report must know.
    """

    groups: str | None = None
    by: str | None = None
    alarm: Wanted | None = None
    note: str = ""

    def named(self, samples: Sequence[Sample]) -> list[str] | None:
        """The group of each sample, or None where each stands for itself."""
        return None if self.groups is None else column(samples, self.groups)

    @property
    def units(self) -> str:
        """What is drawn for the intervals."""
        return "pictures" if self.groups is None else "groups"


NOTHING = Asked()


def sections_of(found: ByGroup | None) -> "list[Section]":
    """Return the section of a report on groups; none where nobody asked for them."""
    if found is None:
        return []
    from saccade.judge.by_group_report import by_group_section

    return [by_group_section(found)]
