"""Tiles cover every pixel of a picture and nothing else, and their blended scores are a mean."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.data.tiles import Tile, blend, tile_weights, tiles_of
from saccade.errors import InputError

SIDES = st.tuples(st.integers(1, 120), st.integers(1, 120))
OVERLAPS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 0.99])


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, OVERLAPS)
def test_tiles_cover_a_picture_and_stay_in_it(size_hw, tile_hw, overlap):
    tiles = tiles_of(size_hw, tile_hw, overlap=overlap)
    seen = np.zeros(size_hw, int)
    for tile in tiles:
        assert tile.top >= 0 and tile.left >= 0
        assert (tile.height, tile.width) == tuple(map(min, size_hw, tile_hw))
        seen[tile.place] += 1
        assert seen[tile.place].shape == (tile.height, tile.width)  # None reaches out.
    assert seen.all()
    assert len(set(tiles)) == len(tiles)


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, OVERLAPS)
def test_neighbours_share_enough_and_no_tile_is_in_vain(size_hw, tile_hw, overlap):
    tiles = tiles_of(size_hw, tile_hw, overlap=overlap)
    for size, side, starts in (
        (size_hw[0], tiles[0].height, sorted({tile.top for tile in tiles})),
        (size_hw[1], tiles[0].width, sorted({tile.left for tile in tiles})),
    ):
        shared = [side - (after - before) for before, after in pairwise(starts)]
        assert all(one >= min(overlap * side, side - 1) - 1e-9 for one in shared)
        assert not shared or max(shared) - min(shared) <= 1
        # With one tile fewer, neighbours would share too little.
        if len(starts) > 1:
            wide = (size - side) / (len(starts) - 2) if len(starts) > 2 else np.inf
            assert wide > max(1, side - np.ceil(overlap * side))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, OVERLAPS, st.integers(0, 2**31))
def test_scores_that_agree_stay_and_others_are_weighted(size_hw, tile_hw, overlap, seed):
    draw = np.random.default_rng(seed)
    tiles = tiles_of(size_hw, tile_hw, overlap=min(overlap, 0.5))
    whole = draw.normal(size=(3, *size_hw)).astype(np.float32)
    agreed = blend(size_hw, ((tile, whole[:, *tile.place]) for tile in tiles))
    np.testing.assert_allclose(agreed, whole, rtol=1e-4, atol=1e-5)
    scored = [(t, draw.random((2, t.height, t.width)).astype(np.float32)) for t in tiles]
    found = blend(size_hw, scored)
    row, column = (int(draw.integers(side)) for side in size_hw)
    parts = []
    for tile, scores in scored:
        y, x = row - tile.top, column - tile.left
        if 0 <= y < tile.height and 0 <= x < tile.width:
            weight = min(y + 1, tile.height - y) * min(x + 1, tile.width - x)
            parts.append((weight, scores[:, y, x]))
    wanted = sum(w * score for w, score in parts) / sum(w for w, _ in parts)
    np.testing.assert_allclose(found[:, row, column], wanted, rtol=1e-4)


def test_the_middle_counts_most():
    weights = tile_weights((5, 4))
    assert weights.dtype == np.float32 and weights.max() == 1 and weights.min() > 0
    np.testing.assert_allclose(weights, weights[::-1, ::-1])
    np.testing.assert_allclose(weights[2], [0.5, 1, 1, 0.5])


def test_one_tile_of_a_small_picture():
    assert tiles_of((30, 40), (64, 64)) == [Tile(0, 0, 30, 40)]
    assert len(tiles_of((64, 65), (64, 64))) == 2


@pytest.mark.parametrize("bad", [((0, 4), (4, 4), 0.1), ((4, 4), (4, 0), 0), ((4, 4), (4, 4), 1.0)])
def test_what_makes_no_tiles(bad):
    with pytest.raises(InputError, match="tiles need sides of at least 1 pixel"):
        tiles_of(*bad[:2], overlap=bad[2])


def test_a_gap_is_refused():
    with pytest.raises(InputError, match="do not cover the picture"):
        blend((4, 4), [(Tile(0, 0, 2, 4), np.zeros((1, 2, 4), np.float32))])
    with pytest.raises(InputError, match="do not cover the picture"):
        blend((4, 4), [])
