"""Codes are made as their definition has them, bit by bit, where they shall lie."""

import numpy as np
import pytest

from saccade import scan
from saccade.vectors import scan_cells, scan_encode
from saccade.vectors.scan_cells import make_cells
from saccade.vectors.scan_codes import fit
from saccade.vectors.scan_encode import encode, head_size

CLOSE = 1e-3  # of a step: nearer to the edge of two codes rounding may decide


def packed_slowly(codes, bits):
    """The head's blocks as kernels.hpp describes them: bit by bit."""
    n, m = codes.shape
    groups, fields = -(-m * bits // 32), 8 // bits
    found = np.zeros((-(-n // 16), groups, 16, 4), np.uint8)
    for row in range(n):
        for i in range(m):
            group, field, byte = i // (4 * fields), i % (4 * fields) // 4, i % 4
            found[row // 16, group, row % 16, byte] |= codes[row, i] << (bits * field)
    return found.reshape(-1)


def coded_slowly(values, steps, bits):
    """Codes, and which rows have a value out of range."""
    factor = np.divide(1, steps, out=np.zeros_like(steps), where=steps > 0)
    place = values * factor + np.float32(2**bits / 2)
    codes = np.floor(np.clip(np.nan_to_num(place, nan=0), 0, 2**bits - 1)).astype(np.uint8)
    return codes, ~((place >= 0) & (place < 2**bits)).all(axis=1)


def test_every_half_float_is_widened_as_numpy_does():
    half = np.arange(2**16, dtype=np.uint16).reshape(-1, 8)
    order = np.arange(len(half))
    found = scan.centred(half, np.zeros(8, np.float32), order)
    expected = half.view(np.float16).astype(np.float32)
    finite = np.isfinite(expected)
    assert np.array_equal(found.view(np.uint32)[finite], expected.view(np.uint32)[finite])
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    assert np.array_equal(found[np.isinf(expected)], expected[np.isinf(expected)])


@pytest.mark.parametrize("d", [1, 3, 8, 13, 128])
def test_rows_are_gathered_without_their_mean(d):
    draw = np.random.default_rng(d)
    half = draw.standard_normal((50, d)).astype(np.float16)
    mean = draw.standard_normal(d).astype(np.float32)
    order = draw.integers(-1, 50, 70)
    expected = np.where((order >= 0)[:, None], half[order].astype(np.float32) - mean, 0)
    found = scan.centred(half.view(np.uint16), mean, order)
    assert found.dtype == np.float32 and np.array_equal(found, expected)
    assert scan.centred(half.view(np.uint16), mean, order[:0]).shape == (0, d)


def test_rows_that_do_not_fit_are_refused():
    half, mean, order = np.zeros((5, 4), np.uint16), np.zeros(4, np.float32), np.arange(5)
    with pytest.raises(ValueError, match="names a row"):
        scan.centred(half, mean, order + 1)
    with pytest.raises(ValueError, match="as long as a row"):
        scan.centred(half, mean[:3], order)
    with pytest.raises(TypeError):
        scan.centred(half.astype(np.float32), mean, order)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize(("n", "d", "m"), [(1, 1, 1), (16, 8, 8), (37, 24, 9), (80, 70, 65)])
def test_packed_codes_are_those_of_single_bits(n, d, m, bits):
    draw = np.random.default_rng((n, bits))
    components = draw.standard_normal((n, d)).astype(np.float32)
    components[draw.random((n, d)) < 0.01] = 9
    components[0, 0] = np.nan
    head_step, full_step = np.full(m, 2 / 2**bits, np.float32), np.full(d, 5 / 256, np.float32)
    head_step[-1] = full_step[-1] = 0
    filled = draw.random(n) < 0.8
    centres = draw.standard_normal((3, m)).astype(np.float32)
    cell = draw.integers(0, 3, -(-n // 16))
    left = components[:, :m] - centres[np.repeat(cell, 16)[:n]]
    codes, _ = coded_slowly(left, head_step, bits)
    expected_head = packed_slowly(np.where(filled[:, None], codes, 0).astype(np.uint8), bits)
    expected_full, outside = coded_slowly(components, full_step, 8)
    size = len(expected_head)
    head, full = np.full(size + 20, 77, np.uint8), np.full((n + 2, d), 77, np.uint8)
    found = scan.encode(
        components, filled, centres, cell, head_step, bits, full_step, head[5:-15], full[1:-1]
    )
    assert np.array_equal(head[5:-15], expected_head)
    assert np.array_equal(full[1:-1], np.where(filled[:, None], expected_full, 0))
    assert np.array_equal(found.astype(bool), outside & filled)
    assert (head[:5] == 77).all() and (head[-15:] == 77).all() and (full[[0, -1]] == 77).all()
    wide = np.pad(codes, ((0, 0), (0, -m % (32 // bits))))
    assert np.array_equal(scan.pack(wide, bits), packed_slowly(codes, bits))


RIGHT = {
    "components": np.zeros((20, 8), np.float32),
    "filled": np.ones(20, np.bool_),
    "centres": np.zeros((2, 8), np.float32),
    "cell": np.array([0, 1]),
    "head_step": np.ones(8, np.float32),
    "bits": 4,
    "full_step": np.ones(8, np.float32),
}
REFUSED = {
    "three bits": {"bits": 3},
    "no head": {"head_step": np.ones(0, np.float32), "centres": np.zeros((2, 0), np.float32)},
    "a head of more components than there are": {"head_step": np.ones(9, np.float32)},
    "too few steps": {"full_step": np.ones(7, np.float32)},
    "too few marks": {"filled": np.ones(19, np.bool_)},
    "centres of another width": {"centres": np.zeros((2, 7), np.float32)},
    "too few cells": {"cell": np.array([0])},
    "a cell beyond the centres": {"cell": np.array([0, 2])},
    "a cell below 0": {"cell": np.array([0, -1])},
    "a short head": {"head": np.zeros(127, np.uint8)},
    "too many full rows": {"full": np.zeros((21, 8), np.uint8)},
}


@pytest.mark.parametrize("wrong", REFUSED.values(), ids=REFUSED)
def test_arrays_that_do_not_fit_are_refused(wrong):
    right = RIGHT | {"head": np.zeros(128, np.uint8), "full": np.zeros((20, 8), np.uint8)}
    assert not scan.encode(**right).any()
    with pytest.raises(ValueError, match=r"must|cell|need|length"):
        scan.encode(**(right | wrong))


def test_what_cannot_be_filled_in_place_is_refused():
    right = RIGHT | {"head": np.zeros(128, np.uint8), "full": np.zeros((20, 8), np.uint8)}
    sealed = np.zeros((20, 8), np.uint8)
    sealed.flags.writeable = False
    others = np.asfortranarray(right["full"]), right["full"].astype(np.int32), sealed
    for full in others:
        with pytest.raises(TypeError):
            scan.encode(**(right | {"full": full}))


def rows_of(n, d, seed=0):
    draw = np.random.default_rng(seed)
    rows = draw.standard_normal((n, d)) * np.linspace(2, 0.3, d) + draw.standard_normal(d)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def agrees(place, codes, bits):
    """Whether codes are those of these places, but for what lies on the edge of two."""
    expected = np.floor(np.clip(place, 0, 2**bits - 1))
    sure = np.abs(place - np.round(place)) > CLOSE
    assert sure.mean() > 0.98
    return np.array_equal(codes[sure], expected[sure])


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("chunk", [32, 4096])
def test_codes_follow_from_the_fit_the_cells_and_the_row(divided, chunk, tmp_path, monkeypatch):
    """By the definition in float64, in memory and in maps of files, whatever a chunk holds."""
    monkeypatch.setattr(scan_encode, "CHUNK_ROWS", chunk)
    truth, cells = rows_of(700, 20), None
    truth[5] *= 3
    fitted = fit(np.delete(truth, 5, axis=0), head_bytes=4)
    order, centres = np.arange(700), np.zeros((700, 20))
    if divided:
        fitted, cells = make_cells(np.delete(truth, 5, axis=0), cells=9, head_bytes=4)
        order = cells.order  # of one row fewer: the codes are still those of the rows it names
        centres = cells.centres[cells.of(np.arange(len(order)))].astype(np.float64)
    codes = encode(fitted, truth, cells)
    filled, m, bits = order >= 0, len(fitted.head_step), fitted.bits
    components = (truth[order] - fitted.mean.astype(np.float64)) @ fitted.rotation
    place = components / fitted.full_step + 128
    assert agrees(place[filled], codes.full[filled], 8)
    assert not codes.full[~filled].any()
    certain = (np.abs(place) > CLOSE) & (np.abs(place - 256) > CLOSE)
    outside = ((place < 0) | (place >= 256)).any(axis=1) & filled
    assert certain[filled].all() and np.array_equal(codes.escaped, np.flatnonzero(outside))
    assert outside.any()
    place = (components - centres)[:, :m] / fitted.head_step + 2**bits / 2
    wide = codes.head.reshape(-1, fitted.groups, 1, 16, 4)  # (block, group, field, lane, byte)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None, None]
    unpacked = (
        ((wide >> shifts) & (2**bits - 1)).transpose(0, 3, 1, 2, 4).reshape(len(wide), 16, -1)
    )
    unpacked = unpacked.reshape(16 * len(wide), -1)
    assert agrees(place[filled], unpacked[: len(order), :m][filled], bits)
    assert not unpacked[: len(order)][~filled].any() and not unpacked[len(order) :].any()
    head = np.memmap(tmp_path / "head", np.uint8, "w+", shape=(head_size(fitted, len(order)),))
    full = np.memmap(tmp_path / "full", np.uint8, "w+", shape=(len(order), 20))
    again = encode(fitted, truth, cells, head=head, full=full)
    assert again.head is head and np.array_equal(head, codes.head)
    assert again.full is full and np.array_equal(full, codes.full)


def test_cells_do_not_depend_on_how_many_rows_are_assigned_at_once(monkeypatch):
    truth = rows_of(1000, 20)
    expected = make_cells(truth, cells=12, head_bytes=4)[1]
    monkeypatch.setattr(scan_cells, "ASSIGNED_ROWS", 96)
    monkeypatch.setattr(scan_cells, "CHUNK_ROWS", 16)
    found = make_cells(truth, cells=12, head_bytes=4)[1]
    assert np.array_equal(found.order, expected.order)
    assert np.array_equal(found.centres, expected.centres)


@pytest.mark.parametrize("cells", [1, 256, 257, 70_000])
def test_rows_of_a_cell_keep_their_order(cells):
    """With numbers of 8, 16 and 32 bits."""
    cell = np.random.default_rng(cells).integers(0, cells, 3000)
    cell[:2] = cells - 1
    starts, order = scan_cells._placed(cell, cells)
    assert len(starts) == cells + 1
    for number in np.unique(cell):
        mine = order[starts[number] : starts[number + 1]]
        rows = np.flatnonzero(cell == number)
        assert np.array_equal(mine[: len(rows)], rows) and (mine[len(rows) :] == -1).all()
        assert len(mine) - len(rows) < 16
