"""``limits``: a second data set, object and background, boxes and masks, and what is refused."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.api.hidden import hide_objects, object_finder
from saccade.api.judged import load_judged
from saccade.api.limits import limits
from saccade.api.sealed import openings
from saccade.api.trained_on import trained_on
from saccade.cli.app import main
from saccade.data.objects import around, box_mask, read_mask, resize_mask
from saccade.data.pictures import resize
from saccade.errors import InputError
from saccade.judge.limits import judge_background, judge_transfer
from saccade.values import Sample
from tests.people_windows import write_people_windows
from tests.writers import write_folders

KNN = {"model.name": "knn", "model.k": 1, "data.size": "24x24", "data.validation": 0.0}
SIDE, OBJECT = 24, 10


def scenes(draw, count, *, telling):
    """Pictures (2 count, SIDE, SIDE, 3), labels, boxes: class a and b.

    What is ``telling``, "object" or "ground", is red in a, blue in b; the other is any grey.
    """
    pictures, boxes = [], []
    for number in range(2 * count):
        grey = np.full(3, draw.integers(60, 200))
        colour = np.array([[220, 30, 30], [30, 30, 220]][number % 2])
        ground, thing = (colour, grey) if telling == "ground" else (grey, colour)
        picture = np.empty((SIDE, SIDE, 3))
        picture[:] = ground
        x, y = draw.integers(0, SIDE - OBJECT + 1, 2)
        picture[y : y + OBJECT, x : x + OBJECT] = thing
        pictures.append((picture + draw.normal(0, 5, picture.shape)).clip(0, 255).astype(np.uint8))
        boxes.append((x, y, OBJECT, OBJECT))
    return np.stack(pictures), ["a", "b"] * count, boxes


def write_table(place, pictures, labels, boxes):
    """A CSV with the box of each picture in the columns x, y, width, height."""
    place.mkdir()
    lines = ["path,label,x,y,width,height"]
    for number, (picture, label, box) in enumerate(zip(pictures, labels, boxes, strict=True)):
        Image.fromarray(picture).save(place / f"{number}.png")
        lines.append(",".join(map(str, (f"{number}.png", label, *box))))
    table = place / "table.csv"
    table.write_text("\n".join(lines) + "\n")
    return table


@pytest.fixture(scope="module", params=["object", "ground"])
def world(request, tmp_path_factory):
    """A run that has learned from scenes, a table of others, and what told the classes apart."""
    root = tmp_path_factory.mktemp(request.param)
    draw = np.random.default_rng(0)
    pictures, labels, _ = scenes(draw, 60, telling=request.param)
    write_folders(root / "learned", pictures, labels)
    saccade.train(root / "learned", task="classify", out=root / "run", settings=KNN)
    table = write_table(root / "judged", *scenes(draw, 40, telling=request.param))
    return root / "run", table, request.param


def test_it_is_seen_what_the_model_looks_at(world):
    run, table, telling = world
    found = limits(run, table, boxes="x,y,width,height").background
    assert found.as_they_are.value == 1.0 and found.chance == 0.5
    assert found.hidden == pytest.approx((OBJECT / SIDE) ** 2, abs=0.001)
    if telling == "ground":
        assert found.object_hidden.value == 1.0 and found.shown
        assert found.sentences[0].endswith(
            "still 100 % right (chance 50 %): it looks at the background"
        )
        assert found.background_worse.low > 0.2
    else:
        assert found.object_hidden.low < 0.5 and not found.shown
        assert found.sentences[0].endswith("it is not shown to look at the background")
        assert found.object_worse.low > 0.2
        assert found.background_hidden.value > 0.9


def test_masks_say_what_boxes_say(world, tmp_path, capsys):
    run, table, telling = world
    samples = saccade.read_data(table)
    for sample in samples:
        x, y, width, height = (int(sample.metadata[k]) for k in ("x", "y", "width", "height"))
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[y : y + height, x : x + width] = 1
        Image.fromarray(mask).save(tmp_path / f"{sample.path.stem}.png")
    boxes = limits(run, table, boxes="x,y,width,height")
    assert limits(run, table, masks=tmp_path) == boxes
    words = ["limits", str(run), str(table), "--masks", str(tmp_path)]
    code = 1 if telling == "ground" else 0
    assert main(words) == code
    said = capsys.readouterr().out
    assert all(sentence in said for sentence in boxes.sentences)
    assert main([*words, "--json"]) == code
    assert json.loads(capsys.readouterr().out) == {
        **boxes.to_dict(),
        "report": str(run / "limits.html"),
    }
    text = (run / "limits.html").read_text()
    assert text.count("data:image/png") == 24 and "<script" not in text


def test_what_hides_covers_what_the_object_gives_and_no_more(tmp_path):
    draw = np.random.default_rng(1)
    table = write_table(tmp_path / "t", *scenes(draw, 8, telling="object"))
    small = {**KNN, "data.size": "11x17"}
    run = saccade.train(table, task="classify", out=tmp_path / "run", settings=small)
    judged = load_judged(run.model, saccade.read_data(table), allowed=0.0)
    finder = object_finder(judged.samples, "x,y,width,height", None)
    hidden = hide_objects(judged, finder, iter)
    grey = round(float(judged.pictures.double().mean()))
    for row, sample in enumerate(judged.samples):
        # Brute force: a pixel is of the object when a change of the object changes it.
        mask = finder(sample, (SIDE, SIDE))
        white = np.zeros((SIDE, SIDE, 3), np.uint8)
        white[mask] = 255
        touched = resize(white, (11, 17), 1)[0] > 0
        gone = (hidden.without_object[row] == grey).all(dim=0).numpy()
        assert gone[touched].all()
        kept = (hidden.without_background[row] == judged.pictures[row]).all(dim=0).numpy()
        assert kept[touched].all()
        apart = ~resize_mask(mask, (11, 17))
        assert (hidden.without_background[row].numpy()[:, apart] == grey).all()
        same = hidden.without_object[row].numpy()[:, apart]
        assert (same == judged.pictures[row].numpy()[:, apart]).all()


@pytest.mark.parametrize(
    ("box", "pixels"),
    [((2, 1, 3, 2), 6), ((1.5, 0, 1, 1), 2), ((-4, -4, 5, 5), 1), ((0, 0, 99, 99), 48)],
)
def test_a_box_is_the_pixels_that_it_touches(box, pixels):
    x, y, width, height = box
    expected = [
        [
            x < column + 1 and column < x + width and y < row + 1 and row < y + height
            for column in range(8)
        ]
        for row in range(6)
    ]
    found = box_mask(box, (6, 8), "here")
    assert found.tolist() == expected and found.sum() == pixels


def test_masks_of_every_kind_of_png(tmp_path):
    values = np.zeros((6, 8), np.uint16)
    values[2:4, 3:6] = 7
    kinds = {
        "grey": Image.fromarray(values.astype(np.uint8)),
        "deep": Image.fromarray(values),
        "bit": Image.fromarray(values > 0),
        "colour": Image.fromarray(np.repeat(values.astype(np.uint8)[:, :, None], 3, axis=2)),
        "palette": Image.fromarray(values.astype(np.uint8), mode="L").convert("P"),
    }
    kinds["palette"].putpalette([0] * 768)  # Numbers count, not their colours.
    for name, image in kinds.items():
        place = tmp_path / f"{name}.png"
        image.save(place)
        assert (read_mask(place, (6, 8)) == (values > 0)).all(), name
    ring = np.zeros((6, 8), bool)
    ring[1, 2] = ring[4, 6] = True
    assert around(ring).sum() == 4 * 5 and around(ring)[1:5, 2:7].all()


def test_a_second_data_set(world, tmp_path, capsys):
    run, table, telling = world
    draw = np.random.default_rng(5)
    pictures, labels, _ = scenes(draw, 30, telling="ground" if telling == "object" else "object")
    labels = ["c" if place < 10 else label for place, label in enumerate(labels)]
    other = write_folders(tmp_path / "other", pictures, labels)
    found = limits(run, table, second=other)
    first, second = found.transfer.first, found.transfer.second
    assert (first.n, second.n, found.transfer.left_out) == (80, 50, ("c",))
    shared = write_folders(tmp_path / "shared", pictures[10:], labels[10:])
    assert second == saccade.evaluate(run, shared).accuracy
    assert found.transfer.worse.value == pytest.approx(first.value - second.value)
    assert found.shown == (found.transfer.worse.low > 0) and found.background is None
    code = main(["limits", str(run), str(table), "--second", str(other)])
    said = capsys.readouterr().out
    assert code == int(found.shown) and found.transfer.sentence in said
    assert "left out: c" in said


def test_embedders_search_among_as_many_on_both(class_folders, tmp_path):
    draw = np.random.default_rng(6)
    pictures = draw.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    labels = [f"p{place // 4}" for place in range(40)]
    other = write_folders(tmp_path / "other", pictures, labels)
    found = limits("pixels", class_folders, second=other)
    assert found.figure == "rank-1" and found.units == "identities"
    assert (found.transfer.first.n, found.transfer.second.n) == (6, 6)
    assert len(found.transfer.left_out) == 4 and found == limits(
        "pixels", class_folders, second=other
    )
    assert found.transfer.worse.value > 0.3 and found.shown


def test_regressors_are_told_by_their_error(number_table, tmp_path):
    settings = {"data.target": "hue,corners", "train.epochs": 0, "model.width": 4}
    run = saccade.train(number_table, task="regress", out=tmp_path / "run", settings=settings)
    lines = number_table.read_text().splitlines()
    other = tmp_path / "other.csv"
    far = [line.rsplit(",", 2) for line in lines[1:]]
    other.write_text("\n".join([lines[0], *(f"{p},{float(h) + 500},{c}" for p, h, c in far)]))
    found = limits(run.model, number_table, second=other)
    spread = np.std([float(h) for _, h, _ in far])
    assert found.transfer.worse.value == pytest.approx(500 / spread / 2, rel=0.2)
    assert found.shown and "rises by" in found.transfer.sentence
    with pytest.raises(InputError, match="no column 'hue'"):
        limits(
            run.model,
            number_table,
            second=write_folders(tmp_path / "c", np.zeros((4, 8, 8), np.uint8), list("1122")),
        )


def test_chance_and_errors_in_words():
    before, far = np.full(100, 1.0), np.full(100, 3.0) + np.linspace(0, 0.1, 100)
    found = judge_background(
        before, far, before, figure="mean absolute error", chance=4.0, hidden=0.2
    )
    assert found.shown and "3.05 (chance 4): it looks at the background" in found.sentences[0]
    assert found.sentences[1].endswith("is not shown to rise (0 to 0)")
    half = np.tile([0.0, 1.0], 50)
    same = judge_transfer(half, half, figure="accuracy")
    assert not same.shown and same.worse.low < 0 < same.worse.high


def test_what_cannot_be_asked_is_one_line(world, tmp_path, capsys):
    run, table, _ = world
    lines = table.read_text().splitlines()
    tables = {}
    for name, row in {
        "word": "0.png,a,left,1,2,3",
        "outside": "0.png,a,99,1,2,3",
        "flat": "0.png,a,1,1,0,3",
        "nan": "0.png,a,nan,1,2,3",
    }.items():
        tables[name] = table.parent / f"{name}.csv"
        tables[name].write_text(f"{lines[0]}\n{row}\n{lines[2]}\n")
    masks = {name: tmp_path / name for name in ("none", "small", "blank", "broken", "twice")}
    for folder in masks.values():
        folder.mkdir()
    for name, image in {
        "small": np.ones((3, 3), np.uint8),
        "blank": np.zeros((SIDE, SIDE), np.uint8),
    }.items():
        for number in range(80):
            Image.fromarray(image).save(masks[name] / f"{number}.png")
    for number in range(80):
        (masks["broken"] / f"{number}.png").write_bytes(b"no picture")
    twins = tmp_path / "twins"
    for label in "ab":
        (twins / label).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(twins / label / "1.png")
    Image.fromarray(np.ones((8, 8), np.uint8)).save(masks["twice"] / "1.png")
    strangers = write_folders(tmp_path / "s", np.zeros((4, 8, 8), np.uint8), list("xxyy"))
    box = ["--boxes", "x,y,width,height"]
    rows = [
        ([table], "nothing is asked"),
        ([table, *box, "--masks", masks["none"]], "name one of them"),
        ([table, "--boxes", "x,y,width"], "four columns"),
        ([table, "--boxes", "x,y,widht,height"], "did you mean 'width'?"),
        ([tables["word"], *box], "must be a finite number"),
        ([tables["nan"], *box], "must be a finite number"),
        ([tables["outside"], *box], "lies outside"),
        ([tables["flat"], *box], "above 0"),
        ([twins, *box], "no metadata 'x'"),
        ([table, "--masks", tmp_path / "absent"], "does not exist"),
        ([table, "--masks", masks["none"]], "has no mask"),
        ([table, "--masks", masks["small"]], "is 3x3, its picture 24x24"),
        ([table, "--masks", masks["blank"]], "marks no object"),
        ([table, "--masks", masks["broken"]], "cannot be read as a picture"),
        ([twins, "--masks", masks["twice"]], "would be the mask of"),
        ([table, "--second", tmp_path / "gone"], "does not exist"),
        ([table, "--second", strangers], "none of the classes"),
        ([table, "--secnod", strangers], "--secnod"),
    ]
    for words, expected in rows:
        assert main(["limits", str(run), *map(str, words)]) == 2, words
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1, said


def test_masks_stand_in_a_folder_a_class(tmp_path):
    draw = np.random.default_rng(7)
    pictures, labels, boxes = scenes(draw, 4, telling="object")
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "masks" / label).mkdir(parents=True)
    for number, (picture, label, box) in enumerate(zip(pictures, labels, boxes, strict=True)):
        x, y, width, height = box
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[y : y + height, x : x + width] = 255
        name = f"{label}/{number // 2}.png"  # The same names in both classes.
        Image.fromarray(picture).save(tmp_path / "data" / name)
        Image.fromarray(mask).save(tmp_path / "masks" / name)
    run = saccade.train(tmp_path / "data", task="classify", out=tmp_path / "run", settings=KNN)
    found = limits(run.model, tmp_path / "data", masks=tmp_path / "masks").background
    assert found.hidden == pytest.approx((OBJECT / SIDE) ** 2, abs=0.001)


@pytest.mark.slow
@pytest.mark.skipif("SACCADE_DATA" not in os.environ, reason="SACCADE_DATA names no real pictures")
def test_a_person_in_the_street_is_not_seen_by_what_stands_around(tmp_path):
    root = write_people_windows(Path(os.environ["SACCADE_DATA"]) / "pennfudan", tmp_path / "data")
    settings = {"data.size": "48x32", "train.epochs": 20, "train.threads": 1}
    train, test = root / "train.csv", root / "test.csv"
    run = saccade.train(train, task="classify", out=tmp_path / "run", settings=settings)
    found = limits(run.model, test, boxes="x,y,width,height").background
    assert found.as_they_are.n == 76 and found.as_they_are.low > found.chance
    assert found.object_worse.low > 0 and not found.shown


def test_pictures_that_were_trained_on_are_told_by_their_content(world, tmp_path, capsys):
    run, table, _ = world
    assert limits(run, table, boxes="x,y,width,height").notes == ()
    learned = sorted((run.parent / "learned").rglob("*.png"))
    for number, file in enumerate(learned[:5] + learned[-5:]):
        place = tmp_path / "second" / file.parent.name / f"other-{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    draw = np.random.default_rng(9)
    fresh, labels, _ = scenes(draw, 5, telling="object")
    write_folders(tmp_path / "second", fresh, labels)
    told = "second data: 10 of these 20 pictures were trained on, so the figures flatter"
    words = ["limits", str(run), str(table), "--second", str(tmp_path / "second")]
    main(words)
    assert told in capsys.readouterr().out
    assert f"{told[0].upper()}{told[1:]}" in (run / "limits.html").read_text()
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out)["notes"] == [told]
    gone = shutil.copytree(run, tmp_path / "gone")
    environment = json.loads((gone / "environment.json").read_text())
    environment["data"] = str(tmp_path / "nowhere")
    (gone / "environment.json").write_text(json.dumps(environment))
    assert "cannot be told: the run learned from" in limits(gone, table, second=table).notes[0]
    assert limits(saccade.load(run), table, second=tmp_path / "second").notes == ()


def test_pictures_in_one_file_are_known_by_their_values():
    pictures = np.random.default_rng(0).integers(0, 256, (6, 4, 5), dtype=np.uint8)
    samples = [Sample(Path(f"a#{n}"), "x", one) for n, one in enumerate(pictures)]
    renamed = [Sample(Path(f"b#{n}"), "y", one.copy()) for n, one in enumerate(pictures[:2])]
    turned = Sample(Path("c"), "x", pictures[3].reshape(5, 4))
    missing = Sample(Path("none.png"), "x")
    assert trained_on(samples[:4], [*renamed, turned, samples[5], missing]) == 2
    assert trained_on([missing], [missing]) == 0


def test_a_second_data_set_need_not_have_a_part_test(world, tmp_path, capsys):
    run, table, _ = world
    pictures, labels, _ = scenes(np.random.default_rng(2), 20, telling="object")
    plain = write_folders(tmp_path / "plain", pictures, labels)
    for part in ("train", "test"):
        write_folders(tmp_path / "parts" / part, pictures, labels)
    parts, before = tmp_path / "parts", len(openings(run))
    for pair in ((parts, plain), (plain, parts)):
        words = ["limits", str(run), str(pair[0]), "--second", str(pair[1])]
        assert main(words) == 2 and "is sealed" in capsys.readouterr().err
        assert main([*words, "--open-test"]) in (0, 1)
        assert "error" not in capsys.readouterr().err
    assert len(openings(run)) == before + 2
    words = ["limits", str(run), str(plain), "--second", str(table), "--open-test"]
    assert main(words) == 2 and "no part test to open" in capsys.readouterr().err


def test_one_identity_is_too_few_to_search_among(class_folders, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    one = write_folders(tmp_path / "one", pictures, ["ann"] * 3)
    with pytest.raises(InputError, match="the second data hold one identity"):
        limits("pixels", class_folders, second=one)
    with pytest.raises(InputError, match="all 3 pictures show 'ann'"):
        limits("pixels", one, second=class_folders)
