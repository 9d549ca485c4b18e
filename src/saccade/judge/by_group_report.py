"""Figures group by group, in a report."""

from saccade.judge.by_group import FEW, ByGroup
from saccade.judge.wording import decimal, with_limits
from saccade.report import Section, Table, Text


def by_group_section(found: ByGroup) -> Section:
    """Return a table of the groups and the sentence on how far they are apart."""
    names = max((list(one.figures) for one in found.groups), key=len)
    rows = []
    for one in found.groups:
        cells = (with_limits(one.figures.get(name), decimal) for name in names)
        few = " (too few)" if one.too_few else ""
        rows.append((one.group or "(empty)", f"{one.pictures:,}{few}", *cells))
    shown = found.spread is not None and found.spread.low > 0
    sentence = f"{found.sentence[0].upper()}{found.sentence[1:]}."
    return Section(
        f"By {found.column}",
        (
            Text(sentence, "warning" if shown else "note"),
            Table(
                (found.column, "Pictures", *names),
                tuple(rows),
                caption=f"In brackets: the interval. Fewer than {FEW} {found.units} say little.",
            ),
        ),
    )
