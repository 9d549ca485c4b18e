"""The nearest centre of each row is that of plain arithmetic, in every kernel."""

import numpy as np
import pytest

from saccade import scan

WIDTHS = (1, 3, 4, 63, 64, 96, 100, 128, 200, 512, 1536)
COUNTS = (0, 1, 15, 16, 17, 65, 1000)
CENTRES = (1, 2, 3, 5, 64, 1000)
LARGEST_BIAS = 2**30


def expected(rows, centres, bias):
    """By a product of whole numbers that float64 holds exactly; argmax takes the first."""
    return np.argmax(rows.astype(np.float64) @ centres.T.astype(np.float64) + bias, axis=1)


def drawn(draw, n, c, d, kind):
    """Rows, centres and biases: any, only their least and largest values, or with many ties."""
    if kind == "extreme":
        rows, centres = draw.choice([0, 255], (n, d)), draw.choice([-128, 127], (c, d))
        bias = draw.choice([-LARGEST_BIAS, LARGEST_BIAS], c)
    elif kind == "ties":
        rows, centres = draw.integers(0, 2, (n, d)), draw.integers(-1, 2, (c, d))
        centres[draw.integers(0, c, c // 2)] = centres[0]
        bias = np.zeros(c)
    else:
        rows, centres = draw.integers(0, 256, (n, d)), draw.integers(-128, 128, (c, d))
        bias = draw.integers(-20 * d, 20 * d, c)
    return rows.astype(np.uint8), centres.astype(np.int8), bias.astype(np.int32)


@pytest.mark.parametrize("kind", ["any", "extreme", "ties"])
@pytest.mark.parametrize("d", WIDTHS)
def test_kernels_equal_numpy(d, kind):
    draw = np.random.default_rng([7, d])
    for n in COUNTS:
        for c in CENTRES:
            if n * c * d > 20_000_000:
                continue
            rows, centres, bias = drawn(draw, n, c, d, kind)
            right = expected(rows, centres, bias)
            for name in scan.names():
                found = scan.nearest(name, rows, centres, bias)
                assert found.dtype == np.uint32
                assert np.array_equal(found, right), (name, n, c)


def test_the_largest_sums_fit():
    rows = np.full((1, 4096), 255, np.uint8)
    for weight, bias in ((127, LARGEST_BIAS), (-128, -LARGEST_BIAS)):
        centres = np.full((2, 4096), weight, np.int8)
        centres[0, 0] -= np.sign(weight)  # brings the first nearer to 0
        for name in scan.names():
            found = scan.nearest(name, rows, centres, np.full(2, bias, np.int32))
            assert found.tolist() == [1 if weight > 0 else 0]


def test_any_number_of_threads_gives_the_same():
    rows, centres, bias = drawn(np.random.default_rng(3), 333, 10, 20, "any")
    for name in scan.names():
        one = scan.nearest(name, rows, centres, bias)
        for threads in (2, 3, 7, 1024):
            assert np.array_equal(scan.nearest(name, rows, centres, bias, threads=threads), one)


def test_arrays_may_be_read_only_maps(tmp_path):
    arrays = drawn(np.random.default_rng(4), 70, 9, 33, "any")
    maps = []
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"{number}.npy", array)
        maps.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    assert np.array_equal(scan.nearest(scan.kernel(), *maps), expected(*arrays))


@pytest.mark.parametrize(
    ("rows", "centres", "bias", "threads", "message"),
    [
        ((3, 5), (2, 4), 2, 1, "as many components"),
        ((3, 5), (2, 5), 3, 1, "one bias a centre"),
        ((3, 5), (0, 5), 0, 1, "there must be a centre"),
        ((3, 0), (2, 0), 2, 1, "1 to 4096 components"),
        ((3, 4097), (2, 4097), 2, 1, "1 to 4096 components"),
        ((3, 5), (2, 5), 2, 0, "threads"),
        ((3, 5), (2, 5), 2, 1025, "threads"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(rows, centres, bias, threads, message):
    arrays = np.zeros(rows, np.uint8), np.zeros(centres, np.int8), np.zeros(bias, np.int32)
    with pytest.raises(ValueError, match=message):
        scan.nearest("plain", *arrays, threads=threads)


@pytest.mark.parametrize("bias", [LARGEST_BIAS + 1, -LARGEST_BIAS - 1])
def test_a_bias_that_could_overflow_is_refused(bias):
    with pytest.raises(ValueError, match="bias must lie between"):
        scan.nearest(
            "plain",
            np.zeros((1, 1), np.uint8),
            np.zeros((2, 1), np.int8),
            np.array([0, bias], np.int32),
        )


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="no kernel of that name"):
        scan.nearest(
            "none", np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int8), np.zeros(1, np.int32)
        )
