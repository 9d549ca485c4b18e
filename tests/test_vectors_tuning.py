"""The tuner: the recall it promises is what brute force finds, also where vectors are odd."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import InputError, SettingError
from saccade.intervals import binomial_interval
from saccade.vectors import tuning_queries, tuning_recall
from saccade.vectors.drift import decoded, drifted
from saccade.vectors.scan_cells import make_cells
from saccade.vectors.scan_codes import fit
from saccade.vectors.scan_truth import CodedTruth
from saccade.vectors.tuned import Tuned, Wish
from saccade.vectors.tuning import queries_needed, tune
from saccade.vectors.tuning_cost import (
    Cost,
    Layout,
    exact_bytes,
    headed,
    layouts,
)
from saccade.vectors.tuning_estimate import Estimate, first_kept, misses_allowed
from saccade.vectors.tuning_queries import MOST_ROWS, answered_exactly, draw, own_rows
from saccade.vectors.tuning_recall import count_right
from tests.test_vectors_scan import faces


def builder(truth):
    """A build for ``tune``: scan indexes of these vectors, with the layout's head and cells."""

    def build(layout):
        index = CodedTruth.of_truth(truth, cells=layout.cells, head_bytes=layout.head_bytes)
        if not layout.cells:
            head = (len(index.fitted.head_step), index.fitted.bits)
            assert head == (layout.components, layout.bits)
        return index

    return build


def tuned_index(truth, tuned):
    index = builder(truth)(Layout(tuned.head_bytes, tuned.components, tuned.bits, tuned.cells))
    index.survivors, index.probes = tuned.survivors, tuned.probes
    return index


def recall_of(index, truth, queries):
    """Share of queries answered as near as by brute force in float64."""
    rows = index.search(queries, 1)[1][:, 0]
    products = queries.astype(np.float64) @ truth.astype(np.float64).T
    return np.mean(products[np.arange(len(queries)), rows] >= products.max(axis=1) - 1e-6)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)


def flat(n, d, seed=0):
    return unit(np.random.default_rng(seed).standard_normal((n, d)))


def two_tight_clusters(n, d):
    draw_from = np.random.default_rng(3)
    centres = draw_from.standard_normal((2, d))
    return unit(centres[np.arange(n) % 2] + 0.01 * draw_from.standard_normal((n, d)))


