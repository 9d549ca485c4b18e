"""Which cells queries may leave out, and what they read of the others."""

import numpy as np
import pytest

from saccade.vectors.scan_cells import make_cells
from saccade.vectors.scan_truth import CodedTruth
from saccade.vectors.tuning_cost import Cost, Layout
from saccade.vectors.tuning_reading import Known, Reading, near
from tests.reference.scan import people_of


@pytest.fixture(scope="module")
def gallery():
    """Vectors of people, cells, and queries whose best row is known."""
    truth = people_of(np.random.default_rng(1), 20_000, 24, people=3000).astype(np.float16)
    fitted, cells = make_cells(truth, cells=200, head_bytes=8)
    asked = people_of(np.random.default_rng(1), 400, 24, people=3000, pictures=9)
    scores = asked @ truth.T.astype(np.float32)
    best = scores.argmax(axis=1)
    components = fitted.components(truth[best])
    queries = asked @ fitted.rotation
    known = Known(queries, cells.nearest(components), (queries * components).sum(axis=1))
    return truth, fitted, cells, asked, best, known


@pytest.mark.parametrize("target", [0.9, 0.99, 0.999])
def test_the_margin_loses_few_best_rows_by_its_cells(gallery, target):
    _, _, cells, _, _, known = gallery
    reading = Reading(cells, known, target)
    reach = cells.reach(known.components)
    order = np.argsort(-reach, axis=1, kind="stable")
    for probes in (10, 50, len(cells.centres)):
        margin = reading.margin(probes)
        lost = 0
        for query, mine, product, likely in zip(
            known.components, known.cell, known.product, order[:, :probes], strict=True
        ):
            if mine in likely[near(probes) :]:
                lost += cells.centres[mine] @ query + margin * cells.radii[mine] < product - 1e-5
        assert lost <= 0.1 * (1 - target) * len(known.cell)


def test_with_the_margin_a_search_finds_nearly_as_often(gallery):
    truth, _, cells, asked, best, known = gallery
    index = CodedTruth(truth.astype(np.float32), cells=200)
    index.survivors, index.probes = len(truth) - 1, 16
    whole = (index.search(asked, 1)[1][:, 0] == best).mean()
    index.margin = Reading(cells, known, 0.99).margin(16)
    assert (index.search(asked, 1)[1][:, 0] == best).mean() >= whole - 0.005
    index.margin = 1e-3
    assert (index.search(asked, 1)[1][:, 0] == best).mean() < whole - 0.01


def test_where_all_survive_no_cell_is_left_out(gallery):
    truth, _, _, asked, best, _ = gallery
    index = CodedTruth(truth.astype(np.float32), cells=200)
    index.survivors, index.margin = len(truth), 1e-3
    assert (index.search(asked, 1)[1][:, 0] == best).all()


def test_what_is_read_is_what_reaches_the_best_row(gallery):
    truth, fitted, cells, _, _, known = gallery
    reading = Reading(cells, known, 0.99)
    known = known.part(0, 256)
    sizes, probes = np.diff(cells.starts), 40
    margin = reading.margin(probes)
    read = []
    for query, product in zip(known.components, known.product, strict=True):
        likely = np.argsort(-cells.reach(query[None])[0], kind="stable")[:probes]
        reach = cells.centres[likely] @ query + margin * cells.radii[likely]
        kept = (np.arange(probes) < near(probes)) | (reach >= product)
        read.append(sizes[likely[kept]].sum())
    rows, share = reading.shares(probes)
    assert rows == pytest.approx(np.mean(read), rel=1e-3)
    assert rows < 0.8 * np.mean(np.sort(sizes)[-probes:].sum())
    assert 0 < share < 1
    layout = Layout(8, len(fitted.head_step), fitted.bits, 200)
    cost = Cost(layout, *truth.shape, 0.0, reading)
    assert cost.in_order(probes) == cells.centres.size + int(rows * layout.packed_bytes)
    assert cost.at_random(probes, 1000) < Cost(layout, *truth.shape, 0.0).at_random(0, 1000)
    whole = reading.shares(len(sizes))
    assert rows < whole[0] <= cells.starts[-1] and share < 1


def test_equal_rows_leave_a_margin_that_can_be_used():
    """Cells without a radius, whose rows are their centres."""
    truth = np.zeros((5000, 4), np.float16)
    truth[:, 0] = 1
    fitted, cells = make_cells(truth, cells=20, head_bytes=4)
    components = fitted.components(truth[:50])
    queries = truth[:50].astype(np.float32) @ fitted.rotation
    known = Known(queries, cells.nearest(components), (queries * components).sum(axis=1))
    reading = Reading(cells, known, 0.99)
    assert 1 <= reading.margin(len(cells.centres)) <= 1e6
    assert np.isfinite(reading.shares(1)).all()
