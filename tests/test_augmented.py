"""``inspect --augment``: the sheet shows what training would see, and judges nothing."""

import json

import numpy as np
import pytest
from PIL import Image

from saccade.api.augmented import COPIES, augmented
from saccade.api.box_samples import boxes_of
from saccade.api.detection import DetectProcedure
from saccade.cli.app import main
from saccade.config import AugmentSettings, Recipe
from saccade.errors import InputError
from saccade.values import PictureBoxes, Sample
from tests.mask_folders import mask_file, pair
from tests.writers import write_folders


@pytest.fixture
def boxed(tmp_path):
    """Four pictures with boxes, as CSV has them; the class is hostile text."""
    folder = tmp_path / "boxed"
    folder.mkdir()
    rows = ["filename,xmin,ymin,xmax,ymax,label"]
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (40, 48, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
        rows += [f"{number}.png,4,6,24,30,<script>cat</script>", f"{number}.png,20,4,40,20,dog"]
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_sheet_with_boxes(boxed, tmp_path, capsys):
    page = tmp_path / "sheet.html"
    assert main(["inspect", str(boxed), "--augment", "--report", str(page), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"pictures": 4, "counted": [], "broken": [], "report": str(page)}
    told = page.read_text()
    assert told.count("data:image/") == 4 * (1 + COPIES)
    assert "<script>cat" not in told
    assert told.count("1 &lt;script&gt;cat&lt;/script&gt;, 1 dog") >= 4
    assert "augment.mosaic" in told


@pytest.fixture
def masked(tmp_path):
    """Three pictures with masks of two classes and, in one, void."""
    root = tmp_path / "masked"
    for number in range(3):
        mask = np.zeros((40, 48), np.uint8)
        mask[10:30, 10:30] = number
        pair(root / "images", root / "masks", str(number), np.where(mask == 2, 255, mask))
    return root


def test_a_sheet_with_masks(masked, tmp_path, capsys):
    page, recipe = tmp_path / "sheet.html", tmp_path / "r.toml"
    recipe.write_text('task = "segment"\n[segment]\nclasses = "ground,<script>cat</script>"\n')
    words = ["inspect", str(masked), "--augment", "--report", str(page)]
    assert main([*words, "--recipe", str(recipe)]) == 0
    told = page.read_text()
    assert told.count("data:image/") == 3 * (1 + COPIES)
    assert told.count('class="swatch"') == 1
    assert "<script>cat" not in told
    assert "20.8\u202f% &lt;script&gt;cat&lt;/script&gt;" in told.replace("\u00a0", "\u202f")
    assert "only ground" in told and " void" in told
    assert main(words) == 0  # Without a recipe masks are found where there are no boxes.
    assert " void" in page.read_text()


def test_masks_that_training_would_refuse(masked, tmp_path, capsys):
    (masked / "images" / "0.png").write_bytes((masked / "masks" / "0.png").read_bytes())
    mask_file(masked / "masks" / "0.png", np.zeros((4, 4), np.uint8))
    words = ["inspect", str(masked), "--augment", "--report", str(tmp_path / "sheet.html")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "0.png is 48 x 40 pixels, but" in error and error.count("\n") == 1
    assert not (tmp_path / "sheet.html").exists()


def test_a_sheet_of_classes(tmp_path, monkeypatch, capsys):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 20, 20), np.uint8)
    data = tmp_path / "data"
    write_folders(data, pictures, ["cat", "dog"] * 3)
    monkeypatch.chdir(tmp_path)
    assert main(["inspect", str(data), "--augment"]) == 0
    assert "6 pictures as training would see them: augmented.html" in capsys.readouterr().out
    assert (tmp_path / "augmented.html").read_text().count("data:image/") == 6 * (1 + COPIES)


def test_without_changes_all_are_the_same(boxed, tmp_path):
    page = tmp_path / "sheet.html"
    off = dict.fromkeys(vars(AugmentSettings()), 0.0)
    augmented(boxed, recipe=Recipe(task="detect", augment=AugmentSettings(**off)), report=page)
    uris = [part.split('"')[0] for part in page.read_text().split('src="data:image/')[1:]]
    assert len(uris) == 24
    assert len(set(uris)) == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--recipe", "r.toml"], "--recipe says how pictures are changed; it needs --augment"),
        (["--augment", "--write", "t.csv"], "leave out --write and --model"),
        (["--augment", "--report", "none/at/all.html"], "folder that exists"),
        (["--augment", "--recipe", "none.toml"], "none.toml"),
    ],
)
def test_wrong_use_is_said_in_one_line(words, told, boxed, capsys):
    assert main(["inspect", str(boxed), *words]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_data_that_are_not_there(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "none"), "--augment"]) == 2
    assert "does not exist" in capsys.readouterr().err


def sample(name, *labels, passed=False):
    boxes = PictureBoxes(
        size_hw=(10, 10),
        labels=labels,
        xywh=np.tile([[1.0, 1, 4, 4]], (len(labels), 1)),
        area=np.full(len(labels), 16.0),
        passed=np.full(len(labels), passed),
    )
    return Sample(name, "", boxes=boxes)


def test_a_class_of_one_picture_is_learned_and_not_judged():
    procedure = DetectProcedure(Recipe(task="detect"))
    samples = [sample(f"{n}.png", "cat", *(["dog"] if n == 7 else [])) for n in range(20)]
    for order in (samples, samples[7:] + samples[:7], samples[::-1]):
        kept, held = procedure.hold_out(order, [])
        assert len(held) >= 2
        assert {label for one in kept for label in boxes_of(one).labels} == {"cat", "dog"}
        assert {id(one) for one in kept + held} == {id(one) for one in samples}
        assert not {id(one) for one in kept} & {id(one) for one in held}


def test_something_is_left_to_learn_from():
    procedure = DetectProcedure(Recipe(task="detect"))
    samples = [sample("0.png", "cat"), *(sample(f"{n}.png") for n in range(1, 12))]
    for turned in range(12):
        kept, held = procedure.hold_out(samples[turned:] + samples[:turned], [])
        assert any(boxes_of(one).labels for one in kept)
        assert not held


def test_a_class_that_was_not_learned_is_refused_before_training():
    procedure = DetectProcedure(Recipe(task="detect"))
    with pytest.raises(InputError, match=r"b\.png of the part val shows 'dog'"):
        procedure.hold_out([sample("a.png", "cat")], [sample("b.png", "dog")])