ODD = {
    "all equal": np.repeat(flat(1, 32), 20_000, axis=0),
    "two tight clusters": two_tight_clusters(20_000, 64),
    "one vector 100,000 times": np.repeat(flat(1, 16), 100_000, axis=0),
    "half of them equal": np.concatenate([np.repeat(flat(1, 64), 9000, axis=0), flat(9000, 64)]),
    "half of them wiped": np.concatenate([np.zeros((9000, 64), np.float16), flat(9000, 64)]),
    "d = 1": flat(300_000, 1),
    "d = 2": flat(120_000, 2),
    "d = 3": flat(100_000, 3),
    "flat": flat(16_000, 64),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_galleries_reach_the_recall_or_are_searched_exactly(name):
    truth = ODD[name]
    tuned = tune(truth, Wish(0.99), builder(truth))
    assert tuned.kept and tuned.recall_low >= 0.99 and tuned.rows == len(truth)
    if tuned.kind == "scan":
        asked = np.random.default_rng(5).choice(len(truth), 200, replace=False)
        assert recall_of(tuned_index(truth, tuned), truth, truth[asked].astype(np.float32)) >= 0.97
        assert tuned.bytes_read < exact_bytes(*truth.shape)


@pytest.mark.parametrize("n", [0, 1, 2, 15, 300])
def test_small_galleries_are_searched_exactly(n):
    tuned = tune(flat(n, 8), Wish(), builder(flat(n, 8)))
    assert (tuned.kind, tuned.kept, tuned.tried) == ("exact", True, ())
    assert "reads least" in tuned.reason
    tight = tune(flat(n, 8), Wish(memory=1), builder(flat(n, 8)))
    assert tight.kind == "exact" and tight.kept is (n == 0)


def test_too_few_rows_for_the_interval_are_said_and_searched_exactly():
    tuned = tune(flat(700, 512), Wish(0.99), builder(flat(700, 512)))
    assert tuned.kind == "exact" and "700 of 700 rows" in tuned.reason and "736" in tuned.reason
    wiped = np.concatenate([np.zeros((5000, 64), np.float16), flat(20, 64)])
    assert "show a recall" in tune(wiped, Wish(0.99), builder(wiped)).reason
    assert tune(flat(5000, 64), Wish(1.0), builder(flat(5000, 64))).kind == "exact"


@pytest.mark.parametrize("recall", [0.5, 0.9, 0.99, 0.999])
def test_so_many_queries_are_needed_and_no_fewer(recall):
    needed = queries_needed(recall)
    assert binomial_interval(needed, needed).low >= recall - 1e-12
    assert binomial_interval(needed - 1, needed - 1).low < recall


def test_what_is_promised_holds_on_fresh_queries_and_costs_less_than_exact_search():
    truth = faces(24_000, people=5000).astype(np.float16)
    tuned = tune(truth, Wish(0.95), builder(truth))
    fresh = faces(25_500, people=5000)[24_000:]  # other rows of the same people
    assert tuned.kind == "scan" and tuned.kept and not tuned.cells
    index = tuned_index(truth, tuned)
    assert recall_of(index, truth, fresh) >= 0.95
    assert tuned.bytes_read < 0.5 * exact_bytes(*truth.shape)
    assert tuned.code_bytes == index.code_bytes
    chosen = [row for row in tuned.tried if row.held_out][-1]
    assert (chosen.survivors, chosen.recall, chosen.queries) == (
        tuned.survivors,
        tuned.recall,
        tuned.queries,
    )
    assert tune(truth, Wish(0.95), builder(truth)) == tuned


def test_a_higher_recall_costs_more_bytes():
    truth = flat(12_000, 48)
    low, high = (tune(truth, Wish(recall), builder(truth)) for recall in (0.8, 0.99))
    assert low.bytes_read < high.bytes_read and low.recall >= 0.8 and high.recall >= 0.99


def test_cells_are_taken_where_they_spare_bytes():
    draw_from = np.random.default_rng(0)
    centres = draw_from.standard_normal((40, 64))
    truth = unit(centres[np.arange(40_000) % 40] + 0.5 * draw_from.standard_normal((40_000, 64)))
    with_cells = tune(truth, Wish(0.9), builder(truth), cells_from=0)
    without = tune(truth, Wish(0.9), builder(truth))
    assert with_cells.cells and with_cells.probes > 0 and not without.cells
    assert with_cells.bytes_read < without.bytes_read and with_cells.kept
    assert with_cells.code_bytes > without.code_bytes
    index = tuned_index(truth, with_cells)
    asked = truth[:300].astype(np.float32)
    assert recall_of(index, truth, asked) >= 0.9


def test_wishes_that_are_not_kept_are_named_and_recall_goes_first():
    truth = faces(12_000, 64).astype(np.float16)
    free = tune(truth, Wish(0.9), builder(truth))
    slow = tune(truth, Wish(0.9, latency_ms=1e-6), builder(truth))
    assert not slow.kept and slow.survivors == free.survivors
    assert slow.reason.startswith("promise kept: no, latency: about")
    tight = tune(truth, Wish(0.9, memory=1000, latency_ms=1e-6), builder(truth))
    assert not tight.kept and tight.recall_low >= 0.9
    assert "memory: " in tight.reason and "of 1,000 wished for; latency" in tight.reason


def test_a_head_that_the_memory_does_not_hold_is_left_out():
    truth = flat(16_000, 64)
    memory = len(truth) * (64 + 8)
    free, small = (tune(truth, Wish(0.99, memory=size), builder(truth)) for size in (None, memory))
    assert free.kept and free.code_bytes > memory
    assert small.kept and small.code_bytes <= memory and small.survivors > free.survivors


class Fake:
    """Answers every query rightly or wrongly as ``good`` says, from this number of survivors."""

    cells, code_bytes, probes = None, 100, 0

    def __init__(self, truth, good):
        self.truth, self.good, self.survivors = truth, good, 0
        self.fitted = fit(truth, head_bytes=8)

    def search(self, queries, k):
        scores = queries @ self.truth.astype(np.float32).T
        order = np.argsort(-scores, axis=1, kind="stable")
        good = np.array([self.good(query, self.survivors) for query in queries])
        rows = np.where(good[:, None], order[:, :k], order[:, -k:])
        return np.take_along_axis(scores, rows, axis=1), rows


def test_queries_held_out_raise_the_effort_that_others_chose():
    truth = faces(3500, 128).astype(np.float16)
    drawn = draw(truth, 1000, 0)
    choosing = {row.tobytes() for row in truth[drawn[:400]].astype(np.float32)}

    def good(query, survivors):
        return query.tobytes() in choosing or survivors > 300

    tuned = tune(truth, Wish(0.9), lambda layout: Fake(truth, good))
    held_out = [row for row in tuned.tried if row.held_out]
    assert not any(row.held_out for row in tuned.tried if row.queries == 400)
    assert [row.survivors for row in held_out] == [128, 181, 256, 362]
    assert [row.recall for row in held_out] == [0, 0, 0, 1]
    assert tuned.survivors == 362 and tuned.recall == 1


def test_the_lower_end_of_the_interval_decides_and_not_the_share():
    truth = faces(3500, 128).astype(np.float16)
    drawn = draw(truth, 1000, 0)
    wrong = {row.tobytes() for row in truth[drawn[400:454]].astype(np.float32)}
    tuned = tune(
        truth, Wish(0.9), lambda layout: Fake(truth, lambda query, _: query.tobytes() not in wrong)
    )
    held_out = [row for row in tuned.tried if row.held_out]
    assert held_out and {row.recall for row in held_out} == {0.91}
    assert tuned.kind == "exact" and max(row.recall_low for row in held_out) < 0.9


def test_an_index_that_never_finds_is_replaced_by_exact_search():
    truth = faces(3500, 128).astype(np.float16)
    tuned = tune(truth, Wish(0.9), lambda layout: Fake(truth, lambda query, survivors: False))
    assert tuned.kind == "exact" and tuned.kept and tuned.tried
    assert {row.recall for row in tuned.tried} == {0}
    assert len({row.head_bytes for row in tuned.tried}) > 1


@settings(max_examples=40)
@given(
    n=st.integers(2, 90),
    d=st.integers(1, 9),
    blocks=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    levels=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_best_other_rows_are_those_of_brute_force(n, d, blocks, levels, seed):
    """Few levels a value, so that rows and similarities are often equal."""
    random = np.random.default_rng(seed)
    truth = (random.integers(-levels, levels + 1, (n, d)) / 8).astype(np.float16)
    rows = random.permutation(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning_queries, "BLOCK_ROWS", blocks[0])
        patch.setattr(tuning_queries, "BLOCK_QUERIES", blocks[1])
        found = answered_exactly(truth, rows)
    products = truth.astype(np.float64)[rows] @ truth.astype(np.float64).T
    products[np.arange(n), rows] = -np.inf
    np.testing.assert_array_equal(found.best, products.argmax(axis=1))
    np.testing.assert_allclose(found.similarity, products.max(axis=1), atol=1e-12)


def test_equal_answers_are_right_a_query_is_not_and_nothing_is_wrong():
    truth = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [0.6, 0.8]], np.float16)
    queries = answered_exactly(truth, np.array([1, 1, 1, 1, 1]))

    class Given:
        survivors = 5

        def search(self, asked, k):
            rows = np.array([[2, 3], [1, 3], [1, 4], [4, 1], [1, -1]])
            return np.zeros((5, 2), np.float32), rows

    assert count_right(Given(), truth, queries) == 2


