"""How one setting is declared: a field of a dataclass, with what is said of it and allowed."""

from dataclasses import field
from typing import Any

AUTO = "auto"


def setting(
    default: Any,
    text: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] = (),
    auto: bool = False,
) -> Any:
    """Declare one setting: its default, one sentence, and what values are allowed (inclusive).

    With ``auto`` it is a fractional number, or the word "auto".
    """
    allowed = {"low": low, "high": high, "choices": choices, "auto": auto}
    return field(default=default, metadata={"text": text, **allowed})
