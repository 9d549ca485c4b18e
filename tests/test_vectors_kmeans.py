"""k-means on codes finds the cells that k-means on floats finds, up to the rounding."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from saccade import scan
from saccade.errors import InputError
from saccade.vectors.kmeans import decoded, kmeans_codes, nearest_codes
from saccade.vectors.scan_codes import fit

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def distances(rows, centres):
    """Squared Euclidean distances (n, c), in float64, without a short cut."""
    rows, centres = rows.astype(np.float64), centres.astype(np.float64)
    return np.stack([((rows - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def coded(values):
    """Codes of values (n, d), and their steps."""
    steps = (np.abs(values).max(axis=0) * 2.01 / 256).astype(np.float32)
    return scan.quantise(np.ascontiguousarray(values, np.float32), steps, 8)[0], steps


def groups(n, d, k, *, seed=0, offset=0.0, scatter=0.7):
    """Rows (n, d) about k places that overlap, the components of falling strength."""
    draw = np.random.default_rng(seed)
    strength = np.linspace(2, 0.2, d)
    places = draw.standard_normal((k, d)) * strength
    rows = places[draw.integers(0, k, n)] + scatter * draw.standard_normal((n, d)) * strength
    return (rows + offset).astype(np.float32)


@pytest.fixture(scope="module")
def faces():
    """Components of generated vectors like those of faces, their codes and the steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        from _vectors import CORPORA, blocks

        rows, _ = next(blocks(CORPORA["real"](), 65_536))
    rows = rows[:12_000].astype(np.float16)
    fitted = fit(rows, head_bytes=24)
    codes, _ = scan.quantise(fitted.components(rows), fitted.full_step, 8)
    return codes, fitted.full_step


@pytest.mark.parametrize(("k", "alike"), [(30, 0.98), (200, 0.99)])
def test_rows_go_to_the_centre_that_floats_find(faces, k, alike):
    codes, steps = faces
    centres = kmeans_codes(codes, steps, k, np.random.default_rng(1), rounds=3)
    squared = distances(decoded(codes, steps), centres)
    found, right = nearest_codes(codes, steps, centres), squared.argmin(axis=1)
    assert np.mean(found == right) >= alike
    chosen = np.take_along_axis(squared, found[:, None], axis=1)
    assert chosen.mean() <= 1.001 * squared.min(axis=1).mean()


def test_inertia_is_that_of_scikit_learn():
    """Where groups overlap so much that no start is a bad one."""
    codes, steps = coded(groups(3000, 24, 12, scatter=2.0))
    rows = decoded(codes, steps)
    found = [
        kmeans_codes(codes, steps, 12, np.random.default_rng(seed), rounds=30) for seed in range(3)
    ]
    mine = [distances(rows, centres).min(axis=1).sum() for centres in found]
    theirs = [KMeans(12, n_init=1, random_state=seed).fit(rows).inertia_ for seed in range(3)]
    assert np.median(mine) <= 1.01 * np.median(theirs)


