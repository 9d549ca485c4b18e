"""Masks that are wrong or of no use, through every command that reads them."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.api.data import TrainingData
from saccade.api.mask_samples import NOT_SHOWN, mask_parts, part_of_masks
from saccade.api.procedures import PROCEDURES
from saccade.cli.app import main
from saccade.config import Recipe, SegmentSettings
from saccade.data import mask_coco, mask_sets
from saccade.errors import InputError
from tests.box_folders import picture
from tests.mask_folders import MASK, coco, folders, mask_file, pair, voc
from tests.runs import flags
from tests.test_mask_bad_input import REFUSED, SQUARE, other_size

COMMANDS = ("train", "evaluate", "inspect")
QUICK = {
    "train.epochs": 1,
    "train.batch_size": 4,
    "train.threads": 1,
    "train.precision": "float32",
    "data.size": "16x24",
    "data.broken": 0.9,
    "data.validation": 0.0,
    "model.width": 4,
    "segment.stride": 8,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of a segmenter of three classes without names."""
    root = tmp_path_factory.mktemp("runs")
    data = folders(root / "data", *"abcd")
    return saccade.train(data, task="segment", out=root / "run", settings=QUICK).folder


def words(command, data, run, out, **settings):
    """The command line that reads ``data``; what it writes lies in ``out``."""
    chosen = QUICK | {f"segment.{key}": value for key, value in settings.items()}
    recipe = out / "recipe.toml"
    recipe.write_text(
        'task = "segment"\n'
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in chosen.items())
    )
    return [
        str(word)
        for word in {
            "train": ("train", data, "--task", "segment", "--out", out / "new", *flags(chosen)),
            "evaluate": ("evaluate", run, data, "--data.broken", 0.9, "--report", out / "e.html"),
            "inspect": (
                "inspect", data, "--augment", "--recipe", recipe, "--report", out / "s.html"
            ),
        }[command]
    ]  # fmt: skip


def spoiled(root, layout):
    """Good pairs a and b; c whose mask is void alone; d that is no picture, and more, counted.

    Returns the data, and what is to be counted.
    """
    void = np.full(MASK.shape, 255, np.uint8)
    if layout == "coco":
        rows = [
            {"segmentation": [SQUARE], "category_id": 18},
            {"segmentation": [[30, 30, 60, 30, 60, 40]]},
            {"bbox": [40, 2, 9, 9]},
        ]
        images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "d.png"}]
        file = coco(root, rows, images=images)
        (root / "d.png").write_bytes(b"\x89PNG none")
        return file.parent, {mask_coco.NO_OUTLINE: 1}
    if layout == "voc":
        voc(root, {"train": ["a", "b", "d", "bare"], "val": ["a"]})
        (root / "SegmentationClass" / "bare.png").unlink()
        (root / "JPEGImages" / "d.png").write_bytes(b"\x89PNG none")
        (root / "ImageSets" / "Segmentation" / "val.txt").unlink()
        return root / "train", {mask_sets.NO_MASK: 1}
    folders(root, "a", "b", "d")
    pair(root / "images", root / "masks", "c", void)
    (root / "images" / "d.png").write_bytes(b"\x89PNG none")
    picture(root / "images" / "bare.png", 4, 3)
    return root, {mask_sets.ALL_VOID: 1, mask_sets.NO_MASK: 1}


# A run that knows numbers alone cannot be judged by categories.
@pytest.mark.parametrize(
    ("layout", "command"),
    [
        both
        for both in product(("folders", "voc", "coco"), COMMANDS)
        if both != ("coco", "evaluate")
    ],
)
def test_what_is_of_no_use_is_told_by_every_command(tmp_path, run, capsys, layout, command):
    data, counted = spoiled(tmp_path / "data", layout)
    assert main(words(command, data, run, tmp_path)) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    for what, n in counted.items():
        assert printed.count(f"{n} {what}; the first: ") == 1, printed
    named = [line for line in printed.splitlines() if line.startswith("left out ")]
    assert [line.split("/")[-1].split(" ")[0] for line in named] == ["d.png"]
    assert mask_sets.UNREADABLE not in printed


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_machine_is_told_the_same(tmp_path, run, capsys, command):
    data, counted = spoiled(tmp_path / "data", "folders")
    assert main([*words(command, data, run, tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["picture"].split("/")[-1] for one in told["broken"]] == ["d.png"]
    found = told["counted"] if command == "evaluate" else told["left_out"] + told["changed"]
    assert {one["what"]: one["n"] for one in found} == counted


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_too_many_that_cannot_be_read_are_refused(tmp_path, run, capsys, command):
    data, _ = spoiled(tmp_path / "data", "folders")
    given = [word.replace("0.9", "0.1") for word in words(command, data, run, tmp_path)]
    assert main(given) == 2
    complaint = capsys.readouterr().err
    assert "1 of 3 pictures cannot be read, more than the share 0.1" in complaint
    assert "d.png" in complaint and complaint.count("\n") == 1
    assert not (tmp_path / "new").exists() and not (tmp_path / "e.html").exists()


@pytest.mark.parametrize("command", ["train", "inspect"])
@pytest.mark.parametrize("case", REFUSED)
def test_every_command_refuses_in_one_line(tmp_path, run, capsys, case, command):
    make, choices, told = REFUSED[case]
    root = tmp_path / "data"
    root.mkdir()
    settings = {key: value.format(root=root) for key, value in choices.items()}
    assert main(words(command, make(root), run, tmp_path, **settings)) == 2
    printed, complaint = capsys.readouterr()
    assert told.replace("{root}", str(root)) in complaint
    assert complaint.count("\n") == 1 and not printed
    assert not any((tmp_path / made).exists() for made in ("new", "s.html"))


def above(root):
    return folders(root, pixels=np.full((3, 4), 7, np.uint8))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (other_size, "b.png is 4 x 3 pixels, but"),
        (above, "holds 7, and the classes are 0 to 2 ('2')"),
        (lambda root: root / "none", "does not exist"),
        (lambda root: root, "holds no masks that are known"),
        (lambda root: folders(root, pixels=np.full((3, 4), 255, np.uint8)), "says nothing"),
    ],
)
def test_evaluate_refuses_in_one_line(tmp_path, run, capsys, make, told):
    (tmp_path / "data").mkdir()
    assert main(words("evaluate", make(tmp_path / "data"), run, tmp_path)) == 2
    printed, complaint = capsys.readouterr()
    assert told in complaint and complaint.count("\n") == 1 and not printed
    assert not (tmp_path / "e.html").exists()


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        ([0, 255, 0, 255], "show one class, '0'; if 255 shows an object and is not void, set "),
        ([1, 1, 1, 1], "show one class, '1'; training needs at least two"),
    ],
)
def test_one_class_teaches_nothing(tmp_path, run, capsys, pixels, told):
    data = folders(tmp_path / "data", pixels=np.array([pixels], np.uint8))
    assert main(words("train", data, run, tmp_path)) == 2
    complaint = capsys.readouterr().err
    assert told in complaint and complaint.count("\n") == 1
    if 255 in pixels:
        assert main(words("train", data, run, tmp_path, values="objects")) == 0


