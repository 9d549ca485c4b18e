"""``robustness``: curves, their sentences, the neighbour on pixels, and what is refused."""

import json
import shutil

import numpy as np
import pytest

import saccade
from saccade.api.pixel_neighbours import PixelNeighbours
from saccade.api.robustness import robustness
from saccade.api.trained_on import training_data
from saccade.augment.disturbances import DISTURBANCES, disturb
from saccade.cli.app import main
from saccade.data.batches import load_pictures
from saccade.judge.protocol import one_shot
from saccade.judge.robustness import judge_robustness
from saccade.tasks.neighbours import MOST_NUMBERS
from tests.conftest import PICTURES_PER_CLASS

KNN = {"model.name": "knn", "model.k": 1, "data.size": "16x16", "data.validation": 0.0}
FITTED = {"train.epochs": 0, "train.threads": 1, "model.width": 4, "data.size": "16x16"}


@pytest.fixture(scope="module")
def knn(class_folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "knn"
    saccade.train(class_folders, task="classify", out=place, settings=KNN)
    return place


@pytest.fixture(scope="module")
def embedder(class_folders, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "embed"
    saccade.train(class_folders, out=place, settings=FITTED)
    return place


@pytest.fixture(scope="module")
def regressor(number_table, tmp_path_factory):
    place = tmp_path_factory.mktemp("runs") / "regress"
    settings = FITTED | {"data.target": "hue,corners"}
    saccade.train(number_table, task="regress", out=place, settings=settings)
    return place


def test_points_means_and_falls_are_those_of_the_scores():
    draw = np.random.default_rng(0)
    before = (draw.random(400) < 0.95).astype(float)
    after = {
        "rotation": {s: before * (draw.random(400) < 1 - s / 60) for s in (5.0, 15.0, 30.0, 45.0)},
        "blur": dict.fromkeys((0.01, 0.02, 0.04, 0.08), before),
    }
    found = judge_robustness(before, after, figure="accuracy", pictures=400)
    turned, blurred = found.curves
    assert [point.strength for point in turned.points] == [0, 5, 15, 30, 45]
    assert turned.points[0].score == found.undisturbed and turned.points[0].worse.high == 0
    for strength, scores in after["rotation"].items():
        point = next(point for point in turned.points if point.strength == strength)
        assert point.score.value == scores.mean()
        assert point.worse.value == pytest.approx(before.mean() - scores.mean(), abs=1e-12)
    means = [np.mean([v.mean() for v in one.values()]) for one in after.values()]
    assert [turned.mean.value, blurred.mean.value] == pytest.approx(means, abs=1e-12)
    assert found.mean.value == pytest.approx(np.mean(means), abs=1e-12)
    assert found.worse.value == pytest.approx(before.mean() - np.mean(means), abs=1e-12)
    assert turned.sentence.startswith("falls by ") and " at 5 degrees, falls by" in turned.sentence
    assert turned.sentence.endswith(" at 45 degrees")
    assert blurred.sentence == "is not shown to fall up to sigma 0.08 widths"


def test_of_two_ways_each_is_told():
    before = np.ones(200)
    half = np.tile([0.0, 1.0], 100)
    after = {"scale": {0.5: half, 0.7: before, 1.4: before, 2.0: before}}
    (curve,) = judge_robustness(before, after, figure="accuracy", pictures=200).curves
    first, second = curve.sentence.split("; ")
    assert first.startswith("falls by 50 points (") and first.endswith(" at 0.5 times the size")
    assert second == "is not shown to fall up to 2 times the size"


def test_a_fall_is_told_where_it_is_first_shown_even_if_it_does_not_last():
    before, half = np.ones(200), np.tile([0.0, 1.0], 100)
    after = {"noise": {0.04: before, 0.08: half, 0.16: before, 0.32: before}}
    (curve,) = judge_robustness(before, after, figure="accuracy", pictures=200).curves
    first, second = curve.sentence.split(", ")
    assert first.endswith("at sigma 0.08")
    assert second.startswith("is not shown to fall (-")
    assert second.endswith(" points) at sigma 0.32")


def test_a_classifier_is_asked_what_evaluate_asks(knn, class_folders):
    found = robustness(knn, class_folders, only=["shift", "occlusion"])
    assert found.undisturbed == saccade.evaluate(knn, class_folders).accuracy
    assert [curve.disturbance for curve in found.curves] == ["shift", "occlusion"]
    model = saccade.load(knn)
    samples = saccade.read_data(class_folders)
    pictures = load_pictures(samples, size_hw=(16, 16), channels=3)
    for curve in found.curves:
        for point in curve.points:
            seen = disturb(pictures, DISTURBANCES[curve.disturbance], point.strength, seed=0)
            said = model.classify_prepared(seen).argmax(axis=1)
            right = [model.classes[k] == s.label for k, s in zip(said, samples, strict=True)]
            assert point.score.value == np.mean(right)
    # A model that is the nearest neighbour on pixels does as its rival does.
    assert found.nearest.curves == found.curves
    assert found.notes == ("36 of these 36 pictures were trained on, so the figures flatter",)


def test_an_embedder_searches_with_disturbed_among_undisturbed(embedder, class_folders):
    found = robustness(embedder, class_folders, only=["rotation"])
    assert found.undisturbed == saccade.evaluate(embedder, class_folders).rank_1
    assert (found.figure, found.units) == ("rank-1", "identities")
    model, samples = saccade.load(embedder), saccade.read_data(class_folders)
    pictures = load_pictures(samples, size_hw=model.size_hw, channels=model.channels)
    seen = disturb(pictures, DISTURBANCES["rotation"], 45.0, seed=0)
    enrolled, searched = (model.embed_prepared(p).astype(float) for p in (pictures, seen))
    hits = []
    for turn in range(PICTURES_PER_CLASS):
        gallery = enrolled[turn::PICTURES_PER_CLASS]
        for row in set(range(len(samples))) - set(range(turn, 36, PICTURES_PER_CLASS)):
            hits.append(int((gallery @ searched[row]).argmax()) == row // PICTURES_PER_CLASS)
    assert found.curves[0].points[-1].score.value == pytest.approx(np.mean(hits), abs=1e-12)
    pixels = saccade.evaluate("pixels", class_folders).rank_1
    assert found.nearest.undisturbed.value == pytest.approx(pixels.value, abs=0.1)


def test_what_is_searched_must_be_as_many():
    with pytest.raises(saccade.InputError, match="searched must be"):
        one_shot(np.eye(4), list("aabb"), searched=np.eye(4)[:3])


def test_a_regressor_is_told_by_its_error(regressor, number_table):
    found = robustness(regressor, number_table, only=["brightness"])
    assert found.figure == "mean absolute error, in deviations"
    truth = np.array(
        [s.numbers for s in saccade.read_data(number_table, targets=["hue", "corners"])]
    )
    model = saccade.load(regressor)
    samples = saccade.read_data(number_table, targets=["hue", "corners"])
    said = model.estimate_prepared(
        load_pictures(samples, size_hw=model.size_hw, channels=model.channels)
    )
    expected = (np.abs(said - truth) / truth.std(axis=0)).mean()
    assert found.undisturbed.value == pytest.approx(expected, rel=1e-6)
    assert found.nearest is not None and "rise" in found.curves[0].sentence


def test_the_rival_knows_only_what_the_run_has_learned(class_folders, tmp_path):
    run = tmp_path / "run"
    settings = KNN | {"data.validation": 0.34}
    made = saccade.train(class_folders, task="classify", out=run, settings=settings)
    learned = training_data(run).kept
    assert len(learned) == 24 and made.validation.pictures == 12
    found = robustness(run, class_folders, only=["jpeg"])
    assert "24 of these 36 pictures were trained on" in found.notes[0]
    rival = PixelNeighbours(learned, made.model)
    samples = saccade.read_data(class_folders)
    pictures = load_pictures(samples, size_hw=made.model.size_hw, channels=3)
    kept = load_pictures(learned, size_hw=made.model.size_hw, channels=3)
    far = (pictures.flatten(1)[:, None].long() - kept.flatten(1)[None].long()).square().sum(2)
    assert rival.nearest(pictures).tolist() == far.argmin(1).tolist()
    labels = [learned[row].label for row in far.argmin(1).tolist()]
    right = np.mean([a == s.label for a, s in zip(labels, samples, strict=True)])
    assert found.nearest.undisturbed.value == right


def test_pictures_too_large_for_the_search_are_made_smaller(class_folders, knn):
    side = int((MOST_NUMBERS / 3) ** 0.5) + 40
    model = saccade.load(knn)
    model.size_hw = (side, side)
    samples = saccade.read_data(class_folders)
    rival = PixelNeighbours(samples, model)
    pictures = load_pictures(samples, size_hw=(side, side), channels=3)
    assert rival.rows.shape[1] <= MOST_NUMBERS
    assert rival.nearest(pictures).tolist() == list(range(len(samples)))


def test_without_its_training_pictures_a_run_stands_alone(knn, class_folders, tmp_path):
    moved = shutil.copytree(knn, tmp_path / "moved")
    file = moved / "environment.json"
    content = json.loads(file.read_text()) | {"data": str(tmp_path / "gone")}
    file.write_text(json.dumps(content))
    found = robustness(moved, class_folders, only=["noise"])
    assert found.nearest is None and "gone, which is not there any more" in found.notes[0]
    alone = robustness(saccade.load(knn), class_folders, only=["noise"])
    assert alone.nearest is None and "by itself" in alone.notes[0]
    assert found.curves == alone.curves


def test_the_command_prints_writes_and_gives_json(knn, class_folders, tmp_path, capsys):
    page = tmp_path / "page.html"
    words = ["robustness", str(knn), str(class_folders), "--only", "shift,noise"]
    assert main([*words, "--report", str(page)]) == 0
    said = capsys.readouterr().out
    assert "accuracy, undisturbed" in said and "noise" in said and "blur" not in said
    text = page.read_text()
    assert text.count('<svg class="chart"') == 2 and "<script" not in text
    assert text.count("data:image/png") == 10
    assert main([*words, "--json"]) == 0 and (knn / "robustness.html").is_file()
    answer = json.loads(capsys.readouterr().out)
    assert [curve["disturbance"] for curve in answer["curves"]] == ["shift", "noise"]
    assert answer["nearest"]["curves"][0]["points"][0]["score"]["n"] == 36
    assert all(curve["sentence"] in said for curve in answer["curves"])


def test_names_of_classes_and_files_are_escaped_in_the_page(knn, class_folders, tmp_path):
    nasty = tmp_path / "run"
    shutil.copytree(knn, nasty)
    card = json.loads((nasty / "model.json").read_text())
    card["provenance"] = '<script>alert("x")</script>'
    (nasty / "model.json").write_text(json.dumps(card))
    page = tmp_path / "page.html"
    robustness(nasty, class_folders, only=["jpeg"], report=page)
    assert "<script" not in page.read_text() and "&lt;script&gt;" in page.read_text()


def test_what_cannot_be_judged_is_one_line(knn, class_folders, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    rows = [
        ([knn, tmp_path / "none"], "does not exist"),
        ([tmp_path / "none", class_folders], "does not exist"),
        ([knn, tmp_path / "empty"], "is empty"),
        ([knn, class_folders, "--only", "shfit"], "did you mean 'shift'?"),
        ([knn, class_folders, "--only", ""], "is empty"),
        ([knn, class_folders, "--onyl", "shift"], "--onyl"),
        ([knn, class_folders, "--report", tmp_path], "must be a file"),
        ([knn, class_folders, "--report", tmp_path / "x.png"], "name of a picture"),
        ([knn, class_folders, "--data.broken", "nan"], "data.broken"),
    ]
    for words, expected in rows:
        assert main(["robustness", *map(str, words)]) == 2, words
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1, said


def test_a_model_of_grey_pictures_cannot_lose_colour(class_folders, tmp_path, capsys):
    run = tmp_path / "grey"
    saccade.train(class_folders, task="classify", out=run, settings=KNN | {"data.colour": "grey"})
    found = robustness(run, class_folders)
    assert len(found.curves) == len(DISTURBANCES) - 1 and "greying" in found.notes[0]
    assert main(["robustness", str(run), str(class_folders), "--only", "greying"]) == 2
    assert "sees grey pictures" in capsys.readouterr().err


def test_broken_pictures_are_left_out_and_named(knn, class_folders, tmp_path, capsys):
    data = shutil.copytree(class_folders, tmp_path / "data")
    broken = next(data.rglob("*.png"))
    broken.write_bytes(b"\x89PNG not")
    assert main(["robustness", str(knn), str(data), "--only", "jpeg"]) == 2
    assert "1 of 36 pictures cannot be read" in capsys.readouterr().err
    words = ["robustness", str(knn), str(data), "--only", "jpeg", "--data.broken", "0.1"]
    assert main(words) == 0
    assert "1 pictures left out" in capsys.readouterr().out
    found = robustness(knn, data, only=["jpeg"], broken=0.1)
    assert found.pictures == 35 and found.broken[0].picture == str(broken)
