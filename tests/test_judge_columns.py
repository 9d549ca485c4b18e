"""Boxes and masks by columns of their pictures: groups judged each by itself, or drawn whole."""

import csv
import json
from functools import partial

import numpy as np
import pytest

from saccade.api.judge_boxes import judge_boxes
from saccade.api.predictions import evaluate_predictions
from saccade.boxes import TrueBoxes, of_pictures
from saccade.cli.app import main
from saccade.data.coco import read_truth
from saccade.data.columns import with_columns
from saccade.errors import InputError
from saccade.judge.box_intervals import BIAS, intervals_of, units_of
from saccade.judge.detection import judge_detection
from saccade.judge.detection_by_group import detection_by_group
from saccade.judge.mask_counts import FIGURES, Counts, count_masks
from saccade.judge.segmentation import judge_counts, judge_segmentation
from saccade.judge.segmentation_by_group import segmentation_by_group
from saccade.judge.segmentation_report import Shown, segmentation_report
from saccade.metrics.coco import FIGURES as FIGURES_OF_COCO
from saccade.metrics.coco import FIRST_FIGURES, match_coco
from saccade.values import Sample
from tests.test_judge_detection import HOSTILE, scene
from tests.test_judge_segmentation import pairs, save


def slow_subset(boxes, places):
    """The boxes of some pictures, picture by picture; one that is named twice comes twice."""
    rows = [np.flatnonzero(boxes.picture == place) for place in places]
    picture = np.repeat(np.arange(len(places)), [len(one) for one in rows])
    taken = np.concatenate(rows).astype(int)
    names = list(type(boxes).__dataclass_fields__)[1:]
    return type(boxes)(picture, *(getattr(boxes, name)[taken] for name in names))


def test_a_group_of_boxes_has_the_figures_of_its_pictures_alone():
    true, found = scene(pictures=90)
    values = [("ulm", "bonn", HOSTILE)[p % 5 % 3] for p in range(90)]
    told = detection_by_group(true, found, values, column="city", categories=2, resamples=100)
    for group in told.groups:
        places = [p for p in range(90) if values[p] == group.group]
        alone = judge_detection(
            slow_subset(true, places),
            slow_subset(found, places),
            pictures=len(places),
            classes=("a", "b"),
            resamples=100,
        )
        assert group.figures == dict(alone.headline) and group.pictures == len(places)
    assert (told.figure, tuple(told.groups[0].figures)) == ("AP", FIRST_FIGURES)
    assert [one.too_few for one in told.groups] == [True, False, False]  # “<” stands first
    assert told.spread.n == 72


def test_a_group_without_boxes_is_named_and_not_compared():
    true, found = scene(pictures=80)
    bare = np.flatnonzero(true.picture < 40)
    true = TrueBoxes(*(getattr(true, name)[bare] for name in TrueBoxes.__dataclass_fields__))
    told = detection_by_group(
        true, found, ["with"] * 40 + ["bare"] * 40, column="x", categories=2, resamples=100
    )
    assert [(one.group, len(one.figures)) for one in told.groups] == [("bare", 0), ("with", 4)]
    assert told.groups[0].too_few and told.spread is None
    assert "30 pictures and 30 true boxes: nothing can be said" in told.sentence


def test_a_group_of_few_boxes_says_little_however_many_pictures_it_has():
    true, found = scene(pictures=80)
    few = np.flatnonzero((true.picture < 40) | (true.picture >= 73))  # 28 boxes of 40 pictures
    true = TrueBoxes(*(getattr(true, name)[few] for name in TrueBoxes.__dataclass_fields__))
    told = detection_by_group(
        true, found, ["a"] * 40 + ["b"] * 40, column="x", categories=2, resamples=100
    )
    assert [one.too_few for one in told.groups] == [False, True] and told.spread is None


def test_of_pictures_is_a_slow_choice():
    for boxes in scene(pictures=20):
        mine = of_pictures(boxes, [7, 3, 19], 20)
        slow = slow_subset(boxes, [7, 3, 19])
        for name in type(boxes).__dataclass_fields__:
            ours, theirs = getattr(mine, name), getattr(slow, name)
            order = [np.lexsort((one.xywh[:, 0], one.picture)) for one in (mine, slow)]
            np.testing.assert_array_equal(ours[order[0]], theirs[order[1]])