def test_wiped_rows_are_never_asked_for_and_rows_that_are_not_finite_are_named():
    truth = flat(500, 4)
    truth[::2] = 0
    rows = draw(truth, 400, seed=1)
    assert len(set(rows.tolist())) == len(rows) and (rows % 2 == 1).all()
    truth[417, 2] = np.nan
    with pytest.raises(InputError, match="row 417 holds NaN or infinity"):
        answered_exactly(truth, np.array([1, 3]))


def test_exact_search_stays_below_64_mib():
    truth = flat(40_000, 16)
    tracemalloc.start()
    answered_exactly(truth, np.arange(2500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20


def test_many_survivors_are_searched_for_few_queries_at_once(monkeypatch):
    monkeypatch.setattr(tuning_recall, "SURVIVORS_AT_ONCE", 1000)
    truth = faces(400, 8).astype(np.float16)
    calls = []

    class Counting(Fake):
        def search(self, queries, k):
            calls.append(len(queries))
            return super().search(queries, k)

    index = Counting(truth, lambda query, survivors: True)
    index.survivors = 100
    assert count_right(index, truth, answered_exactly(truth, np.arange(25))) == 25
    assert calls == [10, 10, 5]


def test_the_bytes_of_probed_cells_are_those_of_the_blocks_that_are_read():
    truth = faces(20_000, 24).astype(np.float16)
    fitted, cells = make_cells(truth, cells=200, head_bytes=8)
    layout = Layout(8, len(fitted.head_step), fitted.bits, 200)
    asked = truth[:100].astype(np.float32) @ fitted.rotation
    cost = Cost(layout, *truth.shape, 0.0, cells, asked)
    for probes in (1, 4, 10):
        blocks = np.diff(cells.probed(asked, probes, 0)[0], axis=2).sum(axis=1)
        read = blocks.mean() * 16 * layout.packed_bytes
        assert cost.in_order(probes) - cells.centres.nbytes == pytest.approx(read, rel=0.05)
    assert cost.in_order(len(cells.centres)) == 20_000 * layout.packed_bytes
    assert Cost(layout, 100, 24, 0.5).at_random(0) > Cost(layout, 100, 24, 0.0).at_random(0)


@pytest.mark.parametrize("size", [8, 24])
def test_the_estimate_of_survivors_is_about_what_the_head_needs(size):
    truth = faces(6000, 48).astype(np.float16)
    queries = answered_exactly(truth, np.arange(0, 6000, 30))
    fitted = fit(truth, head_bytes=size)
    (needed,) = Estimate(truth, truth.astype(np.float32), queries, 0.9).survivors(fitted)
    index = builder(truth)(Layout(size, len(fitted.head_step), fitted.bits))
    index.survivors = int(1.3 * needed) + 2
    assert count_right(index, truth, queries) >= 0.94 * len(queries)
    index.survivors = int(needed / 2)
    assert count_right(index, truth, queries) < 0.95 * len(queries)


def test_the_estimate_for_cells_counts_the_rows_of_those_that_are_read():
    truth = faces(3000, 24).astype(np.float16)
    index = CodedTruth.of_truth(truth, cells=12, head_bytes=8)
    fitted, cells = index.fitted, index.cells
    queries = answered_exactly(truth, np.arange(0, 3000, 100))
    every = tuple(range(1, len(cells.centres) + 1))
    for target in (0.9, 0.7):
        estimate = Estimate(truth, truth.astype(np.float32), queries, target)
        allowed = misses_allowed(len(queries), target)
        found = estimate.survivors(fitted, cells, every)
        assert found == needed_by_brute_force(truth, fitted, cells, queries, allowed)
        assert estimate.survivors(fitted, cells, (0,)) == found[-1:]
        lost = [int(np.isinf(each)) for each in found]
        assert lost == sorted(lost, reverse=True) and lost[-1] == 0


def needed_by_brute_force(truth, fitted, cells, queries, allowed):
    """For each number of probes, how many rows of the read cells score as the best one does."""
    components = fitted.components(truth)
    cell = cells.nearest(components)
    kept = decoded(fitted, components - cells.centres[cell])
    before = []
    for vector, best in zip(queries.vectors, queries.best, strict=True):
        asked = vector @ fitted.rotation
        scores = kept @ asked[: kept.shape[1]] + (cells.centres @ asked)[cell]
        ranked = np.argsort(-(cells.centres @ asked + 2 * cells.radii)).tolist()
        row = []
        for probes in range(1, len(ranked) + 1):
            read = np.isin(cell, ranked[:probes])
            row.append((read & (scores >= scores[best] - 1e-6)).sum() if read[best] else np.inf)
        before.append(row)
    return np.sort(before, axis=0)[len(before) - 1 - allowed].tolist()


@given(count=st.integers(1, 60), first=st.integers(0, 60), guess=st.integers(0, 60))
def test_the_first_that_is_kept_is_found_from_any_guess(count, first, guess):
    looked = []

    def keeps(at):
        looked.append(at)
        return at >= first

    assert first_kept(keeps, count, guess) == min(first, count)
    assert all(0 <= at < count for at in looked) and len(set(looked)) == len(looked)
    if guess == first < count:
        assert len(looked) <= 2


@pytest.mark.parametrize(("queries", "recall"), [(1500, 0.99), (368, 0.99), (4000, 0.999)])
def test_so_many_may_be_missed_and_no_more(queries, recall):
    missed = misses_allowed(queries, recall)
    assert binomial_interval(queries - missed, queries).low >= recall
    assert binomial_interval(queries - missed - 1, queries).low < recall


@settings(max_examples=60)
@given(n=st.integers(2, 120), people=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_strangers_are_answered_by_others_as_by_brute_force(n, people, seed):
    random = np.random.default_rng(seed)
    truth = (random.integers(-3, 4, (n, 3)) / 8).astype(np.float16)
    groups, rows = random.integers(0, people, n) - 5, random.permutation(n)
    own, unknown = own_rows(rows, groups)
    sizes = (groups[:, None] == groups).sum(axis=1)[rows]
    may = (sizes <= MOST_ROWS) & (sizes < n)
    assert not unknown[~may].any() and unknown.sum() == min(may.sum(), round(0.3 * n))
    barred = np.arange(n) == rows[:, None]
    barred |= unknown[:, None] & (groups[rows][:, None] == groups)
    assert [set(each.tolist()) for each in own] == [set(np.flatnonzero(row)) for row in barred]
    products = truth.astype(np.float64)[rows] @ truth.astype(np.float64).T
    products[barred] = -np.inf
    found = answered_exactly(truth, rows, own)
    np.testing.assert_array_equal(found.best, products.argmax(axis=1))
    np.testing.assert_allclose(found.similarity, products.max(axis=1), atol=1e-12)


def test_an_answer_to_a_stranger_is_the_first_that_is_not_its_own():
    truth = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8], [0.8, 0.6]], np.float16)
    own = np.tile([0, 1], (4, 1))
    queries = answered_exactly(truth, np.zeros(4, np.int64), own)
    assert queries.best.tolist() == [4] * 4

    class Given:
        survivors = 5

        def search(self, asked, k):
            assert k == 3
            rows = np.array([[0, 1, 4], [1, 3, 4], [4, 1, 0], [1, 0, -1]])
            return np.zeros((4, 3), np.float32), rows

    assert count_right(Given(), truth, queries) == 2


