"""The scan index: its codes, its cells, and how often it finds what exact search finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade import scan
from saccade.vectors.exact import ExactIndex
from saccade.vectors.scan_cells import make_cells
from saccade.vectors.scan_codes import (
    QUANTISERS,
    SAMPLE_ROWS,
    best_head,
    fit,
    spread,
    unexplained,
)
from saccade.vectors.scan_encode import encode
from saccade.vectors.scan_truth import CodedTruth


def faces(n, d=64, *, seed=0, people=None):
    """Unit rows with a falling spectrum, several pictures an identity, as float32."""
    draw = np.random.default_rng(seed)
    strength = np.linspace(1.5, 0.3, d)
    centres = draw.standard_normal((people or max(1, n // 4), d)) * strength
    rows = (
        centres[draw.integers(0, len(centres), n)] + 0.4 * draw.standard_normal((n, d)) * strength
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("bits", QUANTISERS)
def test_the_quantisers_lose_what_the_table_says(bits):
    """Of a normal variable, with codes brought back to the middle of their step."""
    values = np.random.default_rng(1).standard_normal((400_000, 1)).astype(np.float32)
    step, lost = QUANTISERS[bits]
    codes, _ = scan.quantise(values, np.array([step], np.float32), bits)
    back = (codes.astype(np.float64) + 0.5 - 2**bits / 2) * step
    assert np.mean((values - back) ** 2) == pytest.approx(lost, rel=0.02)


def test_the_head_takes_the_bits_that_lose_least():
    steep = np.array([1.0] * 4 + [1e-3] * 60, np.float32)
    level = np.ones(64, np.float32)
    assert best_head(steep, 2) == (4, 4)
    assert best_head(level, 8) == (64, 1)
    assert best_head(level, 1000) == (64, 4)
    for deviation in (steep, level):
        for size in (1, 4, 16):
            chosen = unexplained(deviation, *best_head(deviation, size))
            for bits in QUANTISERS:
                assert chosen <= unexplained(deviation, min(64, size * 8 // bits), bits) + 1e-12


def test_components_are_those_of_a_principal_component_analysis():
    from sklearn.decomposition import PCA

    truth = faces(2000, 16).astype(np.float16)
    fitted, peer = fit(truth, head_bytes=4), PCA().fit(truth.astype(np.float64))
    np.testing.assert_allclose(
        fitted.deviation**2, peer.explained_variance_ * 1999 / 2000, rtol=1e-4
    )
    found, expected = fitted.components(truth), peer.transform(truth.astype(np.float64))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-3)


def test_the_sample_is_spread_evenly_and_bounded():
    rows = np.arange(10, dtype=np.float16)[:, None]
    assert spread(rows, 100)[:, 0].tolist() == list(range(10))
    assert spread(rows, 5)[:, 0].tolist() == [0, 2, 4, 6, 8]
    assert len(spread(rows, 3)) == 3
    assert SAMPLE_ROWS > 10_000


def test_8_bit_codes_hold_every_row_that_did_not_escape():
    truth = faces(3000, 24).astype(np.float16)
    truth[7] *= 3  # far outside of what the others are
    fitted = fit(np.delete(truth, 7, axis=0), head_bytes=4)
    codes = encode(fitted, truth)
    assert 7 in codes.escaped and len(codes.escaped) < 30
    back = (codes.full + 0.5 - 128) * fitted.full_step
    kept = np.setdiff1d(np.arange(3000), codes.escaped)
    error = np.abs(back - fitted.components(truth))[kept]
    assert (error <= fitted.full_step * 0.5001 + 1e-6).all()


def test_a_row_that_escaped_is_found():
    vectors = faces(5000, 32)
    index = CodedTruth(vectors)
    lone = index.fitted.rotation[:, -1][None]  # where the others hardly vary
    codes = encode(index.fitted, np.concatenate([vectors, lone]).astype(np.float16))
    assert 5000 in codes.escaped


@settings(max_examples=40)
@given(
    n=st.integers(0, 400),
    d=st.integers(1, 40),
    k=st.integers(1, 12),
    cells=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_small_galleries_are_searched_as_exactly(n, d, k, cells, seed):
    """Up to 2,000 rows all survive, and the truth decides."""
    vectors, queries = faces(n, d, seed=seed), faces(3, d, seed=seed + 1)
    index = CodedTruth(vectors, cells=cells)
    scores, rows = index.search(queries, k)
    assert scores.shape == rows.shape == (3, min(k, n))
    for query, found, ids in zip(queries, scores, rows, strict=True):
        truth = vectors.astype(np.float16).astype(np.float64) @ query
        best = np.sort(truth)[::-1][: min(k, n)]
        np.testing.assert_allclose(found, best, atol=2e-3)
        np.testing.assert_allclose(truth[ids], found, atol=1e-5)
        assert len(set(ids.tolist())) == len(ids)
        assert (np.diff(found) <= 0).all()


@pytest.mark.parametrize("cells", [0, 16])
def test_recall_of_a_larger_gallery(cells):
    vectors, queries = faces(30_000), faces(400, seed=9)
    queries[:300] = vectors[::100] + 0.03 * np.random.default_rng(2).standard_normal((300, 64))
    index = CodedTruth(vectors, cells=cells)
    exact = ExactIndex(vectors).find(queries, 1)[1]
    found = index.search(queries.astype(np.float32), 1)[1]
    assert (found == exact).mean() >= 0.99
    index.survivors = 20
    assert (index.search(queries, 1)[1] == exact).mean() < 0.99  # so that the figure says something


def test_fewer_cells_read_find_less_and_few_rows_bring_the_others_in():
    vectors, queries = faces(20_000), faces(100, seed=3)
    index = CodedTruth(vectors, cells=25)
    everything = index.search(queries, 1)
    index.probes = 3
    some = index.search(queries, 1)
    assert 0.3 < (some[1] == everything[1]).mean() < 1.0
    assert (some[0] <= everything[0] + 1e-6).all()
    index.probes = 1
    scores, rows = index.search(queries[:2], 15_000)
    assert (rows >= 0).all() and np.isfinite(scores).all()


@pytest.mark.parametrize("kernel", scan.names())
@pytest.mark.parametrize("cells", [0, 12])
def test_every_kernel_and_any_number_of_threads_give_the_same_answers(kernel, cells, monkeypatch):
    vectors, queries = faces(9000, 40), faces(20, 40, seed=4)
    expected = CodedTruth(vectors, cells=cells).search(queries, 5)
    monkeypatch.setenv(scan.KERNEL_VARIABLE, kernel)
    for threads in (1, 2):
        index = CodedTruth(vectors, cells=cells, threads=threads)
        scores, rows = index.search(queries, 5)
        assert np.array_equal(rows, expected[1]) and np.array_equal(scores, expected[0])


def test_every_row_stands_in_the_nearest_cell_and_cells_fill_whole_blocks():
    truth = faces(5000, 20).astype(np.float16)
    fitted, cells = make_cells(truth, cells=30, head_bytes=4)
    held = cells.order >= 0
    assert sorted(cells.order[held].tolist()) == list(range(5000))
    assert cells.starts[0] == 0 and cells.starts[-1] == len(cells.order)
    assert (np.diff(cells.starts) >= 0).all() and not (cells.starts % 16).any()
    assert 20 <= len(cells.centres) <= 30
    assert len(cells.order) < 5000 + 16 * len(cells.centres)
    mine = cells.of(np.flatnonzero(held))
    components = fitted.components(truth[cells.order[held]])
    assert (mine == cells.nearest(components)).mean() > 0.98


def test_the_likeliest_cells_are_those_whose_outer_rows_may_be_most_similar():
    truth = faces(5000, 20).astype(np.float16)
    fitted, cells = make_cells(truth, cells=30, head_bytes=4)
    queries = fitted.components(truth[:3])
    for probes in (1, 5, len(cells.centres)):
        blocks, offsets, _ = cells.probed(queries, probes, 0)
        assert blocks.shape == (3, probes, 2) and offsets.shape == (3, probes)
        for query, ranges, offset in zip(queries, blocks, offsets, strict=True):
            outer = cells.centres @ query + 2 * cells.radii
            likely = np.sort(np.argsort(-outer, kind="stable")[:probes])
            assert (ranges[:, 0] * 16).tolist() == cells.starts[likely].tolist()
            assert (ranges[:, 1] * 16).tolist() == cells.starts[likely + 1].tolist()
            np.testing.assert_allclose(offset, cells.centres[likely] @ query, atol=1e-5)


def test_the_head_holds_what_the_centres_leave():
    """Centre and codes together come nearer to a vector than codes of all of it."""
    truth = faces(20_000, 32, people=200).astype(np.float16)
    alone = fit(truth, head_bytes=4)
    fitted, cells = make_cells(truth, cells=50, head_bytes=4)
    total = (alone.deviation**2).sum()
    assert fitted.unexplained * (fitted.deviation**2).sum() < 0.8 * alone.unexplained * total
    np.testing.assert_allclose(fitted.rotation @ fitted.rotation.T, np.eye(32), atol=1e-4)
    assert len(encode(fitted, truth, cells).full) == len(cells.order)


def test_a_centre_is_kept_only_where_it_stands_for_several_rows():
    rows = faces(3000, 8, people=3)
    rows[0] = np.eye(8, dtype=np.float32)[0] * 5
    fitted, cells = make_cells(rows.astype(np.float16), cells=2000, head_bytes=4)
    assert 1 <= len(cells.centres) < 500
    apart = np.abs(cells.centres[:, None] - fitted.components(rows[:1])).max(axis=2)
    assert apart.min() > 0.5


def test_equal_vectors_are_answered_by_the_lowest_rows():
    vectors = np.repeat(faces(1, 16), 3000, axis=0)
    scores, rows = CodedTruth(vectors).search(vectors[:2], 4)
    assert rows.tolist() == [[0, 1, 2, 3]] * 2
    np.testing.assert_allclose(scores, 1, atol=2e-3)
