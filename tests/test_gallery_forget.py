"""Forget: nothing of vectors, thumbnails, names and hashes stays; the receipt is true."""

import hashlib
import itertools
import json
import random
import sqlite3

import numpy as np
import pytest
from PIL import Image

from saccade.errors import GalleryError, UnknownNameError
from saccade.files import sha256_file
from saccade.gallery import Gallery, log, slots
from saccade.gallery.database import Database
from tests.gallery_victim import TinyEmbedder, make_pictures

EMBEDDER = TinyEmbedder()
JPEG_TABLES_BYTES = 640  # about; every JPEG begins with the same tables


def new_gallery(folder, *, dimension, embedder=None):
    fingerprint = embedder.fingerprint if embedder else "f" * 64
    return Gallery.create(folder, fingerprint=fingerprint, dimension=dimension, embedder=embedder)


def all_bytes(folder):
    """Every byte of every file; only while this process has no connection to the gallery."""
    return b"\0\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def stored_pieces(folder):
    """What stands of each picture, by number: a list of parts, each a list of pieces."""
    connection = sqlite3.connect(folder / "gallery.db")
    rows = connection.execute(
        "SELECT p.number, v.content, t.content, l.content, n.content FROM pictures p "
        "JOIN vectors v ON v.slot = p.vector JOIN labels l ON l.slot = p.label "
        "JOIN identities i ON i.number = p.identity JOIN names n ON n.slot = i.name "
        "LEFT JOIN thumbnails t ON t.slot = p.thumbnail"
    ).fetchall()
    connection.close()
    kept = {}
    for number, vector, thumbnail, label, name in rows:
        parts = [vector, label[:32], label[32:], name]
        parts += [thumbnail[JPEG_TABLES_BYTES:]] if thumbnail else []
        kept[number] = [pieces(part.rstrip(b"\0")) for part in parts]
    return kept


