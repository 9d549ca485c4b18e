"""Kept files, embedding again from them, and galleries that are made smaller."""

import contextlib
import json
import shutil
import sqlite3

import numpy as np
import pytest

from saccade.api.gallery import Gallery as ApiGallery
from saccade.cli.app import main
from saccade.errors import GalleryError
from saccade.files import sha256_file
from saccade.gallery import Gallery, compacting, originals
from saccade.gallery.database import Database
from saccade.values import Sample
from tests.gallery_victim import TinyEmbedder, make_pictures

EMBEDDER = TinyEmbedder()
DIMENSION = EMBEDDER.dimension


class OtherEmbedder(TinyEmbedder):
    """The same numbers in another order, under another name."""

    def __init__(self):
        super().__init__()
        self.fingerprint = "0" * 64

    def __call__(self, pictures):
        return super().__call__(pictures)[:, ::-1].copy()


def new(folder, **more):
    return Gallery.create(
        folder, fingerprint=EMBEDDER.fingerprint, dimension=DIMENSION, embedder=EMBEDDER, **more
    )


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    made = make_pictures(tmp_path_factory.mktemp("originals"), identities=4, each=2)
    return [Sample(one.path, one.label, metadata={"secret": one.path.stem}) for one in made]


@pytest.fixture
def gallery(tmp_path, samples):
    with new(tmp_path / "g", keep_originals=True) as made:
        made.enrol(samples)
        made.describe(samples[0].label, {"badge": "badge-of-the-first-one"})
        yield made


def all_bytes(folder):
    return b"\0\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_files_are_kept_byte_by_byte_where_it_was_chosen(gallery, samples, tmp_path):
    with gallery._database.reading() as connection:
        for number, sample in enumerate(samples, 1):
            assert originals.read(connection, number) == sample.path.read_bytes()
    assert all(picture.kept for picture in gallery.show(samples[0].label).pictures)
    gallery.check()
    with new(tmp_path / "h") as other:
        other.enrol(samples)
        assert not any(picture.kept for picture in other.show(samples[0].label).pictures)
        raw = other._database.raw
        assert samples[0].path.read_bytes()[-60:] not in raw.read(0, raw.size())


def test_a_file_that_changes_meanwhile_is_skipped(tmp_path, samples):
    path = tmp_path / "p.png"
    shutil.copy(samples[0].path, path)

    def changing():
        yield Sample(path, "anna")
        path.write_bytes(samples[1].path.read_bytes())

    with new(tmp_path / "g", keep_originals=True) as gallery:
        (outcome,) = gallery.enrol(changing())
        assert (outcome.status, "was changed meanwhile" in outcome.reason) == ("skipped", True)
        assert gallery.stats().pictures == 0
        gallery.check()


