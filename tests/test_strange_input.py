"""Strange input, each with one outcome: it works, is left out by name, or one line and exit 2."""

import gzip
import io
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from saccade.cli.app import main
from tests.test_bad_input import snapshot
from tests.writers import idx_bytes, write_arrays, write_folders, write_idx, write_table

LABELS = [label for label in ("ann", "bo", "cy", "di") for _ in range(3)]
SETTINGS = ["--train.epochs", "1", "--model.width", "4", "--model.dimension", "8"]
MANY = 120  # of which one broken is below 1 %


def pictures(n):
    draw = np.random.default_rng(3)
    return draw.integers(0, 256, (n, 16, 16), dtype=np.uint8)


@pytest.fixture
def people(tmp_path):
    """Class folders of four people, three grey pictures each."""
    return write_folders(tmp_path / "people", pictures(12), LABELS)


@pytest.fixture
def crowd(tmp_path):
    """Class folders of ten people, twelve grey pictures each."""
    names = [f"person{n // 12}" for n in range(MANY)]
    return write_folders(tmp_path / "crowd", pictures(MANY), names)


def answer(capsys, *words):
    """Run a command with --json; returns its exit code and the document that it printed."""
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def huge_png(width, height):
    """A whole PNG of a few kilobytes that promises ``width`` x ``height`` grey pixels."""

    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width + 1) * 8)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )


# What works. A row puts something strange into the folder of class folders.


def deep(root):
    Image.fromarray(pictures(1)[0].astype(np.uint16) * 257).save(root / "ann" / "deep.png")


def cmyk(root):
    Image.fromarray(pictures(1)[0]).convert("CMYK").save(root / "ann" / "print.jpg")


def turned(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pictures(1)[0][:, :8]).save(root / "ann" / "turned.jpg", exif=exif)


def odd_name(root):
    shutil.copy(root / "ann" / "001.png", root / "ann" / 'žluťoučký\n"😀" \\x.png')


def odd_class(root):
    (root / "ann").rename(root / "Zoë <b>\n☃")


def not_utf8(root):
    (root / "ann" / "001.png").rename(root / "ann" / "1\udcff.png")
    (root / "bo").rename(root / "b\udcfe")


def upper_case(root):
    (root / "ann" / "001.png").rename(root / "ann" / "001.PNG")
    Image.fromarray(pictures(1)[0]).save(root / "ann" / "X.JPEG", "JPEG")


def one_picture(root):
    (root / "solo").mkdir()
    shutil.copy(root / "ann" / "001.png", root / "solo" / "1.png")


def links(root):
    (root / "ann" / "link.png").symlink_to(root / "bo" / "003.png")
    (root / "linked").symlink_to(root / "cy", target_is_directory=True)


def one_pixel(root):
    Image.fromarray(pictures(1)[0][:1, :1]).save(root / "ann" / "dot.png")


def wide(root):
    Image.fromarray(np.zeros((1, 3000), np.uint8)).save(root / "ann" / "wide.png")


WORKS = {
    "16-bit PNG": (deep, 13),
    "CMYK JPEG": (cmyk, 13),
    "EXIF-turned JPEG": (turned, 13),
    "strange file names": (odd_name, 13),
    "strange class name": (odd_class, 12),
    "names that are no UTF-8": (not_utf8, 12),
    "upper-case endings": (upper_case, 13),
    "one picture in a class": (one_picture, 13),
    "symbolic links": (links, 16),
    "one pixel": (one_pixel, 13),
    "3000 x 1 pixels": (wide, 13),
}


@pytest.mark.parametrize(("put", "count"), WORKS.values(), ids=WORKS)
def test_it_works(people, tmp_path, capsys, put, count):
    put(people)
    code, done = answer(capsys, "train", people, "--out", tmp_path / "run", *SETTINGS)
    assert (code, done["broken"]) == (0, [])
    code, scores = answer(capsys, "evaluate", tmp_path / "run", people)
    assert (code, scores["pictures"], scores["broken"]) == (0, count, [])
    assert "Zoë <b>" not in (tmp_path / "run" / "evaluation.html").read_text()


# What is left out, named and counted. A row is the content of one picture of many.