def pieces(content):
    """Cut into 32 bytes: a long content lies on several pages, and any part of it may stay."""
    stride = max(32, len(content) // 12)
    return [content[start : start + 32] for start in range(0, max(len(content) - 31, 1), stride)]


# Vectors that stay inside a page, share one, or need several; so do thumbnails.
@pytest.mark.parametrize("dimension", [16, 128, 700, 3000])
def test_no_byte_stays_in_any_order_of_enrol_and_forget(tmp_path, dimension):
    """Deletes in plain tables leave copies of neighbours in their pages; this order finds them."""
    draw = random.Random(dimension)
    rng = np.random.default_rng(dimension)
    folder = tmp_path / "gallery"
    new_gallery(folder, dimension=dimension).close()
    live, forgotten = {}, []
    for _ in range(12):
        with Gallery.open(folder) as gallery:
            for _ in range(draw.randint(1, 12)):
                name = f"name-{rng.bytes(draw.randint(4, 60)).hex()}"
                n = draw.randint(1, 6)
                files = [f"file-{rng.bytes(draw.randint(4, 60)).hex()}" for _ in range(n)]
                outcomes = gallery.enrol_vectors(
                    rng.standard_normal((n, dimension)), [name] * n, files
                )
                live[name] = [outcome.picture_id for outcome in outcomes]
        kept = stored_pieces(folder)
        with Gallery.open(folder) as gallery:
            for name in draw.sample(sorted(live), draw.randint(0, len(live))):
                assert gallery.forget(name).status == "forgotten"
                forgotten += [part for number in live.pop(name) for part in kept.pop(number)]
            gallery.check()
        content = all_bytes(folder)
        assert [piece for part in forgotten for piece in part if piece in content] == []
        for part in itertools.chain.from_iterable(kept.values()):
            assert any(piece in content for piece in part), "the search can find"
    assert len(forgotten) > 100


def test_no_byte_of_thumbnails_of_all_sizes_stays(tmp_path):
    rng = np.random.default_rng(9)
    folder = tmp_path / "gallery"
    samples = make_pictures(tmp_path / "pictures", identities=16, each=2)
    for sample in samples:  # 0.7 to 9 kB as a JPEG: inside a page, and over several
        side = int(rng.integers(20, 97))
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(sample.path)
    draw = random.Random(9)
    gone = []
    for _ in range(4):
        gallery = (
            Gallery.open(folder, embedder=EMBEDDER)
            if folder.exists()
            else new_gallery(folder, dimension=EMBEDDER.dimension, embedder=EMBEDDER)
        )
        with gallery:
            gallery.enrol(samples)
            slots_before = gallery.stats().free_slots
        assert slots_before == 0, "enrolling again fills the free slots"
        kept = stored_pieces(folder)
        with Gallery.open(folder, embedder=EMBEDDER) as gallery:
            for label in draw.sample(sorted({sample.label for sample in samples}), 7):
                paths = [sample.path for sample in samples if sample.label == label]
                ids = [found.hits[0].picture_id for found in gallery.find(paths, k=1)]
                assert gallery.forget(label).status == "forgotten"
                gone += [piece for number in ids for piece in kept[number][4]]
            gallery.check()
        content = all_bytes(folder)
        assert len(gone) > 20
        assert [piece for piece in gone if piece in content] == []
        gone = []  # the same pictures come back in the next round


def test_the_receipt_says_what_was_removed_and_no_more(tmp_path):
    folder = tmp_path / "gallery"
    samples = make_pictures(tmp_path / "pictures", identities=3, each=4)
    with new_gallery(folder, dimension=EMBEDDER.dimension, embedder=EMBEDDER) as gallery:
        enrolled = gallery.enrol(samples)
        outcome = gallery.forget(samples[4].label)
        stats = gallery.stats()
    assert (outcome.status, outcome.pictures, outcome.vectors) == ("forgotten", 4, 4)
    assert outcome.receipt.parent == folder / "receipts"
    text = outcome.receipt.read_text()
    receipt = json.loads(text)
    assert receipt["identity"] == outcome.number
    assert receipt["pictures"] == receipt["vectors"] == 4
    assert receipt["picture_ids"] == [item.picture_id for item in enrolled[4:8]]
    assert receipt["source_sha256_prefixes"] == [
        sha256_file(sample.path)[:8] for sample in samples[4:8]
    ]
    assert receipt["generation"] == stats.generation
    assert receipt["search"]["found"] == 0
    assert receipt["search"]["vectors"] == 4
    assert receipt["search"]["bytes"] == (folder / "gallery.db").stat().st_size
    assert "backups" in receipt["not_covered"]
    assert samples[4].label not in text and samples[4].path.name not in text
    connection = sqlite3.connect(folder / "gallery.db")
    (digest,) = connection.execute(
        "SELECT hash FROM log WHERE number = ?", (receipt["generation"],)
    ).fetchone()
    connection.close()
    assert digest.hex() == receipt["log_sha256"]


def test_forgotten_slots_are_filled_again(tmp_path):
    rng = np.random.default_rng(0)
    with new_gallery(tmp_path / "g", dimension=512) as gallery:
        gallery.enrol_vectors(rng.standard_normal((200, 512)), ["a"] * 100 + ["b"] * 100)
        assert gallery.forget("b").status == "forgotten"
        gallery.enrol_vectors(rng.standard_normal((100, 512)), ["b"] * 100)
        size = (tmp_path / "g" / "gallery.db").stat().st_size
        for turn in range(5):
            gallery.forget("a")
            assert gallery.stats().free_slots == 100
            gallery.enrol_vectors(rng.standard_normal((100, 512)), ["a"] * 100)
            assert gallery.stats().free_slots == 0, turn
            gallery.check()
        gallery.forget("b")
        assert (tmp_path / "g" / "gallery.db").stat().st_size < size * 1.2


def test_the_same_vector_of_another_identity_stays(tmp_path):
    """Equal after rounding to float16: two pictures hold the same bytes, one is forgotten."""
    vector = np.random.default_rng(0).standard_normal(64)
    with new_gallery(tmp_path / "g", dimension=64) as gallery:
        gallery.enrol_vectors([vector, vector * 2], ["a", "b"])
        outcome = gallery.forget("a")
        assert outcome.status == "forgotten"
        assert json.loads(outcome.receipt.read_text())["search"]["found"] == 0
        assert gallery.find_vectors([vector])[0].hits[0].identity == "b"
        gallery.check()


def test_no_receipt_when_the_search_finds_the_bytes(tmp_path):
    """Something put a copy of the vector where forget does not know of it."""
    folder = tmp_path / "g"
    vector = np.random.default_rng(0).standard_normal(64)
    with new_gallery(folder, dimension=64) as gallery:
        gallery.enrol_vectors([vector], ["a"])
        with gallery._database.writing() as connection:
            (content,) = connection.execute("SELECT content FROM vectors").fetchone()
            connection.execute("UPDATE meta SET embedder = ?", (content,))
        outcome = gallery.forget("a")
        assert (outcome.status, outcome.receipt) == ("pending", None)
        assert "search found" in outcome.reason
    with Gallery.open(folder) as gallery:
        assert gallery.stats().pending_forgets == 1
    assert not list((folder / "receipts").iterdir())


def test_a_receipt_that_cannot_be_written_leaves_the_debt(tmp_path):
    folder = tmp_path / "g"
    with new_gallery(folder, dimension=4) as gallery:
        gallery.enrol_vectors(np.eye(4), list("abcd"))
        (folder / "receipts").rmdir()
        (folder / "receipts").write_text("in the way")
        outcome = gallery.forget("a")
        assert outcome.status == "pending" and "receipt" in outcome.reason
        (folder / "receipts").unlink()
        outcome = gallery.forget("b")
        assert outcome.status == "forgotten"
        assert gallery.stats().pending_forgets == 0
    receipts = [json.loads(path.read_text()) for path in (folder / "receipts").glob("*.json")]
    # Vectors of 8 bytes stand anywhere by chance: they are not searched for, and it is said.
    assert [receipt["search"] for receipt in receipts] == [None, None]


def test_forget_names_the_nearest_name(tmp_path):
    with new_gallery(tmp_path / "g", dimension=4) as gallery:
        gallery.enrol_vectors(np.eye(4), ["Anna", "Berta", "Clara", "Dora"])
        with pytest.raises(UnknownNameError, match="'Annna'; did you mean 'Anna'"):
            gallery.forget("Annna")
        assert gallery.stats().identities == 4
        gallery.forget("Anna")
        with pytest.raises(UnknownNameError):
            gallery.forget("Anna")


def test_numbers_are_never_given_again(tmp_path):
    with new_gallery(tmp_path / "g", dimension=4) as gallery:
        seen = set()
        for turn in range(4):
            (outcome,) = gallery.enrol_vectors(np.eye(4)[turn : turn + 1], ["a"])
            number = gallery.forget("a").number
            assert (outcome.picture_id, number) not in seen
            seen.add((outcome.picture_id, number))
    assert len({picture for picture, _ in seen}) == len({number for _, number in seen}) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE log SET pictures = 9 WHERE number = 1", "entry 1 does not fit"),
        ("DELETE FROM log WHERE number = 2", "entry 2 is missing"),
        ("DELETE FROM log WHERE number = 3", "generation"),
        ("UPDATE log SET at = '2000-01-01T00:00:00Z' WHERE number = 2", "entry 2"),
    ],
)
def test_a_changed_log_is_seen(tmp_path, change, words):
    with new_gallery(tmp_path / "g", dimension=4) as gallery:
        gallery.enrol_vectors(np.eye(4), list("abcd"))
        gallery.forget("a")
        gallery.set_threshold(0.5)
        gallery.check()
        with gallery._database.writing() as connection:
            connection.execute(change)
        with pytest.raises(GalleryError, match=words):
            gallery.check()


