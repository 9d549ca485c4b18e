"""The nearest rows of bytes are those of whole numbers in NumPy, in every kernel."""

import numpy as np
import pytest

from saccade import scan

WIDTHS = (1, 7, 8, 9, 63, 64, 100, 784, 1025)
SIZES = ((1, 1), (1, 5), (7, 3), (8, 4), (33, 1), (100, 9), (257, 65))
POWERS = {"l1": 1, "l2": 2}


def expected(rows, queries, k, distance):
    """Every distance in int64; a stable order takes the lower of equally near rows."""
    apart = np.abs(queries.astype(np.int64)[:, None] - rows.astype(np.int64)) ** POWERS[distance]
    sums = apart.sum(axis=2)
    order = np.argsort(sums, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(sums, order, axis=1), order


def drawn(draw, count, d, kind):
    high = {"any": 256, "ties": 2, "zero": 1}.get(kind, 2)
    found = draw.integers(0, high, (count, d)).astype(np.uint8)
    return found * np.uint8(255) if kind == "extreme" else found


@pytest.mark.parametrize("distance", POWERS)
@pytest.mark.parametrize("kind", ["any", "extreme", "ties", "zero"])
@pytest.mark.parametrize("d", WIDTHS)
def test_kernels_equal_numpy(d, kind, distance):
    draw = np.random.default_rng([3, d])
    for n, q in SIZES:
        if n * q * d > 2_000_000:
            continue
        rows, queries = drawn(draw, n, d, kind), drawn(draw, q, d, kind)
        for k in {1, min(n, 5), n}:
            right = expected(rows, queries, k, distance)
            for name in scan.names():
                distances, numbers = scan.neighbours(name, rows, queries, k, distance)
                assert distances.dtype == numbers.dtype == np.uint32
                assert np.array_equal(distances, right[0]), (name, n, q, k)
                assert np.array_equal(numbers, right[1]), (name, n, q, k)


@pytest.mark.parametrize("distance", POWERS)
def test_the_largest_sums_fit(distance):
    rows = np.full((3, 32768), 255, np.uint8)
    rows[1] = 0
    queries = np.stack([rows[0], rows[1]])
    largest = 32768 * 255 ** POWERS[distance]
    for name in scan.names():
        distances, numbers = scan.neighbours(name, rows, queries, 3, distance)
        assert distances.tolist() == [[0, 0, largest], [0, largest, largest]]
        assert numbers.tolist() == [[0, 2, 1], [1, 0, 2]]


@pytest.mark.parametrize("distance", POWERS)
def test_any_number_of_threads_and_chunks_gives_the_same(distance):
    """1,500 queries of 1,000 bytes are more than a chunk."""
    draw = np.random.default_rng(5)
    rows, queries = drawn(draw, 50, 1000, "any"), drawn(draw, 1500, 1000, "any")
    for name in scan.names():
        one = scan.neighbours(name, rows, queries, 3, distance)
        assert np.array_equal(one[0][::300], expected(rows, queries[::300], 3, distance)[0])
        for threads in (2, 3, 1024):
            other = scan.neighbours(name, rows, queries, 3, distance, threads=threads)
            assert np.array_equal(one[0], other[0])
            assert np.array_equal(one[1], other[1])


def test_no_query_gives_no_answer():
    for name in scan.names():
        distances, numbers = scan.neighbours(
            name, np.zeros((4, 3), np.uint8), np.zeros((0, 3), np.uint8), 2, "l1"
        )
        assert distances.shape == numbers.shape == (0, 2)


@pytest.mark.parametrize(
    ("rows", "queries", "k", "distance", "threads", "message"),
    [
        ((3, 5), (2, 4), 1, "l1", 1, "as long as the rows"),
        ((3, 0), (2, 0), 1, "l1", 1, "1 to 32768 numbers"),
        ((1, 32769), (1, 32769), 1, "l1", 1, "1 to 32768 numbers"),
        ((3, 5), (2, 5), 0, "l1", 1, "k must be 1 to the number of rows"),
        ((3, 5), (2, 5), 4, "l1", 1, "k must be 1 to the number of rows"),
        ((0, 5), (2, 5), 1, "l1", 1, "k must be 1 to the number of rows"),
        ((3, 5), (2, 5), 1, "l3", 1, "distance must be l1 or l2"),
        ((3, 5), (2, 5), 1, "l1", 0, "threads"),
        ((3, 5), (2, 5), 1, "l1", 1025, "threads"),
    ],
)
def test_what_does_not_fit_is_refused(rows, queries, k, distance, threads, message):
    with pytest.raises(ValueError, match=message):
        scan.neighbours(
            "plain",
            np.zeros(rows, np.uint8),
            np.zeros(queries, np.uint8),
            k,
            distance,
            threads=threads,
        )


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no kernel of that name"):
        scan.neighbours("none", np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), 1, "l1")