def test_what_is_promised_with_identities_holds_for_strangers_too():
    everyone, groups = people_of(4500, 64)
    known = groups < 4000
    truth, strangers = everyone[known], everyone[~known].astype(np.float32)
    tuned = tune(truth, Wish(0.95), builder(truth), groups=groups[known])
    assert tuned.kind == "scan" and tuned.recall_low >= 0.95
    assert tuned.strangers == pytest.approx(0.3 * tuned.queries, abs=20)
    assert "30% of them asked as strangers" in tuned.reason
    index = tuned_index(truth, tuned)
    mixed = np.concatenate([strangers, people_of(4500, 64, seed=1)[0][known][:7000]])
    assert recall_of(index, truth, strangers[:3000]) >= 0.9
    assert recall_of(index, truth, mixed) >= 0.95
    without = tune(truth, Wish(0.95), builder(truth))
    assert without.strangers == 0 and "strangers" not in without.reason
    assert without.bytes_read < tuned.bytes_read


def people_of(count, d, seed=0):
    """Five half-float pictures each of the same ``count`` people, of no preferred direction."""
    people = np.random.default_rng(0).standard_normal((count, d))
    groups = np.arange(5 * count) % count
    noise = np.random.default_rng([1, seed]).standard_normal((5 * count, d))
    return unit(people[groups] + 0.8 * noise), groups


