"""The drawn sequences: the same from the same seed, smooth, and within their edges."""

import numpy as np
import pytest

from saccade.data.bouncing import RADII, SPEEDS, _path, covered, draw_bouncing, write_bouncing
from saccade.data.sequences import read_sequences
from saccade.data.shapes import SHAPES

COUNTS = {"train": 2, "val": 1}


def test_the_reader_finds_every_sequence_and_the_seed_decides(tmp_path):
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        write_bouncing(tmp_path / name, seed=seed, parts=COUNTS, frames=5)
    for part, count in COUNTS.items():
        samples = read_sequences(tmp_path / "one" / part, least=5)
        assert len(samples) == 5 * count
        for sample in samples:
            name = sample.path.relative_to(tmp_path / "one")
            assert (tmp_path / "same" / name).read_bytes() == sample.path.read_bytes()
            assert (tmp_path / "other" / name).read_bytes() != sample.path.read_bytes()


def test_shapes_move_as_fast_as_is_said_and_never_leave():
    draw = np.random.default_rng(0)
    for _ in range(50):
        radius = draw.uniform(*RADII)
        path = _path(draw, 60, radius, (32, 40))
        assert path.min() >= radius and (path.max(axis=0) <= np.array([32, 40]) - radius).all()
        steps = np.hypot(*np.diff(path, axis=0).T)
        assert steps.max() <= SPEEDS[1] + 1e-9
        assert np.median(steps) >= SPEEDS[0] - 1e-9


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_covers_as_much_wherever_it_is_and_stays_in_its_radius(shape):
    places = [np.array([16.0, 16.0]), np.array([15.3, 16.6]), np.array([16.5, 15.9])]
    areas = [covered(shape, place, 6.0, (32, 32)).sum() for place in places]
    assert np.ptp(areas) < 0.03 * np.mean(areas)
    if shape == "circle":
        assert np.mean(areas) == pytest.approx(np.pi * 36, rel=0.01)
    row, column = np.mgrid[:32, :32] + 0.5 - 16
    far = np.hypot(row, column) > 6 * 1.25 + 1
    assert not covered(shape, places[0], 6.0, (32, 32))[far].any()


def test_the_ground_is_still_and_something_moves():
    frames = draw_bouncing(np.random.default_rng(1), frames=6, size_hw=(24, 40))
    assert frames.shape == (6, 24, 40, 3) and frames.dtype == np.uint8
    changed = (frames[1:] != frames[:-1]).any(axis=3)
    assert 0.02 < changed.mean() < 0.6 and not changed.all(axis=(1, 2)).any()
