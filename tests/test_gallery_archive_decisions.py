"""Merges, rejections and crops in exports: they come back equal, and nobody else's data leaks."""

import json
from pathlib import Path

import numpy as np
import pytest

from saccade.cli.app import main
from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.gallery import Gallery, rejecting, store
from saccade.gallery.crops import Crop, Cut
from saccade.values import Sample
from tests.gallery_victim import TinyEmbedder, make_pictures
from tests.test_gallery_export import refused, rewritten

EMBEDDER = TinyEmbedder()
VERSION_1 = Path(__file__).parent / "export_version_1.zip"
PHOTO, DETECTOR = bytes(range(32)), "d" * 64
NAMES = ["ann", "ann too", "ann again", "bob", "cleo"]


def new(folder):
    return Gallery.create(
        folder,
        fingerprint=EMBEDDER.fingerprint,
        dimension=EMBEDDER.dimension,
        embedder=EMBEDDER,
        keep_originals=True,
    )


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A gallery with all that users may say, closed; the pictures by name, and a stranger's."""
    root = tmp_path_factory.mktemp("decided")
    made = make_pictures(root / "p", identities=len(NAMES) + 1, each=2)
    paths = {name: [made[2 * at].path, made[2 * at + 1].path] for at, name in enumerate(NAMES)}
    stranger = made[-1].path
    noise = np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    crop = Crop(PHOTO, (-1.5, 2.25, 30.0, 40.5), True, DETECTOR)
    with new(root / "g") as gallery:
        gallery.enrol([Sample(path, name) for name in NAMES for path in paths[name]])
        gallery.enrol([Cut(Path("photo.jpg"), "ann too", array=noise, crop=crop)])
        gallery.merge("ann too", "ann again")
        gallery.merge("ann", "ann too")
        gallery.reject(paths["ann"][0], "bob")
        gallery.reject(paths["cleo"][1], "ann too")
        gallery.reject(stranger, "cleo")
        gallery.describe("ann", {"site": "A"})
        gallery.set_terms("bob", expires="9999-12-31")
        gallery.check()
    return root / "g", paths, stranger


def said(gallery):
    """All that users said, by names and contents."""
    with gallery._database.reading() as connection:
        names = store.identity_names(connection, range(1, 100))
        merges = connection.execute("SELECT merged, kept, at FROM merges").fetchall()
        rejections = connection.execute(
            "SELECT r.identity, r.source_key, l.content, v.content, r.at FROM rejections r "
            "JOIN labels l ON l.slot = r.label JOIN vectors v ON v.slot = r.vector"
        ).fetchall()
        crops = connection.execute(
            "SELECT c.photo_key, c.x, c.y, c.width, c.height, c.aligned, p.source_key "
            "FROM crops c JOIN pictures p ON p.number = c.picture"
        ).fetchall()
    return (
        sorted((names[merged], names[kept], at) for merged, kept, at in merges),
        sorted((names[identity], *rest) for identity, *rest in rejections),
        sorted(crops),
        gallery.detector,
    )


