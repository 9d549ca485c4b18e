"""The demo, whole: what it writes and what it says."""

import json

import pytest

from saccade.cli import demo_detect
from saccade.cli.app import main
from saccade.cli.demo import write_digits
from saccade.config import Recipe, override, read_recipe
from tests.documents import ROOT


@pytest.mark.slow
def test_the_demo_beats_pixels_on_digits_never_seen(tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    pixels, learned = answer["outcomes"]
    assert (pixels["embedder"], learned["embedder"]) == ("pixels", "learned")
    for outcome in (pixels, learned):
        figure = outcome["rank_1"]
        assert figure["low"] <= figure["value"] <= figure["high"] and figure["n"] == 3
    assert learned["rank_1"]["value"] > pixels["rank_1"]["value"] + 0.03
    assert learned["named"] + learned["refused"] > pixels["named"] + pixels["refused"]
    page = (out / "run" / "report.html").read_text()
    assert "<svg" in page and "data:image/" in page


def test_the_demo_replaces_only_what_it_made(tmp_path, capsys):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.txt").write_text("ten years of work")
    assert main(["demo", "--out", str(out)]) == 2
    assert "--out" in capsys.readouterr().err
    assert (out / "thesis.txt").read_text() == "ten years of work"


def test_every_digit_is_written_once(tmp_path):
    counts = write_digits(tmp_path)
    assert sum(counts.values()) == 1797
    assert counts["enrol"] == 3
    assert {path.name for path in (tmp_path / "find").iterdir()} == {"7", "8", "9"}
    for part in ("learn", "check", "strangers"):
        assert {path.name for path in (tmp_path / part).iterdir()} == set("0123456")
        assert len(list((tmp_path / part).rglob("*.png"))) == counts[part] > 100


def test_a_demo_that_is_none_is_told(tmp_path, capsys):
    assert main(["demo", "detekt", "--out", str(tmp_path / "x")]) == 2
    assert "did you mean 'detect'?" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_recipe_of_the_shapes_is_that_of_the_demo():
    told = override(Recipe(), demo_detect.SETTINGS.items(), where="the demo")
    assert read_recipe(ROOT / "recipes" / "shapes.toml") == told


@pytest.fixture
def small(monkeypatch):
    """The demo of detectors on few pictures, for a short time."""
    monkeypatch.setattr(demo_detect, "PARTS", {"train": 8, "val": 3, "test": 4})
    quick = {"train.epochs": 1, "model.width": 4, "detect.depth": 8, "detect.at_least": 0.0}
    monkeypatch.setattr(demo_detect, "SETTINGS", demo_detect.SETTINGS | quick)


def test_the_demo_of_detectors_goes_from_pictures_to_reports(small, tmp_path, capsys):
    out = tmp_path / "demo"
    assert main(["demo", "detect", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for word in ("train", "predict", "evaluate", "compare"):
        assert f"$ saccade {word} " in printed
    for family in demo_detect.FAMILIES:
        assert "<svg" in (out / f"{family}.html").read_text()
        assert len(list((out / "painted" / family).glob("*.png"))) == 4
    assert (out / "comparison.html").is_file()
    assert main(["demo", "detect", "--out", str(out), "--json"]) == 0  # In place of the first.
    answer = json.loads(capsys.readouterr().out)
    assert [one["family"] for one in answer["judged"]] == list(demo_detect.FAMILIES)
    assert answer["compared"]["figure"] == "AP"
