"""``explain``: the page, the words, the mistakes, the weights; and what is refused."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import saccade
from saccade.cli.app import main
from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.judge.explanation import spread
from saccade.report import heat
from saccade.report.heat import strengths
from tests.planted import CORNERS, PATCH, SIDE, write_planted

LEARN = {
    "train.epochs": 20,
    "train.threads": 1,
    "train.batch_size": 16,
    "train.precision": "float32",
    "model.backbone": "lenet",
    "model.activation": "relu",
    "model.width": 8,
    "augment.brightness": 0,
    "augment.contrast": 0,
    "augment.shift": 0,
    "augment.flip": 0,
    "augment.rotate": 0,
    "augment.erase": 0,
}
QUICK = {"train.epochs": 1, "model.width": 4, "train.threads": 1, "train.classes_per_batch": 2}
EVIL = '<script>alert("1")</script>'


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A run that knows the corners, its data, others; and data with two labels that are wrong."""
    root = tmp_path_factory.mktemp("planted")
    write_planted(root / "data", 24, seed=0)
    write_planted(root / "others", 4, seed=1)
    saccade.train(root / "data", task="classify", out=root / "run", settings=LEARN)
    shutil.copytree(root / "others", root / "swapped")
    (root / "swapped" / "low" / "00.png").rename(root / "swapped" / "top" / "low.png")
    (root / "swapped" / "top" / "01.png").rename(root / "swapped" / "low" / "top.png")
    return root


def share_in(values, label):
    """The share of a map's positive values in the corner of a class."""
    shown = values.clip(min=0)
    return float(shown[CORNERS[label]].sum() / shown.sum())


def test_the_maps_lie_on_the_evidence_that_was_planted(world):
    found = saccade.explain(world / "run", [world / "others"])
    assert len(found) == 8
    for one in found:
        label = one.picture.split("/")[-2]
        assert one.explained == label and one.answer.startswith(label)
        parts, place = one.attribution.gradients, {"low": "bottom right", "top": "top left"}[label]
        assert spread(parts).strongest == place
        assert share_in(parts, label) > 0.35  # in a tenth of the picture


def test_random_weights_do_not_lie_on_it(world):
    model = saccade.Model.load(world / "run")
    torch.manual_seed(0)
    for layer in model.network.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    found = saccade.explain(model, [world / "others"])
    shares = [share_in(one.attribution.gradients, one.picture.split("/")[-2]) for one in found]
    assert np.mean(shares) < 0.25


def test_another_class_is_explained_when_it_is_named(world):
    picture = world / "others" / "top" / "00.png"
    (own,) = saccade.explain(world / "run", [picture])
    (other,) = saccade.explain(world / "run", [picture], label="low")
    assert (own.explained, other.explained) == ("top", "low") and own.answer == other.answer
    assert other.attribution.score < own.attribution.score
    corner = (slice(0, PATCH),) * 2
    assert own.attribution.gradients[corner].sum() > 0 > other.attribution.gradients[corner].sum()