@pytest.mark.parametrize("ending", ["", ".zip"])
def test_decisions_come_back_equal(full, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    with Gallery.open(full[0]) as gallery, new(tmp_path / "h") as other:
        made = gallery.export(out)
        counts = made.identities, made.pictures, made.merges, made.rejections, made.originals
        assert counts == (5, 11, 2, 3, 10)
        before = other.find_vectors(np.eye(1, EMBEDDER.dimension))  # a memory that must follow
        assert before[0].hits == ()
        for merges, rejections in ((2, 3), (0, 0)):
            done = other.import_(out)
            decided = done.skipped, done.merges, done.rejections, done.left_out, done.reasons
            assert decided == (0, merges, rejections, 0, ())
            assert said(other) == said(gallery)
            assert other.identities() == gallery.identities()
            other.check()
        for path in (full[2], full[1]["ann"][0], full[1]["cleo"][1]):
            assert answers(other, path) == answers(gallery, path)
        actions = [entry.action for entry in other.log().entries]
        assert (actions.count("merge"), actions.count("reject")) == (2, 3)


def answers(gallery, path):
    found = gallery.find_vectors(EMBEDDER([read_picture(path)]), 9)[0]
    return [(hit.identity, hit.similarity) for hit in found.hits]


@pytest.mark.parametrize("name", ["ann", "ann too", "ann again"])
def test_a_persons_archive_has_all_of_hers_and_nothing_of_others(full, tmp_path, name):
    _, paths, stranger = full
    with Gallery.open(full[0]) as gallery, new(tmp_path / "h") as other:
        made = gallery.export(tmp_path / "out", name=name)
        assert (made.identities, made.pictures, made.merges, made.rejections) == (3, 7, 2, 0)
        content = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
        others = [*paths["bob"], *paths["cleo"], stranger]
        vectors = [as_floats(path) for path in others]
        needles = [b"bob", b"cleo", *(path.name.encode() for path in others), *vectors]
        assert [needle for needle in needles if needle in content] == []
        assert as_floats(paths["ann again"][0]) in content, "the search above would find any"
        assert other.import_(tmp_path / "out").merges == 2
        assert [(one.name, one.also) for one in other.identities()] == [
            ("ann", ("ann again", "ann too"))
        ]


def as_floats(path):
    row = EMBEDDER([read_picture(path)])[0]
    return (row / np.linalg.norm(row)).astype("<f2").astype("<f4").tobytes()


def test_a_part_has_the_merges_within_it_and_no_rejections(full, tmp_path):
    with Gallery.open(full[0]) as gallery:
        made = gallery.export(tmp_path / "out", where="site = A")
        assert (made.identities, made.merges, made.rejections) == (1, 0, 0)


def test_what_contradicts_the_gallery_is_left_out_and_told(full, tmp_path, capsys):
    folder, paths, stranger = full
    with Gallery.open(folder) as gallery:
        gallery.export(tmp_path / "out")
    with new(tmp_path / "h") as other:
        other.enrol([Sample(paths["bob"][0], "ann again"), Sample(paths["bob"][1], "dora")])
        other.enrol([Sample(stranger, "cleo")])
        other.merge("dora", "ann again")
    assert main(["import", str(tmp_path / "h"), str(tmp_path / "out"), "--json"]) == 1
    done = json.loads(capsys.readouterr().out)
    # Both pictures of bob are others' here, so that he is not there at all.
    counts = [done[key] for key in ("enrolled", "skipped", "merges", "rejections", "left_out")]
    assert counts == [9, 2, 1, 1, 3]
    wanted = ["is enrolled under", "is enrolled under", "is merged into 'dora'", "'bob' is not in"]
    assert all(part in reason for part, reason in zip(wanted, done["reasons"], strict=False))
    assert "is enrolled as 'cleo' itself" in done["reasons"][-1]
    with Gallery.open(tmp_path / "h") as other:
        other.check()
        assert [one.also for one in other.identities() if one.name == "dora"] == [("ann again",)]


def test_a_killed_import_leaves_nothing_of_the_decisions(full, tmp_path, monkeypatch):
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")

    def dies(*_):
        raise KeyboardInterrupt

    with new(tmp_path / "h") as other, monkeypatch.context() as patch:
        patch.setattr(rejecting, "_log", dies)
        with pytest.raises(KeyboardInterrupt):
            other.import_(tmp_path / "out")
    with Gallery.open(tmp_path / "h") as other:
        assert other.stats().generation == 0 and not other.identities()
        other.check()


@pytest.mark.parametrize(
    ("table", "column", "value", "why"),
    [
        ("merges.parquet", "kept", "nobody", "does not name 'nobody'"),
        ("merges.parquet", "at", "yesterday", "must be a time"),
        ("rejections.parquet", "identity", "../x", "does not name"),
        ("rejections.parquet", "vector", [float("inf")] * EMBEDDER.dimension, "vector"),
        ("rejections.parquet", "vector", [0.5] * EMBEDDER.dimension, "not as an export"),
        ("rejections.parquet", "source_sha256", "A" * 64, "no SHA-256"),
        ("rejections.parquet", "name", "n" * 20_000, "20,000 characters"),
        ("pictures.parquet", "width", -1.0, "its box is none"),
        ("pictures.parquet", "x", float("nan"), "its box is none"),
        ("pictures.parquet", "photo", "0A1b2c3d", "its photo is none"),
        ("pictures.parquet", "aligned", None, "not whole"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(full, tmp_path, table, column, value, why):
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")
    new(tmp_path / "h").close()
    rewritten(tmp_path / "out", table, lambda rows: rows[-1].update({column: value}))
    refused(tmp_path / "h", tmp_path / "out", why)


def test_hostile_merges_make_no_circle(full, tmp_path):
    """In a circle, twice, with oneself: what cannot be is left out, the gallery stays whole."""
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")
    pairs = [("ann", "bob"), ("bob", "cleo"), ("cleo", "ann"), ("ann", "ann"), ("bob", "cleo")]
    at = "2026-01-31T00:00:00Z"

    def change(rows):
        rows[:] = [{"merged": merged, "kept": kept, "at": at} for merged, kept in pairs]

    rewritten(tmp_path / "out", "merges.parquet", change, count=len(pairs))
    with new(tmp_path / "h") as other:
        done = other.import_(tmp_path / "out")
        assert (done.merges, done.left_out) == (2, 2)
        other.check()


def test_lists_of_nulls_are_refused_unread(full, tmp_path):
    """A million nulls take a few bytes of the file."""
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")
    new(tmp_path / "h").close()
    rewritten(
        tmp_path / "out",
        "pictures.parquet",
        lambda rows: rows[0].update({"vector": [None] * 1_000_000}),
    )
    assert (tmp_path / "out" / "pictures.parquet").stat().st_size < 100_000
    refused(tmp_path / "h", tmp_path / "out", "more values than its rows can have")


def test_an_export_of_version_1_is_read(tmp_path):
    with new(tmp_path / "h") as other:
        done = other.import_(VERSION_1)
        assert (done.enrolled, done.identities, done.merges, done.rejections) == (2, 2, 0, 0)
        shown = [other.show(info.name) for info in other.identities()]
        told = [(dict(one.facts), one.consent, one.expires) for one in shown]
        assert ({"site": "A"}, "2026-01-31", "9999-12-31") in told
        assert all(one.facts == {"light": "day"} for who in shown for one in who.pictures)
        assert all(one.kept and one.crop is None for who in shown for one in who.pictures)
        other.check()


def test_no_detector_is_named_twice(full, tmp_path):
    """The gallery's own stays; crops without one are refused."""
    with Gallery.open(full[0]) as gallery:
        gallery.export(tmp_path / "out")
    with new(tmp_path / "h") as other:
        with other._database.writing() as connection:
            connection.execute("INSERT INTO choices VALUES ('detector', 'mine')")
        other.import_(tmp_path / "out")
        assert other.detector == "mine"
    place = tmp_path / "out" / "gallery.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"detector": ""}))
    with new(tmp_path / "i") as other, pytest.raises(InputError, match="is not named"):
        other.import_(tmp_path / "out")
