"""What a check finds in a gallery, against what was planted; its likelihood, by definition."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from scipy.stats import multivariate_normal

from saccade.review import (
    Members,
    check_thumbnails,
    check_vectors,
    doubts,
    likelihood,
    neighbours,
)
from saccade.review.magnets import STRANGERS, magnets

DIMENSION = 16


def people(draw, count, *, each=8, scatter=0.35, dimension=DIMENSION):
    """Vectors (count · each, d) of length 1 of ``count`` identities, and whom each shows."""
    centres = draw.standard_normal((count, dimension))
    whose = np.repeat(np.arange(count), each)
    spread = scatter * draw.standard_normal((len(whose), dimension))
    return unit(centres[whose] + spread), whose


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def members(vectors, whose, threshold=None):
    """Numbers that are not places: pictures from 101, identities from 1001."""
    return Members(np.arange(len(whose)) + 101, np.asarray(whose) + 1001, vectors, threshold)


def told(checked, kind):
    return [(one.identities, one.pictures) for one in checked.found[kind]]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_likelihood_is_that_of_the_joint_normal_distribution(n):
    draw = np.random.default_rng(n)
    d = 3
    between = np.array([0.0, 0.7, 4.0])
    rows = draw.standard_normal((n, d))
    covariance = np.eye(n * d) + np.kron(np.ones((n, n)), np.diag(between))
    whole = multivariate_normal(np.zeros(n * d), covariance).logpdf(rows.ravel())
    model = likelihood.Likelihood(rows, between)
    sets = likelihood.Sets.of(rows, np.zeros(n, np.int64))
    (found,) = model.of_sets(sets.counts, sets.sums, sets.squares)
    np.testing.assert_allclose(found - n * d * np.log(2 * np.pi) / 2, whole, rtol=1e-12)


def test_the_model_is_diagonal_and_has_the_spread_that_was_drawn():
    draw = np.random.default_rng(3)
    whose = np.repeat(np.arange(1500), 6)
    centres = draw.standard_normal((1500, DIMENSION)) * np.linspace(0.4, 2, DIMENSION)
    vectors = unit(centres[whose] + 0.4 * draw.standard_normal((len(whose), DIMENSION)))
    model = likelihood.fit(vectors, whose)
    means = np.stack([model.rows[whose == one].mean(axis=0) for one in range(1500)])
    inside = model.rows - means[whose]
    within = inside.T @ inside / (len(whose) - 1500)
    # The three pictures of a hundred that are furthest out are not fitted to.
    np.testing.assert_allclose(within, np.eye(DIMENSION), atol=0.12)
    spread = np.cov(means.T) - within / 6
    np.testing.assert_allclose(np.diag(spread), model.between, rtol=0.2)
    off = spread - np.diag(np.diag(spread))
    assert abs(off).max() < 0.02 * model.between.max()


def test_of_many_pictures_some_are_learnt_from(monkeypatch):
    vectors, whose = people(np.random.default_rng(61), 60)
    vectors, whose = np.concatenate([vectors, vectors[:200]]), np.r_[whose, 60 + np.arange(200)]
    monkeypatch.setattr(likelihood, "LEARNT_FROM", 200)
    monkeypatch.setattr(likelihood, "LEAST_LEARNT", 5)
    some = np.flatnonzero(np.isin(whose, np.unique(whose[likelihood._some(whose)])))
    assert len(some) == 200 and some.max() < 480, "whole identities, of several pictures"
    _, codes = np.unique(whose[some], return_inverse=True)
    alone, model = likelihood.fit(vectors[some], codes), likelihood.fit(vectors, whose)
    np.testing.assert_allclose(model.rows[some], alone.rows, atol=1e-8)
    np.testing.assert_allclose(model.between, alone.between)
    assert model.rows.shape == vectors.shape
    monkeypatch.setattr(likelihood, "LEAST_LEARNT", 40)
    assert len(likelihood._some(whose)) == 320


def test_neighbours_are_those_of_brute_force():
    draw = np.random.default_rng(5)
    vectors, whose = people(draw, 40)
    vectors[7] = vectors[3]  # equal rows: each is the other's neighbour, none its own
    places, cosines = neighbours.nearest(vectors, count=6)
    similar = vectors.astype(np.float64) @ vectors.T
    np.fill_diagonal(similar, -2)
    np.testing.assert_allclose(cosines, -np.sort(-similar, axis=1)[:, :6], atol=1e-5)
    assert not (places == np.arange(len(vectors))[:, None]).any()
    assert places[3, 0] == 7
    assert places[7, 0] == 3
    who, alike = neighbours.strangers(places, cosines, whose, most=4)
    for row in range(len(vectors)):
        seen = {}
        for place, cosine in zip(places[row], cosines[row], strict=True):
            if whose[place] != whose[row]:
                seen.setdefault(whose[place], cosine)
        expected = [*list(seen.items())[:4], *[(-1, -1.0)] * 4][:4]
        assert list(zip(who[row], alike[row], strict=True)) == expected


def test_a_whole_gallery_has_no_finding():
    vectors, whose = people(np.random.default_rng(7), 60)
    checked = check_vectors(members(vectors, whose))
    assert (checked.pictures, checked.identities) == (480, 60)
    assert checked.findings == ()


def test_what_was_planted_is_found():
    draw = np.random.default_rng(11)
    vectors, whose = people(draw, 80)
    truth = whose.copy()
    whose[[3, 43]] = [20, 31]  # wrong names
    whose[truth == 11] = 10  # two people under one name
    whose[np.flatnonzero(truth == 12)[:4]] = 80  # one person under two names
    point = draw.standard_normal(DIMENSION)
    poor = unit(point + 0.05 * draw.standard_normal((7, DIMENSION)))
    vectors = np.concatenate([vectors, poor, vectors[200:201]])
    whose = np.concatenate([whose, np.arange(30, 37), truth[200:201]])
    checked = check_vectors(members(vectors, whose))
    poor_ones = [((1031 + place,), (741 + place,)) for place in range(7)]
    assert sorted(told(checked, "magnet")) == poor_ones
    assert sorted(told(checked, "wrong_name")) == [
        ((1021, 1001), (104,)),
        ((1032, 1006), (144,)),
    ]
    assert told(checked, "same") == [((1013, 1081), ())]
    ((parted, pictures),) = told(checked, "two")
    assert parted == (1011,)
    assert set(pictures) in (set(range(181, 189)), set(range(189, 197)))
    assert told(checked, "copy") == [((int(truth[200]) + 1001,), (301, 748))]


def test_poor_pictures_are_under_no_wrong_name():
    draw = np.random.default_rng(13)
    vectors, whose = people(draw, 60)
    vectors[[0, 9, 20, 21]] = unit(draw.standard_normal((4, DIMENSION)))  # like nobody
    checked = check_vectors(members(vectors, whose))
    assert told(checked, "wrong_name") == []
    assert told(checked, "two") == []


def test_a_magnet_reaches_the_threshold():
    alike = np.full((100, STRANGERS), 0.3, np.float32)
    alike[5] = 0.6
    alike[6, :-1] = 0.9  # only four strangers
    usual = alike[:, -1]
    assert magnets(alike, usual, threshold=None).tolist() == [5]
    assert magnets(alike, usual, threshold=0.6).tolist() == [5]
    assert magnets(alike, usual, threshold=0.61).tolist() == []


def test_the_stranger_of_some_is_that_of_brute_force(monkeypatch):
    draw = np.random.default_rng(29)
    vectors, whose = people(draw, 9, each=7)
    shuffled = draw.permutation(len(whose))
    vectors, whose = vectors[shuffled], whose[shuffled]
    similar = vectors.astype(np.float64) @ vectors.T
    best = np.stack([similar[:, whose == one].max(axis=1) for one in range(9)], axis=1)
    best[np.arange(len(whose)), whose] = -2
    third = -np.sort(-best, axis=1)[:, 2]
    found = neighbours.stranger_of_some(vectors, whose, 3)
    np.testing.assert_allclose(np.sort(found), np.sort(third), atol=1e-6)
    monkeypatch.setattr(neighbours, "SOME", 20)
    some = neighbours.stranger_of_some(vectors, whose, 3)
    assert len(some) == 20 and (abs(some[:, None] - third).min(axis=1) < 1e-6).all()
    assert (neighbours.stranger_of_some(vectors, whose, 9) == -1).all()


def test_many_pictures_of_each_make_no_magnet():
    """All neighbours of most pictures are their own identity's; five strangers are no wonder."""
    draw = np.random.default_rng(31)
    vectors, whose = people(draw, 8, each=60, scatter=0.3)
    vectors[:6] = unit(draw.standard_normal((6, DIMENSION)))  # like nobody, so like anybody
    places, cosines = neighbours.nearest(vectors)
    _, alike = neighbours.strangers(places, cosines, whose, most=STRANGERS)
    assert (alike[:6, STRANGERS - 1] > -1).any(), "some have five strangers among their neighbours"
    assert told(check_vectors(members(vectors, whose)), "magnet") == []


