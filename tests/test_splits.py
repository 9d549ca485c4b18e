"""Splits and folds hold what they define, as scikit-learn's do, and depend on the seed alone."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from saccade.data.splits import (
    grouped_folds,
    grouped_split,
    stratified_folds,
    stratified_split,
)
from saccade.errors import InputError

NAMES = st.lists(st.sampled_from("abcdefg"), max_size=60)
SHARES = st.floats(0, 0.95)
SEEDS = st.integers(0, 2**31 - 1)


def is_a_partition(n, *parts):
    joined = np.concatenate(parts)
    rising = all(a < b for part in parts for a, b in pairwise(part.tolist()))
    return rising and sorted(joined.tolist()) == list(range(n))


def counts(names, places):
    return Counter(names[place] for place in places.tolist())


@given(NAMES, SHARES, SEEDS)
def test_a_stratified_split_takes_its_share_of_each_class(labels, share, seed):
    kept, held = stratified_split(labels, share=share, seed=seed)
    assert is_a_partition(len(labels), kept, held)
    taken = counts(labels, held)
    sizes = Counter(labels)
    for label, size in sizes.items():
        assert taken[label] < size, "a class never loses all its pictures"
        full = taken[label] == size - 1
        assert abs(taken[label] - share * size) < 1 + 1e-9 or (full and size == 1)
    capped = any(taken[label] == size - 1 for label, size in sizes.items())
    assert len(held) <= round(share * len(labels))
    assert len(held) == round(share * len(labels)) or capped
    again = stratified_split(labels, share=share, seed=seed)
    assert [part.tolist() for part in again] == [kept.tolist(), held.tolist()]


@given(st.lists(st.integers(2, 12), min_size=2, max_size=5), st.integers(1, 8), SEEDS)
def test_a_stratified_split_takes_as_many_as_scikit_learn(sizes, tenths, seed):
    labels = [name for name, size in zip("abcde", sizes, strict=False) for _ in range(size)]
    held_n = round(tenths / 10 * len(labels))
    assume(len(sizes) <= held_n <= len(labels) - len(sizes))
    theirs = StratifiedShuffleSplit(1, test_size=held_n, random_state=0)
    _, other = next(theirs.split(np.zeros(len(labels)), labels))
    _, held = stratified_split(labels, share=tenths / 10, seed=seed)
    ours = counts(labels, held)
    if len(held) == held_n:
        assert sum(abs(ours[name] - n) for name, n in counts(labels, other).items()) <= len(sizes)
    for name, size in Counter(labels).items():
        assert abs(ours[name] - tenths / 10 * size) < 1 + 1e-9


@given(NAMES, SHARES, SEEDS)
def test_a_stratified_split_can_take_one_of_every_class(labels, share, seed):
    kept, held = stratified_split(labels, share=share, seed=seed, least=1)
    assert is_a_partition(len(labels), kept, held)
    taken = counts(labels, held)
    for label, count in Counter(labels).items():
        if share == 0 or count == 1:
            assert taken[label] == 0
        else:
            assert 1 <= taken[label] < count
            assert abs(taken[label] - share * count) <= 1


@given(NAMES, SHARES, SEEDS)
def test_a_grouped_split_parts_no_group(groups, share, seed):
    distinct = set(groups)
    assume(share == 0 or len(distinct) > 1)
    kept, held = grouped_split(groups, share=share, seed=seed)
    assert is_a_partition(len(groups), kept, held)
    taken = set(counts(groups, held))
    assert not taken & set(counts(groups, kept))
    wanted = min(max(1, round(share * len(distinct))), len(distinct) - 1) if share else 0
    assert len(taken) == wanted
    again = grouped_split(groups, share=share, seed=seed)
    assert [part.tolist() for part in again] == [kept.tolist(), held.tolist()]


def test_a_grouped_split_takes_as_many_groups_as_scikit_learn():
    groups = [f"g{n % 9}" for n in range(50)]
    _, held = grouped_split(groups, share=3 / 9, seed=0)
    _, other = next(GroupShuffleSplit(1, test_size=3, random_state=0).split(groups, None, groups))
    assert len(counts(groups, held)) == len(counts(groups, other)) == 3


@given(NAMES, st.integers(2, 8), SEEDS)
def test_stratified_folds_are_even_in_size_and_in_every_class(labels, folds, seed):
    assume(folds <= len(labels))
    found = stratified_folds(labels, folds=folds, seed=seed)
    assert len(found) == folds
    assert is_a_partition(len(labels), *found)
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    for label in set(labels):
        each = [counts(labels, fold)[label] for fold in found]
        assert max(each) - min(each) <= 1
    again = stratified_folds(labels, folds=folds, seed=seed)
    assert [fold.tolist() for fold in again] == [fold.tolist() for fold in found]


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_stratified_folds_count_as_scikit_learn_counts(folds):
    labels = list("aaaaaaabbbbbbbbbbbbbcccccddddddddd")
    theirs = StratifiedKFold(folds).split(np.zeros(len(labels)), labels)
    other = [counts(labels, held) for _, held in theirs]
    ours = [counts(labels, fold) for fold in stratified_folds(labels, folds=folds, seed=0)]
    for label in "abcd":
        assert sorted(c[label] for c in ours) == sorted(c[label] for c in other)
    assert sorted(c.total() for c in ours) == sorted(c.total() for c in other)


@given(NAMES, st.integers(2, 5), SEEDS)
def test_grouped_folds_part_no_group_and_fill_as_scikit_learn_does(groups, folds, seed):
    assume(folds <= len(set(groups)))
    found = grouped_folds(groups, folds=folds, seed=seed)
    assert is_a_partition(len(groups), *found)
    assert sum(len(counts(groups, fold)) for fold in found) == len(set(groups))
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= max(Counter(groups).values())
    theirs = GroupKFold(folds).split(groups, None, groups)
    assert sorted(sizes) == sorted(len(held) for _, held in theirs)
    again = grouped_folds(groups, folds=folds, seed=seed)
    assert [fold.tolist() for fold in again] == [fold.tolist() for fold in found]


def test_other_seeds_draw_otherwise():
    names = [f"n{number % 10}" for number in range(60)]
    for draw in (
        lambda seed: stratified_split(names, share=0.3, seed=seed)[1],
        lambda seed: grouped_split(names, share=0.3, seed=seed)[1],
        lambda seed: stratified_folds(names, folds=3, seed=seed)[0],
        lambda seed: grouped_folds(names, folds=3, seed=seed)[0],
    ):
        assert len({tuple(draw(seed).tolist()) for seed in range(8)}) > 4


@pytest.mark.parametrize(
    ("split", "said"),
    [
        (lambda: stratified_split("aabb", share=1, seed=0), "below 1. Got 1 instead"),
        (lambda: grouped_split("aabb", share=-0.1, seed=0), "at least 0"),
        (lambda: grouped_split("aaaa", share=float("nan"), seed=0), "Got nan instead"),
        (lambda: grouped_split("aaaa", share=0.5, seed=0), "at least two groups. Got 1"),
        (lambda: stratified_folds("aabb", folds=1, seed=0), "2 to 4, the number of pictures"),
        (lambda: stratified_folds("aabb", folds=5, seed=0), "Got 5 instead"),
        (lambda: grouped_folds("aabb", folds=3, seed=0), "2 to 2, the number of groups"),
    ],
)
def test_what_cannot_be_split_is_refused(split, said):
    with pytest.raises(InputError, match=said):
        split()
