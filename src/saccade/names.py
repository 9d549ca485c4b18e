"""Look-up of a user's word in a table, with "did you mean"."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from saccade.errors import UnknownNameError

Value = TypeVar("Value")


def look_up(table: Mapping[str, Value], name: str, kind: str) -> Value:
    """Return ``table[name]``; ``kind`` says in the error what was asked for ("loss", "index")."""
    if name in table:
        return table[name]
    raise UnknownNameError(f"there is no {kind} '{name}'; {suggest(name, table)}")


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return "did you mean …?", or the allowed names when none is near."""
    names = sorted(allowed)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return "there are none"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}"
