"""The choice of cells is that of whole numbers, in every kernel."""

import numpy as np
import pytest

from saccade import scan

WIDTHS = (1, 3, 64, 100, 200, 512)


def drawn(draw, c, d):
    """Arrays of c cells in d components, some of them alike."""
    centres = draw.standard_normal((c, d)).astype(np.float32)
    centres[draw.random(c) < 0.2] = centres[0]
    steps = np.abs(centres).max(axis=0) * np.float32(2 / 255)
    steps[draw.random(d) < 0.1] = 0
    radii = np.float32(draw.choice([0, 0.1, 30])) * np.abs(draw.standard_normal(c, np.float32))
    starts = np.concatenate([[0], np.cumsum(draw.integers(0, 5, c))])
    blocks = np.stack([starts[:-1], starts[1:]], axis=1)
    return scan.quantise(centres, steps, 8)[0], steps, centres, radii, blocks


def expected(codes, steps, radii, query, probes):
    """The cells by the same whole numbers in NumPy, of equal ones the lower first."""
    products = query * steps
    largest = np.abs(products).max()
    factor = np.float32(127) / largest if largest > 0 else np.float32(0)
    weights = np.rint(products * factor).astype(np.int64)
    reach = codes.astype(np.int64) @ weights
    reach += np.rint((2 * radii).astype(np.float64) * np.float64(factor)).astype(np.int64)
    return np.sort(np.argsort(-reach, kind="stable")[:probes])


@pytest.mark.parametrize("kernel", scan.names())
def test_the_chosen_cells_are_those_of_the_largest_whole_numbers(kernel):
    draw = np.random.default_rng(5)
    for _ in range(200):
        c, d = int(draw.integers(1, 60)), int(draw.choice(WIDTHS))
        codes, steps, centres, radii, blocks = drawn(draw, c, d)
        queries = draw.standard_normal((3, d)).astype(np.float32)
        queries[2] = 0
        probes = int(draw.integers(1, c + 1))
        chooser = scan.Chooser(kernel, codes, steps, centres, radii, blocks)
        found, products, reach = chooser.choose(queries, probes, 3.0)
        assert found.shape == (3, probes, 2) and products.shape == (3, probes)
        for query, mine, product, far in zip(queries, found, products, reach, strict=True):
            likely = expected(codes, steps, radii, query, probes)
            assert np.array_equal(far, product + np.float32(3) * radii[likely])
            assert np.array_equal(mine, blocks[likely])
            np.testing.assert_allclose(product, centres[likely] @ query, rtol=1e-4, atol=1e-4)


def test_no_queries_choose_nothing():
    chooser = scan.Chooser(scan.kernel(), *drawn(np.random.default_rng(1), 4, 3))
    found, products, reach = chooser.choose(np.zeros((0, 3), np.float32), 2, 0.0)
    assert found.shape == (0, 2, 2) and products.shape == reach.shape == (0, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"codes": np.zeros((0, 3), np.uint8)},
        {"codes": np.zeros((4, 2), np.uint8)},
        {"steps": np.zeros(2, np.float32)},
        {"centres": np.zeros((3, 3), np.float32)},
        {"radii": np.zeros(3, np.float32)},
        {"radii": np.full(4, np.nan, np.float32)},
        {"blocks": np.zeros((4, 3), np.int64)},
        {"blocks": np.zeros((3, 2), np.int64)},
        {"kernel": "abacus"},
    ],
)
def test_cells_that_do_not_fit_are_refused(wrong):
    names = ("codes", "steps", "centres", "radii", "blocks")
    right = dict(zip(names, drawn(np.random.default_rng(1), 4, 3), strict=True))
    with pytest.raises(ValueError):
        scan.Chooser(**({"kernel": "plain"} | right | wrong))


@pytest.mark.parametrize(
    ("components", "probes", "margin"),
    [
        (np.zeros((1, 2), np.float32), 1, 0.0),
        (np.full((1, 3), np.inf, np.float32), 1, 0.0),
        (np.zeros((1, 3), np.float32), 0, 0.0),
        (np.zeros((1, 3), np.float32), 5, 0.0),
        (np.zeros((1, 3), np.float32), 1, np.nan),
    ],
)
def test_queries_that_do_not_fit_are_refused(components, probes, margin):
    chooser = scan.Chooser("plain", *drawn(np.random.default_rng(1), 4, 3))
    with pytest.raises(ValueError):
        chooser.choose(components, probes, margin)