def test_the_command_prints_writes_and_names_what_is_broken(world, tmp_path, capsys):
    (tmp_path / EVIL.replace("/", "_")).mkdir()
    good = tmp_path / EVIL.replace("/", "_") / "x.png"
    shutil.copy(world / "others" / "low" / "00.png", good)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    page = tmp_path / "page.html"
    words = ["explain", str(world / "run"), str(good), "--out", str(page)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "strongest at the bottom right" in said and f"page: {page}" in said
    assert main([*words, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["explanations"]
    (one,) = saccade.explain(world / "run", [good])
    assert told == json.loads(json.dumps(one.to_dict())) and told["explained"] == "low"
    assert told["grad_cam"]["size_hw"] == list(one.attribution.grad_cam.shape)
    page.unlink()
    assert main([*words, str(tmp_path / "broken.jpg")]) == 2
    assert "1 pictures have no explanation" in capsys.readouterr().err
    text = page.read_text()
    assert text.count("<img") == 3 and "1 more could not be read" in text
    assert "strongest at the bottom right" in text  # for those who do not see the maps
    (world / "run" / "explanation.html").unlink(missing_ok=True)
    assert main(["explain", str(world / "run"), str(good)]) == 0
    assert (world / "run" / "explanation.html").is_file()


def test_names_are_escaped_on_every_page(world, tmp_path):
    run = shutil.copytree(world / "run", tmp_path / "run")
    card = json.loads((run / "model.json").read_text())
    card["classes"] = [EVIL, "‮top" + "x" * 3000]
    (run / "model.json").write_text(json.dumps(card))
    picture = world / "others" / "top" / "00.png"
    saccade.explain(run, [picture], out=tmp_path / "page.html")
    saccade.explain(run, [picture], label=EVIL, out=tmp_path / "other.html")
    for name in ("page.html", "other.html"):
        assert "<script" not in (tmp_path / name).read_text()
    assert "&lt;script&gt;" in (tmp_path / "other.html").read_text()


def test_two_pictures_of_an_embedder(world, class_folders, tmp_path, capsys):
    saccade.train(class_folders, out=tmp_path / "embed", settings=QUICK)
    run, (a, b, *_) = tmp_path / "embed", sorted(class_folders.rglob("*.png"))
    found = saccade.explain(run, [a, b], out=tmp_path / "page.html")
    vectors = saccade.load(run).embed([a, b])
    for one in found:
        assert one.attribution.score == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-5)
    assert [one.explained for one in found] == [f"what makes it like {n}" for n in (b.name, a.name)]
    for pictures, expected in (([a], "name two pictures"), ([a, run / "none"], "does not exist")):
        assert main(["explain", str(run), *map(str, pictures)]) == 2
        assert expected in capsys.readouterr().err
    assert main(["explain", str(run), str(a), str(b), "--class", "x"]) == 2
    assert "--class is for classifiers, this is an embedder" in capsys.readouterr().err
    with pytest.raises(InputError, match="only a classifier"):
        saccade.explain_mistakes(run, class_folders)


def test_each_target_of_a_regressor(number_table, class_folders, tmp_path):
    settings = QUICK | {"data.target": "hue,corners", "train.epochs": 0, "model.backbone": "pixels"}
    saccade.train(number_table, task="regress", out=tmp_path / "run", settings=settings)
    model = saccade.load(tmp_path / "run")
    pictures = sorted(class_folders.rglob("*.png"))[::7]
    found = saccade.explain(model, pictures, out=tmp_path / "page.html")
    answers = model.estimate(pictures)
    assert len(found) == 2 * len(pictures)
    for number, one in enumerate(found):
        target = ("hue", "corners")[number % 2]
        value = answers[number // 2].values[target]
        assert one.attribution.score == pytest.approx(value, rel=1e-4, abs=1e-3)
        higher = value >= model.card["centre"][number % 2]
        assert one.explained.startswith(f"{target}: what {'raises' if higher else 'lowers'}")
    inside = saccade.look_inside(model, out=tmp_path / "inside.html")
    weights = model.network.head.weight.detach().numpy().reshape(2, 3, *model.size_hw)
    assert (inside.kind, [one.name for one in inside.pictures]) == ("templates", ["hue", "corners"])
    for one, expected in zip(inside.pictures, weights, strict=True):
        back = (one.pixels.astype(float) - 128) / 127 * one.largest
        assert back == pytest.approx(np.moveaxis(expected, 0, -1), abs=0.51 / 127 * one.largest)


def test_the_surest_mistakes_with_what_they_were_learned_from(world, tmp_path, capsys):
    page = tmp_path / "mistakes.html"
    words = ["explain", str(world / "run"), str(world / "swapped"), "--mistakes", "5"]
    words += ["--out", str(page)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "2 of 8 pictures were given a wrong class" in said
    found = saccade.explain_mistakes(world / "run", world / "swapped")
    names = {one.for_answer.picture.split("/")[-1] for one in found.mistakes}
    assert names == {"low.png", "top.png"} and not found.note
    assert [one.probability for one in found.mistakes] == sorted(
        (one.probability for one in found.mistakes), reverse=True
    )
    model = saccade.load(world / "run")
    learned = {str(sample.path): sample for sample in saccade.read_data(world / "data")}
    for one in found.mistakes:
        assert one.for_answer.explained != one.truth == one.for_truth.explained
        assert len(one.neighbours) == 3
        own = features(model, one.for_answer.picture)
        for near in one.neighbours:
            assert near.label == learned[near.picture].label
            assert np.array_equal(near.pixels, read_picture(learned[near.picture])[:, :, 0])
            assert near.similarity == pytest.approx(own @ features(model, near.picture), abs=1e-4)
        best = max(own @ features(model, path) for path in learned)
        assert one.neighbours[0].similarity <= best + 1e-4
    assert page.read_text().count("<img") == 2 * 6
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mistakes"][0] == json.loads(
        json.dumps(found.mistakes[0].to_dict())
    )


def features(model, path):
    picture = torch.from_numpy(read_picture(Path(path))[None, None, :, :, 0])
    with torch.no_grad():
        found = model.network.features(picture.float() / 255)[0]
    return (found / found.norm()).numpy()


def test_mistakes_without_the_training_pictures(world, tmp_path, capsys):
    run = shutil.copytree(world / "run", tmp_path / "run")
    notes = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**notes, "data": str(tmp_path / "gone")}))
    assert main(["explain", str(run), str(world / "swapped"), "--mistakes", "5"]) == 0
    said = capsys.readouterr().out
    assert "not shown: the run learned from" in said and "near " not in said
    assert "not shown" in (run / "mistakes.html").read_text()
    (run / "environment.json").unlink()
    assert "does not say" in saccade.explain_mistakes(run, world / "swapped").note
    found = saccade.explain_mistakes(run, world / "others", out=tmp_path / "none.html")
    assert (found.wrong, found.mistakes) == (0, ()) and (tmp_path / "none.html").is_file()


