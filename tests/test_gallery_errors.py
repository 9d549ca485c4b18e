"""Bad input: one clear line, and nothing is changed."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from saccade.errors import GalleryError, InputError, UnknownNameError
from saccade.files import sha256_file
from saccade.gallery import Gallery
from saccade.gallery import schema as schema_module
from saccade.gallery.schema import DATABASE_NAME, FORMAT_VERSION
from saccade.values import Sample
from tests.gallery_victim import TinyEmbedder, make_pictures, new_gallery

EMBEDDER = TinyEmbedder()
PAGE_BYTES = 4096
NOBODY = 65534


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("errors")
    samples = make_pictures(root / "pictures", identities=30, each=3)
    with new_gallery(root / "gallery") as gallery:
        gallery.enrol(samples)
        gallery.forget(samples[0].label)
    return root / "gallery", samples[3:]


@pytest.fixture
def folder(world, tmp_path):
    """A copy of a closed gallery, to damage."""
    return shutil.copytree(world[0], tmp_path / "gallery")


GOOD = np.eye(3, EMBEDDER.dimension)


def with_row(row, values):
    vectors = GOOD.copy()
    vectors[row] = values
    return vectors


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (with_row(1, np.nan), "row 1 holds NaN"),
        (with_row(2, np.inf), "row 2 holds NaN or infinity"),
        (with_row(0, 1e300), "row 0 holds NaN or infinity"),
        (with_row(1, 0.0), "row 1 has length zero"),
        (GOOD[:, :-1], "vectors have length 31, this gallery holds length 32"),
        (np.eye(3, EMBEDDER.dimension + 1), "vectors have length 33"),
        (GOOD[0], r"must be an array \(n, 32\) of numbers"),
        (GOOD[None], "must be an array"),
        (GOOD.astype(complex), "complex"),
        ([["a"] * EMBEDDER.dimension] * 3, "must be an array"),
    ],
)
def test_vectors_that_cannot_be_used(folder, vectors, words):
    with Gallery.open(folder) as gallery:
        generation = gallery.stats().generation
        with pytest.raises(InputError, match=words):
            gallery.enrol_vectors(vectors, ["a", "b", "c"])
        with pytest.raises(InputError, match=words):
            gallery.find_vectors(vectors)
        assert gallery.stats().generation == generation
        assert gallery.find_vectors(GOOD), "the gallery can still be used"


@pytest.mark.parametrize(
    ("identities", "names", "words"),
    [
        (["a", "b"], None, "3 vectors but 2 identities"),
        (["a", "b", ""], None, "identities row 2: .* empty"),
        (["a", " \t", "c"], None, "identities row 1: .* empty"),
        (["a", "b\x00", "c"], None, "identities row 1: .* control character"),
        (["a", "b", "c\ud800"], None, "identities row 2: .* control character"),
        (["a", "x" * 201, "c"], None, "identities row 1: .* has 201 characters; 200 are allowed"),
        (["a", "b", "c"], ["one"], "3 vectors but 1 names"),
        ("abc", None, "identities must be a list, one a vector. Got the one text 'abc'"),
        (["a", "b", "c"], "abc", "names must be a list, one a vector. Got the one text 'abc'"),
    ],
)
def test_identities_that_cannot_be_used(folder, identities, names, words):
    with Gallery.open(folder) as gallery:
        before = gallery.stats().pictures
        with pytest.raises(InputError, match=words):
            gallery.enrol_vectors(GOOD, identities, names)
        assert gallery.stats().pictures == before


@pytest.mark.parametrize(
    ("act", "kind", "words"),
    [
        (lambda gallery: gallery.find_vectors(GOOD, 0), InputError, "k must be 1 or more"),
        (lambda gallery: gallery.find([], k=-1), InputError, "k must be 1 or more, got -1"),
        (lambda gallery: gallery.forget("nobody"), UnknownNameError, "no identity 'nobody'"),
        (lambda gallery: gallery.forget(""), InputError, "empty"),
        (lambda gallery: gallery.thumbnail(10**6), InputError, "no picture 1000000"),
        (lambda gallery: gallery.set_threshold(1.5), InputError, "between -1 and 1, got 1.5"),
        (lambda gallery: gallery.set_threshold(float("nan")), InputError, "got nan"),
        (
            lambda gallery: gallery.enrol([Sample("x.png", "x")]),
            GalleryError,
            "without an embedder",
        ),
        (lambda gallery: gallery.find(["x.png"]), GalleryError, "without an embedder"),
    ],
)
def test_requests_that_cannot_be_answered(folder, act, kind, words):
    with Gallery.open(folder) as gallery, pytest.raises(kind, match=words) as caught:
        act(gallery)
    assert "\n" not in str(caught.value)


def test_a_vector_has_no_thumbnail(folder):
    with Gallery.open(folder) as gallery:
        (outcome,) = gallery.enrol_vectors(GOOD[:1], ["a"])
        with pytest.raises(InputError, match="enrolled as a vector"):
            gallery.thumbnail(outcome.picture_id)


def test_a_query_that_is_no_picture(folder, tmp_path):
    with Gallery.open(folder, embedder=EMBEDDER) as gallery:
        (found,) = gallery.find([tmp_path / "missing.png"])
        assert "does not exist" in found.reason and not found.known and not found.hits
        with pytest.raises(InputError, match="Got one path"):
            gallery.find(str(tmp_path / "missing.png"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (np.ones((1, 5)), r"returned shape \(1, 5\)"),
        (np.full((1, 32), np.nan), "NaN"),
        (np.zeros((1, 32)), "length zero"),
    ],
)
def test_an_embedder_that_answers_badly(world, folder, answer, words):
    class Broken(TinyEmbedder):
        def __call__(self, pictures):
            return answer

    with (
        Gallery.open(folder, embedder=Broken()) as gallery,
        pytest.raises(GalleryError, match=words),
    ):
        gallery.find([world[1][0].path])


@pytest.mark.parametrize("other", [TinyEmbedder(seed=1), TinyEmbedder(dimension=16)])
def test_another_embedder_is_refused(folder, other):
    with pytest.raises(GalleryError) as caught:
        Gallery.open(folder, embedder=other)
    message = str(caught.value)
    assert EMBEDDER.fingerprint[:8] in message and other.fingerprint[:8] in message
    assert "open it with the model that made it" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fingerprint": "", "dimension": 4}, "fingerprint"),
        ({"fingerprint": "f", "dimension": 0}, "dimension of 1 or more"),
        ({"fingerprint": "f", "dimension": 4, "threshold": 2.0}, "between -1 and 1"),
    ],
)
def test_a_gallery_that_cannot_be_made(tmp_path, arguments, words):
    with pytest.raises(InputError, match=words):
        Gallery.create(tmp_path / "g", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_where_something_stands(folder, tmp_path):
    digest = sha256_file(folder / DATABASE_NAME)
    with pytest.raises(GalleryError, match="is a gallery already"):
        new_gallery(folder)
    assert sha256_file(folder / DATABASE_NAME) == digest
    (tmp_path / "file").write_text("text")
    with pytest.raises(GalleryError, match="is a file"):
        new_gallery(tmp_path / "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("text")
    with pytest.raises(GalleryError, match="is not empty"):
        new_gallery(tmp_path / "full")
    (tmp_path / "hollow").mkdir()
    new_gallery(tmp_path / "hollow").close()
    new_gallery(tmp_path / "not" / "yet" / "there").close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "file",
        "full",
        "gallery",
        "hollow",
        "not",
    ]


def test_a_crash_while_making_leaves_no_gallery(tmp_path, monkeypatch):
    def crash(*arguments):
        raise KeyboardInterrupt

    for step in ("_write_tables", "sync"):
        with monkeypatch.context() as patch:
            patch.setattr(schema_module, step, crash)
            with pytest.raises(KeyboardInterrupt):
                new_gallery(tmp_path / "g")
        with pytest.raises(GalleryError, match="does not exist"):
            Gallery.open(tmp_path / "g")


def missing(folder):
    shutil.rmtree(folder)


def a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("text")


def no_database(folder):
    (folder / DATABASE_NAME).unlink()


def empty_database(folder):
    (folder / DATABASE_NAME).write_bytes(b"")


def text_database(folder):
    (folder / DATABASE_NAME).write_text("this is no database, it is a letter to a friend" * 200)


def random_header(folder):
    with (folder / DATABASE_NAME).open("r+b") as stream:
        stream.write(random.Random(0).randbytes(100))


def truncated(folder):
    os.truncate(folder / DATABASE_NAME, 10 * PAGE_BYTES + 100)


def truncated_to_one_page(folder):
    os.truncate(folder / DATABASE_NAME, PAGE_BYTES)


def foreign_database(folder):
    (folder / DATABASE_NAME).unlink()
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.execute("CREATE TABLE holiday (place TEXT)")
    connection.close()


def newer_format(folder):
    connection = sqlite3.connect(folder / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing, "does not exist"),
        (a_file, "is a file; a gallery is a folder"),
        (no_database, "holds no gallery"),
        (empty_database, "not a gallery"),
        (text_database, "not a SQLite file"),
        (random_header, "not a SQLite file"),
        (truncated, "is damaged: database disk image is malformed"),
        (truncated_to_one_page, "is damaged"),
        (foreign_database, "is a SQLite file but not a gallery"),
        (newer_format, f"format version 99, this Saccade reads up to {FORMAT_VERSION}"),
    ],
)
def test_what_cannot_be_opened_is_not_touched(folder, damage, words):
    damage(folder)
    path = folder / DATABASE_NAME
    digest = sha256_file(path) if path.exists() else None
    with pytest.raises(GalleryError, match=words) as caught:
        Gallery.open(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert (sha256_file(path) if path.exists() else None) == digest


def test_a_scrambled_page_is_said_and_not_touched(world, tmp_path):
    """Every page in turn; only pages that hold nothing (if any) may pass."""
    source, samples = world
    path = tmp_path / "gallery" / DATABASE_NAME
    pages = (source / DATABASE_NAME).stat().st_size // PAGE_BYTES
    assert pages > 25
    draw = random.Random(0)
    for page in range(1, pages):
        shutil.rmtree(tmp_path / "gallery", ignore_errors=True)
        shutil.copytree(source, tmp_path / "gallery")
        with path.open("r+b") as stream:
            stream.seek(page * PAGE_BYTES)
            stream.write(draw.randbytes(PAGE_BYTES))
        digest = sha256_file(path)
        with pytest.raises(GalleryError), Gallery.open(path.parent, embedder=EMBEDDER) as gallery:
            gallery.check()
        assert sha256_file(path) == digest, page
        use_everything(path.parent, samples)
        assert sha256_file(path) == digest, page


def use_everything(folder, samples):
    """Each use says GalleryError or gives the right answer."""
    labels = sorted({sample.label for sample in samples})
    try:
        gallery = Gallery.open(folder, embedder=EMBEDDER)
    except GalleryError:
        return
    with gallery:
        for use in (
            lambda: [info.name for info in gallery.identities()] == labels,
            lambda: (
                [found.identity for found in gallery.find([s.path for s in samples[:9]], k=1)]
                == [sample.label for sample in samples[:9]]
            ),
            lambda: gallery.stats().dimension == EMBEDDER.dimension,
        ):
            try:
                right = use()
            except GalleryError as error:
                assert "\n" not in str(error)
            else:
                assert right


def test_scrambled_contents_are_said_on_use(folder, world):
    """The bytes of a vector, a name and a thumbnail, where the page stays whole."""
    connection = sqlite3.connect(folder / DATABASE_NAME)
    for shelf in ("vectors", "names", "thumbnails", "labels"):
        connection.execute(
            f"UPDATE {shelf} SET content = randomblob(length(content)) WHERE slot = 20"
        )
    connection.commit()
    connection.close()
    with Gallery.open(folder, embedder=EMBEDDER) as gallery:
        with pytest.raises(GalleryError, match="vector cannot be read"):
            gallery.find([world[1][0].path])
        with pytest.raises(GalleryError, match="name cannot be read"):
            gallery.identities()
        with pytest.raises(GalleryError, match="thumbnail cannot be read"):
            gallery.thumbnail(20)
        with pytest.raises(GalleryError, match="damaged"):
            gallery.check()


def test_a_closed_gallery(folder):
    gallery = Gallery.open(folder)
    gallery.close()
    gallery.close()
    with pytest.raises(GalleryError, match="was closed; open it again"):
        gallery.identities()


READ_ONLY = """
import os, sys, tempfile
import numpy as np
from saccade.errors import GalleryError
from saccade.gallery import Gallery
# Load what is loaded late: another user may not be allowed to read the program's own files.
with tempfile.TemporaryDirectory() as place:
    with Gallery.create(place + "/g", fingerprint="f" * 64, dimension=2) as own:
        own.enrol_vectors(np.eye(2), ["a", "b"])
        own.find_vectors(np.eye(1, 2))
        own.forget("a")
