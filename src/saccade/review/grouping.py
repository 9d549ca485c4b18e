"""Unnamed pictures into groups, one for each identity, without being told how many there are.

Two pictures are linked when one is among the other's nearest and both are at least as alike as the
gallery asks of one identity; a link counts as much as the two have neighbours in common (Jarvis and
Patrick, "Clustering using a similarity measure based on shared near neighbors", IEEE Transactions
on Computers, 1973). Groups are the communities of the linked pictures (Blondel, Guillaume,
Lambiotte and Lefebvre, "Fast unfolding of communities in large networks", 2008), found in each
connected part for itself, so that small groups are not merged because the gallery is large (the
resolution limit of Fortunato and Barthélemy, 2007).
"""

from collections.abc import Iterable, Sequence

import networkx
import numpy as np
from scipy import sparse

from saccade.review.neighbours import nearest
from saccade.values import Float32Array, IntArray

NEIGHBOURS = 10
LEAST_SHARED = 0.1  # of the neighbours of both: a weaker link is none
RESOLUTION = 0.2  # of the communities; 1 is that of Blondel and others, less makes larger groups


def group_pictures(
    vectors: Float32Array,
    *,
    at_least: float,
    apart: Iterable[tuple[int, int]] = (),
    threads: int = 2,
    seed: int = 0,
) -> IntArray:
    """Return the group of each row (n, d) of length 1: (n,) numbers from 0, the largest group's.

    ``at_least``: the cosine from which two pictures may show one identity. ``apart``: pairs of rows
    that do not, as two boxes of one photo. A row that is like no other is a group of its own.
    """
    n = len(vectors)
    if n < 2:
        return np.zeros(n, np.int64)
    apart = list(apart)
    first, second, weights = _links(vectors, at_least, threads)
    if apart:
        parted = np.sort(np.array(apart, np.int64), axis=1) @ (n, 1)
        kept = ~np.isin(first * n + second, parted)
        first, second, weights = first[kept], second[kept], weights[kept]
    links = networkx.Graph()
    links.add_nodes_from(range(n))
    links.add_weighted_edges_from(
        zip(first.tolist(), second.tolist(), weights.tolist(), strict=True)
    )
    found = np.zeros(n, np.int64)
    for number, members in enumerate(_communities(links, seed)):
        found[members] = number
    return _by_size(_held_apart(vectors, found, apart))


def _links(
    vectors: Float32Array, at_least: float, threads: int
) -> tuple[IntArray, IntArray, Float32Array]:
    """Linked rows, the lower first, and the share of their neighbours that both have."""
    n = len(vectors)
    places, cosines = nearest(vectors, count=NEIGHBOURS, threads=threads)
    alike = cosines >= at_least
    own = np.nonzero(alike)[0]
    near = sparse.csr_array((np.ones(len(own), np.int32), (own, places[alike])), shape=(n, n))
    near = near + sparse.eye_array(n, dtype=np.int32, format="csr")
    common = (near @ near.T).multiply((near + near.T) > 0).tocoo()
    first, second = (axis.astype(np.int64) for axis in common.coords)
    counts = near.sum(axis=1)
    shared = common.data / (counts[first] + counts[second] - common.data)
    kept = (first < second) & (shared >= LEAST_SHARED)
    return first[kept], second[kept], shared[kept].astype(np.float32)


def _communities(links: networkx.Graph, seed: int) -> Iterable[list[int]]:
    for connected in networkx.connected_components(links):
        if len(connected) < 3:
            yield sorted(connected)
            continue
        part = links.subgraph(sorted(connected))
        for members in networkx.community.louvain_communities(
            part, resolution=RESOLUTION, seed=seed
        ):
            yield sorted(members)


def _held_apart(
    vectors: Float32Array, groups: IntArray, apart: Sequence[tuple[int, int]]
) -> IntArray:
    """Part the groups that hold a pair which is to be apart.

    One after another, those first that are most like the group, each joins the part that it is most
    like and where it has no such partner, or begins one.
    """
    found = groups.copy()
    partners: dict[int, set[int]] = {}
    for one, other in apart:
        partners.setdefault(one, set()).add(other)
        partners.setdefault(other, set()).add(one)
    broken = {
        groups[row]
        for row, others in partners.items()
        if (groups[list(others)] == groups[row]).any()
    }
    following = int(groups.max(initial=-1)) + 1
    for group in sorted(broken):
        members = np.flatnonzero(groups == group)
        order = members[np.argsort(-(vectors[members] @ vectors[members].sum(axis=0)))]
        parts: list[list[int]] = []
        for row in order.tolist():
            free = [part for part in parts if not partners.get(row, set()).intersection(part)]
            if free:
                max(free, key=lambda part: float((vectors[part] @ vectors[row]).mean())).append(row)
            else:
                parts.append([row])
        for part in parts[1:]:
            found[part] = following
            following += 1
    return found


def _by_size(groups: IntArray) -> IntArray:
    """Number them anew, the largest first; equal ones by their first row."""
    _, first, codes, counts = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -counts))
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    found: IntArray = place[codes]
    return found
