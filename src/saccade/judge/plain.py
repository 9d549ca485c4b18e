"""Scores as plain numbers, lists and dicts, which JSON can hold."""

import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any


def plain(value: Any, *, but: tuple[str, ...] = ()) -> Any:
    """Return dataclasses as dicts of their fields, ``but`` for those named, and tuples as lists."""
    if is_dataclass(value):
        names = [name for name in value.__dataclass_fields__ if name not in but]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def as_json(figures: dict[str, Any]) -> str:
    """Return figures as JSON; ValueError for one that is not finite."""
    return json.dumps(figures, indent=2, allow_nan=False)