def test_groups_of_boxes_are_those_of_a_slow_loop():
    true, found = scene(1, pictures=24, wrong=1.5)
    names = [f"film {p % 8}" for p in range(24)]
    films = sorted(set(names))

    def slow(chosen):
        places = [p for film in chosen for p in range(24) if names[p] == film]
        boxes = (slow_subset(one, places) for one in (true, found))
        return match_coco(*boxes, categories=2, areas=("all",)).first()[0]

    def odds(share):
        return np.log(share / (1 - share))

    value = slow(films)
    full = match_coco(true, found, categories=2).figures()[0][0]
    places = [FIGURES_OF_COCO.index(name) for name in FIRST_FIGURES]
    np.testing.assert_allclose(value, full[places], rtol=1e-12)
    left = odds(np.array([slow([f for f in films if f != out]) for out in films]))
    rng, even = np.random.default_rng(0), np.full(8, 1 / 8)
    drawn = [
        slow([f for f, times in zip(films, row, strict=True) for _ in range(times)])
        for row in rng.multinomial(8, even, size=100)
    ]
    bias = BIAS * (odds(np.array(drawn)).mean(axis=0) - odds(value))
    error = np.sqrt(7 * left.var(axis=0) + (bias / 2) ** 2)
    figures = match_coco(true, found, categories=2, areas=("all",)).first
    units = units_of(24, names)
    answer = intervals_of(figures, units, boxes=200, seed=0, resamples=100, level=0.95)
    for k, one in enumerate(answer):
        reach = 1.959964 * error[k]
        ends = [1 / (1 + np.exp(bias[k] - odds(value[k]) - step)) for step in (-reach, reach)]
        assert one.value == pytest.approx(value[k], abs=1e-12) and one.n == 8
        assert (one.low, one.high) == pytest.approx((ends[0], max(ends[1], value[k])), abs=1e-7)


def test_a_group_of_masks_has_the_figures_of_its_pictures_alone():
    masks = pairs(70)
    counts = count_masks(masks, classes=3, ignore=255)
    values = ["ulm" if p % 7 < 4 else "bonn" for p in range(70)]
    told = segmentation_by_group(counts, values, column="city")
    for group in told.groups:
        own = [masks[p] for p in range(70) if values[p] == group.group]
        alone = judge_segmentation(own, classes=("a", "b", "c"), ignore=255)
        assert group.figures == alone.figures and group.pictures == len(own)
    assert told.figure == "mean IoU" and told.spread is not None


def test_groups_of_masks_are_left_out_whole():
    masks = pairs(40)
    counts = count_masks(masks, classes=3, ignore=255)
    names = [f"patient {p % 9}" for p in range(40)]
    told = judge_counts(counts, classes=("a", "b", "c"), groups=names)
    patients = [
        np.sum([counts.sums[p] for p in range(40) if names[p] == one], axis=0)
        for one in sorted(set(names))
    ]
    as_pictures = Counts(np.stack(patients), counts.confusion, counts.ignored)
    merged = judge_counts(as_pictures, classes=("a", "b", "c"))
    assert told.figures == merged.figures and told.figures["mean IoU"].n == 9
    alone = judge_counts(counts, classes=("a", "b", "c"))
    for name in FIGURES:
        assert told.figures[name].value == pytest.approx(alone.figures[name].value, abs=1e-12)
    assert "only 9 groups: too few" in told.warning and "in 9 groups" in told.basis
    assert all(one.few for one in told.per_class) and told.per_class[0].pictures == 40


def test_a_picture_whose_pixels_do_not_count_is_not_among_the_worst(tmp_path):
    truth, answer = np.zeros((10, 10), int), np.zeros((10, 10), int)
    truth[5:], answer[:3] = 255, 1
    blank = np.full((10, 10), 255)
    scores = judge_segmentation([(blank, answer), (truth, answer)], classes="ab", ignore=255)
    assert scores.worst == (1,)
    files = []
    for number, pair in enumerate([(blank, answer), (truth, answer)]):
        files.append((tmp_path / f"a{number}.png", tmp_path / f"t{number}.png"))
        save(files[-1][1], pair[0])
        save(files[-1][0], pair[1])
    shown = [Shown.of_files(*pair) for pair in files]
    page = segmentation_report(scores, shown=shown, ignore=255)
    assert "60.0\N{NO-BREAK SPACE}% wrong" in page  # 30 of the 50 pixels that count


