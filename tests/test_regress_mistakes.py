"""Mistakes with numbers: one clear line with the remedy, exit code 2, nothing written."""

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.cli.app import main
from tests.test_bad_input import snapshot

SETTINGS = ["--train.epochs", "1", "--model.width", "4"]
ROWS = "path,age,note\n0.png,1,a\n1.png,2,b\n2.png,3,c\n3.png,5,d\n"
TABLES = {
    "good.csv": ROWS,
    "word.csv": ROWS.replace("2.png,3", "2.png,three"),
    "comma.csv": ROWS.replace("2.png,3", '2.png,"3,5"'),
    "empty.csv": ROWS.replace("2.png,3", "2.png,"),
    "nan.csv": ROWS.replace("2.png,3", "2.png,nan"),
    "endless.csv": ROWS.replace("2.png,3", "2.png,-inf"),
    "huge.csv": ROWS.replace("2.png,3", "2.png,1e200"),
    "equal.csv": "path,age\n" + "".join(f"{n}.png,7\n" for n in range(4)),
    "label.csv": "path,label\n0.png,ann\n1.png,bo\n",
    "lost.csv": ROWS.replace("2.png", "9.png"),
    "alone.csv": "path,age\n0.png,1\n",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, tables that are good and bad, class folders, an embedder, and a regressor."""
    root = tmp_path_factory.mktemp("numbers")
    draw = np.random.default_rng(0)
    for number in range(4):
        picture = Image.fromarray(draw.integers(0, 256, (16, 16), dtype=np.uint8))
        picture.save(root / f"{number}.png")
        for parent in ("people/ann", "people/bo", "parts/train/1", "parts/train/2"):
            (root / parent).mkdir(parents=True, exist_ok=True)
            picture.save(root / parent / f"{number}.png")
    (root / "parts" / "val" / "3").mkdir(parents=True)
    picture.save(root / "parts" / "val" / "3" / "0.png")
    for name, text in TABLES.items():
        (root / name).write_text(text)
    settings = {"train.epochs": 1, "model.width": 4, "data.target": "age"}
    saccade.train(root / "good.csv", task="regress", out=root / "run", settings=settings)
    saccade.train(root / "people", out=root / "embedder", settings={"train.epochs": 0})
    return root


REGRESS = "--task regress --data.target"
WRONG = [
    (f"train word.csv {REGRESS} age", ["word.csv line 4", "age", "'three'", "as 3.5"]),
    (f"train comma.csv {REGRESS} age", ["comma.csv line 4", "'3,5'", "as 3.5"]),
    (f"train empty.csv {REGRESS} age", ["empty.csv line 4", "age is empty", "fill in"]),
    (f"train nan.csv {REGRESS} age", ["nan.csv line 4", "finite", "'nan'"]),
    (f"train endless.csv {REGRESS} age", ["endless.csv line 4", "finite", "'-inf'"]),
    (f"train huge.csv {REGRESS} age", ["huge.csv line 4", "'1e200'"]),
    (f"train equal.csv {REGRESS} age", ["equal.csv", "one value of age, 7", "data.target"]),
    (f"train alone.csv {REGRESS} age", ["alone.csv", "one value of age, 1"]),
    (f"train lost.csv {REGRESS} age", ["9.png", "does not exist"]),
    (f"train good.csv {REGRESS} aeg", ["line 1", "no column 'aeg'", "'age'"]),
    (f"train good.csv {REGRESS} age,", ["data.target", "as age,height", "'age,'"]),
    (f"train good.csv {REGRESS} age,age", ["data.target", "each once"]),
    ("train good.csv --task regress", ["line 1", "no column 'label'"]),
    ("train label.csv --task regress", ["label.csv line 2", "label", "'ann'"]),
    ("train people --task regress", ["people", "ann", "must be a finite number"]),
    (f"train people {REGRESS} age", ["no column 'age'", "CSV", "data.target label"]),
    ("train parts --task regress", ["part val", "one picture"]),
    (f"train good.csv {REGRESS} age --loss.name hinge", ["'hinge'", "task regress", "squared"]),
    (f"train good.csv {REGRESS} age --loss.name cross_entropy", ["'cross_entropy'", "huber"]),
    (f"train good.csv {REGRESS} age --loss.name arcface", ["'arcface'", "smooth_l1"]),
    (f"train good.csv {REGRESS} age --loss.name squraed", ["'squraed'", "'squared'"]),
    (f"train good.csv {REGRESS} age --loss.class_weights balanced", ["loss.class_weights", "none"]),
    (f"train good.csv {REGRESS} age --train.batches balanced", ["train.batches", "shuffled"]),
    (f"train good.csv {REGRESS} age --data.extra_classes mirrored", ["data.extra_classes", "none"]),
    (f"train good.csv {REGRESS} age --model.ridge -1", ["model.ridge", "-1"]),
    ("train people --data.target age", ["data.target", "task regress", "task embed"]),
    ("train people --task classify --loss.name squared", ["'squared'", "task classify"]),
    ("evaluate run label.csv", ["line 1", "no column 'age'"]),
    ("evaluate run people", ["no column 'age'", "CSV"]),
    ("evaluate run alone.csv", ["two pictures or more"]),
    ("evaluate run nan.csv", ["nan.csv line 4", "'nan'"]),
    ("predict run people --at-least 0.5", ["--at-least", "classifiers"]),
    ("predict embedder people", ["embedder", "--task classify"]),
    ("create new --embedder run", ["a regressor", "no vectors", "--task embed"]),
]


@pytest.mark.parametrize(("line", "expected"), WRONG, ids=[row[0] for row in WRONG])
def test_a_mistake_is_one_line_and_exit_code_2(world, capsys, monkeypatch, line, expected):
    monkeypatch.chdir(world)
    before = snapshot(world)
    words = line.split()
    assert main([*words, *SETTINGS] if words[0] == "train" else words) == 2
    said = capsys.readouterr()
    assert said.err.startswith("saccade: ") and said.err.count("\n") == 1, said.err
    assert [part for part in expected if part not in said.err] == [], said.err
    assert snapshot(world) == before
