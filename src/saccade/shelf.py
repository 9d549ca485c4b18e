"""A row of a shelf: how a part is made, and what the catalogue tells of it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One part that users choose by its name.

    ``build`` makes it from keyword arguments; ``definition`` is its formula in plain text,
    ``source`` the paper and equation; ``range`` the values it gives, as "[0, ∞)"; ``note`` what
    else a user should know.
    """

    build: Callable[..., Any]
    definition: str
    source: str
    range: str = ""
    note: str = ""

    def make(self, **offered: Any) -> Any:
        """Build the part from those of the settings offered that it takes by name."""
        taken = inspect.signature(self.build).parameters
        return self.build(**{name: value for name, value in offered.items() if name in taken})