@pytest.fixture
def boxes(tmp_path, monkeypatch):
    """COCO's two files of 60 pictures, with odd keys, and a table beside them."""
    quick = partial(judge_detection, resamples=100)
    monkeypatch.setattr("saccade.api.judge_boxes.judge_detection", quick)
    quick = partial(detection_by_group, resamples=100)
    monkeypatch.setattr("saccade.api.judge_boxes.detection_by_group", quick)
    true, found = scene()
    rows = zip(true.picture.tolist(), true.category.tolist(), true.xywh.tolist(), strict=True)
    images = [
        {"id": p, "file_name": f"in/{p}.jpg", "site": ("Ulm", HOSTILE)[p % 2], "film": p // 2}
        | {"width": 10**400, "ratio": 0.5, "wet": True, "seen": None, "tags": ["a"]}
        for p in range(60)
    ]
    whole = {
        "images": images,
        "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": p, "category_id": k, "bbox": box}
            for n, (p, k, box) in enumerate(rows)
        ],
    }
    columns = (found.picture, found.category, found.xywh, found.score)
    given = [
        {"image_id": p, "category_id": k, "bbox": box, "score": score}
        for p, k, box, score in zip(*(one.tolist() for one in columns), strict=True)
    ]
    (tmp_path / "truth.json").write_text(json.dumps(whole))
    (tmp_path / "found.json").write_text(json.dumps(given))
    table(tmp_path / "more.csv", [(f"{p}.jpg", "new" if p < 30 else "old") for p in range(61)])
    return tmp_path


def table(place, rows, head=("path", "camera")):
    with place.open("w", newline="") as stream:
        csv.writer(stream).writerows([head, *rows])


def test_columns_of_boxes_come_from_their_file_or_a_table(boxes, capsys):
    words = ["evaluate", "--predictions", str(boxes / "found.json")]
    words += ["--truth", str(boxes / "truth.json"), "--report", str(boxes / "page.html")]
    assert main([*words, "--by", "site", "--groups", "film"]) == 0
    said = capsys.readouterr().out
    assert "Ulm: 30 pictures  AP 0." in said and "in 30 groups" in said
    page = (boxes / "page.html").read_text()
    assert "By site" in page and "<script" not in page and "30 groups of pictures" in page
    words += ["--metadata", str(boxes / "more.csv"), "--by", "camera", "--json"]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)["by_group"]
    assert [(one["group"], one["pictures"]) for one in told["groups"]] == [("new", 30), ("old", 30)]
    true, found = scene()
    first = slow_subset(true, range(30)), slow_subset(found, range(30))
    expected = match_coco(*first, categories=2).figures()[0][0, 0]
    value = told["groups"][0]["figures"]["AP"]["value"]
    assert value == pytest.approx(expected, abs=1e-12)
    own = read_truth(boxes / "truth.json").samples()[0].metadata
    assert (own["film"], own["ratio"], own["wet"], own["file_name"]) == (
        "0",
        "0.5",
        "true",
        "in/0.jpg",
    )
    assert not {"seen", "tags"} & set(own)


