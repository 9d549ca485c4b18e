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


def mean_of(vectors):
    """The mean of vectors as a gallery stores them, in float16; zero of one or none."""
    units = [np.asarray(one, np.float64) / np.linalg.norm(one) for one in vectors]
    if len(units) < 2:
        return np.zeros(len(units[0]) if units else 1)
    return np.mean([one.astype(np.float16).astype(np.float64) for one in units], axis=0)


def without(mean, unit):
    """A vector of length 1 without the mean, of length 1 again."""
    left = np.asarray(unit, np.float64) - mean
    return left / np.linalg.norm(left)


class Centre:
    """The mean in use, as it should be: made of ``counted`` rows, anew after growth by a tenth."""

    def __init__(self, vectors):
        self.version = 0
        self.renew(vectors)

    def renew(self, vectors):
        """Someone went, or it was chosen."""
        self.mean, self.counted = mean_of(vectors), len(vectors)
        self.version += 1

    def mean_of(self, d):
        """The mean (d,) float32; zeros, too, where there is no row."""
        return np.broadcast_to(self.mean.astype(np.float32), d)

    def grow(self, vectors):
        """A block of rows came."""
        if len(vectors) >= 1.1 * self.counted - 1e-9:
            self.renew(vectors)


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