def test_a_class_that_no_mask_shows_is_told(tmp_path):
    settings = SegmentSettings(classes="ground,cat,dog,emu,gnu")
    parts, meaning = mask_parts(folders(tmp_path), settings, validation=True)
    assert meaning.names == ("ground", "cat", "dog", "emu", "gnu")
    assert [(one.what, one.n, one.first) for one in parts.changed] == [(NOT_SHOWN, 2, "emu")]


def test_parts_are_read_as_they_are_asked_for(tmp_path):
    for part in ("train", "val", "test"):
        folders(tmp_path, part, part=part)
    (tmp_path / "masks" / "test" / "test.png").write_bytes(b"sealed")
    parts, meaning = mask_parts(tmp_path, SegmentSettings(), validation=True)
    assert [one.path.stem for one in parts.samples + parts.validation] == ["train", "val"]
    mask_file(tmp_path / "masks" / "val" / "val.png", MASK[:1])
    assert mask_parts(tmp_path, SegmentSettings(), validation=False)[0].validation == []
    with pytest.raises(InputError, match=r"val\.png is 4 x 3"):
        mask_parts(tmp_path, SegmentSettings(), validation=True)
    with pytest.raises(InputError, match=r"val\.png is 4 x 3"):
        part_of_masks(tmp_path / "val", meaning)


def test_masks_are_evaluated_by_the_meaning_that_was_learned(tmp_path):
    """Categories go by their names: another file may have them in another order, and more."""
    first = tmp_path / "first"
    rows = [
        {"segmentation": [SQUARE], "category_id": 18},
        {"segmentation": [[30, 30, 60, 30, 60, 40]]},
    ]
    file = coco(first, rows)
    run = saccade.train(file, task="segment", out=tmp_path / "run", settings=QUICK)
    second = [{"id": 1, "name": "cat"}, {"id": 2, "name": "emu"}, {"id": 3, "name": "dog"}]
    rows = [row | {"category_id": {18: 3}.get(row.get("category_id"), 1)} for row in rows]
    emu = {"segmentation": [[1, 30, 9, 30, 9, 40]], "category_id": 2}
    other = coco(tmp_path / "second", [*rows, emu], categories=second)
    scores = [saccade.evaluate(run.model, one).to_dict() for one in (file, other)]
    assert scores[0]["figures"] == scores[1]["figures"]
    told = saccade.load(run.folder).card["masks"]
    assert told["names"] == ["ground", "dog", "cat"]


def digest_of(data, **settings):
    recipe = Recipe(task="segment", segment=SegmentSettings(**settings))
    recipe = replace(recipe, data=replace(recipe.data, size="16x24", validation=0.5))
    made = TrainingData(data, recipe=recipe, procedure=PROCEDURES["segment"](recipe))
    made.decode()
    return made.digest(), {Path(one.path).stem for one in made.held}


def test_the_digest_covers_every_mask(tmp_path):
    data = folders(tmp_path / "data", *"abcdef")
    first, held = digest_of(data)
    assert held and held < set("abcdef")
    assert digest_of(folders(tmp_path / "moved", *"abcdef"))[0] == first
    assert digest_of(data, ignore="2")[0] != first
    for name in "abcdef":
        file = data / "masks" / f"{name}.png"
        before = file.read_bytes()
        mask_file(file, MASK[::-1])
        assert digest_of(data)[0] != first, name
        file.write_bytes(before)
    with Image.open(file) as image:
        again = image.copy()
    again.save(file, compress_level=0)  # Another file, the same mask.
    assert file.read_bytes() != before and digest_of(data)[0] == first