def test_identities_of_many_rows_are_never_strangers():
    truth = flat(4000, 64)
    tuned = tune(truth, Wish(0.8), builder(truth), groups=np.arange(4000) // 100)
    assert tuned.strangers == 0 and tuned.queries
    own, unknown = own_rows(np.arange(50), np.zeros(50, np.int64))
    assert own.shape == (50, 1) and not unknown.any()


@pytest.mark.parametrize("groups", [np.zeros(7, np.int64), np.zeros((8, 1), int), np.zeros(8)])
def test_groups_that_do_not_fit_are_refused(groups):
    truth = flat(8, 4)
    with pytest.raises(InputError, match="one whole number for each of 8 rows, got shape"):
        tune(truth, Wish(), builder(truth), groups=groups)


def test_every_head_is_offered_once_and_fits_its_bytes():
    for deviation in (np.ones(128, np.float32), np.linspace(1, 0, 20, dtype=np.float32)):
        heads = layouts(deviation)
        assert len({(head.components, head.bits) for head in heads}) == len(heads)
        assert all(head.packed_bytes <= head.head_bytes for head in heads)
        assert (heads[-1].components, heads[-1].bits) == (len(deviation), 4)
    truth = faces(2000, 40).astype(np.float16)
    fitted = fit(truth, head_bytes=8)
    wide = headed(
        fitted, Layout(16, *[(m.components, m.bits) for m in layouts(fitted.deviation)][1])
    )
    np.testing.assert_array_equal(wide.head_step, fit(truth, head_bytes=16).head_step)


TUNED = Tuned(
    kind="scan", rows=10, dimension=4, target=0.99, bytes_read=7, code_bytes=8, kept=True,
    reason="promise kept: yes", head_bytes=16, components=64, bits=2, survivors=128,
)  # fmt: skip


def test_a_tuning_comes_back_from_json():
    truth = faces(6000, 32).astype(np.float16)
    tuned = tune(truth, Wish(0.9), builder(truth))
    assert tuned.tried
    assert Tuned.from_dict(json.loads(json.dumps(tuned.to_dict()))) == tuned


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"probes": -1}, "'probes' must be a whole number, 0 or more, got -1"),
        ({"probes": True}, "'probes' must be a whole number"),
        ({"survivors": 1.5}, "'survivors' must be a whole number"),
        ({"recall": 1.01}, "'recall' must be a number from 0 to 1, got 1.01"),
        ({"recall": float("nan")}, "'recall' must be a number from 0 to 1"),
        ({"recall": "0.9"}, "'recall' must be a number from 0 to 1"),
        ({"kept": 1}, "'kept' must be true or false"),
        ({"reason": None}, "'reason' must be text"),
        ({"kind": "graph"}, "'kind' must be exact or scan, got 'graph'"),
        ({"kind": []}, "'kind' must be exact or scan"),
        ({"tried": 3}, "'tried' must be a list of tables"),
        ({"tried": [3]}, "a table of keys, got 3"),
        ({"tried": [{"recall": 1}]}, "needs 'head_bytes'"),
        ({"probe": 3}, "no key 'probe'; did you mean 'probes'"),
    ],
)
def test_a_broken_tuning_is_refused_with_its_key(change, said):
    with pytest.raises(InputError, match=said):
        Tuned.from_dict({**TUNED.to_dict(), **change})


