"""Groups of unnamed pictures, and the figures that judge them, against references."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from saccade.errors import InputError
from saccade.metrics.grouping import adjusted_rand, cells, pairwise
from saccade.review.grouping import group_pictures
from tests.test_review import people


def same_partition(one, other):
    return adjusted_rand_score(one, other) == 1.0


def test_well_parted_people_are_found():
    draw = np.random.default_rng(1)
    sizes = [1, 1, 2, 3, 5, 8, 13, 40]
    vectors, whose = people(draw, 8, each=40, scatter=0.25, dimension=32)
    kept = np.concatenate([np.flatnonzero(whose == one)[:size] for one, size in enumerate(sizes)])
    kept = draw.permutation(kept)
    groups = group_pictures(vectors[kept], at_least=0.7)
    assert same_partition(groups, whose[kept])
    assert np.bincount(groups).tolist() == sorted(sizes, reverse=True)


def test_the_answer_is_the_same_each_time():
    vectors, _ = people(np.random.default_rng(2), 20, scatter=0.8)
    first = group_pictures(vectors, at_least=0.5)
    np.testing.assert_array_equal(first, group_pictures(vectors, at_least=0.5))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_pictures(count):
    vectors, _ = people(np.random.default_rng(3), 3, each=1, dimension=32)
    assert group_pictures(vectors[:count], at_least=0.9).tolist() == list(range(count))


def test_equal_pictures_are_one_group():
    vectors = np.tile(people(np.random.default_rng(4), 1, each=1)[0], (50, 1))
    assert set(group_pictures(vectors, at_least=0.9).tolist()) == {0}


def test_what_is_to_be_apart_is_apart():
    draw = np.random.default_rng(5)
    vectors, whose = people(draw, 6, each=9, scatter=0.25, dimension=32)
    pairs = [tuple(draw.choice(np.flatnonzero(whose == one), 2, replace=False)) for one in range(4)]
    pairs += [(0, 1), (1, 2), (0, 2)]
    groups = group_pictures(vectors, at_least=0.6, apart=pairs)
    assert all(groups[one] != groups[other] for one, other in pairs)
    # Nothing else is parted: two people that no pair speaks of stay whole, the others in few parts.
    assert same_partition(groups[whose >= 4], whose[whose >= 4])
    assert len(set(groups.tolist())) <= 6 + 4 + 2
    assert all(len(set(whose[groups == group])) == 1 for group in set(groups.tolist()))


@pytest.mark.parametrize("seed", range(20))
def test_pairwise_figures_are_those_of_all_pairs(seed):
    draw = np.random.default_rng(seed)
    n = int(draw.integers(2, 40))
    groups, identities = draw.integers(0, draw.integers(1, 9), (2, n))
    (_, only_groups), (only_identities, both) = pair_confusion_matrix(identities, groups)
    precision, recall, f1 = pairwise(cells(groups, identities))
    if both + only_groups:
        assert precision == pytest.approx(both / (both + only_groups))
    else:
        assert np.isnan(precision)
    if both + only_identities:
        assert recall == pytest.approx(both / (both + only_identities))
    if both:
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert adjusted_rand(groups, identities) == adjusted_rand_score(identities, groups)


def test_counts_are_as_rows_that_are_repeated_but_for_pairs_with_themselves():
    draw = np.random.default_rng(6)
    groups, identities = draw.integers(0, 4, (2, 30))
    counts = draw.integers(0, 4, (30, 5))
    found = pairwise(cells(groups, identities), counts)
    for column, times in enumerate(counts.T):
        rows = np.repeat(np.arange(30), times)
        distinct = rows[:, None] != rows
        grouped = (groups[rows][:, None] == groups[rows]) & distinct
        alike = (identities[rows][:, None] == identities[rows]) & distinct
        both = (grouped & alike).sum()
        np.testing.assert_allclose(
            found[:, column],
            [both / grouped.sum(), both / alike.sum(), 2 * both / (grouped.sum() + alike.sum())],
        )


def test_lengths_must_agree():
    with pytest.raises(InputError, match="for each picture"):
        cells([0, 1], ["a"])
