"""Conditions on facts, such as ``site = A and (year >= 2020 or note in (new, "to check"))``.

The grammar, tightest first: ``KEY = != < <= > >= VALUE``, ``KEY in (VALUE, …)``, a condition in
parentheses; ``not``; ``and``; ``or``. A key or value is a bare word or stands in quotes, in which a
backslash takes the next character as it is. Words of the grammar count in any case, and need quotes
as keys or values.

A value that is written as a number and without quotes is compared as a number, exactly; any other
as text, by code points, so that dates such as 2027-01-31 are in order. A comparison with a key that
is missing, or of a number with a fact that is none, is neither true nor false but unknown: ``not``
leaves it unknown, ``and`` and ``or`` follow the three-valued logic of Kleene (1938), which is that
of SQL. What is unknown does not fit.
"""

import operator
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from saccade.errors import InputError

Facts = Mapping[str, str]
Truth = bool | None  # None: unknown
Judge = Callable[[Facts], Truth]

MOST_CHARACTERS = 10_000
MOST_DEPTH = 50
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
TOKEN = re.compile(
    r"""\s*(?:(?P<sign><=|>=|!=|[=<>(),])
    |"(?P<double>(?:[^"\\]|\\.)*)"
    |'(?P<single>(?:[^'\\]|\\.)*)'
    |(?P<bare>[^\s=<>!(),"']+))""",
    re.VERBOSE | re.DOTALL,
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
WORDS = ("and", "or", "not", "in")


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of a condition: ``kind`` is a sign, a word of the grammar, "text", "bare" or "end".

    ``at`` is where it begins.
    """

    kind: str
    text: str
    at: int


def condition(text: str) -> Callable[[Facts], bool]:
    """Return what says of facts whether they fit; raises InputError that shows the place."""
    if len(text) > MOST_CHARACTERS:
        raise InputError(
            f"a condition may have {MOST_CHARACTERS:,} characters. Got {len(text):,} instead"
        )
    judge = _Parser(text).whole()
    return lambda facts: judge(facts) is True


def number(text: str) -> Decimal | None:
    """Return the number that a text is, None when it is none."""
    if not NUMBER.fullmatch(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:  # An exponent that no number can have.
        return None


class _Parser:
    """Reads a condition from left to right, a method a level of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._cut()
        self._next = 0
        self._depth = 0

    def whole(self) -> Judge:
        judge = self._any_of()
        if self._peek().kind != "end":
            raise self._error("'and' or 'or' is wanted")
        return judge

    def _cut(self) -> list[_Token]:
        tokens, place = [], 0
        end = len(self._text.rstrip())
        while place < end:
            found = TOKEN.match(self._text, place)
            if found is None:
                at = place + len(self._text[place:]) - len(self._text[place:].lstrip())
                why = "a quote is not closed" if self._text[at] in "\"'" else "'!' needs '='"
                raise _fault(self._text, at, why)
            kind = str(found.lastgroup)
            tokens.append(_token(kind, found[kind], found.start(kind)))
            place = found.end()
        return [*tokens, _Token("end", "", end)]

    def _any_of(self) -> Judge:
        parts = [self._all_of()]
        while self._took("or"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else lambda facts: _or([p(facts) for p in parts])

    def _all_of(self) -> Judge:
        parts = [self._one()]
        while self._took("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda facts: _and([p(facts) for p in parts])

    def _one(self) -> Judge:
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self._error(f"more than {MOST_DEPTH} levels of 'not' and parentheses")
        if self._took("not"):
            inner = self._one()
            judge: Judge = lambda facts: _not(inner(facts))  # noqa: E731
        elif self._took("("):
            judge = self._any_of()
            self._need(")", "')' is wanted")
        else:
            judge = self._comparison()
        self._depth -= 1
        return judge

    def _comparison(self) -> Judge:
        key = self._word("the name of a fact is wanted").text
        sign = self._peek().kind
        if self._took("in"):
            self._need("(", "'(' is wanted")
            judges = [_compared(key, "=", self._word("a value is wanted"))]
            while self._took(","):
                judges.append(_compared(key, "=", self._word("a value is wanted")))
            self._need(")", "',' or ')' is wanted")
            return lambda facts: _or([judge(facts) for judge in judges])
        if sign not in COMPARISONS:
            raise self._error("one of = != < <= > >= in is wanted")
        self._next += 1
        return _compared(key, sign, self._word("a value is wanted"))

    def _word(self, wanted: str) -> _Token:
        token = self._peek()
        if token.kind not in ("text", "bare"):
            raise self._error(wanted)
        self._next += 1
        return token

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _took(self, kind: str) -> bool:
        took = self._peek().kind == kind
        self._next += took
        return took

    def _need(self, kind: str, wanted: str) -> None:
        if not self._took(kind):
            raise self._error(wanted)

    def _error(self, why: str) -> InputError:
        return _fault(self._text, self._peek().at, why)


def _token(kind: str, text: str, at: int) -> _Token:
    if kind == "sign":
        return _Token(text, text, at)
    normal = unicodedata.normalize("NFC", text)  # as facts are stored
    if kind == "bare":
        low = normal.lower()
        return _Token(low if low in WORDS else "bare", normal, at)
    return _Token("text", re.sub(r"\\(.)", r"\1", normal, flags=re.DOTALL), at - 1)


def _compared(key: str, sign: str, value: _Token) -> Judge:
    compare, wanted = COMPARISONS[sign], value.text
    as_number = number(wanted) if value.kind == "bare" else None

    def judge(facts: Facts) -> Truth:
        fact = facts.get(key)
        if fact is None or as_number is None:
            return None if fact is None else compare(fact, wanted)
        found = number(fact)
        return None if found is None else compare(found, as_number)

    return judge


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _or(truths: list[Truth]) -> Truth:
    return True if True in truths else None if None in truths else False


def _and(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _fault(text: str, at: int, why: str) -> InputError:
    """The error that shows the place by a caret in front of it."""
    return InputError(f"condition, column {at + 1}: {why}, at the caret: {text[:at]}^{text[at:]}")
