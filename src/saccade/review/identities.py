"""Checks a gallery's vectors: magnets, wrong names, one identity twice, two under one name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from saccade.review import doubts, likelihood
from saccade.review.copies import Copies, copies_across, copies_within
from saccade.review.findings import Checked, Finding, Members, rows_by
from saccade.review.magnets import STRANGERS, magnets
from saccade.review.neighbours import nearest, stranger_of_some, strangers
from saccade.values import Float32Array, IntArray

LIKE = 8  # other identities that each picture is compared with
TOO_FEW = (
    f"Wrong names, twins and two under one name were not looked for: that needs "
    f"{likelihood.FEWEST_IDENTITIES} identities, and {likelihood.FEWEST_REPEATED} pictures beside "
    "the first of each, near copies and magnets left aside."
)
FEW_STRANGERS = (
    f"Pictures that attract strangers were not looked for: that needs {STRANGERS + 1} identities."
)


def check_vectors(members: Members, *, threads: int = 2) -> Checked:
    """Return what the vectors of a gallery tell of its identities.

    In about n times the time of one search; all vectors are in memory. Near copies are told, and
    count as one picture in all else: they are no evidence of their own.
    """
    ids, codes = np.unique(members.identities, return_inverse=True)
    found: dict[str, tuple[Finding, ...]] = dict.fromkeys(
        ("magnet", "wrong_name", "same", "two", "copy"), ()
    )
    if len(codes) < 2:
        return Checked(len(codes), len(ids), found, (TOO_FEW,))
    places, cosines = nearest(members.vectors, threads=threads)
    who, alike = strangers(places, cosines, codes, most=LIKE)
    within = copies_within(members.vectors, codes, places, cosines)
    copied = [row for one in within for row in one.rows[1:]]
    rows = np.setdiff1d(np.arange(len(codes)), copied)
    usual = stranger_of_some(members.vectors[rows], codes[rows], STRANGERS)
    attracting = rows[magnets(alike[rows], usual, threshold=members.threshold)]
    found["magnet"] = tuple(_magnet(members, row, alike[row]) for row in attracting)
    across = copies_across(codes, places, cosines, attracting)
    found["copy"] = tuple(_copied(members, one) for one in [*within, *across])
    notes: tuple[str, ...] = () if len(ids) > STRANGERS else (FEW_STRANGERS,)
    kept = np.setdiff1d(rows, attracting)
    used, left = np.unique(codes[kept], return_inverse=True)
    if not likelihood.can_be_fitted(left):
        return Checked(len(codes), len(ids), found, (*notes, TOO_FEW))
    renumbered = np.full(len(ids) + 1, -1)
    renumbered[used] = np.arange(len(used))
    doubted = _Doubted(
        replace(
            members,
            numbers=members.numbers[kept],
            identities=ids[used[left]],
            vectors=members.vectors[kept],
        ),
        ids[used],
        left,
        renumbered[who[kept]],
        rows_by(left, len(used)),
        {one[0]: one[1:] for one in (_numbers(members, one) for one in within)},
    )
    large = sum(len(rows) > doubts.MOST_PARTED for rows in doubted.rows_of)
    if large:
        notes += (
            f"Of {large:,} identities with more than {doubts.MOST_PARTED:,} pictures it was not "
            "looked whether they are two.",
        )
    return Checked(len(codes), len(ids), found | doubted.found(), notes)


@dataclass(frozen=True, slots=True, eq=False)
class _Doubted:
    """Rows without magnets and copies: ``ids`` (m,) of the ``codes`` (n,), ``rows_of`` each code.

    ``who`` (n, c): other codes that each is like. ``copies``: the numbers of a picture's copies.
    """

    members: Members
    ids: IntArray
    codes: IntArray
    who: IntArray
    rows_of: Sequence[IntArray]
    copies: Mapping[int, tuple[int, ...]]

    def found(self) -> dict[str, tuple[Finding, ...]]:
        """Compare the partitions; each picture is told of once."""
        model = likelihood.fit(self.members.vectors, self.codes)
        sets = likelihood.Sets.of(model.rows, self.codes)
        same = [
            one
            for one in doubts.twins(model, sets, self.codes, self.who)
            if self._pair(one.first, one.second) not in self.members.never_one
            and self._would_match(self.rows_of[one.first], self.rows_of[one.second])
        ]
        two = [
            one
            for one in doubts.two_under_one_name(model, sets, self.rows_of)
            if not self._would_match(one.rows, self._rows(one.code, but=one.rows), unknown=False)
        ]
        wrong = doubts.wrong_names(model, sets, self.codes, self.who)
        # A twin's pictures are like the other twin, those of two people like one of them.
        pairs = {(one.first, one.second) for one in same}
        pairs |= {(second, first) for first, second in pairs}
        parted = {one.code for one in two}
        wrong = [
            one
            for one in wrong
            if self.codes[one.row] not in parted
            and (int(self.codes[one.row]), one.other) not in pairs
            and self._may_show(one)
        ]
        return {
            "wrong_name": tuple(self._wrong_name(one) for one in wrong),
            "same": tuple(self._same(one, sets.counts) for one in same),
            "two": tuple(self._two(one) for one in two),
        }

    def _would_match(
        self,
        first: Sequence[int] | IntArray,
        second: Sequence[int] | IntArray,
        *,
        unknown: bool = True,
    ) -> bool:
        """Whether rows reach the threshold on average; ``unknown`` where there is none.

        What the gallery would match on its own is no two people, and what it would not is no one.
        """
        threshold = self.members.threshold
        if threshold is None:
            return unknown
        return self._mean_cosine(first, second) >= threshold

    def _wrong_name(self, one: doubts.WrongName) -> Finding:
        own = self._rows(self.codes[one.row], but=(one.row,))
        other = self.rows_of[one.other]
        return Finding(
            "wrong_name",
            (int(self.ids[self.codes[one.row]]), int(self.ids[one.other])),
            self._numbers([one.row]),
            one.odds,
            f"{self._alike([one.row], own)} like the other pictures of its name, "
            f"{self._alike([one.row], other)} like those of the other",
        )

    def _same(self, one: doubts.Twins, counts: IntArray) -> Finding:
        pair = sorted((one.first, one.second), key=lambda code: (-counts[code], code))
        first, second = self.rows_of[pair[0]], self.rows_of[pair[1]]
        return Finding(
            "same",
            (int(self.ids[pair[0]]), int(self.ids[pair[1]])),
            (),
            one.odds,
            f"their pictures are {self._alike(first, second)} alike, "
            f"those within each {self._within(first)} and {self._within(second)}",
        )

    def _two(self, one: doubts.TwoUnderOneName) -> Finding:
        rest = self._rows(one.code, but=one.rows)
        return Finding(
            "two",
            (int(self.ids[one.code]),),
            tuple(sorted(self._numbers(one.rows))),
            one.odds,
            f"{len(one.rows)} of its pictures are {self._within(one.rows)} alike, the other "
            f"{len(rest)} {self._within(rest)}, but the two parts {self._alike(one.rows, rest)}",
        )

    def _rows(self, code: int, but: Sequence[int] = ()) -> IntArray:
        return np.setdiff1d(self.rows_of[code], but)

    def _numbers(self, rows: Sequence[int]) -> tuple[int, ...]:
        """Of the pictures and their copies: each picture, then its own."""
        told = self.members.numbers[list(rows)].tolist()
        return tuple(number for one in told for number in (one, *self.copies.get(one, ())))

    def _pair(self, first: int, second: int) -> tuple[int, int]:
        """The numbers of two codes, the lower first: codes and numbers rise together."""
        low, high = self.ids[sorted((first, second))].tolist()
        return low, high

    def _may_show(self, one: doubts.WrongName) -> bool:
        told = (int(self.members.numbers[one.row]), int(self.ids[one.other]))
        return told not in self.members.never

    def _alike(self, first: Sequence[int] | IntArray, second: Sequence[int] | IntArray) -> str:
        return f"{self._mean_cosine(first, second):.2f}"

    def _within(self, rows: Sequence[int] | IntArray) -> str:
        n = len(rows)
        if n < 2:
            return "(a single one)"
        return f"{(n * n * self._mean_cosine(rows, rows) - n) / (n * (n - 1)):.2f}"

    def _mean_cosine(
        self, first: Sequence[int] | IntArray, second: Sequence[int] | IntArray
    ) -> float:
        """Of all pairs, by the sums of both: no pair is held in memory."""
        one, other = (
            self.members.vectors[np.asarray(rows)].mean(axis=0, dtype=np.float64)
            for rows in (first, second)
        )
        return float(one @ other)


def _magnet(members: Members, row: int, alike: Float32Array) -> Finding:
    fifth = float(alike[STRANGERS - 1])
    return Finding(
        "magnet",
        (int(members.identities[row]),),
        (int(members.numbers[row]),),
        fifth,
        f"{STRANGERS} other identities have a picture that is {fifth:.2f} or more like it",
    )


def _copied(members: Members, one: Copies) -> Finding:
    rows = list(one.rows)
    whose = tuple(dict.fromkeys(members.identities[rows].tolist()))
    kind = "of two identities" if len(whose) == 2 else "of one identity"
    evidence = f"{one.cosine:.4f} alike, {kind}"
    if len(rows) > 2:
        evidence = f"{len(rows)} pictures, {one.cosine:.4f} or more like the oldest, {kind}"
    return Finding("copy", whose, _numbers(members, one), one.cosine, evidence)


def _numbers(members: Members, one: Copies) -> tuple[int, ...]:
    return tuple(members.numbers[list(one.rows)].tolist())
