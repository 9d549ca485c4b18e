"""The contract of every reader, what each refuses, and the parts train, val and test."""

import csv
import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import saccade
from saccade.data import arrays, idx
from saccade.data.batches import load_pictures, load_readable
from saccade.data.pictures import read_picture, suit
from saccade.data.readers import READERS, choose_part, column, find_parts, read_data
from saccade.errors import InputError, PictureError
from saccade.values import Sample
from tests.writers import (
    WRITERS,
    idx_bytes,
    write_arrays,
    write_folders,
    write_idx,
    write_table,
)

LABELS = [str(number // 6) for number in range(36)]
SETTINGS = {
    "train.epochs": 2,
    "train.threads": 1,
    "train.precision": "float32",  # Auto measures, and may choose otherwise.
    "model.width": 4,
    "model.dimension": 8,
}


@pytest.fixture(scope="module")
def grey(shapes):
    """(36, 24, 24) uint8, six classes of six."""
    return np.ascontiguousarray(shapes[0][..., 1])


def shown(samples):
    return [(str(sample.path), sample.label) for sample in samples]


# The contract


def test_every_reader_has_a_writer():
    assert set(WRITERS) == set(READERS)


@pytest.mark.parametrize("name", READERS)
def test_what_was_written_is_read(name, grey, tmp_path):
    source = WRITERS[name](tmp_path / "data", grey, LABELS)
    assert next(one for one, reader in READERS.items() if reader.fits(source)) == name
    samples = read_data(source)
    assert [sample.label for sample in samples] == LABELS
    for sample, picture in zip(samples, grey, strict=True):
        np.testing.assert_array_equal(read_picture(sample), picture[:, :, None].repeat(3, 2))
    assert suit(samples, longest=64) == ((24, 24), 1)
    loaded = load_pictures(samples, size_hw=(24, 24), channels=1)
    np.testing.assert_array_equal(loaded[:, 0].numpy(), grey)


@pytest.mark.parametrize("name", READERS)
def test_the_order_and_the_names_are_stable(name, grey, tmp_path):
    source = WRITERS[name](tmp_path / "data", grey, LABELS)
    samples = read_data(str(source))
    assert shown(samples) == shown(read_data(source))
    assert len({sample.path for sample in samples}) == len(samples), "every name is its own"
    assert all(sample.path.is_relative_to(tmp_path) for sample in samples)


def breaking(name, root, pictures):
    """Write a data set of which one picture, or the whole file, cannot be read; returns both."""
    source = WRITERS[name](root, pictures, LABELS)
    if name in ("folders", "csv"):
        broken = sorted(root.rglob("*.png"))[7]
        broken.write_bytes(broken.read_bytes()[:60])
        return source, broken
    source.write_bytes(source.read_bytes()[:-40])
    return source, source


@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_named(name, grey, tmp_path):
    source, broken = breaking(name, tmp_path / "data", grey)
    with pytest.raises(InputError, match=broken.name) as caught:
        load_pictures(read_data(source), size_hw=(24, 24), channels=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_the_same_pictures_train_the_same_model(name, grey, tmp_path):
    prints = []
    for form in ("folders", name):
        source = WRITERS[form](tmp_path / form / "data", grey, LABELS)
        out = tmp_path / f"run-{len(prints)}"
        run = saccade.train(source, out=out, settings=SETTINGS)
        assert run.validation is not None and (out / "report.html").is_file()
        prints.append((run.model.fingerprint, run.validation.rank_1, run.model.threshold))
    assert prints[0] == prints[1]


def test_a_gallery_enrols_pictures_without_files(grey, tmp_path):
    samples = read_data(write_idx(tmp_path / "data", grey, LABELS))
    model = saccade.load("pixels")
    with saccade.Gallery.create(tmp_path / "gallery", embedder=model) as gallery:
        done = gallery.enrol(samples[:3])
        assert [item.status for item in done] == ["enrolled"] * 3
        assert done[0].picture.endswith("images-idx3-ubyte.gz#0")
        assert [item.status for item in gallery.enrol(samples[:4])][:3] == ["unchanged"] * 3
    np.testing.assert_array_equal(
        model.embed(samples[:2]), model([read_picture(sample) for sample in samples[:2]])
    )


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4), np.float32),
        np.zeros((0, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused_by_its_name(array):
    sample = Sample(Path("odd.npz#3"), "a", array=array)
    for read in (read_picture, lambda one: suit([one], longest=64)):
        with pytest.raises(PictureError, match=r"odd\.npz#3 must be \(H, W\) or \(H, W, 3\)"):
            read(sample)


# Parts


def test_train_val_and_test_of_folders_are_never_mixed(grey, tmp_path):
    for name in ("train", "val", "test"):
        write_folders(tmp_path / "data" / name, grey, LABELS)
    found = find_parts(tmp_path / "data")
    assert found == {name: tmp_path / "data" / name for name in ("train", "val", "test")}
    with pytest.raises(InputError, match="divided into train, val, test; name one of them"):
        read_data(tmp_path / "data")
    assert choose_part(tmp_path / "data", ("test", "val")) == found["test"]
    assert len(read_data(found["val"])) == 36
    (tmp_path / "data" / "notes").mkdir()
    assert find_parts(tmp_path / "data") == found, "a folder without a picture is passed over"
    write_folders(tmp_path / "data" / "extra", grey, LABELS)
    with pytest.raises(InputError, match="beside them 'extra'"):
        find_parts(tmp_path / "data")


def test_a_class_may_be_called_train(grey, tmp_path):
    write_folders(tmp_path, grey[:12], ["train", "test", "bus"] * 4)
    assert find_parts(tmp_path) == {}
    assert {sample.label for sample in read_data(tmp_path)} == {"train", "test", "bus"}
    write_folders(tmp_path / "train" / "deeper", grey[:1], ["x"])
    assert find_parts(tmp_path) == {}
    assert choose_part(tmp_path, ("test",)) == tmp_path


def test_only_train_is_not_judged(grey, tmp_path):
    write_folders(tmp_path / "train", grey, LABELS)
    with pytest.raises(InputError, match=r"no part val, only train; name .*train it"):
        saccade.evaluate("pixels", tmp_path)
    assert saccade.evaluate("pixels", tmp_path / "train").pictures == 36


def test_the_parts_of_idx_files(grey, tmp_path):
    train = write_idx(tmp_path, grey, LABELS, prefix="train-")
    test = write_idx(tmp_path, grey[:9], LABELS[:9], prefix="t10k-", packed=False)
    assert find_parts(tmp_path) == {"train": train, "test": test}
    assert find_parts(train) == {}
    assert saccade.evaluate("pixels", tmp_path, open_test=True).pictures == 9
    run = saccade.train(tmp_path, out=tmp_path / "run", settings=SETTINGS)
    assert "36 pictures" in run.model.card["provenance"]
    write_idx(tmp_path, grey, LABELS, prefix="letters-train-")
    with pytest.raises(InputError, match="two sets for train"):
        find_parts(tmp_path)


def test_of_plain_and_packed_the_plain_file_is_read(grey, tmp_path):
    write_idx(tmp_path, grey, LABELS)
    plain = write_idx(tmp_path, grey, LABELS, packed=False)
    assert read_data(tmp_path)[0].path == plain.with_name(f"{plain.name}#0")
    write_idx(tmp_path, grey, LABELS, prefix="other-")
    with pytest.raises(InputError, match="holds 2 files of pictures; name one"):
        read_data(tmp_path)


def test_a_part_val_of_other_classes_gives_the_scores(grey, tmp_path):
    write_folders(tmp_path / "train", grey[:24], LABELS[:24])
    write_folders(tmp_path / "val", grey[24:], LABELS[24:])
    run = saccade.train(tmp_path, out=tmp_path / "run", settings=SETTINGS)
    assert run.model.card["classes"] == ["0", "1", "2", "3"]
    assert f"on {tmp_path.name}, 24 pictures" in run.model.card["provenance"]
    assert (run.validation.pictures, run.validation.identities) == (12, 2)
    whole = saccade.train(
        tmp_path, out=tmp_path / "run-0", settings={**SETTINGS, "data.validation": 0}
    )
    assert whole.validation is None


def test_a_part_val_of_the_same_classes_is_left_alone(grey, tmp_path):
    write_folders(tmp_path / "train", grey, LABELS)
    write_folders(tmp_path / "val", grey, LABELS)
    alone = saccade.train(tmp_path / "train", out=tmp_path / "a", settings=SETTINGS)
    both = saccade.train(tmp_path, out=tmp_path / "b", settings=SETTINGS)
    assert both.model.fingerprint == alone.model.fingerprint
    assert both.validation.pictures == 12, "two of the six classes of train"


def test_divided_data_without_train_are_not_learned_from(grey, tmp_path):
    write_folders(tmp_path / "test", grey, LABELS)
    with pytest.raises(InputError, match="have no part train, only test"):
        saccade.train(tmp_path, out=tmp_path / "run")


# Broken pictures


def test_what_can_be_read_is_trained_and_judged_as_if_the_rest_were_not_there(grey, tmp_path):
    few = {**SETTINGS, "data.broken": 0.06}
    for name in ("whole", "broken"):
        write_folders(tmp_path / name, grey, LABELS)
    for number in (2, 20):
        file = tmp_path / "broken" / LABELS[number] / f"{number:03}.png"
        file.write_bytes(file.read_bytes()[:60])
        (tmp_path / "whole" / LABELS[number] / f"{number:03}.png").unlink()
    whole = saccade.train(tmp_path / "whole", out=tmp_path / "a", settings=few)
    run = saccade.train(tmp_path / "broken", out=tmp_path / "b", settings=few)
    assert run.model.fingerprint == whole.model.fingerprint
    assert sorted(Path(item.picture).name for item in run.broken) == ["002.png", "020.png"]
    assert all(item.picture in item.reason for item in run.broken)
    scores = saccade.evaluate(run.model, tmp_path / "broken", broken=0.06)
    assert scores.rank_1 == saccade.evaluate(run.model, tmp_path / "whole").rank_1
    assert len(scores.broken) == len(scores.to_dict()["broken"]) == 2


def test_a_class_that_is_wholly_broken_is_not_learned(grey, tmp_path):
    write_folders(tmp_path / "data", grey, LABELS)
    for file in (tmp_path / "data" / "0").iterdir():
        file.write_bytes(b"")
    run = saccade.train(
        tmp_path / "data",
        out=tmp_path / "run",
        settings={**SETTINGS, "data.broken": 0.2, "data.validation": 0},
    )
    assert run.model.card["classes"] == ["1", "2", "3", "4", "5"]
    assert len(run.broken) == 6


@pytest.mark.parametrize("allowed", [0.0, 0.05, 1.0])
def test_more_than_the_allowed_share_stops(grey, tmp_path, allowed):
    source = write_folders(tmp_path / "data", grey, LABELS)
    files = sorted(source.rglob("*.png"))
    for file in files if allowed == 1 else files[3:5]:
        file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(InputError, match=r"of 36 pictures cannot be read.*00\d\.png"):
        saccade.train(source, out=tmp_path / "run", settings={**SETTINGS, "data.broken": allowed})
    with pytest.raises(InputError, match="of 36 pictures cannot be read"):
        saccade.evaluate("pixels", source, broken=allowed)
    assert not (tmp_path / "run").exists()


def test_readable_pictures_keep_their_order(grey, tmp_path):
    samples = read_data(write_folders(tmp_path / "data", grey, LABELS))
    for row in (0, 17, 35):
        samples[row].path.write_bytes(b"x")
    pictures, broken = load_readable(samples, size_hw=(24, 24), channels=1)
    rows = [row for row in range(36) if row not in (0, 17, 35)]
    np.testing.assert_array_equal(pictures[:, 0].numpy(), grey[rows])
    assert list(broken) == [0, 17, 35]
    assert all(str(samples[row].path) in reason for row, reason in broken.items())


# Tables


def table(tmp_path, text, encoding="utf-8"):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    return tmp_path / "t.csv"


def test_a_table_keeps_other_columns_as_metadata(tmp_path, grey):
    samples = read_data(write_table(tmp_path / "data", grey, LABELS))
    assert column(samples, "number") == [str(number) for number in range(36)]
    with pytest.raises(InputError, match="no metadata 'nmber'; did you mean 'number'"):
        column(samples, "nmber")


def test_odd_but_right_tables(tmp_path):
    text = '\ufefflabel, path\r\nann,"a\nb,""c"".png"\r\n\r\nbo,/abs/x.png\r\ncy,../y.png\r\n'
    samples = read_data(table(tmp_path, text))
    assert shown(samples) == [
        (str(tmp_path / 'a\nb,"c".png'), "ann"),
        ("/abs/x.png", "bo"),
        (str(tmp_path / "../y.png"), "cy"),
    ]


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_any_table_is_read_back_or_refused_in_one_line(tmp_path_factory, rows):
    stream = io.StringIO()
    csv.writer(stream).writerows([("path", "label", "note"), *rows])
    place = table(tmp_path_factory.getbasetemp(), stream.getvalue())
    if any(not path.strip() or not label.strip() for path, label, _ in rows):
        with pytest.raises(InputError, match=r"t\.csv line \d+: the (path|label) is empty"):
            read_data(place)
    else:
        found = [(s.path, s.label, s.metadata["note"]) for s in read_data(place)]
        assert found == [(place.parent / path, label, note) for path, label, note in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: there is no column 'path'"),
        ("file,label\nx.png,a\n", "no column 'path'; known: file, label"),
        ("paht,label\nx.png,a\n", "did you mean 'paht'"),
        ("path,class\nx.png,a\n", "no column 'label'"),
        ("path,label,label\nx.png,a,b\n", "'label' stands twice"),
        ("path,label\n", "no row below its header"),
        ("path,label\nx.png,a\ny.png,\n", "line 3: the label is empty"),
        ("path,label\nx.png,a\n ,b\n", "line 3: the path is empty"),
        ('path,label\n"x\n.png",a\ny.png\n', "line 4: 2 cells are needed.*Got 1"),
        ("path,label\nx.png,a,b\n", "line 2: 2 cells are needed.*Got 3"),
        ('path,label\n"x.png,a\n', "unexpected end of data"),
        ("path,label\n" + "x" * 200_000 + ",a\n", "field larger than"),
        ("path,label\nx\0.png,a\n", "line 2: .*"),
    ],
)
def test_wrong_tables_are_refused_by_line(tmp_path, text, said):
    with pytest.raises(InputError, match=rf"t\.csv.*{said}"):
        read_data(table(tmp_path, text))


def test_a_table_in_another_encoding_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"t\.csv is not UTF-8"):
        read_data(table(tmp_path, "path,label\nx.png,Zoë\n", encoding="latin-1"))


# Idx files


def header(*lengths, kind=8, zeros=0):
    return struct.pack(f">HBB{len(lengths)}I", zeros, kind, len(lengths), *lengths)


IDX = {
    "cut": (idx_bytes(np.zeros((3, 4, 4), np.uint8))[:-1], "is cut short"),
    "no header": (b"\0\0", "is cut short"),
    "empty": (b"", "is cut short"),
    "longer": (idx_bytes(np.zeros((3, 4, 4), np.uint8)) + b"x", "longer than its header"),
    "floats": (header(3, 4, 4, kind=13) + bytes(192), "say type 13 in 3 axes"),
    "axes": (header(3, 16) + bytes(48), "say type 8 in 2 axes"),
    "text": (b"label,path\n", "must be an idx file"),
    "none": (header(0, 4, 4), "says it holds 0 x 4 x 4"),
    "vast": (header(2**32 - 1, 2**32 - 1, 2**32 - 1), "at most 8 GiB"),
    "bomb": (header(1, 30_000, 30_000), "100,000,000 pixels a picture"),
    "lies": (header(1000, 1000, 1000) + bytes(10), "is cut short"),
    "fewer": (idx_bytes(np.zeros((2, 4, 4), np.uint8)), "holds 2 pictures but"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("content", "said"), IDX.values(), ids=IDX)
def test_wrong_idx_files_are_refused_by_name(tmp_path, content, said, packed):
    images = write_idx(tmp_path, np.zeros((3, 4, 4), np.uint8), "012", packed=packed)
    images.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(InputError, match=f"{images.name}.*{said}"):
        read_data(tmp_path)


def test_a_packed_idx_file_cut_anywhere_is_refused(tmp_path, grey):
    images = write_idx(tmp_path, grey, LABELS)
    whole = images.read_bytes()
    for size in (*range(24), len(whole) // 2, len(whole) - 9, len(whole) - 1):
        images.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"is cut short|is damaged"):
            read_data(images)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_packed_idx_file_gives_samples_or_an_input_error(tmp_path_factory, edits):
    root = tmp_path_factory.getbasetemp() / "fuzz"
    images = write_idx(root, np.arange(48, dtype=np.uint8).reshape(3, 4, 4), "012")
    damaged = bytearray(images.read_bytes())
    for place, value in edits:
        damaged[place % len(damaged)] = value
    images.write_bytes(damaged)
    try:
        assert len(read_data(root)) == 3
    except InputError as error:
        assert images.name in str(error)


def test_missing_labels_and_an_idx_file_of_labels(tmp_path, grey):
    images = write_idx(tmp_path, grey, LABELS)
    labels = tmp_path / "labels-idx1-ubyte.gz"
    with pytest.raises(InputError, match=r"labels-idx1-ubyte\.gz is a file of another kind"):
        read_data(labels)
    labels.unlink()
    with pytest.raises(InputError, match=r"labels-idx1-ubyte\.gz does not exist"):
        read_data(images)


def test_nothing_is_reserved_for_what_a_header_promises(tmp_path, monkeypatch):
    sizes = []

    class Watched(bytearray):
        def __iadd__(self, block):
            sizes.append(len(block))
            return super().__iadd__(block)

    monkeypatch.setattr(idx, "bytearray", Watched, raising=False)
    images = write_idx(tmp_path, np.zeros((3, 4, 4), np.uint8), "012")
    images.write_bytes(gzip.compress(header(8, 2**15, 2**10) + bytes(5)))
    with pytest.raises(InputError, match="is cut short"):
        read_data(tmp_path)
    assert sum(sizes) < 100


# Archives


def test_archives_of_colour_and_of_numbered_labels(tmp_path, shapes):
    source = write_arrays(tmp_path, shapes[0], shapes[1])
    samples = read_data(source)
    assert [sample.label for sample in samples] == [str(target) for target in shapes[1]]
    assert samples[7].path.name == "data.npz#7"
    np.testing.assert_array_equal(read_picture(samples[7]), shapes[0][7])


PICTURES = np.zeros((3, 4, 4), np.uint8)
ARCHIVES = {
    "missing": ({"pictures": PICTURES}, "must hold the arrays pictures and labels. Got pictures"),
    "extra": ({"pictures": PICTURES, "labels": [0, 1, 2], "x": [0]}, "Got labels, pictures, x"),
    "floats": ({"pictures": PICTURES / 1, "labels": [0, 1, 2]}, "uint8.*Got .*float64"),
    "axes": ({"pictures": PICTURES[0], "labels": [0, 1, 2]}, r"Got \(4, 4\) uint8"),
    "four": ({"pictures": np.zeros((3, 4, 4, 4), np.uint8), "labels": [0] * 3}, "H, W, 3"),
    "none": ({"pictures": PICTURES[:0], "labels": []}, r"Got \(0, 4, 4\)"),
    "count": ({"pictures": PICTURES, "labels": [0, 1]}, "3 pictures but 2 labels"),
    "label axes": ({"pictures": PICTURES, "labels": [[0, 1, 2]]}, r"labels must be \(n,\)"),
    "label kind": ({"pictures": PICTURES, "labels": [0.5, 1, 2]}, "Got .*float64"),
    "pickle": ({"pictures": PICTURES, "labels": np.array([{}] * 3)}, "Got .*object"),
    "empty label": ({"pictures": PICTURES, "labels": ["a", "", "b"]}, "label 1 is empty"),
}


@pytest.mark.parametrize(("content", "said"), ARCHIVES.values(), ids=ARCHIVES)
def test_wrong_archives_are_refused_by_name(tmp_path, content, said):
    np.savez(tmp_path / "x.npz", **content)
    with pytest.raises(InputError, match=rf"x\.npz.*{said}"):
        read_data(tmp_path / "x.npz")


def test_an_archive_that_promises_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    head = io.BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000)}
    np.lib.format.write_array_header_1_0(head, described)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as members:
        members.writestr("pictures.npy", head.getvalue())
        members.writestr("labels.npy", b"")
    monkeypatch.setattr(arrays.np, "load", lambda *_, **__: pytest.fail("it was loaded"))
    with pytest.raises(InputError, match=r"x\.npz: pictures .* more than 8 GiB"):
        read_data(tmp_path / "x.npz")


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_archive_gives_samples_or_an_input_error(tmp_path_factory, place, value):
    file = tmp_path_factory.getbasetemp() / "fuzz.npz"
    np.savez_compressed(file, pictures=PICTURES, labels=[0, 1, 2])
    damaged = bytearray(file.read_bytes())
    damaged[place % len(damaged)] = value
    file.write_bytes(damaged)
    try:
        assert len(read_data(file)) == 3
    except InputError as error:
        assert "fuzz.npz" in str(error)


# What is none of them


def test_what_is_no_data_is_refused_with_what_would_be(tmp_path, grey):
    with pytest.raises(InputError, match="does not exist"):
        read_data(tmp_path / "none")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(InputError, match=r"x\.txt is a file of another kind; a folder is needed"):
        read_data(tmp_path / "x.txt")
    write_table(tmp_path / "t", grey, LABELS)
    (tmp_path / "t" / "files").rename(tmp_path / "files")
    with pytest.raises(InputError, match=r"holds no sub-folders; name the file, as .*data\.csv"):
        read_data(tmp_path / "t")


@pytest.mark.skipif("SACCADE_DATA" not in os.environ, reason="SACCADE_DATA is not set")
def test_fashion_mnist_is_read_whole():
    parts = find_parts(Path(os.environ["SACCADE_DATA"]) / "fashion_mnist")
    assert set(parts) == {"train", "test"}
    samples = read_data(parts["test"])
    assert len(samples) == 10_000 and {s.label for s in samples} == set("0123456789")
    assert suit(samples, longest=64) == ((32, 32), 1)