if os.getuid() == 0:
    os.setuid(int(sys.argv[2]))
try:
    gallery = Gallery.open(sys.argv[1])
    print(len(gallery.find_vectors(np.eye(1, gallery.dimension), 3)[0].hits))
    gallery.forget("anybody")
except GalleryError as error:
    print(error)
"""


def as_reader(folder):
    """Open, find and forget in a process that may not write in ``folder``; returns its lines."""
    answer = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(folder), str(NOBODY)],
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.splitlines()


@pytest.fixture
def closed_folder(folder):
    """A gallery in a folder that its reader can enter but not write in."""
    # Outside of pytest's own folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        target = shutil.copytree(folder, Path(root) / "gallery")
        yield target
        target.chmod(0o755)


def test_a_read_only_gallery_can_be_searched(closed_folder):
    names = sorted(path.name for path in closed_folder.iterdir())
    closed_folder.chmod(0o555)
    found, refusal = as_reader(closed_folder)
    assert found == "3"
    assert "is read-only for this user" in refusal
    assert sorted(path.name for path in closed_folder.iterdir()) == names


def test_a_read_only_gallery_that_was_not_closed(closed_folder, world):
    """Its last writes stand in the write-ahead log, which SQLite cannot read without writing."""
    with Gallery.open(closed_folder) as gallery:
        gallery.enrol_vectors(GOOD, ["a", "b", "c"])
        log = (closed_folder / f"{DATABASE_NAME}-wal").read_bytes()
    (closed_folder / f"{DATABASE_NAME}-wal").write_bytes(log)
    closed_folder.chmod(0o555)
    (refusal,) = as_reader(closed_folder)
    assert "not closed cleanly" in refusal
