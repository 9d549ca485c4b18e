"""A detector in use: judged on divided data, its boxes written, painted, compared, found by."""

import csv
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from saccade.api.compare import compare
from saccade.api.compare_detectors import in_turns
from saccade.api.evaluate import evaluate
from saccade.api.judge_boxes import judge_boxes
from saccade.api.pictures import open_detector
from saccade.api.predict import predict
from saccade.api.run_detector import RunDetector
from saccade.api.sealed import is_sealed, judged_part, openings
from saccade.cli.app import main
from saccade.data.box_readers import find_box_parts, part_at, read_boxes
from saccade.data.box_writers import write_boxes
from saccade.errors import InputError, SettingError
from saccade.judge.speed import median_interval, speeds
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network
from saccade.values import Detection, Sample

HIGH, WIDE = 32, 48
PARTS = {"train": range(4), "val": range(4, 10), "test": range(10, 13)}


def scene(number):
    """A picture with one or two squares, and their boxes; the fourth of each six shows none."""
    draw = np.random.default_rng(number)
    image = Image.new("RGB", (WIDE, HIGH), (90, 90, 90))
    boxes = []
    for colour, label in (("red", "red"), ("blue", "blue")):
        if number % 6 == 3 or (label == "blue" and number % 2):
            continue
        left = int(draw.integers(0, 12)) + (24 if label == "blue" else 0)
        top, side = int(draw.integers(0, 16)), int(draw.integers(9, 12))
        ImageDraw.Draw(image).rectangle((left, top, left + side - 1, top + side - 1), fill=colour)
        boxes.append((label, [left, top, side, side]))
    return image, boxes


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    """Divided data as COCO, with a column "site" of each picture."""
    root = tmp_path_factory.mktemp("boxes") / "coco"
    for part, numbers in PARTS.items():
        (root / part).mkdir(parents=True)
        images, annotations = [], []
        for number in numbers:
            picture, boxes = scene(number)
            picture.save(root / part / f"{number:02}.png")
            images.append({"id": 100 - number, "file_name": f"{number:02}.png"})
            images[-1] |= {"width": WIDE, "height": HIGH, "site": f"S{number % 2}"}
            for label, box in boxes:
                one = {"id": len(annotations), "image_id": 100 - number, "bbox": box}
                annotations.append(one | {"category_id": 7 if label == "red" else 3})
        whole = {"images": images, "annotations": annotations}
        whole["categories"] = [{"id": 7, "name": "red"}, {"id": 3, "name": "blue"}]
        (root / part / "_annotations.coco.json").write_text(json.dumps(whole))
    return root


@pytest.fixture(scope="module")
def voc(coco, tmp_path_factory):
    """The same data as VOC, whose parts are lists inside one folder."""
    place = tmp_path_factory.mktemp("boxes") / "voc"
    write_boxes(read_boxes(coco), place, to="voc")
    return place


def new_model(seed=0):
    torch.manual_seed(seed)
    card = {
        "format": 1,
        "kind": "detector",
        "task": "detect",
        "backbone": "small_resnet",
        "width": 4,
        "channels": 3,
        "size_hw": [32, 48],
        "mirror": False,
        "classes": ["blue", "red"],
        "detect": {
            "family": "one_stage",
            "strides": [8],
            "side": 1.5,
            "scales": 1,
            "ratios": [1.0],
            "fine_ratios": [1.0],
            "depth": 8,
        },
        "answer": {"suppression": "hard", "overlap": 0.5, "at_least": 0.001, "most": 20},
        "licence": "none",
    }
    network = build_network(card)
    with torch.no_grad():  # So that it finds something, surely and not so surely.
        for layer in network.head.last:
            layer.weight[4:] *= 300
            layer.bias.zero_()
    return Model(card, network)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of a detector that has learned nothing; its scores lie on both sides of 0.5."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    folder.mkdir()
    new_model().save(folder)
    return folder


class Knowing(Model):
    """A detector that knows ``scene``: every true box, the second by a lower score."""

    def detect(self, pictures):
        return [self.one(item) for item in pictures]

    def one(self, item):
        boxes = scene(int(getattr(item, "path", item).stem))[1]
        return Detection(
            str(getattr(item, "path", item)),
            (HIGH, WIDE),
            tuple(label for label, _ in boxes),
            np.array([box for _, box in boxes], float).reshape(-1, 4),
            np.array([0.9, 0.4][: len(boxes)]),
        )


@pytest.fixture(scope="module")
def knowing():
    model = new_model()
    return Knowing(model.card, model.network)


