"""The tutorial and the demo, run from the first line to the last as a reader runs them."""

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.documents import ROOT, blocks

TUTORIAL = ROOT / "docs" / "tutorial" / "faces.md"
DETECT = ROOT / "docs" / "tutorial" / "detect.md"
FINE_TUNE = ROOT / "docs" / "tutorial" / "fine-tune.md"
SEGMENT = ROOT / "docs" / "tutorial" / "segment.md"
FORECAST = ROOT / "docs" / "tutorial" / "forecast.md"
DATA = os.environ.get("SACCADE_DATA")
FACES = Path(DATA or "") / "faces_orl"
LONGEST_S = 900


def run(words, folder):
    """Run a program in ``folder``, ``saccade`` on its path; returns what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, f"{words[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_blocks(tutorial, clone):
    """Run the blocks of a tutorial in the folder ``clone``; what each printed: (block, output)."""
    outputs = []
    for block in blocks(tutorial, "bash", "python"):
        words = ["bash", "-ec"] if block.language == "bash" else [sys.executable, "-c"]
        outputs.append((block, run([*words, block.text], clone)))
    return outputs


def require_what_is_shown(tutorial, outputs):
    """Each block of text is in what the block before it printed."""
    known = dict(outputs)
    for before, block in pairwise(blocks(tutorial, "bash", "python", "text")):
        if block.language == "text":
            assert block.text in known[before], block.place


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each block of the tutorial printed, in order: (block, output)."""
    if not DATA or not FACES.is_dir():
        pytest.skip("the ORL faces are not there; set SACCADE_DATA to the folder of faces_orl")
    clone = tmp_path_factory.mktemp("clone")
    (clone / "faces_orl").symlink_to(FACES.resolve())
    shutil.copytree(ROOT / "recipes", clone / "recipes")
    return run_blocks(TUTORIAL, clone)


def output_of(printed, command):
    return next(output for block, output in printed if command in block.text)


@pytest.mark.slow
def test_the_tutorial_runs_and_prints_what_it_shows(printed):
    require_what_is_shown(TUTORIAL, printed)


@pytest.mark.slow
def test_the_tutorial_of_detectors_runs_and_finds_shapes(tmp_path):
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    outputs = run_blocks(DETECT, tmp_path)
    require_what_is_shown(DETECT, outputs)
    assert "background with remedy ignore_band: " in output_of(outputs, "--out one")
    found = output_of(outputs, "model.detect")
    assert any(f"  {shape}" in found for shape in ("circle", "square", "triangle"))
    assert (tmp_path / "shapes-demo" / "comparison.html").is_file()


@pytest.mark.slow
def test_the_tutorial_of_fine_tuning_runs_and_says_what_it_took(tmp_path):
    ants, weights = Path(DATA or "") / "hymenoptera", Path(DATA or "") / "weights" / "squeezenet1_1"
    if not DATA or not ants.is_dir() or not weights.is_dir():
        pytest.skip("SACCADE_DATA holds no hymenoptera and squeezenet1_1")
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    for place in (ants, *weights.glob("squeezenet1_1.*")):
        (tmp_path / place.name).symlink_to(place.resolve())
    outputs = run_blocks(FINE_TUNE, tmp_path)
    texts = [block.text for block in blocks(FINE_TUNE, "text")]
    assert len(texts) == 3
    for text, command in zip(texts, ("--out tuned", "--out tuned", "--out finder"), strict=True):
        assert text in output_of(outputs, command)
    assert "frozen for 12 of 12 epochs" in output_of(outputs, "--out head")
    assert "started from the weights tuned" in output_of(outputs, "finder.card")


@pytest.mark.slow
def test_the_tutorial_of_segmenters_runs_and_marks_shapes(tmp_path):
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    outputs = run_blocks(SEGMENT, tmp_path)
    require_what_is_shown(SEGMENT, outputs)
    judged = output_of(outputs, "evaluate run shapes --open-test")
    assert float(re.search(r"mean IoU +([\d.]+)", judged)[1]) >= 0.9
    assert "test/059.png: ground " in output_of(outputs, "--painted painted")
    for folder in ("masks", "painted"):
        assert len(list((tmp_path / folder).glob("*.png"))) == 60
    assert (tmp_path / "comparison.html").is_file() and (tmp_path / "changed.html").is_file()


@pytest.mark.slow
def test_the_tutorial_of_forecasters_runs_and_beats_the_last_frame(tmp_path):
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    outputs = run_blocks(FORECAST, tmp_path)
    require_what_is_shown(FORECAST, outputs)
    judged = output_of(outputs, "--open-test")
    for name in ("squared", "absolute"):
        assert float(re.search(rf"{name} ratio +([\d.]+)", judged)[1]) < 0.6
    assert "B is better" not in output_of(outputs, "saccade compare")


@pytest.mark.slow
def test_the_tutorial_learns_finds_and_forgets(printed):
    learned = rank_1(output_of(printed, "evaluate faces-run"))
    assert learned > rank_1(output_of(printed, "evaluate pixels"))
    one_picture = output_of(printed, "gallery unseen/s31 --top 1")
    two_pictures = output_of(printed, "unseen/s31/2.pgm --as s31")
    assert 1 <= one_picture.count(".pgm: s31") < two_pictures.count(".pgm: s31") <= 10
    assert output_of(printed, "gallery unseen/s32 --top 1").count(".pgm: s32") > 5
    strangers = output_of(printed, "unseen/s40 --top 1")
    assert strangers.count(": unknown") > strangers.count(".pgm: ") / 2
    before, after = output_of(printed, "saccade forget").split("forgotten: s31")
    assert re.search(r"^s31 ", before, re.MULTILINE)
    assert not re.search(r"^s31 ", after, re.MULTILINE)
    assert ": s31" not in output_of(printed, "unseen/s31/1.pgm --top 1")
    assert printed[-1][1].endswith("forgotten\n['s32']\n")


def rank_1(output):
    return float(re.search(r"rank-1 +([\d.]+)", output)[1])


@pytest.mark.slow
def test_the_demo_ends_with_its_figures_and_its_report(tmp_path):
    answer = json.loads(run(["saccade", "demo", "--json"], tmp_path))
    assert [outcome["embedder"] for outcome in answer["outcomes"]] == ["pixels", "learned"]
    assert all(outcome["rank_1"]["value"] > 1 / 3 for outcome in answer["outcomes"])
    assert (tmp_path / answer["report"]).is_file()
