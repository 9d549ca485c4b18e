"""Groups of unnamed pictures as findings, in which whole identities are put together.

What was grouped before moves as one: an identity goes where most of its pictures are, and two of
which any pictures are known to show different people are never put together.
"""

from collections.abc import Iterator

import numpy as np

from saccade.review.findings import GROUP, Finding, Members, rows_by
from saccade.values import IntArray


def group_findings(members: Members, groups: IntArray) -> list[Finding]:
    """Return each group of several identities, the largest first.

    ``groups`` (n,): of ``group_pictures``. The identity of the oldest picture comes first.
    """
    found = list(_each(members, groups))
    return sorted(found, key=lambda one: (-len(one.pictures), one.pictures))


def _each(members: Members, groups: IntArray) -> Iterator[Finding]:
    ids, first, codes = np.unique(members.identities, return_index=True, return_inverse=True)
    rows_of = rows_by(codes, len(ids))
    partners: dict[int, set[int]] = {}
    for one, other in members.never_one:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    for together in rows_by(_homes(codes, groups), int(groups.max(initial=-1)) + 1):
        kept, barred = [], set[int]()
        for code in together[np.argsort(first[together])].tolist():
            if ids[code] not in barred:
                kept.append(code)
                barred |= partners.get(int(ids[code]), set())
        if len(kept) > 1:
            yield _finding(members, ids[kept], np.sort(np.concatenate([rows_of[k] for k in kept])))


def _finding(members: Members, identities: IntArray, rows: IntArray) -> Finding:
    n, total = len(rows), members.vectors[rows].sum(axis=0, dtype=np.float64)
    alike = (total @ total - n) / (n * (n - 1))
    numbers = tuple(members.numbers[rows].tolist())
    evidence = f"{n} pictures, {alike:.2f} alike on average"
    return Finding(GROUP, tuple(identities.tolist()), numbers, float(n), evidence)


def _homes(codes: IntArray, groups: IntArray) -> IntArray:
    """The group (m,) in which most rows of each identity are; of equal ones the first."""
    pairs, counts = np.unique(np.stack([codes, groups], axis=1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
    _, first = np.unique(pairs[order, 0], return_index=True)
    found: IntArray = pairs[order[first], 1]
    return found