def test_columns_of_masks_come_from_a_table(tmp_path, capsys):
    for side in ("truth", "found"):
        (tmp_path / side).mkdir()
    for number, pair in enumerate(pairs(62)):
        for side, mask in zip(("truth", "found"), pair, strict=True):
            save(tmp_path / side / f"{number:02}.png", mask)
    rows = [(f"photographs/{p:02}.jpg", "AB"[p % 2], p // 2) for p in range(62)]
    table(tmp_path / "more.csv", rows, ("path", "site", "patient"))
    words = ["evaluate", "--predictions", str(tmp_path / "found"), "--ignore", "255"]
    words += ["--truth", str(tmp_path / "truth"), "--metadata", str(tmp_path / "more.csv")]
    page = tmp_path / "page.html"
    more = ["--by", "site", "--groups", "patient", "--report", str(page)]
    assert main([*words, *more]) == 0
    said = capsys.readouterr().out
    assert "A: 31 pictures  mean IoU 0." in said and "62 pictures in 31 groups" in said
    assert page.read_text().count(">Pictures<") == 4  # classes and groups, twice each
    assert "By site" in page.read_text() and "groups are left out in turn" in page.read_text()
    assert main([*words, "--by", "town"]) == 2
    assert "has no metadata 'town'" in capsys.readouterr().err
    assert main([*words[:7], "--by", "site"]) == 2
    assert "has no metadata 'site'" in capsys.readouterr().err


def test_rows_belong_to_pictures_by_the_longest_name_that_fits(tmp_path):
    place = tmp_path / "t.csv"
    both = [Sample(tmp_path / side / "1.png", "", metadata={"a": "own"}) for side in "xy"]
    table(place, [("y/1.png", "2"), ("x/1.png", "1"), ("z/1.png", "3")], ("path", "a"))
    assert [one.metadata["a"] for one in with_columns(both, place)] == ["1", "2"]
    table(place, [("deep/1.jpg", "1")], ("path", "b"))
    assert with_columns(both[:1], place)[0].metadata == {"a": "own", "b": "1"}
    assert with_columns(both, None) == both
    for rows, said in (
        ([("1.png", "1")], "cannot tell apart the pictures that are called '1'"),
        ([("2.png", "1")], r"has no row for .*x.1\.png"),
        ([("1.png", "1"), ("1.png", "2")], r"has 2 rows for .*x.1\.png"),
    ):
        table(place, rows)
        with pytest.raises(InputError, match=said):
            with_columns(both, place)
    for name in ("none.csv", "t.txt", "t.csv/train"):
        with pytest.raises(InputError, match="that exists; check the path"):
            with_columns(both, tmp_path / name)
    table(place, [("1.png",)], ("file",))
    with pytest.raises(InputError, match="no column 'path'"):
        with_columns(both, place)


def test_what_cannot_be_grouped_is_one_line(boxes, capsys):
    words = ["evaluate", "--predictions", str(boxes / "found.json")]
    words += ["--truth", str(boxes / "truth.json")]
    for more, said in (
        (["--by", "town"], "0.jpg has no metadata 'town'"),
        (["--by", "seen"], "has no metadata 'seen'"),
        (["--groups", "tags"], "has no metadata 'tags'"),
        (["--by", "wet"], "every picture has the same wet, 'true'"),
        (["--ignore", "3"], "--ignore is not for predictions of boxes"),
        (["--metadata", str(boxes / "none.csv")], "is no .csv file that exists"),
        (["--metadata", str(boxes)], "is no .csv file that exists"),
    ):
        assert main([*words, *more]) == 2, more
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1
    with pytest.raises(InputError, match="none do not exist; check the path"):
        evaluate_predictions(boxes / "none", boxes / "truth.json")
    assert main(["evaluate", "pixels", str(boxes), "--ignore", "3"]) == 2
    assert "--ignore is for --predictions" in capsys.readouterr().err


def test_an_area_that_coco_passes_over_is_refused(boxes):
    whole = json.loads((boxes / "truth.json").read_text())
    whole["annotations"] = [whole["annotations"][0] | {"area": 1e11}]
    (boxes / "truth.json").write_text(json.dumps(whole))
    with pytest.raises(InputError, match=r"annotation 0: area must lie from 0 to 1e\+10; got 1e"):
        judge_boxes(boxes / "found.json", boxes / "truth.json")


@pytest.mark.slow
def test_groups_of_boxes_that_are_alike_are_seldom_called_different():
    wrong = 0
    for seed in range(200):
        true, found = scene(seed, 100, rate=0.7, many=2, noise=0.08, wrong=1.0)
        told = detection_by_group(
            true, found, ["a", "b"] * 50, column="x", categories=2, resamples=100
        )
        wrong += told.spread.low > 0
    assert wrong / 200 <= 0.08  # Two standard errors above 0.05.
