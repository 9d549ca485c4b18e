"""The demo, whole: what it writes and what it says."""

import json

import pytest

from saccade.cli.app import main
from saccade.cli.demo import write_digits


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