def test_the_first_filters(world, tmp_path, capsys):
    assert main(["explain", str(world / "run"), "--inside"]) == 0
    assert "8 first filters, layer layers.1" in capsys.readouterr().out
    text = (world / "run" / "inside.html").read_text()
    assert text.count("<img") == 8
    assert main(["explain", str(world / "run"), "--inside", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    weights = saccade.load(world / "run").network.backbone.layers[1].weight
    largest = [one["largest"] for one in told["pictures"]]
    assert largest == pytest.approx(weights.abs().flatten(1).max(1).values.tolist(), rel=1e-6)
    settings = LEARN | {"train.epochs": 1, "model.backbone": "mlp", "model.width": 4}
    saccade.train(world / "others", task="classify", out=tmp_path / "mlp", settings=settings)
    assert saccade.look_inside(tmp_path / "mlp").pictures[0].pixels.shape == (SIDE, SIDE)
    settings["model.backbone"] = "gradient_resnet"
    saccade.train(world / "others", task="classify", out=tmp_path / "edges", settings=settings)
    with pytest.raises(InputError, match="do not lie on the picture itself"):
        saccade.look_inside(tmp_path / "edges")


def test_templates_of_a_linear_classifier(world, tmp_path):
    settings = {"model.name": "ridge", "data.size": "12x12", "data.validation": 0.0}
    saccade.train(world / "data", task="classify", out=tmp_path / "ridge", settings=settings)
    found = saccade.look_inside(tmp_path / "ridge", out=tmp_path / "page.html")
    assert [one.name for one in found.pictures] == list(CORNERS)
    corner = {"top": np.s_[:4, :4], "low": np.s_[8:, 8:]}
    for one, other in zip(found.pictures, found.pictures[::-1], strict=True):
        own, others = (one.pixels[corner[name.name]].mean() for name in (one, other))
        assert own > 150 > 106 > others
    (own,) = saccade.explain(tmp_path / "ridge", [world / "others" / "top" / "00.png"])
    assert spread(own.attribution.gradients).strongest == "top left"


def test_a_heat_map_covers_what_is_strong_and_nothing_else():
    picture = np.full((30, 40, 3), 200, np.uint8)
    values = np.zeros((3, 4), np.float32)
    assert heat(picture, values).shape == (240, 320, 3)
    plain = heat(picture, values)
    assert (plain == plain[0, 0]).all() and plain[0, 0, 0] == 150
    values[0, 0], values[2, 3] = 5, -7
    found = heat(picture, values).astype(int)
    assert (found[120:, 160:] == 150).all()
    red, green, blue = found[10, 10]
    assert red > 200 and green > 180 and blue < 90  # the yellow end of viridis
    assert strengths(values).max() == 1 and strengths(-np.abs(values)).max() == 0
    with pytest.raises(InputError, match="needs"):
        heat(picture[..., 0], values)


def test_what_cannot_be_explained_is_one_line(world, tmp_path, capsys):
    run, picture = str(world / "run"), str(world / "others" / "top" / "00.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"")
    sealed = tmp_path / "parts"
    for part in ("train", "test"):
        shutil.copytree(world / "others", sealed / part)
    many = [tmp_path / "many" / f"{number}.png" for number in range(101)]
    many[0].parent.mkdir()
    for one in many:
        shutil.copy(picture, one)
    knn = {"model.name": "knn", "model.k": 1, "data.size": "8x8"}
    saccade.train(world / "others", task="classify", out=tmp_path / "knn", settings=knn)
    rows = [
        ([run], "no picture is named"),
        ([run, tmp_path / "none.png"], "does not exist"),
        ([run, tmp_path / "empty"], "holds no picture"),
        ([run, tmp_path / "broken.png"], "no picture can be explained"),
        ([run, picture, "--class", "tpo"], "did you mean 'top'?"),
        ([run, picture, "--out", tmp_path / "map.png"], "has the name of a picture"),
        ([run, picture, "--out", tmp_path / "none" / "page.html"], "does not exist"),
        ([run, *many], "101 pictures are too many"),
        ([run, sealed, "--mistakes", "3"], "when all is chosen; name other pictures"),
        ([run, picture, "--inside"], "leave out pictures"),
        ([run, "--mistakes", "3"], "needs one place of data"),
        ([run, world / "others", "--mistakes", "0"], "must be 1 to 100"),
        ([tmp_path / "knn", picture], "--neighbours"),
        ([tmp_path / "knn", "--inside"], "no weights to look at"),
        ([tmp_path / "none", picture], "does not exist"),
        (["pixels", picture], "plain pixels have no network to look into"),
        (["pixels", world / "others", "--mistakes", "2"], "plain pixels have no network"),
    ]
    for words, expected in rows:
        assert main(["explain", *map(str, words)]) == 2, words
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1, said
    assert main(["explain", run, picture, "--clas", "low"]) == 2
    assert re.search(r"--class", capsys.readouterr().err)


def test_a_picture_that_is_named_twice_is_explained_once(world, tmp_path):
    folder, page = world / "others" / "top", tmp_path / "page.html"
    found = saccade.explain(world / "run", [folder, folder / "00.png"], out=page)
    assert [Path(one.picture).name for one in found] == [f"0{n}.png" for n in range(4)]
    assert "could not be read" not in page.read_text()
