"""With a reach, a search reads what is near first, and then what reaches what it found."""

import numpy as np
import pytest

from saccade import scan
from tests.reference.scan import (
    best_of,
    factor_of,
    finder_of,
    levels_of,
    mask_of,
    weights_of,
)


def scores_of(levels, query):
    """Head and 8-bit scores of all rows, the factors of their whole numbers, and the weights."""
    component = np.zeros(len(query), np.float32)
    for value, row in zip(query, levels["rotation"], strict=True):
        component += value * row
    m = len(levels["head_step"])
    head = levels["codes"] @ weights_of(component[:m], levels["head_step"])
    weights = weights_of(component, levels["full_step"])
    factors = (
        factor_of(component[:m], levels["head_step"]),
        factor_of(component, levels["full_step"]),
    )
    return head, levels["full"].astype(np.int64) @ weights, factors, weights


def part(survivors, blocks, all_blocks, denser=1):
    share = np.ceil(float(survivors) * denser * float(blocks) / float(max(1, all_blocks)))
    return max(1, min(survivors, int(share)))


def listed_in_rounds(levels, query, k, effort, allowed, cells):
    """The shortlist in NumPy; ``cells`` are (first, last, offset, reach) a range."""
    survivors, finalists = min(effort[0], len(levels["codes"])), effort[1]
    head, full, (head_factor, factor), weights = scores_of(levels, query)
    n = len(head)

    def best(chosen, count):
        rows = np.zeros(n, bool)
        scores = head.copy()
        for first, last, offset, _ in chosen:
            rows[16 * first : 16 * last] = True
            scores[16 * first : 16 * last] += int(np.rint(np.float64(offset) * head_factor))
        rows = best_of(scores, np.flatnonzero(rows & allowed), count)
        return best_of(full, rows, finalists)

    def blocks(chosen):
        return sum(last - first for first, last, _, _ in chosen)

    order = sorted(range(len(cells)), key=lambda i: (-cells[i][3], i))
    near = set(order[: -(-len(cells) // scan.NEAR)])
    first = [cell for i, cell in enumerate(cells) if i in near]
    rest = [cell for i, cell in enumerate(cells) if i not in near]
    count = part(survivors, blocks(first), blocks(cells), scan.DENSER)
    found = best(first, count)
    bar = np.float32(-np.inf)
    if len(found) >= k and factor > 0:
        lowest = full[best_of(full, found, k)].min()
        bar = (np.float32(lowest) - np.float32(255 * weights.sum()) / np.float32(2)) / factor
    reached = [cell for cell in rest if cell[3] >= bar]
    if reached:
        left = part(survivors - count, blocks(reached), blocks(rest))
        found = best_of(full, np.union1d(found, best(reached, left)), finalists)
    return np.union1d(found, [e for e in levels["escaped"] if allowed[e]]).astype(np.int64)


def cells_of(draw, blocks, count):
    """(first, last, offset, reach) of some ranges that follow one another, some empty."""
    edges = np.sort(draw.integers(0, blocks + 1, 2 * count)).reshape(count, 2)
    offsets = np.float32(draw.choice([0, 0.1, 3])) * draw.standard_normal(count, np.float32)
    reach = np.float32(draw.choice([0, 1, 5])) * draw.standard_normal(count, np.float32)
    reach[draw.random(count) < 0.2] = reach[0]
    return [
        (int(first), int(last), offset, far)
        for (first, last), offset, far in zip(edges, offsets, reach, strict=True)
    ]


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_search_in_rounds_is_the_slow_one(count):
    draw = np.random.default_rng(21)
    skipped = 0
    for _ in range(count):
        n, d, bits = int(draw.integers(1, 900)), int(draw.integers(1, 30)), 2 ** draw.integers(0, 3)
        m = int(draw.integers(1, d + 1))
        levels = levels_of(draw, n, d, m, int(bits), spread=float(draw.choice([1.0, 0.0])))
        q, k, threads = (int(draw.integers(1, high)) for high in (6, 5, 4))
        effort = int(draw.integers(k, 80)), int(draw.integers(k, 20))
        queries = draw.standard_normal((q, d)).astype(np.float32)
        queries[draw.random(q) < 0.1] = 0
        r = int(draw.integers(1, 30))
        cells = [cells_of(draw, -(-n // 16), r) for _ in queries]
        ranges = np.array([[cell[:2] for cell in own] for own in cells], np.int64)
        offsets, reach = (
            np.array([[cell[i] for cell in own] for own in cells], np.float32) for i in (2, 3)
        )
        allowed = draw.random(n) < draw.choice([0.0, 0.7, 1.0])
        slow = [
            listed_in_rounds(levels, query, k, effort, allowed, own)
            for query, own in zip(queries, cells, strict=True)
        ]
        for name in scan.names():
            found = finder_of(name, levels).shortlist(
                queries, k, *effort, threads, mask_of(allowed), ranges, offsets, reach
            )
            assert [row[row >= 0].tolist() for row in found] == [row.tolist() for row in slow]
        whole = finder_of(scan.kernel(), levels).shortlist(
            queries, k, *effort, threads, mask_of(allowed), ranges, offsets
        )
        skipped += not np.array_equal(whole, found)
    assert skipped > count / 10


def test_ranges_that_all_reach_are_all_read():
    """Then only the survivors of the near ones differ; where all survive, nothing does."""
    draw = np.random.default_rng(3)
    levels = levels_of(draw, 640, 20, 16, 2, spread=1.0)
    queries = draw.standard_normal((4, 20)).astype(np.float32)
    ranges = np.array([[2 * i, 2 * i + 2] for i in range(20)], np.int64)
    far = np.full((4, 20), 1e6, np.float32)
    finder = finder_of(scan.kernel(), levels)
    expected = finder.find(queries, 3, 640, 640, 1, None, ranges)
    found = finder.find(queries, 3, 640, 640, 1, None, ranges, None, far)
    assert np.array_equal(expected[1][:, 0], found[1][:, 0])