def test_the_log_holds_no_name(tmp_path):
    with new_gallery(tmp_path / "g", dimension=4) as gallery:
        gallery.enrol_vectors(np.eye(4), ["Anna", "Berta", "Clara", "Dora"])
        gallery.forget("Anna")
        with gallery._database.reading() as connection:
            rows = connection.execute(
                "SELECT number, at, action, identity, first_picture, last_picture, pictures "
                "FROM log"
            ).fetchall()
            digests = [row[0] for row in connection.execute("SELECT hash FROM log")]
    assert [row[2:] for row in rows] == [
        ("enrol", None, 1, 4, 4),
        ("forget", 1, None, None, 1),
    ]
    before = log.START  # the chain, by hand
    for row, digest in zip(rows, digests, strict=True):
        before = hashlib.sha256(before + json.dumps(list(row)).encode()).digest()
        assert digest == before


def test_the_raw_descriptor_outlives_every_connection(tmp_path):
    """Closing any descriptor of the file would drop SQLite's locks of the whole process."""
    new_gallery(tmp_path / "g", dimension=2).close()
    first, second = Database(tmp_path / "g"), Database(tmp_path / "g")
    first.close()
    first.close()
    assert second.raw.read(0, 15) == b"SQLite format 3"
    assert second.raw.read(-1, 9) == second.raw.read(1 << 40, 9) == b""
    second.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        second.raw.size()


@pytest.mark.parametrize("shelf", sorted(slots.GRAIN_BYTES))
def test_a_slot_never_changes_its_length(tmp_path, shelf):
    gallery = new_gallery(tmp_path / "g", dimension=2)
    with gallery, gallery._database.writing() as connection:
        [slot] = slots.put(connection, shelf, [b"x" * 512])
        slots.wipe(connection, shelf, slot)
        [longer] = slots.put(connection, shelf, [b"y" * 1024])
        [same] = slots.put(connection, shelf, [b"z" * 511 + b"!"])
        lengths = connection.execute(f"SELECT slot, length(content) FROM {shelf}").fetchall()
    assert longer != slot and same == slot
    assert lengths == [(slot, 512), (longer, 1024)]
