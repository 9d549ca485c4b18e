"""``inspect``: what was planted is found, what is natural is not, and the table is read back."""

import csv
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import laplace
from sklearn.datasets import load_digits

import saccade
from saccade.api.inspect import write_clean
from saccade.cli.app import main
from saccade.data.first_look import look
from saccade.data.measures import FIGURES, measure
from saccade.data.shapes import write_shapes
from saccade.data.tables import read_table, write_table
from saccade.errors import InputError
from saccade.judge.label_errors import _votes, calibrated, doubted_labels, held_out_shares
from saccade.judge.near_pictures import Proposed, merged
from saccade.judge.same_picture import changes, differences, resized, sampled
from saccade.values import Sample
from tests.writers import write_folders

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
DATA = os.environ.get("SACCADE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="SACCADE_DATA is not set")


@pytest.fixture(scope="module")
def planting():
    """The benchmark, whose planting the tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        import inspect_planted

    return inspect_planted


@pytest.fixture(scope="module")
def planted(planting, tmp_path_factory):
    """A folder of 600 digits with planted faults, the truth, and what was found."""
    digits = load_digits()
    pictures = list(np.round(digits.images * 15.9375).astype(np.uint8))[:600]
    root = tmp_path_factory.mktemp("planted") / "digits"
    truth = planting.plant(pictures, [str(one) for one in digits.target[:600]], root)
    return root, truth, saccade.inspect(root)


def paths(found, *kinds):
    return {str(found.samples[one.picture].path) for kind in kinds for one in found.found[kind]}


def test_copies_across_parts_are_found_and_nothing_else(planted):
    _, truth, found = planted
    named = {
        str(found.samples[one.picture].path): str(found.samples[one.other].path)
        for kind in ("leak", "exact", "near")
        for one in found.found[kind]
    }
    kinds = {file: kind for file, (_, kind) in truth["copies"].items()}
    right = [file for file, (original, _) in truth["copies"].items() if named.get(file) == original]
    exact = [file for file in kinds if kinds[file] == "exact"]
    assert len(exact) == 25 and set(exact) <= set(right)
    assert sum(kinds[file] != "exact" for file in right) >= 23
    assert set(named) - set(kinds) == set()  # Digits hold natural near-twins.
    assert paths(found, "leak") == set(named)
    assert all("/train/" in file for file in paths(found, "leak"))


def test_wrong_labels_come_first_with_the_right_one_suggested(planted):
    _, truth, found = planted
    flips = truth["flipped"]
    first = found.found["label"][: round(1.5 * len(flips))]
    hits = [one for one in first if str(found.samples[one.picture].path) in flips]
    assert len(hits) >= 0.8 * len(flips)
    right = [one for one in hits if one.suggested == flips[str(found.samples[one.picture].path)]]
    assert len(right) >= 0.8 * len(hits)
    scores = [one.score for one in found.found["label"]]
    assert scores == sorted(scores)


def test_blurred_pictures_are_told_from_smooth_ones(planted):
    _, truth, found = planted
    said = paths(found, "blurred")
    assert len(said & truth["blurred"]) >= 18
    assert len(said - truth["blurred"]) <= 0.015 * len(found.samples)


def test_the_clean_table_is_read_back_and_holds_no_copy(planted, tmp_path):
    root, _, found = planted
    before = {file: file.read_bytes() for file in root.rglob("*.png")}
    table = tmp_path / "clean.csv"
    write_clean(table, found)
    assert {file: file.read_bytes() for file in root.rglob("*.png")} == before
    parts = {part: saccade.read_data(table / part) for part in ("train", "test")}
    assert sum(map(len, parts.values())) == len(found.samples) - len(found.removed)
    kept = {str(one.path.resolve()) for one in parts["train"]}
    assert not kept & {str(Path(file).resolve()) for file in paths(found, "leak")}
    doubted = {str(found.samples[one.picture].path): one.suggested for one in found.found["label"]}
    for one in parts["train"] + parts["test"]:
        wanted = doubted.get(str(root / one.path.resolve().relative_to(root.resolve())), "")
        assert one.metadata["suggested"] == wanted or one.metadata["suggested"] in "0123456789"
    with pytest.raises(InputError, match="divided into train, test"):
        saccade.read_data(table)
    knn = {"model.name": "knn", "data.size": "8x8", "data.validation": 0.0}
    run = saccade.train(table, task="classify", out=tmp_path / "run", settings=knn)
    assert saccade.evaluate(run.model, table, open_test=True).pictures == len(parts["test"])
    with pytest.raises(InputError, match="sealed"):
        saccade.evaluate(run.model, table / "test")


def save(root, name, picture):
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file)
    return file


def textured(draw, side=40):
    rough = draw.integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return np.array(Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC))


def test_exit_codes_and_what_is_said(tmp_path, capsys):
    draw = np.random.default_rng(0)
    for number in range(24):
        save(tmp_path, f"data/{'ab'[number % 2]}/{number:02}.png", textured(draw))
    assert main(["inspect", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "nothing found"
    twice = np.array(Image.open(tmp_path / "data/a/00.png"))
    save(tmp_path, "data/b/99.bmp", twice)
    save(tmp_path, "data/a/flat.png", np.full((40, 40, 3), 7, np.uint8))
    (tmp_path / "data/a/bad.jpg").write_bytes(b"\xff\xd8 no picture")
    page, table = tmp_path / "page.html", tmp_path / "clean.csv"
    words = ["inspect", str(tmp_path / "data"), "--report", str(page), "--write", str(table)]
    assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    counts = {kind: count for kind, count in told["counts"].items() if count}
    assert counts == {"two_labels": 1, "exact": 1, "unreadable": 1, "constant": 1}
    (pair,) = told["found"]["two_labels"]
    assert {pair["label"], pair["suggested"]} == {"a", "b"} and pair["score"] == 0
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "labels were not judged" in said  # They were drawn by chance.
    assert "copies with another label: 1" in said and "24 pictures, 3 left out" in said
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert len(rows) == 24 and [row["suggested"] for row in rows if row["suggested"]] == ["b"]
    text = page.read_text()
    assert "One picture, two labels" in text and "bad.jpg" in text and "<script" not in text


def test_names_are_hostile_text(tmp_path):
    draw = np.random.default_rng(1)
    label = '<script>alert("1")</script>'.replace("/", "\u2215") + "\u202e" + "x" * 100
    picture = textured(draw)
    for name in (f"data/{label}/a'\"<b>.png", f"data/{label}/c,\n.png", "data/other/d.png"):
        save(tmp_path, name, picture)
    found = saccade.inspect(
        tmp_path / "data", report=tmp_path / "page.html", write=tmp_path / "clean.csv"
    )
    assert len(found.found["exact"]) == 2
    assert "<script>" not in (tmp_path / "page.html").read_text()
    assert [one.label for one in saccade.read_data(tmp_path / "clean.csv")] == [
        found.samples[row].label for row in range(3) if row not in found.removed
    ]


def test_what_cannot_be_inspected_is_one_line(tmp_path, class_folders, capsys):
    draw = np.random.default_rng(2)
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, pictures=draw.integers(0, 255, (4, 8, 8), np.uint8), labels=list("abab"))
    (tmp_path / "empty").mkdir()
    folder = str(class_folders)
    rows = [
        ([str(tmp_path / "none")], "does not exist"),
        ([str(tmp_path / "empty")], "is empty"),
        ([str(arrays), "--write", str(tmp_path / "x.csv")], "leave out --write"),
        ([folder, "--write", str(tmp_path / "x.txt")], "must end in .csv"),
        ([folder, "--write", str(tmp_path / "no" / "x.csv")], "in a folder that exists"),
        ([folder, "--report", str(tmp_path / "x.png")], "name of a picture"),
        ([folder, "--model", str(tmp_path / "none")], "does not exist"),
        ([folder, "--raport", "x"], "--report"),
    ]
    for words, expected in rows:
        assert main(["inspect", *words]) == 2, words
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_few_pictures_of_one_class(tmp_path, pictures):
    draw = np.random.default_rng(3)
    for number in range(pictures):
        save(tmp_path, f"a/{number}.png", textured(draw))
    found = saccade.inspect(tmp_path)
    assert found.suggestions == 0 and found.notes and found.few == ("a",)


def test_an_embedder_takes_the_place_of_pixels(tmp_path, class_folders):
    found = saccade.inspect(class_folders, model="pixels")
    assert len(found.samples) == 36 and not found.found["exact"]


# --- the parts, each against its definition ---------------------------------------------------


def test_measures_are_those_of_numpy_and_scipy():
    picture = np.random.default_rng(4).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    image = Image.fromarray(picture)
    found = dict(zip(FIGURES, measure(image).tolist(), strict=True))
    grey = np.asarray(image.convert("L"), np.float64)
    assert found["mean"] == pytest.approx(grey.mean(), abs=1e-3)
    assert found["low"] == np.quantile(grey, 0.05, method="inverted_cdf")
    assert found["high"] == np.quantile(grey, 0.95, method="inverted_cdf")
    assert found["black"] == pytest.approx((grey <= 1).mean(), abs=1e-6)
    assert found["white"] == pytest.approx((grey >= 254).mean(), abs=1e-6)
    assert found["spread"] == (picture.max((0, 1)).astype(int) - picture.min((0, 1))).max()
    variance = laplace(grey, mode="nearest").var()
    assert found["detail"] == pytest.approx(np.log(variance + 0.01), abs=1e-4)


def test_sharpness_asks_the_edges_and_not_what_is_smooth_beside_them():
    def sharpness(share, blur):
        ramp = np.clip((np.arange(200) - 200 * share) / blur + 0.5, 0, 1)
        grey = np.repeat((255 * ramp).astype(np.uint8)[None], 200, axis=0)
        figures = measure(Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)))
        return figures[FIGURES.index("sharpness")]

    assert sharpness(0.2, 1) == pytest.approx(sharpness(0.8, 1), abs=0.05)
    assert sharpness(0.5, 1) > sharpness(0.5, 4) > sharpness(0.5, 30)


@pytest.mark.parametrize("window", [(0, 9, 9), (0, 9, 14), (1, 9, 9), (2, 7, 12)])
def test_resampling_is_pillows(window):
    start, stop, size = window
    picture = np.random.default_rng(5).random((9, 9)).astype(np.float32)
    whole = Image.fromarray(picture[start:stop, start:stop])
    expected = np.asarray(whole.resize((size, size), Image.Resampling.BILINEAR))
    change = sampled(9, start, stop, size)
    assert np.allclose(change @ picture @ change.T, expected, atol=1e-5)


def test_differences_are_gradient_correlations_and_undo_what_was_done():
    draw = np.random.default_rng(6)
    whole = draw.integers(0, 256, (12, 12), dtype=np.uint8)
    other = draw.integers(0, 256, (12, 12), dtype=np.uint8)
    cut = np.asarray(Image.fromarray(whole[1:, :-1]).resize((12, 12), Image.Resampling.BILINEAR))
    small = np.stack([whole, other, cut, np.roll(whole, 1, axis=1), 255 - whole])[:, None]
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [0, 0]])
    axes = [changes(12, 1.0), changes(12, 1.0)]
    plain = differences(small, pairs, [axis[:1] for axis in axes])

    def gradients(picture):
        values = picture.astype(np.float64)
        return np.concatenate([np.diff(values, axis=0).ravel(), np.diff(values, axis=1).ravel()])

    for place, (a, b) in enumerate(pairs.tolist()):
        one, two = gradients(small[a, 0]), gradients(small[b, 0])
        expected = 1 - one @ two / np.sqrt((one @ one) * (two @ two))
        assert plain[place] == pytest.approx(expected, abs=1e-5)
    tried = differences(small, pairs, axes)
    assert tried[1] < 1e-3 and tried[2] < 1e-5 and tried[4] < 1e-5
    assert tried[0] > 0.5 and tried[3] > 0.5
    assert np.allclose(resized(5, 5), np.eye(5))


def test_merged_keeps_the_best_of_each_pair():
    first = Proposed(np.array([[3, 1], [2, 2], [0, 1]]), np.float32([0.5, 1.0, 0.0]))
    second = Proposed(np.array([[1, 3], [0, 2]]), np.float32([0.9, 0.1]))
    found = merged([first, second])
    assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 3]]
    assert found.alike.tolist() == pytest.approx([0.0, 0.1, 0.9])


def test_answers_are_held_out_and_calibration_is_the_best_power():
    draw = np.random.default_rng(7)
    targets = draw.integers(0, 3, 300)
    rows = draw.normal(size=(300, 8)) + 3 * np.eye(3, 8)[targets]
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    shares = held_out_shares(rows, targets, seed=0, threads=1)
    assert np.allclose(shares.sum(axis=1), 1) and (shares.argmax(axis=1) == targets).mean() > 0.9
    # Labels that say nothing are answered no better than by chance: no picture saw its own.
    random = held_out_shares(rows, draw.permutation(targets), seed=0, threads=1)
    assert (random.argmax(axis=1) == targets).mean() < 0.5
    sure = calibrated(shares, targets)

    def loss(power):
        raised = shares**power
        return -np.log((raised / raised.sum(1, keepdims=True))[np.arange(300), targets]).mean()

    best = min(np.linspace(0.2, 8, 400), key=loss)
    assert -np.log(sure[np.arange(300), targets]).mean() == pytest.approx(loss(best), abs=1e-3)


def test_digests_are_of_the_pixels_whatever_the_file(tmp_path):
    picture = textured(np.random.default_rng(8))
    samples = [
        Sample(save(tmp_path, f"x/{name}", picture), "x") for name in ("a.png", "b.bmp", "c.ppm")
    ]
    looked = look([*samples, Sample(Path("array"), "x", array=picture)])
    expected = hashlib.sha256(b"(40, 40)" + picture.tobytes()).digest()
    assert {row.tobytes() for row in looked.digests} == {expected}
    assert looked.formats == ["PNG", "BMP", "PGM/PPM", "array"]


def test_a_table_is_divided_by_its_column_part(tmp_path):
    table = tmp_path / "t.csv"
    rows = [["a.png", "x", "train"], ["b,\n.png", "y", "test"], ["c.png", "x", "train"]]
    write_table(table, ["path", "label", "part"], rows)
    assert [one.path.name for one in read_table(table / "train")] == ["a.png", "c.png"]
    assert read_table(table / "test")[0].metadata == {}
    with pytest.raises(InputError, match="no row whose part is val"):
        saccade.read_data(table / "val")
    write_table(table, ["path", "label", "part"], [*rows, ["d.png", "x", "left"]])
    assert len(saccade.read_data(table)) == 4
    with pytest.raises(InputError, match="rename that file"):
        write_table(table, ["path", "label"], [["\udcff.png", "x"]])


@needs_data
@pytest.mark.slow
def test_photographs_and_faces(planting, tmp_path):
    faces = saccade.inspect(Path(DATA) / "faces_orl")
    assert not faces.found["exact"] and not faces.found["near"]
    files = sorted((Path(DATA) / "bccd" / "JPEGImages").glob("*.jpg"))[:200]
    pictures = [np.array(Image.open(file).convert("RGB")) for file in files]
    truth = planting.plant(pictures, ["ab"[n % 2] for n in range(len(files))], tmp_path / "bccd")
    found = planting.judged("bccd", tmp_path / "bccd", truth)
    assert found["exact"] == 25 and found["near"] >= 23
    assert found["of_pictures"] <= 0.01


def test_a_copy_that_is_only_brighter_is_near_not_exact(tmp_path):
    digits = load_digits()
    pictures = np.round(digits.images[:60] * 7).astype(np.uint8)
    copies = np.concatenate([pictures, pictures[:3] * 2])
    labels = [str(one) for one in digits.target[:60]]
    write_folders(tmp_path / "data", copies, [*labels, *labels[:3]])
    found = saccade.inspect(tmp_path / "data")
    assert len(found.found["near"]) == 3 and not found.found["exact"]
    for one in found.found["near"]:
        assert one.evidence == "gradients differ by 0.0000" and one.score >= 0


def test_votes_are_the_weights_of_each_class():
    draw = np.random.default_rng(0)
    rows, targets = draw.normal(size=(40, 6)).astype(np.float32), draw.integers(0, 4, 40)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    found = _votes(rows, targets, 4, rows[:5], 1)
    for query, votes in zip(rows[:5].astype(np.float64), found, strict=True):
        squared = ((rows - query) ** 2).sum(axis=1).clip(1e-6)
        near = np.argsort(squared)[:10]
        weights = np.exp(-0.5 * squared[near] / squared[near][4])
        wanted = [weights[targets[near] == name].sum() for name in range(4)]
        np.testing.assert_allclose(votes, wanted, rtol=1e-3)


def test_labels_of_too_many_classes_are_not_judged(monkeypatch):
    rows = np.eye(20, dtype=np.float32)
    labels = [str(number % 4) for number in range(20)]
    monkeypatch.setattr("saccade.judge.label_errors.MOST_ANSWERS", 79)
    doubts, note = doubted_labels(rows, labels)
    assert doubts == [] and "20 pictures of 4 classes need too much memory" in note


# Pictures with boxes, or masks


@pytest.mark.parametrize("kind", ["boxes", "masks"])
def test_pictures_without_labels_are_looked_at_without_them(tmp_path, capsys, kind):
    root = tmp_path / "shapes"
    write_shapes(root, parts={"train": 12, "val": 4})
    if kind == "masks":
        for file in root.rglob("*.json"):
            file.unlink()
    copied = root / "val" / "000.png"
    copied.write_bytes((root / "train" / "003.png").read_bytes())
    assert main(["inspect", str(root), "--report", str(tmp_path / "page.html")]) == 1
    told = capsys.readouterr().out
    assert "parts     train 12, val 4" in told and "classes" not in told
    assert "these pictures have none" in told and "val/000.png  " in told
    assert "16 pictures." in (tmp_path / "page.html").read_text()
    assert len(saccade.inspect(root).found["leak"]) == 1
    table = tmp_path / "table.csv"
    assert main(["inspect", str(root), "--write", str(table)]) == 2
    line = capsys.readouterr().err
    assert "hold boxes or masks" in line and line.count("\n") == 1 and not table.exists()


def test_a_class_may_be_called_masks(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (12, 9, 9), np.uint8)
    root = write_folders(tmp_path / "data", pictures, ["faces", "masks"] * 6)
    assert dict(saccade.inspect(root).classes) == {"faces": 6, "masks": 6}