def test_a_tuning_without_a_key_or_of_another_kind_is_refused():
    less = TUNED.to_dict()
    del less["bits"]
    with pytest.raises(InputError, match="needs 'bits', which is missing"):
        Tuned.from_dict(less)
    for other in (None, [], "scan"):
        with pytest.raises(InputError, match="must be a table of keys"):
            Tuned.from_dict(other)


@pytest.mark.parametrize(
    "wish",
    [
        {"recall": 0},
        {"recall": 1.1},
        {"recall": float("nan")},
        {"memory": 0},
        {"latency_ms": 0},
        {"latency_ms": float("nan")},
        {"threads": 0},
    ],
)
def test_wishes_out_of_range_are_refused(wish):
    with pytest.raises(SettingError, match="must be"):
        Wish(**wish)


@pytest.mark.parametrize("truth", [np.zeros((3, 4)), np.zeros(4, np.float16)])
def test_other_arrays_are_refused(truth):
    with pytest.raises(InputError, match="two-dimensional array of float16"):
        tune(truth, Wish(), builder(truth))


def test_new_rows_of_the_same_kind_do_not_drift_and_others_do():
    truth = faces(12_000, 64).astype(np.float16)
    tuned = tune(truth, Wish(0.9), builder(truth))
    fitted = tuned_index(truth, tuned).fitted
    assert drifted(fitted, tuned, faces(3000, 64, seed=7).astype(np.float16)) == ""
    turned = faces(3000, 64, seed=7)[:, ::-1]  # the weak axes are now the strong ones
    assert "the head loses" in drifted(fitted, tuned, turned.astype(np.float16))
    assert "tune again" in drifted(fitted, tuned, turned[:150])
    assert drifted(fitted, tuned, turned[:50]) == ""
    blind = replace(tuned, unexplained=1.0)
    assert "outside the 8-bit range" in drifted(fitted, blind, 3 * faces(3000, 64, seed=7))
    with pytest.raises(InputError, match=r"must have shape \(n, 64\), got \(5, 3\)"):
        drifted(fitted, tuned, np.zeros((5, 3), np.float16))


def test_rows_that_differ_drift_from_a_gallery_of_equal_ones():
    truth = ODD["all equal"]
    fitted = fit(truth, head_bytes=8)
    assert drifted(fitted, TUNED, truth[:500]) == ""
    assert "the head loses" in drifted(fitted, TUNED, flat(500, 32, seed=9))
    assert drifted(fitted, replace(TUNED, kind="exact"), flat(500, 32, seed=9)) == ""
