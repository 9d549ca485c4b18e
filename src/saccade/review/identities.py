"""Checks a gallery's vectors: magnets, wrong names, one identity twice, two under one name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from saccade.review import doubts, likelihood
from saccade.review.findings import Checked, Finding, Members
from saccade.review.magnets import STRANGERS, magnets
from saccade.review.neighbours import nearest, strangers
from saccade.values import Float32Array, IntArray

LIKE = 8  # other identities that each picture is compared with
COPY = 0.995  # cosine from which two pictures are near copies
TOO_FEW = (
    f"Wrong names, twins and two under one name were not looked for: that needs "
    f"{likelihood.FEWEST_IDENTITIES} identities, and {likelihood.FEWEST_REPEATED} pictures beside "
    "the first of each."
)


def check_vectors(members: Members, *, threads: int = 2) -> Checked:
    """Return what the vectors of a gallery tell of its identities.

    In about n times the time of one search; all vectors are in memory. Needs two pictures.
    """
    ids, codes = np.unique(members.identities, return_inverse=True)
    found: dict[str, tuple[Finding, ...]] = dict.fromkeys(
        ("magnet", "wrong_name", "same", "two", "copy"), ()
    )
    if len(codes) < 2:
        return Checked(len(codes), len(ids), found, (TOO_FEW,))
    places, cosines = nearest(members.vectors, threads=threads)
    who, alike = strangers(places, cosines, codes, most=LIKE)
    attracting = magnets(alike, threshold=members.threshold)
    found["magnet"] = tuple(_magnet(members, row, alike[row]) for row in attracting)
    found["copy"] = tuple(_copies(members, places, cosines, attracting))
    kept = np.setdiff1d(np.arange(len(codes)), attracting)
    used, left = np.unique(codes[kept], return_inverse=True)
    if not likelihood.can_be_fitted(left):
        return Checked(len(codes), len(ids), found, (TOO_FEW,))
    renumbered = np.full(len(ids) + 1, -1)
    renumbered[used] = np.arange(len(used))
    doubted = _Doubted(
        Members(members.numbers[kept], ids[used[left]], members.vectors[kept], members.threshold),
        ids[used],
        left,
        renumbered[who[kept]],
    )
    return Checked(len(codes), len(ids), found | doubted.found())


@dataclass(frozen=True, slots=True, eq=False)
class _Doubted:
    """Rows without magnets: ``ids`` (m,) of the ``codes`` (n,); ``who`` (n, c) each is like."""

    members: Members
    ids: IntArray
    codes: IntArray
    who: IntArray

    def found(self) -> dict[str, tuple[Finding, ...]]:
        """Compare the partitions; each picture is told of once."""
        model = likelihood.fit(self.members.vectors, self.codes)
        sets = likelihood.Sets.of(model.rows, self.codes)
        same = [
            one
            for one in doubts.twins(model, sets, self.codes, self.who)
            if self._would_match(self._rows(one.first), self._rows(one.second))
        ]
        two = [
            one
            for one in doubts.two_under_one_name(model, sets, self.codes)
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
        return bool(np.mean(self._cosines(first, second)) >= threshold)

    def _wrong_name(self, one: doubts.WrongName) -> Finding:
        own = self._rows(self.codes[one.row], but=(one.row,))
        other = self._rows(one.other)
        return Finding(
            "wrong_name",
            (int(self.ids[self.codes[one.row]]), int(self.ids[one.other])),
            (int(self.members.numbers[one.row]),),
            one.odds,
            f"{self._alike([one.row], own)} like the other pictures of its name, "
            f"{self._alike([one.row], other)} like those of the other",
        )

    def _same(self, one: doubts.Twins, counts: IntArray) -> Finding:
        pair = sorted((one.first, one.second), key=lambda code: (-counts[code], code))
        first, second = self._rows(pair[0]), self._rows(pair[1])
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
            tuple(self.members.numbers[list(one.rows)].tolist()),
            one.odds,
            f"{len(one.rows)} of its pictures are {self._within(one.rows)} alike, the other "
            f"{len(rest)} {self._within(rest)}, but the two parts {self._alike(one.rows, rest)}",
        )

    def _rows(self, code: int, but: Sequence[int] = ()) -> IntArray:
        return np.setdiff1d(np.flatnonzero(self.codes == code), but)

    def _alike(self, first: Sequence[int] | IntArray, second: Sequence[int] | IntArray) -> str:
        return f"{np.mean(self._cosines(first, second)):.2f}"

    def _within(self, rows: Sequence[int] | IntArray) -> str:
        if len(rows) < 2:
            return "(a single one)"
        return f"{self._cosines(rows, rows)[np.triu_indices(len(rows), 1)].mean():.2f}"

    def _cosines(
        self, first: Sequence[int] | IntArray, second: Sequence[int] | IntArray
    ) -> Float32Array:
        vectors = self.members.vectors
        found: Float32Array = vectors[np.asarray(first)] @ vectors[np.asarray(second)].T
        return found


def _magnet(members: Members, row: int, alike: Float32Array) -> Finding:
    fifth = float(alike[STRANGERS - 1])
    return Finding(
        "magnet",
        (int(members.identities[row]),),
        (int(members.numbers[row]),),
        fifth,
        f"{STRANGERS} other identities have a picture that is {fifth:.2f} or more like it",
    )


def _copies(
    members: Members, places: IntArray, cosines: Float32Array, attracting: IntArray
) -> list[Finding]:
    """Near copies; those of two magnets are none, they only lie in one place."""
    rows, columns = np.nonzero(cosines >= COPY)
    pairs = np.stack([rows, places[rows, columns]], axis=1)
    real = ~np.isin(pairs, attracting).all(axis=1)
    rows, columns, pairs = rows[real], columns[real], pairs[real]
    pairs, first = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    alike = cosines[rows, columns][first]
    found = []
    for place in np.lexsort((pairs[:, 0], -alike)):
        both = pairs[place]
        whose = dict.fromkeys(members.identities[both].tolist())
        kind = "of two identities" if len(whose) == 2 else "of one identity"
        numbers = tuple(members.numbers[both].tolist())
        evidence = f"{alike[place]:.4f} alike, {kind}"
        found.append(Finding("copy", tuple(whose), numbers, float(alike[place]), evidence))
    return found