@pytest.mark.parametrize("layout", ["coco", "voc"])
def test_a_part_of_boxes_is_named_below_the_data(layout, request):
    data = request.getfixturevalue(layout)
    assert find_box_parts(data) == {part: data / part for part in PARTS}
    for part, numbers in PARTS.items():
        (found,) = read_boxes(data / part).values()
        assert sorted(one.path.stem for one in found.pictures) == [f"{n:02}" for n in numbers]
        assert part_at(data / part) == (data, part) and find_box_parts(data / part) == {}
    assert judged_part(data, open_test=False, boxes=True) == data / "val"
    assert judged_part(data, open_test=True, boxes=True) == data / "test"
    assert is_sealed(data / "test", boxes=True) and not is_sealed(data / "val", boxes=True)
    with pytest.raises(InputError, match="sealed"):
        judged_part(data / "test", open_test=False, boxes=True)


def test_a_part_is_found_in_yolo_tables_and_by_its_own_file(coco, tmp_path):
    for to in ("yolo", "csv"):
        write_boxes(read_boxes(coco), tmp_path / to, to=to)
        assert list(find_box_parts(tmp_path / to)) == list(PARTS) or to == "csv"
        assert set(find_box_parts(tmp_path / to)) == set(PARTS)
        (found,) = read_boxes(tmp_path / to / "test").values()
        assert len(found.pictures) == 3
    assert is_sealed(coco / "test" / "_annotations.coco.json", boxes=True)
    (table,) = (tmp_path / "csv").glob("*.csv")
    assert is_sealed(table / "test", boxes=True)
    with pytest.raises(InputError, match="does not exist"):
        read_boxes(coco / "nothing")
    lone = shutil.copytree(coco / "test", tmp_path / "other")
    assert part_at(lone) is None and list(read_boxes(lone)) == [""]


def test_a_folder_of_the_other_name_is_the_part(coco, tmp_path):
    shutil.copytree(coco, tmp_path / "d")
    (tmp_path / "d" / "val").rename(tmp_path / "d" / "valid")
    assert judged_part(tmp_path / "d", open_test=False, boxes=True) == tmp_path / "d" / "val"
    for name in ("val", "valid"):
        (found,) = read_boxes(tmp_path / "d" / name).values()
        assert len(found.pictures) == 6


@pytest.mark.parametrize("layout", ["coco", "voc"])
def test_a_perfect_detector_is_judged_perfect_on_the_part_val(layout, knowing, request):
    scores = evaluate(knowing, request.getfixturevalue(layout))
    assert scores.pictures == 6 and scores.figure("AP").value == 1.0
    assert scores.true == sum(len(scene(n)[1]) for n in PARTS["val"])


def test_columns_of_pictures_group_and_divide(coco, voc, knowing, tmp_path):
    scores = evaluate(knowing, coco, by="site", groups="site")
    assert {one.group: one.pictures for one in scores.by_group.groups} == {"S0": 3, "S1": 3}
    assert scores.units == "groups"
    with pytest.raises(InputError, match="no metadata 'site'"):
        evaluate(knowing, voc, by="site")
    table = tmp_path / "sites.csv"
    rows = [f"{n:02}.png,S{n % 3}" for n in PARTS["val"]]
    table.write_text("\n".join(["path,site", *rows]) + "\n")
    scores = evaluate(knowing, voc, by="site", metadata=table)
    assert len(scores.by_group.groups) == 3


def test_pictures_that_cannot_be_read_are_counted(coco, knowing, tmp_path):
    data = shutil.copytree(coco, tmp_path / "d")
    (data / "val" / "04.png").write_bytes(b"no picture")
    (data / "val" / "05.png").unlink()
    Image.new("RGB", (9, 9)).save(data / "val" / "06.png")
    with pytest.raises(InputError, match="3 of 6 pictures cannot be read"):
        evaluate(knowing, data)
    scores = evaluate(knowing, data, broken=0.5)
    assert sorted(one.picture[-6:] for one in scores.broken) == ["04.png", "05.png", "06.png"]
    assert scores.pictures == 3


