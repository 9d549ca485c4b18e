"""``cut``: class folders of photos become class folders of the crops that enrol makes."""

import json

import numpy as np
import pytest
from PIL import Image

from saccade.api import cut as api_cut
from saccade.api import pictures as api
from saccade.api.cut import cut
from saccade.cli.app import main
from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture
from saccade.errors import InputError
from tests.gallery_victim import TinyEmbedder, new_gallery
from tests.squares import TEMPLATE, SquareDetector, ToldDetector, photo


class Watched(TinyEmbedder):
    """Remembers what it was shown; looks at 48 pixels a side."""

    size_hw = (48, 48)

    def __init__(self):
        super().__init__()
        self.shown = []

    def __call__(self, pictures):
        self.shown += pictures
        return super().__call__(pictures)


def write(path, *placed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo(*placed)).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """Two people, two photos each."""
    for person, name in ((1, "Ada"), (2, "<b> \u202eBen 'x'")):
        write(tmp_path / "photos" / name / "a.png", (person, 40, 30, 60))
        write(tmp_path / "photos" / name / "b.jpg", (person, 90, 50, 80))
    return tmp_path / "photos"


@pytest.mark.parametrize("template", [None, TEMPLATE], ids=["boxes", "landmarks"])
def test_the_crops_are_bit_for_bit_those_of_enrolment(tmp_path, photos, template):
    detector, embedder = SquareDetector(template), Watched()
    done = list(cut(photos, tmp_path / "crops", detector=detector, size=48))
    assert [one.reason for one in done] == [""] * 4
    with new_gallery(tmp_path / "g", embedder) as gallery:
        list(api.enrol_photos(gallery, read_class_folders(photos), detector=detector))
    crops = read_class_folders(tmp_path / "crops")
    assert [one.label for one in crops] == [one.label for one in read_class_folders(photos)]
    assert [one.path for one in crops] == [one.crop for one in done]
    for one, seen in zip(crops, embedder.shown, strict=True):
        np.testing.assert_array_equal(read_picture(one), seen)


def test_photos_of_one_stem_keep_a_crop_each(tmp_path, photos):
    write(photos / "Ada" / "deep" / "a.jpg", (1, 10, 10, 70))
    done = list(cut(photos, tmp_path / "crops", detector=SquareDetector()))
    names = sorted(item.name for item in (tmp_path / "crops" / "Ada").iterdir())
    assert names == ["a-2.png", "a.png", "b.png"]
    assert len({one.crop for one in done}) == 5


def test_what_enrolment_would_skip_is_left_out_with_the_reason(tmp_path, photos):
    write(photos / "Ada" / "ground.png")
    write(photos / "Ada" / "small.png", (1, 10, 10, 20))
    write(photos / "Ada" / "two.png", (1, 10, 10, 64), (2, 120, 10, 80))
    (photos / "Ada" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    done = list(cut(photos, tmp_path / "crops", detector=SquareDetector()))
    reasons = {one.photo.rpartition("/")[2]: one.reason for one in done if one.reason}
    assert reasons.keys() == {"ground.png", "small.png", "two.png", "broken.jpg"}
    assert "nothing was found" in reasons["ground.png"] and "too small" in reasons["small.png"]
    assert "shows 2" in reasons["two.png"] and "cannot be read" in reasons["broken.jpg"]
    assert all(f"{photos}" in reason for reason in reasons.values())
    more = list(
        cut(photos, tmp_path / "all", detector=SquareDetector(), largest=True, any_quality=True)
    )
    assert sum(not one.reason for one in more) == 6


def test_nothing_is_cut_over_and_nothing_half_is_left(tmp_path, photos):
    out = tmp_path / "crops"
    out.mkdir()
    with pytest.raises(InputError, match="exists already"):
        list(cut(photos, out, detector=SquareDetector()))
    out.rmdir()
    cutting = cut(photos, out, detector=SquareDetector())
    next(cutting)
    cutting.close()
    with pytest.raises(ZeroDivisionError):
        list(cut(photos, out, detector=lambda pictures: 1 / 0))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["photos"]


def test_a_folder_that_came_meanwhile_is_not_replaced(tmp_path, photos):
    out = tmp_path / "crops"
    cutting = cut(photos, out, detector=SquareDetector())
    next(cutting)
    out.mkdir()
    with pytest.raises(InputError, match="exists already"):
        list(cutting)
    assert not any(out.iterdir())


@pytest.mark.parametrize("label", ["..", ".hidden", "a/b", "/tmp", "x" * 10_000])
def test_a_label_that_is_no_folder_is_refused(tmp_path, label):
    write(tmp_path / "a.png", (1, 40, 30, 60))
    (tmp_path / "t.csv").write_text(f"path,label\na.png,{label}\n")
    with pytest.raises(InputError) as caught:
        list(cut(tmp_path / "t.csv", tmp_path / "crops", detector=SquareDetector()))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200
    assert not (tmp_path / "crops").exists()


@pytest.mark.parametrize("size", [0, 7, 1025, -5])
def test_a_size_that_is_none_is_refused(tmp_path, photos, size):
    with pytest.raises(InputError, match="size must be 8 to 1024"):
        list(cut(photos, tmp_path / "crops", detector=SquareDetector(), size=size))


def test_an_answer_that_is_none_leaves_the_photo_out_with_the_reason(tmp_path, photos):
    nan = ToldDetector([[np.nan, 0, 5, 5]])
    done = list(cut(photos, tmp_path / "crops", detector=nan))
    assert all("a box that is no number; check its card" in one.reason for one in done)
    assert not (tmp_path / "crops").exists()


@pytest.fixture
def command(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(api_cut, "open_detector", lambda given: SquareDetector())
    monkeypatch.chdir(tmp_path)
    return photos


def test_the_command_cuts_and_counts(command, capsys):
    words = ["cut", "photos", "crops", "--detector", "d.onnx"]
    assert main(words) == 0
    assert capsys.readouterr().out == "4 cut in 2 classes, 0 left out: crops\n"
    write(command / "Ada" / "ground.png")
    assert main(["cut", "photos", "more", *words[3:]]) == 1
    out = capsys.readouterr().out
    assert "left out   Ada   photos/Ada/ground.png: nothing was found" in out
    assert out.endswith("4 cut in 2 classes, 1 left out: more\n")
    assert main(["cut", "photos", "json", *words[3:], "--json", "--size", "32"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["cut"], told["left_out"], told["out"]) == (4, 1, "json")
    with Image.open("json/Ada/a.png") as crop:
        assert crop.size == (32, 32)


WRONG = {
    "exists": (["photos", "photos"], "photos exists already"),
    "missing": (["none", "crops"], "none does not exist"),
    "no folder": (["photos", "none/crops"], "none does not exist"),
    "size": (["photos", "crops", "--size", "5"], "size must be 8 to 1024"),
    "empty": (["empty", "crops"], "is empty"),
    "nothing": (["grounds", "crops"], "nothing was cut: grounds/Ada/a.png: nothing was found"),
    "typo": (["photos", "crops", "--sise", "5"], "--sise"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(command, capsys, words, said):
    (command.parent / "empty").mkdir()
    write(command.parent / "grounds" / "Ada" / "a.png")
    assert main(["cut", *words, "--detector", "d.onnx"]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (command.parent / "crops").exists()
