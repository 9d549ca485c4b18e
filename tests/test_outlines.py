"""Polygons and run lengths cover the pixels that COCO's own tools say, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_tools

from saccade.data.outlines import Box, read_outline, unpack_counts
from saccade.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # with NumPy 2
SIDES = st.tuples(st.integers(1, 40), st.integers(1, 40))
PLACES = st.floats(-12, 52) | st.integers(-12, 52) | st.integers(-24, 104).map(lambda n: n / 2)


def theirs(rle):
    return coco_tools.decode(rle).astype(bool)


@settings(max_examples=100, deadline=None)
@given(SIDES, st.lists(st.lists(st.tuples(PLACES, PLACES), min_size=3, max_size=9), min_size=1))
def test_polygons(size_hw, pieces):
    given = [[float(side) for point in piece for side in point] for piece in pieces]
    codes = coco_tools.frPyObjects(given, *size_hw)
    wanted = theirs(coco_tools.merge(codes))
    found = read_outline(given, size_hw, "here").pixels(size_hw)
    np.testing.assert_array_equal(found, wanted)


@settings(max_examples=100, deadline=None)
@given(SIDES, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_run_lengths(size_hw, seed, share):
    mask = np.random.default_rng(seed).random(size_hw) < share
    code = coco_tools.encode(np.asfortranarray(mask.astype(np.uint8)))
    packed = {"size": list(size_hw), "counts": code["counts"].decode()}
    np.testing.assert_array_equal(read_outline(packed, size_hw, "here").pixels(size_hw), mask)
    plain = packed | {"counts": unpack_counts(packed["counts"], "here")}
    np.testing.assert_array_equal(read_outline(plain, size_hw, "here").pixels(size_hw), mask)
    again = coco_tools.frPyObjects(plain, *size_hw)
    assert again["counts"] == code["counts"]


def test_one_polygon_may_stand_alone():
    square = [1, 1, 4, 1, 4, 4, 1, 4]
    alone, listed = (read_outline(one, (6, 6), "here").pixels((6, 6)) for one in (square, [square]))
    np.testing.assert_array_equal(alone, listed)
    assert alone.sum() == 9


def test_nothing_is_no_outline():
    assert read_outline(None, (4, 4), "here") is None
    assert read_outline([], (4, 4), "here") is None


def test_a_box_covers_what_it_touches():
    assert Box((1.5, 0, 1, 1.2)).pixels((4, 4)).sum() == 4
    assert Box((-5, -5, 2, 2)).pixels((4, 4)).sum() == 0
    assert Box((-5, -5, 99, 99)).pixels((4, 4)).all()


def test_text_that_is_too_long_is_refused():
    with pytest.raises(InputError, match="is damaged"):
        unpack_counts("P" * 99 + "0", "here")