def test_a_picture_that_breaks_off_is_counted(coco, run, tmp_path):
    data = shutil.copytree(coco, tmp_path / "d")
    noise = np.random.default_rng(0).integers(0, 255, (HIGH, WIDE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(data / "val" / "05.png")
    whole = (data / "val" / "05.png").read_bytes()
    (data / "val" / "05.png").write_bytes(whole[: len(whole) // 2])  # Its head is sound.
    scores = evaluate(run, data, broken=0.5)
    assert scores.pictures == 5 and "05.png" in scores.broken[0].reason


def test_the_sealed_part_is_opened_and_recorded(voc, run, capsys, tmp_path):
    own = shutil.copytree(run, tmp_path / "run")
    assert main(["evaluate", str(own), str(voc / "test")]) == 2
    assert "sealed" in capsys.readouterr().err
    assert main(["evaluate", str(own), str(voc), "--open-test", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["test_opened"] == 1 and told["pictures"] == 3
    assert [one["data"] for one in openings(own)] == [str(voc / "test")]
    assert "for the first time" in (own / "evaluation.html").read_text()


def test_a_class_that_was_not_learned_is_refused(coco, run, tmp_path):
    data = shutil.copytree(coco, tmp_path / "d")
    for part in PARTS:
        file = data / part / "_annotations.coco.json"
        file.write_text(file.read_text().replace('"blue"', '"bleu"'))
    with pytest.raises(InputError, match=r"shows 'bleu', which the detector has not learned"):
        evaluate(run, data)


def test_an_alarm_is_for_classifiers(coco, knowing):
    from saccade.judge.operating_point import Wanted

    with pytest.raises(SettingError, match="a detector"):
        evaluate(knowing, coco, alarm=Wanted("red", cost=2.0))


def test_results_are_judged_alike_after_convert(coco, voc, knowing, tmp_path):
    results = tmp_path / "found.json"
    found = predict(knowing, [coco / "val"], at_least=0.0, out=results)
    assert [len(one.labels) for one in found] == [len(scene(n)[1]) for n in PARTS["val"]]
    write_boxes(read_boxes(voc / "val"), tmp_path / "again", to="coco")
    for truth in (coco / "val", tmp_path / "again"):
        scores = judge_boxes(results, truth / "_annotations.coco.json")
        assert scores.figure("AP").value == 1.0
    rows = json.loads(results.read_text())
    assert {row["image_id"] for row in rows} <= set(range(1, 7))
    rows[0]["category"] = "rde"
    results.write_text(json.dumps(rows))
    with pytest.raises(InputError, match="'rde' is none of the truth"):
        judge_boxes(results, coco / "val" / "_annotations.coco.json")
    rows[0] |= {"category": "red", "file_name": "other.png"}
    results.write_text(json.dumps(rows))
    with pytest.raises(InputError, match=r"other\.png"):
        judge_boxes(results, coco / "val" / "_annotations.coco.json")


def test_boxes_are_told_from_one_half_and_written_as_csv(coco, knowing, tmp_path):
    found = predict(knowing, [coco / "val"], out=tmp_path / "found.csv")
    assert {score for one in found for score in one.scores.tolist()} == {0.9}
    rows = list(csv.DictReader((tmp_path / "found.csv").read_text().splitlines()))
    label, box = scene(4)[1][0]
    first = [row for row in rows if row["path"].endswith("04.png")]
    assert first[0]["label"] == label and float(first[0]["score"]) == 0.9
    assert [float(first[0][key]) for key in ("x", "y", "width", "height")] == box
    (empty,) = [row for row in rows if row["path"].endswith("09.png")]
    assert empty["label"] == "" and empty["x"] == ""


def test_painted_pictures_show_their_boxes_and_replace_nothing(coco, knowing, tmp_path):
    predict(knowing, [coco / "val"], at_least=0.0, painted=tmp_path / "painted")
    files = sorted((tmp_path / "painted").iterdir())
    assert [file.name for file in files] == [f"{n:02}.png" for n in PARTS["val"]]
    plain = np.asarray(scene(9)[0])
    assert (np.asarray(Image.open(files[5]))[::10, ::10] == plain).all()  # Nothing is in it.
    assert len(np.unique(np.asarray(Image.open(files[0])).reshape(-1, 3), axis=0)) > 10
    with pytest.raises(InputError, match="exists already"):
        predict(knowing, [coco / "val"], painted=coco / "val")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"out": "found.txt"}, "must end in .json"),
        ({"at_least": 1.5}, "0 to 1"),
        ({"neighbours": "n.html"}, "knn"),
    ],
)
def test_bad_options_of_predict(more, message, coco, run, tmp_path):
    more = {k: tmp_path / v if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises((InputError, SettingError), match=message):
        predict(run, [coco / "val"], **more)


def test_the_command_counts_classes_and_says_when_nothing_is_found(coco, run, capsys, tmp_path):
    assert main(["predict", str(run), str(coco / "val"), "--at-least", "0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6 and all("red" in line or "blue" in line for line in lines)
    assert main(["predict", str(run), str(coco / "val"), "--at-least", "1"]) == 1
    assert "nothing found" in capsys.readouterr().out
    (tmp_path / "bad.png").write_bytes(b"none")
    shutil.copy(coco / "val" / "04.png", tmp_path / "good.png")
    assert main(["predict", str(run), str(tmp_path), "--at-least", "0", "--json"]) == 2
    bad, good = json.loads(capsys.readouterr().out)
    assert bad["error"] and bad["boxes"] is None
    expected = Model.load(run).detect([tmp_path / "good.png"])[0]
    assert [one["score"] for one in good["boxes"]] == expected.scores.tolist()
    assert good["size_hw"] == [HIGH, WIDE]


def test_two_detectors_are_compared_by_boxes_and_speed(voc, run, knowing, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    new_model(1).save(other)
    found = compare(run, knowing, voc, report=tmp_path / "page.html", groups=None)
    assert found.figure == "AP" and found.better == "B" and found.b.value == 1.0
    assert [one.figure for one in found.others] == ["AP50", "AP75", "AR@100"]
    assert found.speeds.threads == torch.get_num_threads()
    assert found.speeds.ratio.value > 1  # It reads no picture and has no network.
    page = (tmp_path / "page.html").read_text()
    assert "Better or faster" in page and "Pictures a second" in page
    assert found.to_dict()["speeds"]["a"]["n"] == 6
    alone = evaluate(run, voc)
    assert found.a.value == alone.figure("AP").value
    same = compare(run, run, voc)
    assert same.difference.value == 0 and same.better == ""


def test_a_detector_and_a_classifier_are_not_compared(voc, knowing):
    from saccade.tasks.model import pixel_model

    with pytest.raises(InputError, match="not alike"):
        compare(knowing, pixel_model(), voc)


def test_models_take_turns_and_the_first_picture_is_not_measured():
    said = []

    def made(name):
        def detect(pictures):
            said.extend((name, one) for one in pictures)
            return list(pictures)

        return SimpleNamespace(detect=detect)

    found, seconds = in_turns([made("A"), made("B")], ["p", "q", "r"])
    assert found == [["p", "q", "r"]] * 2
    assert said[:2] == [("A", "p"), ("B", "p")]
    assert said[2:] == [("B", "p"), ("A", "p"), ("A", "q"), ("B", "q"), ("B", "r"), ("A", "r")]
    assert seconds.shape == (2, 3) and (seconds > 0).all()


def test_speeds_are_medians_and_the_ratio_is_paired():
    a, b = np.array([1.0, 2.0, 4.0, 8.0, 0.5]), np.array([0.5, 1.0, 2.0, 4.0, 0.25])
    found = speeds(a, b, threads=2)
    assert found.a.value == 0.5 and found.b.value == 1.0
    assert (found.ratio.low, found.ratio.value, found.ratio.high) == (2.0, 2.0, 2.0)
    assert "on 2 threads" in found.sentence
    with pytest.raises(InputError, match="above 0"):
        speeds([1.0, 0.0], [1.0, 1.0], threads=1)


@pytest.mark.parametrize("n", [1, 5, 6, 20, 101])
def test_the_interval_of_a_median_holds_it_as_often_as_it_says(n):
    """By the sums of the binomial distribution: rank r to n - r holds it unless r or fewer…"""
    from math import comb

    found = median_interval(np.arange(n, dtype=float))
    low = int(found.low)
    assert found.high == n - 1 - low and found.value == (n - 1) / 2
    missed = [2 * sum(comb(n, k) for k in range(r + 1)) / 2**n for r in (low, low + 1)]
    assert missed[0] <= 0.05 or low == 0
    assert missed[1] > 0.05 or n == 1  # One rank further in would promise too much.


def test_a_run_is_a_detector_of_one_kind_of_object(run, tmp_path, coco):
    detector = open_detector(run)
    assert isinstance(detector, RunDetector) and detector.template is None
    picture = np.asarray(scene(4)[0])
    (seen,) = detector([picture])
    (plain,) = Model.load(run).detect([Sample(coco / "x.png", "", array=picture)])
    assert len(seen.scores) and (seen.scores >= 0.5).all() and seen.landmarks is None
    assert seen.scores[0] == np.float32(plain.scores.max()) and seen.xywh.dtype == np.float32
    assert overlaps(seen.xywh).max() <= 0.5  # Also of boxes of different classes.
    assert detector.fingerprint == RunDetector(run).fingerprint
    other = tmp_path / "other"
    other.mkdir()
    new_model(1).save(other)
    assert RunDetector(other).fingerprint != detector.fingerprint


def overlaps(xywh):
    """Intersection over union of each box with each later one, by the definition."""
    values = [0.0]
    for n, (x, y, w, h) in enumerate(xywh.astype(float)):
        for u, v, a, b in xywh[n + 1 :].astype(float):
            across, down = min(x + w, u + a) - max(x, u), min(y + h, v + b) - max(y, v)
            shared = max(across, 0) * max(down, 0)
            values.append(shared / (w * h + a * b - shared))
    return np.array(values)


def test_a_run_that_finds_no_objects_is_refused(tmp_path):
    from saccade.tasks.model import pixel_model

    pixel_model().save(tmp_path)
    with pytest.raises(InputError, match="finds no objects"):
        open_detector(tmp_path)