@pytest.mark.parametrize("seed", range(3))
def test_the_same_start_ends_as_in_scikit_learn(seed):
    codes, steps = coded(groups(3000, 24, 12))
    rows = decoded(codes, steps)
    start = rows[np.random.default_rng(seed).choice(len(rows), 12, replace=False)]
    theirs = KMeans(12, init=start, n_init=1, max_iter=50, tol=0).fit(rows)
    centres = kmeans_codes(codes, steps, 12, np.random.default_rng(seed), rounds=50)
    inertia = distances(rows, centres).min(axis=1).sum()
    assert inertia == pytest.approx(theirs.inertia_, rel=0.01)


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 60),
    d=st.integers(1, 40),
    c=st.integers(1, 12),
    offset=st.sampled_from([0.0, 3.0, -50.0]),
    scale=st.sampled_from([1e-6, 1.0, 1e5]),
    flat=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_choice_is_never_worse_than_the_rounding_allows(n, d, c, offset, scale, flat, seed):
    rows = groups(n, d, 3, seed=seed, offset=offset) * np.float32(scale)
    centres = groups(c, d, 3, seed=seed + 1, offset=offset) * np.float32(scale)
    _, steps = coded(np.concatenate([rows, centres]))
    steps[0] *= not flat
    codes, _ = scan.quantise(rows, steps, 8)
    found = nearest_codes(codes, steps, centres)
    centres[:, steps == 0] = 0  # What has no step does not count.
    back = decoded(codes, steps)
    squared = distances(back, centres)
    # Half a unit a weight, at the distance in codes of the row from each of the two centres.
    products = np.abs((centres - centres.mean(axis=0, dtype=np.float64)) * steps).max()
    away = [
        np.abs(np.divide(back - centre, steps, where=steps > 0, out=np.zeros_like(back))).sum(1)
        for centre in centres
    ]
    allowed = 2 * products / 127 * (np.max(away, axis=0) + 2) * 1.01
    chosen = np.take_along_axis(squared, found[:, None], axis=1)[:, 0]
    assert np.all(chosen <= squared.min(axis=1) + allowed + 1e-9 * squared.max())


def test_a_centre_without_rows_starts_again():
    codes = np.repeat(np.array([[10, 20], [200, 40]], np.uint8), [50, 1], axis=0)
    steps = np.ones(2, np.float32)
    centres = kmeans_codes(codes, steps, 5, np.random.default_rng(0), rounds=3)
    assert centres.shape == (5, 2) and centres.dtype == np.float32
    places = {tuple(row) for row in decoded(codes, steps).tolist()}
    assert {tuple(centre) for centre in centres.tolist()} <= places


def test_every_kernel_and_any_threads_give_the_same_centres(monkeypatch):
    codes, steps = coded(groups(500, 20, 6))
    found = []
    for name in scan.names():
        monkeypatch.setenv("SACCADE_KERNEL", name)
        for threads in (1, 3):
            draw = np.random.default_rng(5)
            found.append(kmeans_codes(codes, steps, 6, draw, rounds=4, threads=threads).tobytes())
    assert len(set(found)) == 1


def test_one_centre_is_the_mean_and_no_rows_have_no_centre():
    codes, steps = coded(groups(400, 7, 3))
    (centre,) = kmeans_codes(codes, steps, 1, np.random.default_rng(0), rounds=1)
    assert centre == pytest.approx(decoded(codes, steps).mean(axis=0), abs=1e-4)
    none = nearest_codes(codes[:0], steps, centre[None])
    assert none.shape == (0,) and none.dtype == np.int64


CODES, STEPS, CENTRES = np.zeros((3, 2), np.uint8), np.ones(2, np.float32), np.eye(2)


@pytest.mark.parametrize(
    ("codes", "steps", "centres", "message"),
    [
        (CODES.astype(np.int64), STEPS, CENTRES, "must be .n, d. uint8"),
        (CODES[0], STEPS, CENTRES, "must be .n, d. uint8"),
        (CODES, STEPS, CENTRES[:0], "there must be a centre"),
        (CODES, STEPS[:1], CENTRES, "same number of components"),
        (CODES, STEPS, np.eye(3), "same number of components"),
        (CODES, -STEPS, CENTRES, "steps must be finite"),
        (CODES, STEPS * np.nan, CENTRES, "steps must be finite"),
        (CODES, STEPS, CENTRES + np.inf, "centres row 0 holds NaN"),
        (CODES, STEPS * 1e-20, CENTRES, "make the codes with larger steps"),
    ],
)
def test_what_does_not_fit_is_refused(codes, steps, centres, message):
    with pytest.raises(InputError, match=message):
        nearest_codes(codes, steps.astype(np.float32), centres.astype(np.float32))


@pytest.mark.parametrize("k", [0, -1, 4])
def test_k_out_of_range_is_refused(k):
    with pytest.raises(InputError, match="k must be 1 to the number of rows, 3"):
        kmeans_codes(CODES, STEPS, k, np.random.default_rng(0))
