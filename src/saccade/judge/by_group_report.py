"""Figures group by group, in a report."""

from saccade.judge.by_group import FEW, ByGroup
from saccade.judge.wording import decimal, with_limits
from saccade.report import Section, Table, Text

MOST_COLUMNS = 5  # of figures in a table; more are wider than a page


def by_group_section(found: ByGroup) -> Section:
    """Return the sentence on how far the groups are apart, and them in a table, or in several."""
    names = max((list(one.figures) for one in found.groups), key=len)
    tables = -(-len(names) // MOST_COLUMNS)
    width = -(-len(names) // tables)
    shown = found.spread is not None and found.spread.low > 0
    sentence = f"{found.sentence[0].upper()}{found.sentence[1:]}."
    caption = f"In brackets: the interval. Fewer than {FEW} {found.units} say little."
    return Section(
        f"By {found.column}",
        (
            Text(sentence, "warning" if shown else "note"),
            *(
                _table(found, names[start : start + width], "" if start else caption)
                for start in range(0, len(names), width)
            ),
        ),
    )


def _table(found: ByGroup, names: list[str], caption: str) -> Table:
    rows = []
    for one in found.groups:
        cells = (with_limits(one.figures.get(name), decimal) for name in names)
        few = " (too few)" if one.too_few else ""
        rows.append((one.group or "(empty)", f"{one.pictures:,}{few}", *cells))
    return Table((found.column, "Pictures", *names), tuple(rows), caption=caption)
