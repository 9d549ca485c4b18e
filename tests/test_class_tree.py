"""The tree of classes: its forms, its distances, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade.class_tree import ClassTree
from saccade.errors import InputError

NESTED = {"animal": {"pet": ["cat", "dog"], "fox": {}}, "car": {}}
LEAVES = ("cat", "dog", "fox", "car")


def test_the_forms_of_a_tree_are_one():
    parents = {"cat": "pet", "dog": "pet", "pet": "animal", "fox": "animal"}
    tree = ClassTree.nested(NESTED)
    assert tree == ClassTree({"animal": "", "car": ""} | parents)
    assert tree.path("cat") == ("cat", "pet", "animal", "")
    assert ClassTree.nested({"animal": NESTED["animal"]}) == ClassTree(parents)
    assert ClassTree(parents).path("fox") == ("fox", "animal")


def test_several_tops_get_a_root():
    tree = ClassTree({"cat": "animal", "car": "vehicle"})
    assert tree.path("cat") == ("cat", "animal", "")
    assert tree.distances(["cat", "car"]).tolist() == [[0, 4], [4, 0]]


def test_a_tree_of_one_class():
    tree = ClassTree.nested({"cat": {}})
    assert tree.path("cat") == ("cat", "")
    assert tree.distances(["cat"]).tolist() == [[0]]
    assert tree.distances([]).shape == (0, 0)


@given(st.data())
def test_distances_are_those_of_a_walk_along_the_edges(data):
    parents = {}
    for node in range(1, data.draw(st.integers(2, 15))):
        parents[str(node)] = str(data.draw(st.integers(0, node - 1)))
    tree = ClassTree(parents)
    leaves = [name for name in parents if name not in parents.values()]
    near = {name: {name} for name in ["0", *parents]}
    for low, high in parents.items():
        near[low].add(high)
        near[high].add(low)
    for row, start in zip(tree.distances(leaves), leaves, strict=True):
        reached, steps = {start: 0}, [start]
        while steps:
            here = steps.pop(0)
            for there in near[here] - reached.keys():
                reached[there] = reached[here] + 1
                steps.append(there)
        assert row.tolist() == [reached[leaf] for leaf in leaves]


def test_distances_are_symmetric_and_of_the_classes_asked_for():
    tree = ClassTree.nested(NESTED)
    found = tree.distances(LEAVES)
    assert found.dtype == np.int64
    assert found[0].tolist() == [0, 2, 3, 4]
    assert (found == found.T).all()
    assert tree.distances(["fox", "cat"]).tolist() == [[0, 3], [3, 0]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: ClassTree({"a": "b", "b": "a"}),
            "'a' lies below itself, a → b → a; cut that loop",
        ),
        (lambda: ClassTree({"a": "a"}), "'a' lies below itself, a → a; cut that loop"),
        (lambda: ClassTree({"x": "a", "a": "b", "b": "a"}), "'a' lies below itself, x → a → b → a"),
        (lambda: ClassTree.nested({"a": ["b", "b"]}), "'b' stands twice"),
        (lambda: ClassTree.nested({"a": {"b": ["a"]}}), "'a' stands twice"),
        (lambda: ClassTree.nested({"a": "cat"}), r"below 'a' stands text; write it as \['cat'\]"),
        (lambda: ClassTree.nested(NESTED).paths(["cat", "dot"]), "no 'dot'; did you mean 'dog'?"),
        (
            lambda: ClassTree.nested(NESTED).paths(["pet"]),
            "class 'pet' is no leaf, 'dog' lies below",
        ),
        (lambda: ClassTree.nested({}).paths(["cat"]), "there is no 'cat'; there are none"),
    ],
)
def test_a_tree_that_is_none_and_a_class_that_is_not_in_it_are_refused(make, said):
    with pytest.raises(InputError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_mapping_that_it_was_made_of_may_change():
    parents = {"cat": "animal", "dog": "animal"}
    tree = ClassTree(parents)
    parents["cat"] = "dog"
    assert tree.path("cat") == ("cat", "animal")