def test_copies_are_of_the_one_that_stays():
    """Copies of copies drift: five in a row, each a copy of the next, of the second next none."""
    angles = np.arange(5) * np.arccos(0.996)
    chain = np.zeros((5, DIMENSION))
    chain[:, 0], chain[:, 1] = np.cos(angles), np.sin(angles)
    vectors, whose = people(np.random.default_rng(37), 20)
    vectors = np.concatenate([vectors, unit(chain), unit(chain[4:]), vectors[:1]])
    whose = np.concatenate([whose, [20] * 5, [21], [22]])
    first = 101 + 160
    assert sorted(told(check_vectors(members(vectors, whose)), "copy")) == [
        ((1001, 1023), (101, first + 6)),
        ((1021,), (first, first + 1)),
        ((1021,), (first + 2, first + 3)),
        ((1021, 1022), (first + 4, first + 5)),
    ]


def test_many_copies_are_one_finding():
    vectors, whose = people(np.random.default_rng(41), 20)
    vectors = np.concatenate([vectors, np.repeat(vectors[:1], 300, axis=0)])
    checked = check_vectors(members(vectors, np.concatenate([whose, [0] * 300])))
    assert told(checked, "copy") == [((1001,), (101, *range(261, 561)))]
    assert [one.kind for one in checked.findings] == ["copy"]


