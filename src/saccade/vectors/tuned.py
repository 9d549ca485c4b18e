"""What a tuning is asked for and what it found, as values that go into JSON and come back."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from saccade.errors import InputError, SettingError
from saccade.names import suggest

RECALL = 0.99
KINDS = ("exact", "scan")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the search shall keep.

    ``recall``: share of queries, above 0 and at most 1, whose best hit is that of exact search; it
    has precedence. ``memory``: bytes for codes (for exact search: float32 vectors) beside the
    half-float truth, None for any. ``latency_ms``: a query's time as estimated from the bytes it
    reads, None for any. ``threads``: 1 or more. Raises SettingError.
    """

    recall: float = RECALL
    memory: int | None = None
    latency_ms: float | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.recall <= 1:
            raise SettingError(f"recall must be above 0 and at most 1, got {self.recall}")
        if self.memory is not None and not self.memory > 0:
            raise SettingError(f"memory must be 1 byte or more, got {self.memory}")
        if self.latency_ms is not None and not self.latency_ms > 0:
            raise SettingError(f"latency must be above 0 ms, got {self.latency_ms}")
        if self.threads < 1:
            raise SettingError(f"threads must be 1 or more, got {self.threads}")


class Record:
    """A frozen dataclass of plain values, to and from what JSON holds."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, given: object) -> Self:
        """Return the record that ``to_dict`` gave.

        Raises InputError, which names the key, when one is missing, unknown or out of its range.
        """
        if not isinstance(given, Mapping):
            raise InputError(f"a tuning must be a table of keys, got {given!r:.40}; tune again")
        kinds = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
        for key in given:
            if key not in kinds:
                raise InputError(f"a tuning has no key {key!r:.40}; {suggest(str(key), kinds)}")
        for key in kinds:
            if key not in given:
                raise InputError(f"a tuning needs '{key}', which is missing; tune again")
        return cls(**{key: _checked(key, given[key], kind) for key, kind in kinds.items()})


@dataclass(frozen=True, slots=True)
class Tried(Record):
    """An effort that was measured; the fields as in ``Tuned``.

    ``held_out``: by the queries that are kept for the last word, not by those that choose.
    """

    head_bytes: int
    components: int
    bits: int
    cells: int
    probes: int
    survivors: int
    margin: float
    bytes_read: int
    recall: float
    recall_low: float
    queries: int
    held_out: bool


@dataclass(frozen=True, slots=True)
class Tuned(Record):
    """The chosen kind of search and its effort, with what was measured.

    ``rows`` and ``dimension`` are those of the gallery, ``target`` the recall asked for.
    ``bytes_read`` by a query, random reads at their weight; ``code_bytes`` kept in memory beside
    the truth. ``kept``: all wishes are; ``reason`` says it in words.
    Of the scan: ``head_bytes`` a vector hold ``components`` of ``bits`` bits; ``cells`` to be made
    (0: none), ``probes`` of them read, but for those left out by ``margin`` (``Effort``);
    ``survivors`` of the head and ``finalists`` of the 8-bit rows. ``recall`` on ``queries``
    held-out rows, ``strangers`` of them asked as if their identity were not in the gallery,
    ``recall_low`` the lower end of its 95 % interval.
    ``unexplained`` and ``outside``: shares, 0 to 1, of the variance that the head loses and of rows
    outside the 8-bit range. ``tried``: every effort measured, in order.
    """

    kind: Literal["exact", "scan"]
    rows: int
    dimension: int
    target: float
    bytes_read: int
    code_bytes: int
    kept: bool
    reason: str
    head_bytes: int = 0
    components: int = 0
    bits: int = 0
    cells: int = 0
    probes: int = 0
    survivors: int = 0
    margin: float = 0.0
    finalists: int = 0
    recall: float = 1.0
    recall_low: float = 1.0
    queries: int = 0
    strangers: int = 0
    unexplained: float = 0.0
    outside: float = 0.0
    tried: tuple[Tried, ...] = ()


def _checked(key: str, value: Any, kind: Any) -> Any:
    """Return a value that is what its field's type says; counts from 0, shares from 0 to 1."""
    if kind is int and type(value) is int and value >= 0:
        return value
    most = math.inf if key == "margin" else 1
    if kind is float and type(value) in (int, float) and 0 <= value <= most and value < math.inf:
        return float(value)
    if kind in (bool, str) and type(value) is kind:
        return value
    if key == "kind" and value in KINDS:
        return value
    if key == "tried" and isinstance(value, list | tuple):
        return tuple(Tried.from_dict(each) for each in value)
    allowed = {int: "a whole number, 0 or more", float: "a number from 0 to 1", str: "text"}
    allowed |= {bool: "true or false"} | ({float: "a number, 0 or more"} if key == "margin" else {})
    wanted = allowed.get(kind, " or ".join(KINDS) if key == "kind" else "a list of tables")
    raise InputError(f"a tuning's '{key}' must be {wanted}, got {value!r:.40}; tune again")
