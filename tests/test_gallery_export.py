"""Backups, exports, imports: equal again, and nothing is taken from what is no archive."""

import json
import multiprocessing
import os
import shutil
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saccade.cli.app import main
from saccade.errors import GalleryError, InputError, SaccadeError
from saccade.files import sha256_file
from saccade.gallery import Gallery, archive, archive_tables, importing
from saccade.values import Sample
from tests.gallery_victim import TinyEmbedder, make_pictures

EMBEDDER = TinyEmbedder()
DIMENSION = EMBEDDER.dimension


def new(folder, **more):
    return Gallery.create(
        folder, fingerprint=EMBEDDER.fingerprint, dimension=DIMENSION, embedder=EMBEDDER, **more
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A gallery of pictures with facts, terms and kept files, closed; and its samples."""
    root = tmp_path_factory.mktemp("export")
    samples = [
        Sample(one.path, one.label, metadata={"light": "day" if row % 2 else "night"})
        for row, one in enumerate(make_pictures(root / "p", identities=5, each=2))
    ]
    with new(root / "g", keep_originals=True) as gallery:
        gallery.enrol(samples)
        gallery.describe(samples[0].label, {"site": "A", "year": 2021})
        gallery.set_terms(samples[0].label, consent="2026-01-31", expires="9999-12-31")
        gallery.check()
    return root / "g", samples


def content(gallery):
    """All that is stored, without numbers of pictures and the log."""
    people = []
    for info in gallery.identities():
        shown = gallery.show(info.name)
        pictures = sorted((p.picture, sorted(p.facts.items()), p.kept) for p in shown.pictures)
        people.append(
            (
                info.name,
                shown.enrolled_at,
                dict(shown.facts),
                shown.consent,
                shown.expires,
                pictures,
            )
        )
    with gallery._database.reading() as connection:
        rows = connection.execute(
            "SELECT l.content, v.content, t.content, o.content FROM pictures p "
            "JOIN labels l ON l.slot = p.label JOIN vectors v ON v.slot = p.vector "
            "LEFT JOIN thumbnails t ON t.slot = p.thumbnail "
            "LEFT JOIN kept_files k ON k.picture = p.number "
            "LEFT JOIN originals o ON o.slot = k.original"
        ).fetchall()
    return people, sorted(rows)


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_an_export_comes_back_equal(full, tmp_path, ending):
    folder, samples = full
    out = tmp_path / f"out{ending}"
    with Gallery.open(folder) as gallery, new(tmp_path / "h") as other:
        made = gallery.export(out)
        assert (made.identities, made.pictures, made.originals) == (5, 10, 10)
        done = other.import_(out)
        assert (done.enrolled, done.unchanged, done.skipped) == (10, 0, 0)
        other.check()
        assert content(other) == content(gallery)
        again = other.import_(out)
        assert (again.enrolled, again.unchanged, again.skipped) == (0, 10, 0)
        assert content(other) == content(gallery)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h", out.name], "no rest is left"
    if not ending:
        kept = {sha256_file(path) for path in (out / "originals").iterdir()}
        assert kept == {sha256_file(sample.path) for sample in samples}


texts = st.text(min_size=1, max_size=12)


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(texts, min_size=1, max_size=4, unique=True),
    facts=st.dictionaries(texts, texts, max_size=3),
    files=texts,
)
def test_any_name_and_fact_comes_back(tmp_path_factory, names, facts, files):
    root = tmp_path_factory.mktemp("any")
    vectors = np.random.default_rng(0).standard_normal((len(names), DIMENSION))
    with new(root / "g") as gallery, new(root / "h") as other:
        try:
            gallery.enrol_vectors(vectors, names, [files] * len(names))
            gallery.describe(names[0], facts)
        except InputError:  # a name that no gallery takes
            return
        gallery.export(root / "out.zip")
        other.import_(root / "out.zip")
        assert content(other) == content(gallery)
        other.check()
    shutil.rmtree(root)


def test_one_person_and_those_that_fit(full, tmp_path):
    folder, samples = full
    with Gallery.open(folder) as gallery:
        name = samples[2].label
        assert gallery.export(tmp_path / "one.zip", name=name).pictures == 2
        everything = (tmp_path / "one.zip").read_bytes()
        assert name.encode() in everything
        assert not any(s.label.encode() in everything for s in samples if s.label != name)
        assert gallery.export(tmp_path / "day", where="light=day").pictures == 5
        assert gallery.export(tmp_path / "both", where="light=day", name=name).pictures == 1
        with pytest.raises(InputError, match="no identity 'nobody'"):
            gallery.export(tmp_path / "none", name="nobody")
        with pytest.raises(GalleryError, match="exists already"):
            gallery.export(tmp_path / "day")
        with pytest.raises(GalleryError, match="lies in the gallery"):
            gallery.export(folder / "inside")


def test_vectors_of_an_export_are_read_as_any_table(full, tmp_path):
    folder, _ = full
    with Gallery.open(folder) as gallery:
        gallery.export(tmp_path / "out")
    assert main(["create", str(tmp_path / "v"), "--dimension", str(DIMENSION)]) == 0
    table = str(tmp_path / "out" / "pictures.parquet")
    assert main(["enrol", str(tmp_path / "v"), "--vectors", table]) == 0
    assert main(["find", str(tmp_path / "v"), "--vectors", table]) == 0


@pytest.fixture
def exported(full, tmp_path):
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")
    return tmp_path / "out"


def zipped(folder, place, *, extra=(), deflated=False):
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(place, "w", kind) as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                packed.write(path, path.relative_to(folder).as_posix())
        for entry, data in extra:
            packed.writestr(entry, data)
    return place


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_zip_of_another_kind_is_refused(exported, tmp_path, kind):
    """What unpacks LZMA takes as much memory as the file says."""
    new(tmp_path / "h").close()
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", kind) as packed:
        for path in sorted(path for path in exported.rglob("*") if path.is_file()):
            packed.write(path, path.relative_to(exported).as_posix())
    refused(tmp_path / "h", tmp_path / "bad.zip", "is packed otherwise")


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_zip_is_one_line_whatever_broke(exported, tmp_path, kind):
    """Bytes changed anywhere: in headers, in names, in packed data."""
    new(tmp_path / "h").close()
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", kind) as packed:
        for path in sorted(path for path in exported.rglob("*") if path.is_file()):
            packed.write(path, path.relative_to(exported).as_posix())
    whole = (tmp_path / "whole.zip").read_bytes()
    draw = np.random.default_rng(kind)
    with Gallery.open(tmp_path / "h") as gallery:
        for _ in range(40):
            damaged = bytearray(whole)
            places = draw.integers(0, len(whole), 3)
            places[1:] = len(whole) - 1 - places[1:] % 1500  # the directory at the end
            for place in places:
                damaged[place] = draw.integers(0, 256)
            (tmp_path / "bad.zip").write_bytes(damaged)
            try:
                gallery.import_(tmp_path / "bad.zip")
            except InputError as error:
                assert "\n" not in str(error)
            else:
                gallery.check()  # a byte that says nothing, such as a date
                assert gallery.stats().pictures == 10


def test_what_is_neither_file_nor_folder_is_refused(tmp_path):
    new(tmp_path / "h").close()
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "h", tmp_path / "pipe", "neither a folder nor a file")


def test_a_thumbnail_is_small(exported, tmp_path):
    new(tmp_path / "h").close()
    (exported / "thumbnails" / "77.jpg").write_bytes(bytes(archive.MOST_THUMBNAIL_BYTES + 1))
    refused(tmp_path / "h", exported, "has 1,048,577 bytes")


def link_entry(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def refused(folder, path, said, kind=InputError):
    """The archive is refused in one line, and the gallery is as it was."""
    with Gallery.open(folder) as gallery:
        before = gallery.stats().generation
        with pytest.raises(kind) as raised:
            gallery.import_(path)
        assert said in str(raised.value) and "\n" not in str(raised.value)
        assert gallery.stats().generation == before
        assert not gallery.stats().pictures


@pytest.mark.parametrize(
    ("entry", "data", "said"),
    [
        ("../evil", b"x", "which no export has"),
        ("/etc/evil", b"x", "which no export has"),
        ("thumbnails/../../evil", b"x", "which no export has"),
        ("thumbnails\\1.jpg", b"x", "which no export has"),
        ("notes.txt", b"x", "which no export has"),
        (link_entry("originals/77"), b"/etc/passwd", "is a link"),
        ("originals/99.png", bytes(24 << 20), "unpacks to"),
        ("gallery.json", b"{}", "stands in it twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_something_else_in_it_is_refused(exported, tmp_path, entry, data, said):
    new(tmp_path / "h").close()
    bad = zipped(exported, tmp_path / "bad.zip", extra=[(entry, data)], deflated=True)
    refused(tmp_path / "h", bad, said)
    assert not (tmp_path / "evil").exists()


def test_a_folder_with_links_is_refused(exported, tmp_path):
    new(tmp_path / "h").close()
    (exported / "originals" / "1234").symlink_to("/etc/passwd")
    refused(tmp_path / "h", exported, "is a link")
    (exported / "originals" / "1234").unlink()
    os.mkfifo(exported / "originals" / "1234")
    refused(tmp_path / "h", exported, "is no file")


def change_manifest(exported, **changes):
    place = exported / "gallery.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))


def test_damage_anywhere_is_told_and_nothing_is_written(exported, tmp_path):
    new(tmp_path / "h").close()
    for place in sorted(path for path in exported.rglob("*") if path.is_file()):
        whole = place.read_bytes()
        if place.name == "gallery.json":
            place.write_bytes(whole[: len(whole) // 2])
        else:
            middle = len(whole) // 2
            place.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        refused(tmp_path / "h", exported, "damaged")
        place.unlink()
        refused(tmp_path / "h", exported, "is missing")
        place.write_bytes(whole)
    with Gallery.open(tmp_path / "h") as gallery:
        assert gallery.import_(exported).enrolled == 10


@pytest.mark.parametrize(
    ("changes", "said", "kind"),
    [
        ({"fingerprint": "0" * 64}, "of embedder '0000", GalleryError),
        ({"dimension": 7}, "(7 numbers)", GalleryError),
        ({"version": 3}, "install a newer one", InputError),
        ({"version": True}, "install a newer one", InputError),
        ({"version": "1"}, "install a newer one", InputError),
        ({"detector": 7}, "names no detector", InputError),
        ({"format": "x"}, "says nothing of", InputError),
        ({"pictures": 9}, "10 rows, 9 were said", InputError),
        ({"identities": -1}, "lacks counts", InputError),
        ({"files": []}, "lacks the hashes", InputError),
    ],
)
def test_a_manifest_that_does_not_fit(exported, tmp_path, changes, said, kind):
    new(tmp_path / "h").close()
    change_manifest(exported, **changes)
    refused(tmp_path / "h", exported, said, kind)


def rewritten(exported, table, change, count=None, **how):
    """Write a table anew, its rows changed, its hash right; ``count`` of them, if it is another."""
    import pyarrow
    from pyarrow import parquet

    rows = parquet.read_table(exported / table).to_pylist()
    change(rows)
    schema = archive_tables.schemas(archive.VERSION)[table]
    how = {"compression": "none", "use_dictionary": False} | how
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), exported / table, **how)
    files = json.loads((exported / "gallery.json").read_text())["files"]
    change_manifest(exported, files=files | {table: sha256_file(exported / table)})
    if count is not None:
        change_manifest(exported, **{Path(table).stem: count})


@pytest.mark.parametrize(
    ("table", "column", "value", "said"),
    [
        ("identities.parquet", "name", "unknown", "answer for nobody"),
        ("identities.parquet", "name", "a\nb", "control character"),
        ("identities.parquet", "facts", "[1]", "no JSON object"),
        ("identities.parquet", "facts", '{"a": {"b": 1}}', "must be a text"),
        ("identities.parquet", "expires", "soon", "must be a day"),
        ("identities.parquet", "enrolled_at", "x" * 20, "must be a time"),
        ("identities.parquet", "enrolled_at", "2026-01-31\x1b[2Jgone", "must be a time"),
        ("identities.parquet", "enrolled_at", "2026-02-31T00:00:00Z", "must be a time"),
        ("identities.parquet", "name", "a" * 10_000_000, "200 are allowed"),
        ("identities.parquet", "facts", '{"a": "' + "b" * 10_000_000 + '"}', "characters"),
        ("pictures.parquet", "identity", "nobody", "does not name"),
        ("pictures.parquet", "source_sha256", "Z" * 64, "no SHA-256"),
        ("pictures.parquet", "vector", [float("nan")] * DIMENSION, "vector"),
        ("pictures.parquet", "vector", [1.0] * DIMENSION, "not as an export"),
        ("pictures.parquet", "vector", [1.0], "vector"),
        ("pictures.parquet", "original", "../../../etc/passwd", "file is called"),
        ("pictures.parquet", "original", "originals/4711", "is missing"),
        ("pictures.parquet", "facts", "{", "no JSON"),
        ("pictures.parquet", "facts", "[" * 100_000, "no JSON"),
        ("pictures.parquet", "name", "n" * 10_000_000, "10,000,000 characters"),
        ("pictures.parquet", "vector", [1e38] + [0.0] * (DIMENSION - 1), "not as an export"),
        ("pictures.parquet", "vector", [2.0] + [0.0] * (DIMENSION - 1), "not as an export"),
        ("pictures.parquet", "photo", "0a1b2c3d", "not whole"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(exported, tmp_path, table, column, value, said):
    new(tmp_path / "h").close()
    rewritten(exported, table, lambda rows: rows[1].update({column: value}))
    refused(tmp_path / "h", exported, said)


@pytest.mark.parametrize("how", [{"compression": "zstd"}, {"use_dictionary": True}])
def test_a_packed_table_is_refused(exported, tmp_path, how):
    new(tmp_path / "h").close()
    rewritten(exported, "pictures.parquet", lambda rows: None, **how)
    refused(tmp_path / "h", exported, "is compressed")


def test_an_error_while_it_is_written_undoes_all(exported, tmp_path, monkeypatch):
    plain = importing._tell

    def fails(*args, **kwargs):
        plain(*args, **kwargs)
        raise InputError("the disk")

    monkeypatch.setattr(importing, "_tell", fails)
    new(tmp_path / "h").close()
    refused(tmp_path / "h", exported, "the disk")


def test_what_the_gallery_says_already_stays(exported, full, tmp_path):
    _, samples = full
    with new(tmp_path / "h") as other:
        other.enrol([Sample(samples[0].path, "somebody else")])
        other.enrol([Sample(samples[1].path, samples[1].label)])
        other.describe(samples[1].label, {"site": "mine"})
        done = other.import_(exported)
        assert (done.enrolled, done.unchanged, done.skipped) == (8, 1, 1)
        assert "somebody else" in done.reasons[0]
        assert other.show(samples[1].label).facts == {"site": "mine"}
        assert other.show(samples[1].label).expires == "9999-12-31"
        other.check()


def write_on(folder, stop):
    rng = np.random.default_rng(1)
    with Gallery.open(folder) as gallery:
        number = 0
        while not stop.is_set():
            gallery.enrol_vectors(rng.standard_normal((4, DIMENSION)), [f"n{number}"] * 4)
            if number % 3 == 2:
                gallery.forget(f"n{number - 1}")
            number += 1


@pytest.mark.slow
def test_a_backup_beside_a_writer_is_whole(full, tmp_path):
    folder = tmp_path / "g"
    shutil.copytree(full[0], folder)
    (folder / "embedder").mkdir()
    (folder / "embedder" / "model.json").write_text("{}")
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    writer = context.Process(target=write_on, args=(folder, stop))
    writer.start()
    try:
        with Gallery.open(folder) as gallery:
            while gallery.stats().identities < 8:
                pass
            copies = [gallery.backup(tmp_path / f"b{number}") for number in range(3)]
    finally:
        stop.set()
        writer.join()
    assert writer.exitcode == 0
    generations = [one.generation for one in copies]
    assert generations == sorted(generations)
    for one in copies:
        with Gallery.open(one.folder) as copy:
            copy.check()
            assert copy.stats().pictures == one.pictures
        assert (one.folder / "embedder" / "model.json").exists()
        assert not (one.folder / "codes").exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"g", "b0", "b1", "b2"}, "no rest is left"


def test_a_backup_is_refused_where_something_stands(full, tmp_path):
    with Gallery.open(full[0]) as gallery:
        for out, said in (
            (tmp_path, "exists already"),
            (tmp_path / "no" / "b", "make it first"),
            (full[0] / "b", "lies in the gallery"),
        ):
            with pytest.raises(GalleryError, match=said):
                gallery.backup(out)


def test_a_backup_of_a_damaged_gallery_is_none(full, tmp_path):
    import sqlite3

    shutil.copytree(full[0], tmp_path / "g")
    connection = sqlite3.connect(tmp_path / "g" / "gallery.db")
    connection.execute("UPDATE log SET at = 'x' WHERE number = 1")
    connection.commit()
    connection.close()
    with Gallery.open(tmp_path / "g") as gallery, pytest.raises(SaccadeError, match="log entry 1"):
        gallery.backup(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_the_commands(full, tmp_path, capsys):
    folder, samples = full
    place = str(tmp_path / "one.zip")
    assert main(["export", str(folder), place, "--name", samples[0].label]) == 0
    assert "1 identities, 2 pictures, 2 original files" in capsys.readouterr().out
    assert main(["export", str(folder), str(tmp_path / "n.zip"), "--where", "site=Z"]) == 1
    assert main(["backup", str(folder), str(tmp_path / "b")]) == 0
    assert main(["backup", str(folder), str(tmp_path / "b")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "b"), place]) == 0
    assert capsys.readouterr().out == "0 enrolled, 2 unchanged, 0 skipped\n"
    assert main(["import", str(tmp_path / "b"), str(tmp_path / "none.zip")]) == 2
    (tmp_path / "text.zip").write_text("no zip")
    assert main(["import", str(tmp_path / "b"), str(tmp_path / "text.zip")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
