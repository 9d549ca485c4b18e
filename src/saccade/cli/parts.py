"""``docs/reference/parts.md``: what is chosen by name, told by the rows of the shelves."""

from collections.abc import Iterable, Sequence

from saccade.api.blocks import SHELVES, blocks
from saccade.nn.activations import SATURATED

EXPLAINED = (
    f"Saturated: |f'(x)| stays below {SATURATED}. Zero-centred: the mean of f(x) is 0 for normal x "
    "of mean 0 and deviation 1. Cost: the time of f and f' on (256, 64, 28, 28) float32 over "
    "relu's, by `benchmarks/activation_cost.py`.\n"
)


def parts_page() -> str:
    """Return a table a shelf; of activations also how they behave."""
    parts = ["# Parts\n"]
    for title, shelf in SHELVES.items():
        rows = [[f"`{name}`", row.definition, row.note, row.source] for name, row in shelf.items()]
        parts += [f"## {title}\n", _table(("name", "definition", "note", "source"), rows)]
    head = ("name", "derivative", "range", "saturated", "zero-centred", "cost")
    parts += ["## How activations behave\n", EXPLAINED, _table(head, _behaviour())]
    return "\n".join(parts)


def _behaviour() -> list[list[str]]:
    return [
        [
            f"`{one.name}`",
            one.derivative or "",
            one.row.range,
            one.saturated or "",
            "yes" if one.zero_centred else "no",
            f"{one.cost:.1f}",
        ]
        for one in blocks()
        if one.derivative
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar within a cell is escaped."""
    told = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in [head, *rows]]
    lines = [f"| {line} |" for line in told]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]]) + "\n"
