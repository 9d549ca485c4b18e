"""The part test is looked at with --open-test only, and the run keeps count."""

import json
import shutil

import numpy as np
import pytest

import saccade
from saccade.api.sealed import is_sealed, judged_part, openings
from saccade.cli.app import main
from saccade.errors import InputError
from tests.writers import write_idx

KNN = {"model.name": "knn", "model.k": 1, "data.size": "16x16", "data.validation": 0.0}


@pytest.fixture(scope="module")
def divided(class_folders, tmp_path_factory):
    root = tmp_path_factory.mktemp("divided")
    for part in ("train", "val", "test"):
        shutil.copytree(class_folders, root / part)
    return root


@pytest.fixture(scope="module")
def run(divided, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "knn"
    return saccade.train(divided, task="classify", out=out, settings=KNN).folder


def test_the_part_val_is_judged_and_test_is_sealed(divided, tmp_path):
    assert judged_part(divided, open_test=False) == divided / "val"
    assert judged_part(divided, open_test=True) == divided / "test"
    assert judged_part(divided / "test", open_test=True) == divided / "test"
    assert judged_part(divided / "val", open_test=False) == divided / "val"
    with pytest.raises(InputError, match=r"part test of .* is sealed.*--open-test"):
        judged_part(divided / "test", open_test=False)
    with pytest.raises(InputError, match="no part test to open"):
        judged_part(divided / "val", open_test=True)
    shutil.copytree(divided / "train", tmp_path / "train")
    shutil.copytree(divided / "test", tmp_path / "test")
    with pytest.raises(InputError, match="is sealed"):
        judged_part(tmp_path, open_test=False)


def test_a_folder_that_is_only_called_test_is_not_sealed(class_folders, tmp_path):
    shutil.copytree(class_folders, tmp_path / "test")
    (tmp_path / "notes.txt").write_text("nothing")
    assert judged_part(tmp_path / "test" / "..", open_test=True).name == "test"
    lone = tmp_path / "elsewhere" / "test.csv"
    lone.parent.mkdir()
    lone.write_text("path,label\na.png,x\n")
    assert judged_part(lone, open_test=False) == lone


def test_the_test_file_of_an_idx_pair_is_sealed(tmp_path):
    for part in ("train", "t10k"):
        write_idx(tmp_path, np.zeros((2, 4, 4), np.uint8), [0, 1], prefix=f"{part}-", packed=False)
    opened = judged_part(tmp_path, open_test=True)
    assert opened.name == "t10k-images-idx3-ubyte" and is_sealed(opened)
    for place in (opened, tmp_path):
        with pytest.raises(InputError, match="sealed"):
            judged_part(place, open_test=False)
    assert not is_sealed(tmp_path / "train-images-idx3-ubyte")


def test_each_opening_is_recorded_and_told(divided, run, capsys):
    assert main(["evaluate", str(run), str(divided)]) == 0
    assert "was opened" not in capsys.readouterr().out and openings(run) == []
    assert main(["evaluate", str(run), str(divided), "--open-test"]) == 0
    assert "opened, for the first time by this run" in capsys.readouterr().out
    assert main(["evaluate", str(run), str(divided), "--open-test", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["test_opened"] == 2
    assert "2 times now by this run" in (run / "evaluation.html").read_text()
    found = openings(run)
    assert [one["pictures"] for one in found] == [36, 36] and "accuracy" in found[0]["score"]
    assert main(["compare", str(run), "pixels", str(divided)]) == 2
    assert main(["compare", str(run), str(run), str(divided), "--open-test"]) == 1
    assert len(openings(run)) == 4


def test_damaged_records_are_passed_over(tmp_path):
    (tmp_path / "test_openings.jsonl").write_text('{"pictures": 3}\nnonsense\n[1]\n')
    assert openings(tmp_path) == [{"pictures": 3}]


def test_pixels_have_no_run_to_record_in(divided, capsys):
    assert main(["evaluate", "pixels", str(divided)]) == 0
    assert main(["evaluate", "pixels", str(divided / "test")]) == 2
    assert "sealed" in capsys.readouterr().err
