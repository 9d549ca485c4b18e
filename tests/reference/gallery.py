"""Slow references for search: plain loops in float64."""

import numpy as np


def nearest_rows(vectors, queries, k):
    """For each query the k rows of largest dot product, ties by lower row: [(score, row), …]."""
    answers = []
    for query in np.asarray(queries, dtype=np.float64):
        scored = [
            (float(np.dot(query, vector)), row)
            for row, vector in enumerate(np.asarray(vectors, dtype=np.float64))
        ]
        scored.sort(key=lambda pair: (-pair[0], pair[1]))
        answers.append(scored[:k])
    return answers


def as_stored(vector):
    """What a gallery keeps of a vector: length 1, rounded to float16; length 1 again."""
    unit = np.asarray(vector, dtype=np.float64)
    unit = unit / np.linalg.norm(unit)
    rounded = unit.astype(np.float16).astype(np.float64)
    return rounded / np.linalg.norm(rounded)


def best_identities(enrolled, query, k):
    """The k best identities for a query: [(similarity, picture id, identity), …], best first.

    ``enrolled`` is a list of (picture id, identity, vector). Ties go to the lower picture id.
    """
    query = np.asarray(query, dtype=np.float64)
    query = query / np.linalg.norm(query)
    best = {}
    for picture_id, identity, vector in sorted(enrolled, key=lambda item: item[0]):
        similarity = float(np.dot(query, as_stored(vector)))
        if identity not in best or similarity > best[identity][0]:
            best[identity] = (similarity, picture_id, identity)
    return sorted(best.values(), key=lambda item: (-item[0], item[1]))[:k]
