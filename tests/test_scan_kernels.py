"""Every kernel gives the same whole numbers and bits, and they are those of plain arithmetic."""

import numpy as np
import pytest

from saccade import scan
from saccade.errors import SettingError
from tests.reference.scan import finder_of, found_slowly, levels_of, listed_slowly, mask_of

WIDTHS = (1, 3, 96, 100, 200, 512, 1536)
COUNTS = (0, 1, 15, 16, 17, 1000)
KINDS = ("any", "constant", "repeated", "zero", "extreme")
CASES, FEW = 10_000, 300


def drawn(draw, kind, shape, low, high, dtype):
    """Whole numbers of a kind, ``low`` to ``high``, both included."""
    if kind == "zero":
        return np.zeros(shape, dtype)
    if kind == "extreme":
        return draw.choice(np.array([low, high], dtype), shape)
    values = draw.integers(low, high + 1, shape).astype(dtype)
    if kind == "constant" and len(shape) == 2:
        values[:] = values[:1] if len(values) else values
    if kind == "repeated" and len(shape) == 2 and len(values):
        values[:] = values[draw.integers(0, min(3, len(values)), len(values))]
    return values


def cases(count):
    draw = np.random.default_rng(7)
    for number in range(count):
        large = number % 50 == 0
        n = int(draw.choice(COUNTS if large else COUNTS[:-1]))
        yield draw, n, int(draw.choice(WIDTHS)), str(draw.choice(KINDS))


