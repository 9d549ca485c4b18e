"""How figures are printed, whatever command asked for them."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.output import say, shown

if TYPE_CHECKING:
    from saccade.api.judging import Scores
    from saccade.api.predictions import Judged


def print_part(data: Path, part: Path) -> None:
    """Say which part of divided data is used."""
    if part != data:
        say(f"part: {shown(str(part))}")


def print_scores(scores: "Scores | Judged") -> None:
    """Print the first figures, what their intervals stand on, and what must be known of them."""
    for name, figure in scores.headline:
        say(f"  {name:<17} {figure}")
    say(f"  95 % intervals from {scores.basis}")
    for line in scores.remarks:
        say(f"  {shown(line)}")
    if scores.warning:
        say(f"  {shown(scores.warning)}")
    if scores.by_group is not None:
        say(f"  {shown(scores.by_group.sentence)}")
        for one in scores.by_group.groups:
            figures = "  ".join(f"{name} {found}" for name, found in one.figures.items())
            few = " (too few)" if one.too_few else ""
            many = "1 picture" if one.pictures == 1 else f"{one.pictures:,} pictures"
            say(f"    {shown(one.group)}: {many}{few}  {figures}".rstrip())