def test_nothing_of_facts_and_files_stays_after_a_forget(gallery, samples):
    folder, gone = gallery.folder, samples[:2]
    gallery.describe(gone[0].label, {"badge": "another-badge"})
    gallery.close()
    traces = [b"another-badge"]
    for sample in gone:
        file = sample.path.read_bytes()
        traces += [sample.path.stem.encode(), file[-40:], file[len(file) // 2 :][:40]]
    assert b"badge-of-the-first-one" not in all_bytes(folder), "wiped when it was changed"
    assert all(trace in all_bytes(folder) for trace in traces)
    with Gallery.open(folder) as opened:
        opened.forget(gone[0].label)
        opened.check()
    assert [trace for trace in traces if trace in all_bytes(folder)] == []
    for sample in samples[2:]:
        assert sample.path.read_bytes()[-40:] in all_bytes(folder)


def stored(folder):
    """Vectors and labels as they stand, by picture."""
    connection = sqlite3.connect(folder / "gallery.db")
    rows = connection.execute(
        "SELECT p.number, v.content, l.content FROM pictures p "
        "JOIN vectors v ON v.slot = p.vector JOIN labels l ON l.slot = p.label"
    ).fetchall()
    connection.close()
    return rows


def test_a_compacted_gallery_is_smaller_and_the_same(gallery, samples, tmp_path):
    draw = np.random.default_rng(0)
    for turn in range(20):
        gallery.enrol_vectors(draw.standard_normal((40, DIMENSION)), [f"n{turn}"] * 40)
    gallery.forget_many([f"n{turn}" for turn in range(20) if turn % 3])
    with Gallery.open(gallery.folder) as other:
        query = draw.standard_normal((3, DIMENSION))
        before, pictures = other.find_vectors(query, 9), other.stats().pictures
        done = gallery.compact()
        assert done.places and done.bytes_after < 0.8 * done.bytes_before and not done.reason
        assert other.find_vectors(query, 9) == before
        assert other.stats().pictures == pictures
        assert gallery.stats().free_slots == 0
        gallery.check()
        other.enrol_vectors(draw.standard_normal((2, DIMENSION)), ["late"] * 2)
        other.check()
    receipt = next((gallery.folder / "receipts").iterdir())
    assert gallery.verify_receipt(receipt) == []


@pytest.mark.parametrize("died", ["after the rows", pytest.param("never", marks=pytest.mark.slow)])
def test_what_is_forgotten_after_compacting_leaves_no_copy(gallery, tmp_path, monkeypatch, died):
    """Deleting rows leaves copies of others in their pages until all pages are written anew."""
    draw = np.random.default_rng(1)
    for turn in range(30):
        vectors = draw.standard_normal((8, DIMENSION))
        gallery.enrol_vectors(vectors, [f"name-{turn}-{draw.bytes(6).hex()}"] * 8)
    names = [info.name for info in gallery.identities() if info.name.startswith("name-")]
    gallery.forget_many(names[::2])
    if died == "after the rows":
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(compacting, "finish", _dies)
            gallery.compact()
        with gallery._database.reading() as connection:
            owed = connection.execute("SELECT count(*) FROM choices WHERE name = 'compacting'")
            assert owed.fetchone()[0] == 1
    else:
        gallery.compact()
    folder = gallery.folder
    gallery.close()
    kept = {row[1] for row in stored(folder)} | {name.encode() for name in names[1::2]}
    assert all(trace in all_bytes(folder) for trace in kept)
    with Gallery.open(folder) as opened:
        opened.forget_many(names[1::2])
        opened.check()
    left = {row[1] for row in stored(folder)}
    content = all_bytes(folder)
    assert [trace for trace in kept - left if trace in content] == []


def _dies(_):
    raise KeyboardInterrupt


def test_compacting_waits_for_readers(gallery):
    database = Database(gallery.folder)
    with database.reading() as connection:
        connection.execute("SELECT count(*) FROM pictures").fetchone()
        done = gallery.compact(wait_s=0.0)
        assert "a reader" in done.reason
    database.close()
    assert not gallery.compact().reason
    gallery.check()


def test_all_is_embedded_again(gallery, samples, tmp_path):
    gallery.set_terms(samples[0].label, consent="2026-01-31")
    wanted = [gallery.show(info.name) for info in gallery.identities()]
    opened = ApiGallery(gallery.folder, embedder=EMBEDDER)
    done = opened.re_embed(tmp_path / "n", OtherEmbedder())
    opened.close()
    assert (done.identities, done.pictures, done.rejections_lost) == (4, 8, 0)
    with ApiGallery(tmp_path / "n", embedder=OtherEmbedder()) as made:
        made.check()
        assert [made.show(info.name) for info in made.identities()] == wanted
        hit = made.find([samples[3].path])[0].hits[0]
        assert (hit.identity, round(hit.similarity, 3)) == (samples[3].label, 1.0)
        assert made.enrol(samples)[0].status == "unchanged"
        assert made.thumbnail(1) == gallery.thumbnail(1)
    old = {row[2]: row[1] for row in stored(gallery.folder)}
    for _, vector, label in stored(tmp_path / "n"):
        np.testing.assert_array_equal(
            np.frombuffer(vector, "<f2"), np.frombuffer(old[label], "<f2")[::-1]
        )


def test_without_files_nothing_is_embedded_again(gallery, tmp_path, capsys):
    gallery.enrol_vectors(np.eye(1, DIMENSION), ["vector"])
    opened = ApiGallery(gallery.folder, embedder=EMBEDDER)
    with pytest.raises(GalleryError, match=r"files of 8 of its 9 pictures.*--keep-originals"):
        opened.re_embed(tmp_path / "n", OtherEmbedder())
    opened.close()
    assert not list(tmp_path.glob(".n.*.part")) and not (tmp_path / "n").exists()


def test_the_commands(tmp_path, samples, capsys):
    folder = str(tmp_path / "g")
    assert main(["create", folder, "--embedder", "pixels", "--keep-originals"]) == 0
    pictures = [str(sample.path) for sample in samples[:2]]
    assert main(["enrol", folder, *pictures, "--as", "anna", "--expires", "2030-01-01"]) == 0
    capsys.readouterr()
    assert main(["show", folder, "anna", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["kept"] for one in told["pictures"]] == [True, True]
    assert told["expires"] == "2030-01-01"
    assert main(["re-embed", folder, str(tmp_path / "n"), "--embedder", "pixels"]) == 0
    assert "1 identities, 2 pictures; the log begins anew" in capsys.readouterr().out
    assert main(["re-embed", folder, str(tmp_path / "n"), "--embedder", "pixels"]) == 2
    assert main(["compact", folder]) == 0
    assert main(["export", folder, str(tmp_path / "out")]) == 0
    kept = {sha256_file(path) for path in (tmp_path / "out" / "originals").iterdir()}
    assert kept == {sha256_file(sample.path) for sample in samples[:2]}
    assert main(["create", str(tmp_path / "v"), "--dimension", "8", "--keep-originals"]) == 2


def test_what_was_for_the_old_vectors_is_not_taken(gallery, samples, tmp_path):
    """Rejections of enrolled pictures get new vectors; thresholds and limits begin anew."""
    stranger = make_pictures(tmp_path / "s", identities=1, each=1, seed=77)[0].path
    opened = ApiGallery(gallery.folder, embedder=EMBEDDER)
    opened.reject(samples[0].path, samples[2].label)
    opened.reject(stranger, samples[2].label)
    opened.set_near(0.9)
    opened.choose(templates="mean")
    opened.set_threshold(0.25)
    with opened._database.writing() as connection:
        connection.execute("INSERT INTO choices VALUES ('compacting', 'yes')")
    done = opened.re_embed(tmp_path / "n", OtherEmbedder())
    assert (done.rejections_lost, done.old_threshold, done.old_near) == (1, 0.25, 0.9)
    assert done.threshold is None
    assert opened.re_embed(tmp_path / "m", OtherEmbedder(), threshold=0.5).threshold == 0.5
    opened.close()
    with ApiGallery(tmp_path / "n", embedder=OtherEmbedder()) as made:
        made.check()
        with made._database.reading() as connection:
            found = dict(connection.execute("SELECT name, value FROM choices").fetchall())
        assert found == {"keep_originals": "yes", "templates": "mean"}
        named = {hit.identity for hit in made.find([samples[0].path], 9)[0].hits}
        assert samples[2].label not in named and samples[0].label in named
        assert made.reject(samples[0].path, samples[2].label).status == "unchanged"


def test_the_embedders_own_threshold_is_not_for_means(tmp_path, samples, capsys):
    folder, made = str(tmp_path / "g"), str(tmp_path / "n")
    create = ["create", folder, "--embedder", "pixels", "--keep-originals", "--threshold", "0.9"]
    assert main(create) == 0
    assert main(["enrol", folder, str(samples[0].path), "--as", "anna"]) == 0
    capsys.readouterr()
    assert main(["re-embed", folder, made, "--embedder", "pixels"]) == 0
    said = capsys.readouterr().out
    assert "the threshold 0.9 was for the old vectors; the new gallery has none" in said