def whole(kind):
    stream = io.BytesIO()
    Image.fromarray(pictures(1)[0]).save(stream, kind)
    return stream.getvalue()


LEFT_OUT = {
    "truncated JPEG": whole("JPEG")[:-60],
    "truncated PNG": whole("PNG")[:-60],
    "text": b"this is no picture\n",
    "zero bytes": b"",
    "GIF": whole("GIF"),
    "30,000 x 30,000 PNG": huge_png(30_000, 30_000),
    "11,000 x 10,000 PNG": huge_png(11_000, 10_000),
    "link that leads nowhere": None,
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("content", LEFT_OUT.values(), ids=LEFT_OUT)
def test_it_is_left_out_named_and_counted(crowd, tmp_path, capsys, content):
    bad = crowd / "person4" / "bad.png"
    if content is None:
        bad.symlink_to(crowd / "nowhere.png")
    else:
        bad.write_bytes(content)
    code, done = answer(capsys, "train", crowd, "--out", tmp_path / "run", *SETTINGS)
    assert code == 0
    assert [item["picture"] for item in done["broken"]] == [str(bad)]
    assert str(bad) in done["broken"][0]["reason"]
    assert main(["evaluate", "pixels", str(crowd)]) == 0
    text = capsys.readouterr().out
    assert f"left out   {done['broken'][0]['reason']}\n" in text
    assert "1 pictures left out, unreadable\n" in text


def test_ten_are_named_and_all_are_counted(crowd, tmp_path, capsys):
    for file in sorted(crowd.rglob("*.png"))[:100:7]:
        file.write_bytes(b"x")
    words = ["train", crowd, "--out", tmp_path / "run", *SETTINGS, "--data.broken", "0.2"]
    assert main([*map(str, words)]) == 0
    text = capsys.readouterr().out
    assert text.count("left out   ") == 10 and "15 pictures left out, unreadable\n" in text
    code, scores = answer(capsys, "evaluate", tmp_path / "run", crowd, "--data.broken", "0.2")
    assert (code, len(scores["broken"]), scores["pictures"]) == (0, 15, 105)
    assert "15 pictures" in (tmp_path / "run" / "evaluation.html").read_text()


# What is refused in one line, with exit code 2 and nothing written. A row makes it, below a folder.


def nothing(root):
    return root / "missing"


def empty(root):
    (root / "empty").mkdir()
    return root / "empty"


def too_many_broken(root):
    source = write_folders(root / "people", pictures(12), LABELS)
    (source / "ann" / "000.png").write_bytes(b"")
    return source


def table_of(text):
    def make(root):
        (root / "t.csv").write_text(text)
        return root / "t.csv"

    return make


def table_without_files(root):
    source = write_table(root / "t", pictures(12), LABELS)
    shutil.rmtree(root / "t" / "files")
    return source


def idx_of(content, name="images-idx3-ubyte.gz"):
    def make(root):
        write_idx(root / "idx", pictures(4), "0011")
        (root / "idx" / name).write_bytes(content)
        return root / "idx"

    return make


def archive_of(**content):
    def make(root):
        np.savez(root / "x.npz", **content)
        return root / "x.npz"

    return make


def archive_cut(root):
    source = write_arrays(root, pictures(4), "aabb")
    source.write_bytes(source.read_bytes()[:-100])
    return source


def both_parts_and_more(root):
    for name in ("train", "test", "more"):
        write_folders(root / "data" / name, pictures(12), LABELS)
    return root / "data"


def no_train(root):
    write_folders(root / "data" / "test", pictures(12), LABELS)
    return root / "data"


PACKED = gzip.compress(idx_bytes(pictures(4)))
REFUSED = {
    "missing path": (nothing, ["missing", "does not exist"]),
    "empty folder": (empty, ["empty", "sub-folder"]),
    "one of twelve broken": (too_many_broken, ["1 of 12", "data.broken", "000.png"]),
    "label missing": (table_of("path,label\na.png,x\nb.png,\n"), ["line 3", "label is empty"]),
    "cell missing": (table_of("path,label\na.png\n"), ["line 2", "Got 1"]),
    "unknown column": (table_of("path,lable\na.png,x\n"), ["'label'", "'lable'"]),
    "one class": (table_of("path,label\na.png,x\n"), ["one class, 'x'"]),
    "files missing": (table_without_files, ["000.png", "does not exist"]),
    "wrong axes": (idx_of(gzip.compress(idx_bytes(pictures(4)[0]))), ["in 2 axes", "3 axes"]),
    "counts differ": (idx_of(gzip.compress(idx_bytes(pictures(3)))), ["3 pictures", "4 labels"]),
    "gz cut short": (idx_of(PACKED[: len(PACKED) // 2]), ["images-idx3", "cut short"]),
    "gz is no gz": (idx_of(b"text"), ["images-idx3", "damaged"]),
    "labels cut": (idx_of(b"", "labels-idx1-ubyte.gz"), ["labels-idx1", "cut short"]),
    "npz cut": (archive_cut, ["data.npz", "damaged"]),
    "npz of objects": (
        archive_of(pictures=pictures(2), labels=np.array([{}, {}])),
        ["x.npz", "object"],
    ),
    "npz of floats": (archive_of(pictures=pictures(2) / 2, labels=[0, 1]), ["float64"]),
    "more than its parts": (both_parts_and_more, ["train, test", "'more'"]),
    "no train": (no_train, ["no part train", "only test"]),
}


@pytest.mark.parametrize(("make", "expected"), REFUSED.values(), ids=REFUSED)
def test_one_line_exit_code_2_and_nothing_written(tmp_path, capsys, monkeypatch, make, expected):
    monkeypatch.chdir(tmp_path)
    source = make(tmp_path)
    before = snapshot(tmp_path)
    code = main(["train", str(source), *SETTINGS])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("saccade: ") and said.err.count("\n") == 1
    assert [words for words in expected if words not in said.err] == [], said.err
    assert snapshot(tmp_path) == before


def test_a_name_cannot_break_the_line_or_steer_the_terminal(tmp_path, capsys):
    source = write_folders(tmp_path / "people", pictures(12), LABELS)
    (source / "ann" / "000.png").rename(source / "ann" / "0\n\x1b[31m\udcff.png")
    (source / "ann" / "0\n\x1b[31m\udcff.png").write_bytes(b"")
    assert main(["train", str(source), *SETTINGS]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and r"0\n\x1b[31m\udcff.png" in error and "\x1b" not in error


@pytest.mark.parametrize("form", ["csv", "idx", "npz"])
def test_a_gallery_takes_every_form(tmp_path, capsys, form):
    names = [str(n // 3) for n in range(12)]
    source = {"csv": write_table, "idx": write_idx, "npz": write_arrays}[form](
        tmp_path / "data", pictures(12), names
    )
    words = ("create", tmp_path / "g", "--embedder", "pixels", "--threshold-from", source)
    assert answer(capsys, *words)[0] == 0
    code, done = answer(capsys, "enrol", tmp_path / "g", source)
    assert (code, done["enrolled"]) == (0, 12)
    assert answer(capsys, "enrol", tmp_path / "g", source)[1]["unchanged"] == 12
    assert [row["name"] for row in answer(capsys, "list", tmp_path / "g")[1]] == list("0123")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_read_only_folder_for_the_run_is_refused(people, tmp_path, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert main(["train", str(people), "--out", str(tmp_path / "locked" / "run"), *SETTINGS]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_file_where_the_run_should_be_is_refused(people, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["train", str(people), "--out", str(tmp_path / "file" / "run"), *SETTINGS]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_report_that_cannot_be_written_leaves_the_old_one(people, tmp_path):
    (tmp_path / "evaluation.html").write_text("old")

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    words = [sys.executable, "-m", "saccade", "evaluate", "pixels", people]
    done = subprocess.run(
        [*map(str, words), "--report", str(tmp_path / "evaluation.html")],
        capture_output=True,
        preexec_fn=small_files,
        text=True,
        env={**os.environ, "MPLCONFIGDIR": str(tmp_path / "mpl"), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("saccade: ")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "evaluation.html").read_text() == "old"
    assert not [item for item in tmp_path.iterdir() if item.suffix == ".part"]