def test_a_copy_is_no_evidence():
    """With copies of some pictures the same is told, and as surely."""
    vectors, whose = people(np.random.default_rng(43), 40, each=4)
    whose[::17] = (whose[::17] + 3) % 40
    times = np.where(np.arange(len(whose)) % 3 == 0, 6, 1)
    alone = check_vectors(members(vectors, whose))
    many = check_vectors(members(np.repeat(vectors, times, axis=0), np.repeat(whose, times)))
    assert len(alone.findings) >= 5
    found = [one for one in many.findings if one.kind != "copy"]
    assert [one.identities for one in found] == [one.identities for one in alone.findings]
    scores = [one.score for one in alone.findings]
    np.testing.assert_allclose([one.score for one in found], scores, rtol=1e-6)


def test_copies_go_with_the_picture_under_a_wrong_name():
    vectors, whose = people(np.random.default_rng(47), 30)
    whose[3] = 20
    vectors, whose = np.concatenate([vectors, vectors[3:4]]), np.concatenate([whose, [20]])
    checked = check_vectors(members(vectors, whose))
    assert told(checked, "wrong_name") == [((1021, 1001), (104, 341))]


def test_what_is_known_to_be_apart_is_not_proposed():
    vectors, whose = people(np.random.default_rng(53), 30)
    whose[np.flatnonzero(whose == 12)[:4]] = 30
    whose[3] = 20
    known = members(vectors, whose)
    assert told(check_vectors(known), "same") == [((1013, 1031), ())]
    assert told(check_vectors(known), "wrong_name") == [((1021, 1001), (104,))]
    apart = replace(known, never_one={(1013, 1031)}, never={(104, 1001)})
    assert told(check_vectors(apart), "same") == []
    assert told(check_vectors(apart), "wrong_name") == []


def test_what_is_too_large_to_be_parted_is_said(monkeypatch):
    vectors, whose = people(np.random.default_rng(59), 30)
    whose[whose == 11] = 10
    assert told(check_vectors(members(vectors, whose)), "two")
    monkeypatch.setattr(doubts, "MOST_PARTED", 15)
    checked = check_vectors(members(vectors, whose))
    assert told(checked, "two") == []
    assert "Of 1 identities with more than 15 pictures" in checked.notes[0]


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_too_few_pictures_are_said(count):
    vectors, whose = people(np.random.default_rng(17), 3, each=3)
    checked = check_vectors(members(vectors[:count], whose[:count]))
    assert checked.findings == ()
    assert "that needs 5 identities" in checked.notes[-1]


def test_one_picture_each_is_no_model():
    vectors, whose = people(np.random.default_rng(19), 40, each=1)
    checked = check_vectors(members(vectors, whose))
    assert checked.notes
    assert checked.found["same"] == ()


def test_all_vectors_equal():
    vectors = np.tile(unit(np.ones((1, DIMENSION))), (60, 1))
    checked = check_vectors(members(vectors, np.arange(60) // 4))
    assert all(np.isfinite(one.score) for one in checked.findings)
    assert checked.found["copy"]


def test_thumbnails():
    draw = np.random.default_rng(23)
    sharp = [
        np.kron(draw.integers(40, 216, (12, 12, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        for _ in range(20)
    ]
    tiny, flat, dark = sharp[0][:20, :20], np.full((96, 96, 3), 90, np.uint8), sharp[1] // 16
    pictures = [*sharp[2:], tiny, flat, dark]
    whole = members(np.zeros((21, 2), np.float32), np.arange(21))
    found = check_thumbnails(zip(whole.numbers.tolist(), map(jpeg, pictures), strict=True), whole)
    assert [one.pictures for one in found["tiny"]] == [(119,)]
    assert [one.pictures for one in found["constant"]] == [(120,)]
    assert [one.pictures for one in found["light"]] == [(121,)]
    assert found["light"][0].identities == (1021,)
    assert check_thumbnails([], whole) == {}


def jpeg(picture):
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "JPEG")
    return stream.getvalue()
