"""``label_next``: how unsure, how different, no copies; the command, and what is refused."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.stats import entropy

import saccade
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.judge.labelling import choose_next, unsure

KNN = {"model.name": "knn", "model.k": 3, "data.size": "8x8", "data.validation": 0.0}


def shares(rows=200, classes=5):
    return np.random.default_rng(0).dirichlet(np.full(classes, 0.5), rows).astype(np.float32)


def test_doubts_are_those_of_the_definitions():
    found = shares()
    margins = [1 - (max(row) - sorted(row)[-2]) for row in found.astype(np.float64).tolist()]
    assert unsure(found, by="margin") == pytest.approx(margins, abs=1e-6)
    assert unsure(found, by="entropy") == pytest.approx(entropy(found.T, base=5), abs=1e-5)
    ends = np.float32([[1, 0, 0], [1 / 3] * 3])
    for by in ("margin", "entropy"):
        assert unsure(ends, by=by) == pytest.approx([0, 1], abs=1e-6)
    with pytest.raises(InputError, match="known: margin, entropy"):
        unsure(found, by="luck")


def test_each_group_of_unsure_pictures_offers_its_middle():
    draw = np.random.default_rng(1)
    middles = np.eye(6)[:4]
    rows = np.repeat(middles, 25, axis=0) + draw.normal(0, 0.05, (100, 6))
    rows[::25] = middles  # the first of each group stands in its middle
    doubts = draw.uniform(0.5, 1.0, 100)
    doubts[50:75] = 0.1  # a group that the model is sure of
    order = draw.permutation(100)
    found = order[choose_next(rows[order].astype(np.float32), doubts[order], count=3, pool=25)]
    assert {row // 25 for row in found} == {0, 1, 3}
    gaps = [np.linalg.norm(rows[row] - rows[row // 25 * 25 :][:25], axis=1) for row in found]
    assert (
        max(gap.mean() for gap in gaps) < np.linalg.norm(rows - middles.repeat(25, 0), axis=1).max()
    )
    assert doubts[found].tolist() == sorted(doubts[found], reverse=True)


def test_the_most_unsure_are_chosen_from_and_copies_count_once():
    draw = np.random.default_rng(2)
    features = draw.normal(size=(100, 6)).astype(np.float32)
    doubts = draw.random(100)
    found = choose_next(features, doubts, count=8, pool=3)
    most = np.argsort(-doubts)
    assert set(found) <= set(most[:24]) and len(set(found)) == 8
    features[most[1:20]] = 5 * features[most[0]]  # the same direction
    found = choose_next(features, doubts, count=8, pool=3)
    assert not set(found) & set(most[1:20]) and len(set(found)) == 8
    assert set(found) <= {most[0], *most[20:43]}
    assert choose_next(features[most[:21]], doubts[most[:21]], count=8).tolist() == [0, 20]


def test_without_doubts_those_come_first_that_stand_for_most():
    draw = np.random.default_rng(3)
    sizes = (30, 5, 14)
    rows = np.concatenate(
        [np.eye(3)[n] + draw.normal(0, 0.03, (s, 3)) for n, s in enumerate(sizes)]
    )
    found = choose_next(rows.astype(np.float32), None, count=3)
    assert [np.searchsorted([30, 35], row, side="right") for row in found] == [0, 2, 1]
    sure = choose_next(rows.astype(np.float32), np.zeros(49), count=3, pool=49)
    assert len(set(sure)) == 3


@pytest.fixture(scope="module")
def world(class_folders, tmp_path_factory):
    """A classifier that knows few pictures, an embedder, and a folder without labels."""
    root = tmp_path_factory.mktemp("unlabelled")
    files = sorted(class_folders.rglob("*.png"))
    for file in files[::3]:
        (root / "known" / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / "known" / file.parent.name)
    (root / "new").mkdir()
    for number, file in enumerate(files):
        shutil.copy(file, root / "new" / f"{number:02}.png")
        shutil.copy(file, root / "new" / f"{number:02}-copy.png")
    saccade.train(root / "known", task="classify", out=root / "knn", settings=KNN)
    return root


def test_the_command_chooses_prints_and_writes(world, tmp_path, capsys):
    out = tmp_path / "next.csv"
    words = ["label-next", str(world / "knn"), str(world / "new"), "--count", "5"]
    assert main([*words, "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[5] == "5 of 72 pictures, by margin, and what differs"
    found = saccade.label_next(world / "knn", [world / "new"], count=5)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["path"] for row in rows] == [one.picture for one in found.pictures]
    assert [row["label"] for row in rows] == [""] * 5
    answers = saccade.predict(world / "knn", [one.picture for one in found.pictures])
    for row, one, answer in zip(rows, found.pictures, answers, strict=True):
        assert (row["guess"], one.probability) == (answer.label, answer.probability)
        margin = answer.probability - answer.runner_up_probability
        assert one.doubt == pytest.approx(1 - margin, abs=1e-6)
    stems = [one.picture.split("/")[-1][:2] for one in found.pictures]
    assert len(set(stems)) == 5  # of a picture and its copy, one
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pictures"][0]["picture"] == found.pictures[0].picture


def test_copies_of_all_that_was_chosen_end_it(world, tmp_path, capsys):
    for number in range(4):
        shutil.copy(world / "new" / "00.png", tmp_path / f"{number}.png")
    for run in ("pixels", str(world / "knn")):
        assert main(["label-next", run, str(tmp_path)]) == 0
        assert "1 of 4 pictures" in (said := capsys.readouterr().out)
        assert "the others are copies of these" in said


def test_models_without_doubts_choose_what_differs(world):
    found = saccade.label_next("pixels", [world / "new"], count=36)
    assert found.by == "what differs" and found.pictures[0].doubt is None
    stems = [one.picture.split("/")[-1][:2] for one in found.pictures]
    assert len(set(stems)) == len(stems) == 36


def test_broken_pictures_are_named_and_left_out(world, tmp_path, capsys):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    Image.new("L", (9, 9), 40).save(tmp_path / "good.png")
    words = ["label-next", str(world / "knn"), str(tmp_path), "--out", str(tmp_path / "a.csv")]
    assert main(words) == 2
    said = capsys.readouterr()
    assert "good.png" in said.out and "1 pictures were left out" in said.err
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2


def test_what_cannot_be_chosen_is_one_line(world, tmp_path, capsys):
    run, new = str(world / "knn"), str(world / "new")
    (tmp_path / "broken.png").write_bytes(b"")
    rows = [
        ([run], "no picture is named"),
        ([run, new, "--count", "0"], "--count must be 1 or more"),
        ([run, new, "--by", "margn"], "did you mean 'margin'?"),
        ([run, tmp_path / "broken.png"], "no picture can be read"),
        ([run, new, "--out", tmp_path / "x.png"], "has the name of a picture"),
        ([tmp_path / "none", new], "does not exist"),
    ]
    for words, expected in rows:
        assert main(["label-next", *map(str, words)]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
