"""Task ``classify`` with a tree of classes: the loss, the distances of mistakes, and mistakes."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.class_tree import ClassTree
from saccade.cli.app import main
from saccade.data.readers import read_data
from saccade.data.trees import KIND, nested_tree, read_tree
from saccade.errors import InputError
from saccade.intervals import binomial_interval
from saccade.judge.classification import judge_classification
from saccade.judge.classification_report import classification_report
from saccade.losses.hierarchical import HierarchicalCrossEntropy
from saccade.tasks.model import Model
from tests.conftest import CLASSES
from tests.test_bad_input import snapshot

SETTINGS = {
    "model.width": 4,
    "train.epochs": 2,
    "train.threads": 1,
    "train.precision": "float32",
}
WHOLE = SETTINGS | {"data.validation": 0}  # nothing held out, so no report
SHORT = ["--task", "classify", "--model.width", "4", "--train.epochs", "1"]
TOML = """
round = ["blue-disc", "green-disc", "red-disc"]
[square]
cold = ["blue-square", "green-square"]
warm = ["red-square"]
"""
TABLE = """name,parent
blue-disc,round
green-disc,round
red-disc,round
round,
blue-square,cold
green-square,cold
red-square,warm
cold,square
warm,square
square,
"""
EDGES = dict(line.split(",") for line in TABLE.splitlines()[1:])


def steps_between(edges, start, end):
    """The number of edges from one node to another, by a walk outwards; a brute-force count."""
    near = {}
    for low, high in edges.items():
        near.setdefault(low, set()).add(high)
        near.setdefault(high, set()).add(low)
    here, reached, steps = {start}, {start}, 0
    while end not in here:
        here = {other for one in here for other in near[one]} - reached
        reached |= here
        steps += 1
    return steps


def distances(classes):
    return np.array([[steps_between(EDGES, a, b) for b in classes] for a in classes])


@pytest.fixture
def nested(class_folders, tmp_path):
    """The generated shapes in folders of kinds: disc/red-disc, square/cold/blue-square, …"""
    root = tmp_path / "nested"
    for name in CLASSES:
        kind = "disc" if "disc" in name else "square/warm" if "red" in name else "square/cold"
        shutil.copytree(class_folders / name, root / kind / name)
    return root


@pytest.fixture
def tree_file(tmp_path):
    (tmp_path / "kinds.toml").write_text(TOML)
    return tmp_path / "kinds.toml"


# The tree on disk


def test_the_forms_of_a_tree_on_disk_are_one(tmp_path, tree_file, nested):
    (tmp_path / "kinds.csv").write_text(TABLE)
    found = [read_tree(tree_file), read_tree(tmp_path / "kinds.csv")]
    assert found[0] == found[1]
    found.append(nested_tree(read_data(nested, nested=True)))
    for tree in found:
        assert tree.distances(CLASSES).tolist() == distances(CLASSES).tolist()


def test_nested_folders_give_the_classes_right_above_the_pictures(nested):
    samples = read_data(nested, nested=True)
    assert len(samples) == 36 and sorted({sample.label for sample in samples}) == list(CLASSES)
    kinds = {sample.label: sample.metadata[KIND] for sample in samples}
    assert kinds["red-disc"] == "disc/" and kinds["red-square"] == "square/warm/"


def test_two_kinds_may_have_one_name_and_a_kind_that_of_a_class(tmp_path, shapes):
    for place in ("cat/tame/cat", "cat/wild/lion", "dog/tame/dog", "dog/wild/wolf", "owl"):
        (tmp_path / place).mkdir(parents=True)
        Image.fromarray(shapes[0][0]).save(tmp_path / place / "0.png")
    tree = nested_tree(read_data(tmp_path, nested=True))
    names = ["cat", "lion", "dog", "owl"]
    assert tree.distances(names)[0].tolist() == [0, 4, 6, 4]


def test_the_part_above_some_classes_keeps_their_distances():
    tree = ClassTree(EDGES)
    some = ["red-disc", "blue-square", "red-square"]
    part = tree.above(some)
    assert set(part.parents) == {*some, "round", "cold", "warm", "square"}
    assert part.distances(some).tolist() == tree.distances(some).tolist()
    names = [some[place] for place in part.order(some)]
    assert names == ["red-disc", "blue-square", "red-square"]


# The run


@pytest.mark.parametrize("form", ["toml", "folders"])
def test_a_run_learns_and_keeps_its_tree(class_folders, nested, tree_file, tmp_path, form):
    data, name = (nested, "folders") if form == "folders" else (class_folders, str(tree_file))
    settings = SETTINGS | {"data.tree": name}
    training = saccade.Training(data, task="classify", out=tmp_path / "run", settings=settings)
    criterion = training.learner.task.criterion
    assert isinstance(criterion, HierarchicalCrossEntropy)
    for _ in training.records():
        pass
    run = training.finish()
    assert run.model.classes == CLASSES
    again = Model.load(tmp_path / "run")
    assert again.tree.distances(CLASSES).tolist() == distances(CLASSES).tolist()
    scores = saccade.evaluate(tmp_path / "run", data)
    assert sum(count for _, count in scores.tree.at_distance) == scores.wrong
    page = (tmp_path / "run" / "report.html").read_text()
    assert "How far off" in page and "side by side" in page


def test_both_forms_give_the_same_weights(class_folders, nested, tree_file, tmp_path):
    runs = [
        saccade.train(data, task="classify", out=tmp_path / f"{number}", settings=WHOLE | settings)
        for number, (data, settings) in enumerate(
            [
                (class_folders, {"data.tree": str(tree_file)}),
                (nested, {"data.tree": "folders"}),
                (class_folders, {"data.tree": str(tree_file), "loss.alpha": 2}),
                (class_folders, {"loss.smoothing": 0}),
                (class_folders, {"data.tree": str(tree_file), "loss.alpha": 0}),
            ]
        )
    ]
    first, nested_run, steep, flat, flattened = (run.model for run in runs)
    assert first.fingerprint == nested_run.fingerprint != steep.fingerprint
    paths = sorted(class_folders.rglob("*.png"))
    np.testing.assert_allclose(  # with alpha 0 it is cross-entropy
        flattened.probabilities(paths), flat.probabilities(paths), atol=1e-3
    )


def test_another_tree_is_refused_by_a_resumed_run(class_folders, tree_file, tmp_path):
    settings = SETTINGS | {"data.tree": str(tree_file)}
    training = saccade.Training(
        class_folders, task="classify", out=tmp_path / "run", settings=settings
    )
    records = training.records()
    next(records)
    records.close()
    tree_file.write_text(TOML.replace("warm", "hot"))
    with pytest.raises(InputError, match=r"pictures or classes .* are not those"):
        saccade.train(resume=tmp_path / "run")
    tree_file.write_text(TOML)
    assert saccade.train(resume=tmp_path / "run").validation.tree is not None


def test_a_tree_with_another_loss_is_judged_by_it_too(class_folders, tree_file, tmp_path, capsys):
    words = ["train", str(class_folders), "--out", str(tmp_path / "run"), *SHORT]
    words += ["--data.tree", str(tree_file), "--loss.name", "focal", "--json"]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)["validation"]
    assert found["tree"]["order"] == [0, 2, 4, 1, 3, 5]
    assert main(["evaluate", str(tmp_path / "run"), str(class_folders)]) == 0
    assert "  mistake distance  " in capsys.readouterr().out


# The scores


def judged(n=120, *, seed=0, strength=1.0):
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 6, n)
    logits = draw.normal(size=(n, 6))
    logits[np.arange(n), truth] += strength
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [CLASSES[place] for place in truth]
    scores = judge_classification(
        shares, labels, classes=CLASSES, tree=ClassTree(EDGES), resamples=300
    )
    return truth, shares.argmax(axis=1), scores


def test_distances_of_mistakes_are_those_of_a_walk_along_the_edges():
    truth, answers, scores = judged()
    found = np.array(
        [steps_between(EDGES, CLASSES[a], CLASSES[b]) for a, b in zip(truth, answers, strict=True)]
    )
    wrong = found[found > 0]
    assert scores.tree.mistakes.value == pytest.approx(wrong.mean())
    assert scores.tree.mistakes.n == len(wrong) == scores.wrong
    assert scores.tree.answers.value == pytest.approx(found.mean())
    assert dict(scores.tree.at_distance) == {
        size: int((wrong == size).sum()) for size in sorted(set(wrong.tolist()))
    }
    others = [np.delete(distances(CLASSES)[t], t).mean() for t in truth[found > 0]]
    assert scores.tree.guessed == pytest.approx(np.mean(others))
    assert scores.tree.mistakes.low < wrong.mean() < scores.tree.mistakes.high


def test_without_a_mistake_only_the_bound_is_told():
    _, _, scores = judged(strength=100)
    assert scores.tree.mistakes is None and scores.tree.at_distance == ()
    bound = 5 * binomial_interval(0, 120).high
    assert (scores.tree.answers.value, scores.tree.answers.high) == (0, pytest.approx(bound))
    assert "mistake distance" not in dict(scores.headline)
    page = classification_report(scores, pictures=[np.zeros((4, 4, 3), np.uint8)] * 120)
    assert "There is no mistake." in page


def test_mistakes_all_as_far_promise_no_certainty():
    shares, labels = np.eye(6)[[2, 1]], ["blue-disc", "blue-square"]
    scores = judge_classification(shares, labels, classes=CLASSES, tree=ClassTree(EDGES))
    found = scores.tree.mistakes
    assert (found.value, found.low, found.high, found.n) == (2, 2, 5, 1)


def test_the_matrix_of_the_report_stands_in_the_order_of_the_tree():
    _, _, scores = judged()
    page = classification_report(scores, pictures=[np.zeros((4, 4, 3), np.uint8)] * 120)
    chart = page[page.index("Confusion matrix") :]
    ordered = [CLASSES[place] for place in scores.tree.order]
    assert ordered[:3] == ["blue-disc", "green-disc", "red-disc"]
    places = [chart.index(f">{name}<") for name in ordered]
    assert places == sorted(places)
    row, column = (CLASSES.index(name) for name in ordered[:2])
    assert f"{scores.confusion[row][column]}" in chart


# What is refused


@pytest.fixture
def world(tmp_path, class_folders, nested, monkeypatch):
    """The shapes, nested and flat, and trees that are good and bad."""
    shutil.copytree(class_folders, tmp_path / "flat")
    for name, text in {
        "good.toml": TOML,
        "missing.toml": TOML.replace(', "red-disc"', ""),
        "twice.toml": TOML.replace('"red-square"', '"red-square", "red-disc"'),
        "inner.toml": TOML.replace('"red-disc"', '"red-disc", "x"') + '[odd]\nred-disc = ["y"]\n',
        "number.toml": "round = [1, 2]\n",
        "text.toml": 'round = "red-disc"\n',
        "broken.toml": "[round\n",
        "kinds.yaml": "round: []\n",
        "loop.csv": TABLE.replace("round,\n", "round,square\n").replace(
            "square,\n", "square,round\n"
        ),
        "twice.csv": TABLE + "red-disc,square\n",
        "inner.csv": TABLE + "lid,red-disc\n",
        "head.csv": TABLE.replace("name,parent", "class,kind"),
        "cells.csv": TABLE + "a,b,c\n",
    }.items():
        (tmp_path / name).write_text(text)
    shutil.copytree(nested, tmp_path / "twins")
    shutil.copytree(nested / "disc" / "red-disc", tmp_path / "twins" / "square" / "red-disc")
    shutil.copytree(nested, tmp_path / "mixed")
    shutil.copy(next((class_folders / "red-disc").iterdir()), tmp_path / "mixed" / "square")
    rows = [f"{next(folder.iterdir())},{folder.name}" for folder in class_folders.iterdir()]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *rows, ""]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG = [
    ("flat", "absent.toml", ["absent.toml", "does not exist"]),
    ("flat", "missing.toml", ["missing.toml", "no 'red-disc'", "'green-disc'"]),
    ("flat", "twice.toml", ["twice.toml", "'red-disc' stands twice"]),
    ("flat", "inner.toml", ["inner.toml", "'red-disc' stands twice"]),
    ("flat", "number.toml", ["number.toml", "below 'round'", "as text"]),
    ("flat", "text.toml", ["text.toml", "write it as ['red-disc']"]),
    ("flat", "broken.toml", ["broken.toml", "not valid TOML"]),
    ("flat", "kinds.yaml", ["kinds.yaml", ".toml or .csv"]),
    ("flat", "loop.csv", ["loop.csv", "lies below itself", "cut that loop"]),
    ("flat", "twice.csv", ["twice.csv line 12", "'red-disc' stands twice"]),
    ("flat", "inner.csv", ["inner.csv", "'red-disc' is no leaf", "'lid'"]),
    ("flat", "head.csv", ["head.csv line 1", "name,parent", "class,kind"]),
    ("flat", "cells.csv", ["cells.csv line 12", "a name and its parent"]),
    ("twins", "folders", ["two classes", "'red-disc'", "rename"]),
    ("mixed", "folders", ["mixed/square", "holds pictures and the class", "of their own"]),
    ("table.csv", "folders", ["nested class folders", "shapes", ".toml"]),
]


@pytest.mark.parametrize(("data", "tree", "expected"), WRONG, ids=[row[1] for row in WRONG])
def test_a_bad_tree_is_one_line_and_exit_code_2(world, capsys, data, tree, expected):
    refused(world, capsys, ["train", data, *SHORT, "--data.tree", tree], expected)


def test_a_tree_is_for_classify_and_its_loss_needs_one(world, capsys):
    words = ["train", "flat", "--data.tree", "good.toml", "--train.epochs", "1"]
    refused(world, capsys, words, ["data.tree", "task classify", "good.toml"])
    words = ["train", "flat", *SHORT, "--loss.name", "hierarchical_cross_entropy"]
    refused(world, capsys, words, ["needs a tree", "data.tree", "cross_entropy"])
    words = ["train", "flat", *SHORT, "--data.tree", "good.toml", "--loss.alpha", "-1"]
    refused(world, capsys, words, ["loss.alpha", "-1"])


def refused(world, capsys, words, expected):
    before = snapshot(world)
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("saccade: ") and error.count("\n") == 1, error
    assert [part for part in expected if part not in error] == [], error
    assert snapshot(world) == before


@pytest.mark.parametrize(
    "tree",
    [{"red-disc": "red-disc"}, {"red-disc": 1}, ["red-disc"], {}, {**EDGES, "lid": "red-disc"}],
)
def test_a_card_with_a_bad_tree_is_refused(class_folders, tmp_path, tree):
    settings = SETTINGS | {"train.epochs": 1, "data.validation": 0}
    saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    card = json.loads((tmp_path / "run" / "model.json").read_text())
    (tmp_path / "run" / "model.json").write_text(json.dumps(card | {"tree": tree}))
    with pytest.raises(InputError, match="not a complete model card"):
        Model.load(tmp_path / "run")