@pytest.mark.parametrize("count", [FEW, pytest.param(CASES, marks=pytest.mark.slow)])
def test_kernels_agree_on_the_head(count):
    for draw, n, d, kind in cases(count):
        bits = int(draw.choice([1, 2, 4]))
        m = -(-d // (32 // bits)) * (32 // bits)
        codes = drawn(draw, kind, (n, m), 0, 2**bits - 1, np.uint8)
        weights = drawn(draw, str(draw.choice(KINDS)), (m,), -127, 127, np.int8)
        expected = codes.astype(np.int64) @ weights.astype(np.int64)
        packed = scan.pack(codes, bits)
        for name in scan.names():
            found = scan.head_scores(name, packed, n, bits, weights)
            assert np.array_equal(found, expected), (name, n, m, bits, kind)


@pytest.mark.parametrize("count", [FEW, pytest.param(CASES, marks=pytest.mark.slow)])
def test_kernels_agree_on_rows(count):
    for draw, n, d, kind in cases(count):
        codes = drawn(draw, kind, (n, d), 0, 255, np.uint8)
        weights = drawn(draw, str(draw.choice(KINDS)), (d,), -127, 127, np.int8)
        expected = codes.astype(np.int64) @ weights.astype(np.int64)
        for name in scan.names():
            assert np.array_equal(scan.row_scores(name, codes, weights), expected), (name, n, d)


def test_the_largest_sums_fit():
    codes = np.full((2, 4096), 255, np.uint8)
    for weight in (-127, 127):
        weights = np.full(4096, weight, np.int8)
        for name in scan.names():
            assert scan.row_scores(name, codes, weights).tolist() == [255 * weight * 4096] * 2
            for bits in (1, 2, 4):
                packed = scan.pack(np.full((16, 4096), 2**bits - 1, np.uint8), bits)
                found = scan.head_scores(name, packed, 16, bits, weights)
                assert set(found.tolist()) == {(2**bits - 1) * weight * 4096}


@pytest.mark.parametrize("d", [*WIDTHS, 7, 8, 9])
def test_dot_products_have_the_same_bits(d):
    draw = np.random.default_rng(d)
    half = draw.standard_normal((40, d)).astype(np.float16)
    half[0], half[1, 0] = 0, np.float16(6e-8)  # the smallest that a half float can hold
    query = draw.standard_normal(d).astype(np.float32)
    sums = np.zeros((40, 8), np.float32)
    for i in range(d):
        sums[:, i % 8] += half[:, i].astype(np.float32) * query[i]
    expected = ((sums[:, 0] + sums[:, 4]) + (sums[:, 2] + sums[:, 6])) + (
        (sums[:, 1] + sums[:, 5]) + (sums[:, 3] + sums[:, 7])
    )
    for name in scan.names():
        found = scan.dots(name, half.view(np.uint16), query)
        assert np.array_equal(found.view(np.int32), expected.view(np.int32)), name
    assert np.allclose(expected, half.astype(np.float64) @ query, rtol=1e-4, atol=1e-4)


def test_every_half_float_is_read_as_numpy_reads_it():
    half = np.arange(2**16, dtype=np.uint16).reshape(-1, 1)
    expected = half.view(np.float16).astype(np.float32)[:, 0]
    finite = np.isfinite(expected)
    for name in scan.names():
        found = scan.dots(name, half, np.ones(1, np.float32))
        assert np.array_equal(found[finite], expected[finite])
        assert np.array_equal(np.isnan(found), np.isnan(expected))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_values_become_the_code_of_their_step(bits):
    draw = np.random.default_rng(bits)
    steps = np.array([0.1, 2.0, 0.0], np.float32)
    values = (draw.standard_normal((500, 3)) * steps * 2**bits / 4).astype(np.float32)
    values[0] = [np.nan, np.inf, -np.inf]
    values[:, 2] = np.where(np.isfinite(values[:, 2]), 1.0, values[:, 2])
    codes, outside = scan.quantise(values, steps, bits)
    factor = np.divide(1, steps, out=np.zeros_like(steps), where=steps > 0)
    with np.errstate(invalid="ignore"):
        place = values * factor + np.float32(2**bits / 2)
    expected = np.floor(np.clip(np.nan_to_num(place, nan=0), 0, 2**bits - 1)).astype(np.uint8)
    assert np.array_equal(codes, expected)
    inside = (place >= 0) & (place < 2**bits)
    assert np.array_equal(outside.astype(bool), ~inside.all(axis=1))
    assert outside[0]


SEARCHES = [
    (n, d, m, bits, survivors, spread)
    for n, survivors in [(0, 5), (1, 1), (15, 4), (16, 40), (17, 3), (1000, 60), (20_000, 500)]
    for d, m, bits in [(1, 1, 1), (3, 2, 2), (24, 24, 4), (40, 17, 1)]
    for spread in (1.0, 0.0)
]


@pytest.mark.parametrize(("n", "d", "m", "bits", "survivors", "spread"), SEARCHES)
def test_a_search_is_the_slow_one(n, d, m, bits, survivors, spread):
    draw = np.random.default_rng((n, d, bits))
    levels = levels_of(draw, n, d, m, bits, spread=spread)
    queries = draw.standard_normal((5, d)).astype(np.float32)
    queries[4] = 0
    slow = [found_slowly(levels, query, min(3, n), survivors, 10) for query in queries]
    for name in scan.names():
        finder = finder_of(name, levels)
        for threads in (1, 3):
            together = finder.find(queries, 3, survivors, 10, threads)
            one_by_one = [finder.find(query[None], 3, survivors, 10, threads) for query in queries]
            apart = [np.concatenate(part) for part in zip(*one_by_one, strict=True)]
            for scores, rows in (together, apart):
                assert np.array_equal(scores, [one[0] for one in slow])
                assert np.array_equal(rows, [one[1] for one in slow])


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_only_what_is_allowed_is_found(share):
    draw = np.random.default_rng(5)
    n = 3001
    levels = levels_of(draw, n, 20, 16, 2, spread=1.0)
    allowed = draw.random(n) < share
    mask = mask_of(allowed)
    queries = draw.standard_normal((4, 20)).astype(np.float32)
    for name in scan.names():
        scores, rows = finder_of(name, levels).find(queries, 5, 50, 20, 1, mask)
        for query, one_scores, one_rows in zip(queries, scores, rows, strict=True):
            slow_scores, slow_rows = found_slowly(levels, query, 5, 50, 20, allowed)
            count = len(slow_rows)
            assert np.array_equal(one_rows[:count], slow_rows)
            assert np.array_equal(one_scores[:count], slow_scores)
            assert (one_rows[count:] == -1).all() and np.isneginf(one_scores[count:]).all()


def test_a_search_in_some_blocks_is_one_in_their_rows():
    draw = np.random.default_rng(6)
    n = 5000
    levels = levels_of(draw, n, 20, 16, 2, spread=1.0)
    ranges = np.array([[0, 3], [3, 3], [10, 200], [300, 313]], np.int64)
    inside = np.zeros(n + 16, bool)
    for first, last in ranges:
        inside[16 * first : 16 * last] = True
    query = draw.standard_normal((1, 20)).astype(np.float32)
    levels["escaped"] = levels["escaped"][:0]
    _, expected = found_slowly(levels, query[0], 4, 50, 20, inside[:n])
    for name in scan.names():
        for threads in (1, 2):
            finder = finder_of(name, levels)
            assert finder.find(query, 4, 50, 20, threads, None, ranges)[1].tolist() == [
                expected.tolist()
            ]


@pytest.mark.parametrize(("n", "d", "m", "bits", "survivors", "spread"), SEARCHES)
def test_a_shortlist_is_the_slow_one_and_needs_no_truth(n, d, m, bits, survivors, spread):
    draw = np.random.default_rng((n, d, bits, 1))
    levels = levels_of(draw, n, d, m, bits, spread=spread)
    queries = draw.standard_normal((5, d)).astype(np.float32)
    slow = [listed_slowly(levels, query, survivors, 3) for query in queries]
    for name in scan.names():
        finder = finder_of(name, levels, truth=None)
        for threads in (1, 3):
            found = finder.shortlist(queries, 1, survivors, 3, threads)
            assert found.shape == (5, max(map(len, slow)))
            for list_, expected in zip(found, slow, strict=True):
                assert np.array_equal(list_[: len(expected)], expected)
                assert (list_[len(expected) :] == -1).all()


def test_a_finder_without_truth_finds_nothing():
    levels = levels_of(np.random.default_rng(0), 30, 20, 16, 2, spread=1.0)
    finder = finder_of("plain", levels, truth=None)
    with pytest.raises(ValueError, match="shortlist"):
        finder.find(np.zeros((1, 20), np.float32), 1, 5, 5)


def ranges_of(draw, blocks, count):
    """(count, 2) rising ranges; some empty, some that touch."""
    return np.sort(draw.integers(0, blocks + 1, 2 * count)).reshape(count, 2)


def offsets_at(ranges, offsets, n):
    """The offset of each of n positions; 0 outside of the ranges."""
    found = np.zeros(n + 16, np.float32)
    for (first, last), offset in zip(ranges, offsets, strict=True):
        found[16 * first : 16 * last] = offset
    return found[:n]


def within(ranges, n):
    """Which of n positions lie in the blocks."""
    inside = np.zeros(n + 16, bool)
    for first, last in ranges:
        inside[16 * first : 16 * last] = True
    return inside[:n]


@pytest.mark.parametrize("count", [FEW // 10, pytest.param(CASES // 10, marks=pytest.mark.slow)])
def test_a_batch_is_its_queries_one_by_one(count):
    draw = np.random.default_rng(9)
    for _ in range(count):
        n, d, bits = int(draw.integers(1, 400)), int(draw.integers(1, 30)), 2 ** draw.integers(0, 3)
        spread = float(draw.choice([1.0, 0.0]))
        m = int(draw.integers(1, d + 1))
        levels = levels_of(draw, n, d, m, int(bits), spread=spread)
        q = int(draw.integers(1, 11))
        queries = draw.standard_normal((q, d)).astype(np.float32)
        effort = [int(draw.integers(1, 60)), int(draw.integers(1, 20)), int(draw.integers(1, 4))]
        ranges = np.stack([ranges_of(draw, -(-n // 16), 4) for _ in range(q)])
        offsets = np.float32(draw.choice([0, 0.1, 10])) * draw.standard_normal((q, 4), np.float32)
        allowed = draw.random(n) < 0.7 if draw.random() < 0.5 else None
        bits_ = None if allowed is None else mask_of(allowed)
        slow = [
            listed_slowly(
                levels, query, *effort[:2], allowed, within(own, n), offsets_at(own, offset, n)
            )
            for query, own, offset in zip(queries, ranges, offsets, strict=True)
        ]
        for name in scan.names():
            found = finder_of(name, levels).shortlist(queries, 1, *effort, bits_, ranges, offsets)
            assert [row[row >= 0].tolist() for row in found] == [row.tolist() for row in slow]


def test_a_batch_of_many_with_cells_is_one_by_one():
    """More queries than share a pass, and ranges that few of them have in common."""
    draw = np.random.default_rng(10)
    n = 20_000
    levels = levels_of(draw, n, 24, 20, 2, spread=1.0)
    queries = draw.standard_normal((150, 24)).astype(np.float32)
    starts = np.unique(np.concatenate([[0, n // 16], draw.integers(0, n // 16, 40)]))
    chosen = [np.sort(draw.choice(len(starts) - 1, 12, replace=False)) for _ in queries]
    ranges = np.stack([np.stack([starts[own], starts[own + 1]], axis=1) for own in chosen])
    expected = None
    for name in scan.names():
        finder = finder_of(name, levels)
        alone = [
            finder.find(query[None], 5, 200, 20, 1, None, own)
            for query, own in zip(queries, ranges, strict=True)
        ]
        scores, rows = (np.concatenate(part) for part in zip(*alone, strict=True))
        expected = (scores, rows) if expected is None else expected
        assert np.array_equal(expected[0], scores) and np.array_equal(expected[1], rows)
        for threads in (1, 2, 3):
            together = finder.find(queries, 5, 200, 20, threads, None, ranges)
            assert np.array_equal(together[0], scores) and np.array_equal(together[1], rows)
    for query, own, found in zip(queries[:10], ranges, expected[1], strict=False):
        slow = found_slowly(levels, query, 5, 200, 20, None, within(own, n))[1]
        assert found.tolist() == slow.tolist()


MANY = [(24, 3, 2, 70), (37, 1, 1, 7_000), (40, 4, 4, 70), (33, 1, 2, 3), (50, 2, 4, 7_000)]


@pytest.mark.parametrize(
    ("m", "spare", "bits", "survivors"),
    [*MANY[:2], *(pytest.param(*case, marks=pytest.mark.slow) for case in MANY[2:])],
)
def test_a_batch_through_many_blocks_is_one_by_one(m, spare, bits, survivors):
    """Long enough for kernels that bound the scores of many queries before they multiply."""
    draw = np.random.default_rng((11, bits, survivors))
    n, d = 70_003, m + spare
    levels = levels_of(draw, n, d, m, bits, spread=1.0)
    queries = draw.standard_normal((11, d)).astype(np.float32)
    queries[0], queries[1] = 0, np.eye(d)[0]
    queries[2] = queries[3]
    allowed = draw.random(n) < 0.9
    mask = mask_of(allowed)
    ranges = np.array([[1, 1500], [1501, 4375]], np.int64)
    inside = within(ranges, n)
    expected = finder_of("plain", levels).shortlist(queries, 1, survivors, 20, 1, mask, ranges)
    for query, found in zip(queries[:4], expected, strict=False):
        slow = listed_slowly(levels, query, survivors, 20, allowed, inside)
        assert found[found >= 0].tolist() == slow.tolist()
    for name in scan.names():
        finder = finder_of(name, levels)
        found = finder.shortlist(queries, 1, survivors, 20, 2, mask, ranges)
        assert np.array_equal(found, expected), name
        whole = finder.find(queries, 2, survivors, 20)
        for query, scores, rows in zip(queries[::5], whole[0][::5], whole[1][::5], strict=True):
            alone = finder.find(query[None], 2, survivors, 20)
            assert np.array_equal(alone[0][0], scores) and np.array_equal(alone[1][0], rows)


def test_maps_of_files_are_read_where_they_lie(tmp_path):
    """Read-only maps are taken, and not copied: what is written to the file is seen."""
    levels = levels_of(np.random.default_rng(11), 640, 20, 16, 2, spread=1.0)
    other = levels_of(np.random.default_rng(12), 640, 20, 16, 2, spread=1.0)
    files = {}
    for key in ("full", "truth"):
        levels[key].tofile(tmp_path / key)
        files[key] = np.memmap(tmp_path / key, levels[key].dtype, "r", shape=levels[key].shape)
    finder = finder_of("plain", levels, **files)
    queries = np.random.default_rng(13).standard_normal((3, 20)).astype(np.float32)
    for changed in ({}, {"full": other["full"]}, {"full": other["full"], "truth": other["truth"]}):
        for key, values in changed.items():
            with (tmp_path / key).open("r+b") as file:
                file.write(values.tobytes())
        expected = finder_of("plain", levels, **changed).find(queries, 5, 100, 20)
        found = finder.find(queries, 5, 100, 20)
        assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])


def test_arrays_that_would_have_to_be_copied_are_refused():
    levels = levels_of(np.random.default_rng(0), 64, 20, 16, 2, spread=1.0)
    for changed in (
        {"full": levels["full"].astype(np.int32)},
        {"full": np.asfortranarray(levels["full"])},
        {"truth": np.repeat(levels["truth"], 2, axis=0)[::2]},
    ):
        with pytest.raises(TypeError):
            finder_of("plain", levels, **changed)


def test_rows_that_are_no_numbers_come_last():
    levels = levels_of(np.random.default_rng(0), 40, 20, 16, 2, spread=1.0)
    truth = levels["truth"].copy()
    truth[3, 0] = 0x7E00
    query = np.ones((1, 20), np.float32)
    scores, rows = finder_of("plain", levels, truth=truth).find(query, 40, 40, 40)
    assert rows[0, -1] == 3 and np.isneginf(scores[0, -1]) and np.isfinite(scores[0, :-1]).all()


def test_positions_are_turned_into_rows_of_the_truth():
    draw = np.random.default_rng(8)
    levels = levels_of(draw, 300, 12, 12, 4, spread=1.0)
    order = draw.permutation(300).astype(np.uint32)
    query = draw.standard_normal((1, 12)).astype(np.float32)
    plain = finder_of("plain", levels).find(query, 4, 300, 300)
    moved = np.empty_like(levels["truth"])
    moved[order] = levels["truth"]
    keys = ("rotation", "head_step", "full_step", "escaped")
    head = scan.pack(np.pad(levels["codes"].astype(np.uint8), ((0, 0), (0, 4))), 4)
    finder = scan.Finder("plain", head, 4, levels["full"], moved, *(levels[k] for k in keys), order)
    scores, rows = finder.find(query, 4, 300, 300)
    assert np.array_equal(scores, plain[0])
    assert np.array_equal(rows, order[plain[1]])


REFUSED = {
    "a short head": {"head": np.zeros(64, np.uint8)},
    "three bits": {"bits": 3},
    "a truth with too few rows": {"truth": np.zeros((5, 8), np.uint16)},
    "a truth of another width": {"truth": np.zeros((40, 7), np.uint16)},
    "a rotation of another width": {"rotation": np.eye(7, dtype=np.float32)},
    "more head components than there are": {"head_step": np.ones(9, np.float32)},
    "no head components": {"head_step": np.ones(0, np.float32)},
    "too few steps": {"full_step": np.ones(7, np.float32)},
    "an escaped row that is not there": {"escaped": np.array([40], np.uint32)},
    "an order of another length": {"order": np.zeros(39, np.uint32)},
    "an order beyond the truth": {"order": np.full(40, 40, np.uint32)},
    "an order without a truth": {"truth": None, "order": np.zeros(40, np.uint32)},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_arrays_that_do_not_fit_are_refused(wrong):
    right = {
        "kernel": "plain",
        "head": np.zeros(3 * 64, np.uint8),
        "bits": 4,
        "full": np.zeros((40, 8), np.uint8),
        "truth": np.zeros((40, 8), np.uint16),
        "rotation": np.eye(8, dtype=np.float32),
        "head_step": np.ones(8, np.float32),
        "full_step": np.ones(8, np.float32),
        "escaped": np.zeros(0, np.uint32),
    }
    scan.Finder(**right)
    with pytest.raises(ValueError):
        scan.Finder(**(right | wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"survivors": 0},
        {"threads": 0},
        {"queries": np.zeros((1, 19), np.float32)},
        {"allowed": np.zeros(3, np.uint8)},
        {"ranges": np.array([[0, 3]], np.int64)},
        {"ranges": np.array([[1, 0]], np.int64)},
        {"ranges": np.array([[-1, 1]], np.int64)},
        {"ranges": np.array([[0, 2], [1, 2]], np.int64)},
        {"ranges": np.zeros((2, 1, 2), np.int64)},
        {"ranges": np.zeros((1, 1, 3), np.int64)},
        {"ranges": np.zeros(2, np.int64)},
        {"ranges": np.array([[[0, 1], [1, 9]]], np.int64)},
        {"offsets": np.zeros((1, 2), np.float32)},
        {"offsets": np.zeros((2, 1), np.float32)},
        {"offsets": np.array([[np.nan]], np.float32)},
        {"reach": np.zeros((1, 2), np.float32)},
        {"reach": np.array([[np.inf]], np.float32)},
        {"queries": np.full((1, 20), np.nan, np.float32)},
    ],
)
def test_searches_that_do_not_fit_are_refused(wrong):
    levels = levels_of(np.random.default_rng(0), 30, 20, 16, 2, spread=1.0)
    asked = {"queries": np.zeros((1, 20), np.float32), "k": 1, "survivors": 5, "finalists": 5}
    finder_of("plain", levels).find(**asked)
    with pytest.raises(ValueError):
        finder_of("plain", levels).find(**(asked | wrong))
    with pytest.raises(ValueError):
        finder_of("plain", levels, truth=None).shortlist(**(asked | wrong))


def test_the_environment_chooses_the_kernel(monkeypatch):
    monkeypatch.delenv(scan.KERNEL_VARIABLE, raising=False)
    assert scan.kernel() == scan.names()[0]
    assert scan.names()[-1] == "plain"
    monkeypatch.setenv(scan.KERNEL_VARIABLE, "plain")
    assert scan.kernel() == "plain"
    monkeypatch.setenv(scan.KERNEL_VARIABLE, "plane")
    with pytest.raises(SettingError, match="did you mean 'plain'"):
        scan.kernel()
