"""Forgetting beside others, places read back, what crops leave, and receipts that are false."""

import json
import sqlite3

import numpy as np
import pytest
from PIL import Image

from saccade.data import cache, decode_once
from saccade.errors import GalleryError, InputError
from saccade.files import sha256_file
from saccade.gallery import (
    Gallery,
    blocks,
    code_wipe,
    compacting,
    forget,
    proof,
    rawfile,
    settling,
    slots,
    traces,
)
from saccade.gallery.crops import Crop
from saccade.gallery.database import Database
from saccade.values import Sample
from saccade.vectors import scan_encode
from tests import coded

DIMENSION = 32
VECTORS = np.random.default_rng(5).standard_normal((40, DIMENSION)).astype(np.float32)
NAMES = [f"p{row // 2}" for row in range(len(VECTORS))]


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        made.enrol_vectors(VECTORS, NAMES)
        yield made


def told(outcome):
    assert outcome.status == "forgotten", outcome.reason
    return json.loads(outcome.receipt.read_text())


# Others at work


def test_nobody_else_pays_the_debt_without_a_search(gallery, monkeypatch):
    """Whoever opens the gallery between the removal and the proof leaves the proof to us."""
    plain = forget._remove

    def interrupted(*given):
        answer = plain(*given)
        with Gallery.open(gallery.folder) as other:
            assert other.stats().pending_forgets == 1
        return answer

    monkeypatch.setattr(forget, "_remove", interrupted)
    receipt = told(gallery.forget("p3"))
    assert receipt["search"]["vectors"] == 2 and receipt["search"]["found"] == 0


def test_a_forget_beside_another_that_does_not_end_is_pending(gallery):
    with settling.turn(gallery.folder, wait_s=0.0) as mine:
        assert mine
        outcome = gallery.forget("p3", wait_s=0.05)
        assert (outcome.status, outcome.receipt) == ("pending", None)
        assert "is forgetting" in outcome.reason
        gallery.enrol_vectors(np.eye(1, DIMENSION), ["somebody"])
        assert gallery.stats().pending_forgets == 1
    gallery.enrol_vectors(np.eye(2, DIMENSION)[1:], ["somebody"])
    assert gallery.stats().pending_forgets == 0
    (receipt,) = [json.loads(one.read_text()) for one in (gallery.folder / "receipts").iterdir()]
    assert receipt["search"] is None, "nobody knew the bytes any more"
    assert receipt["read_back"]["zero"] + receipt["read_back"]["used_again"] == 5
    gallery.check()


def test_who_compacts_does_not_strike_the_debt_of_another(gallery, monkeypatch):
    """Between the new pages and the end of the debt, another deletes places and owes anew."""
    gallery.forget_many(["p1", "p2"])
    plain, calls = Database.vacuum, []

    def vacuum(database):
        plain(database)
        calls.append(database)
        if len(calls) == 1:
            with database.writing() as connection:
                connection.execute("INSERT OR REPLACE INTO choices VALUES ('compacting', 'new')")

    monkeypatch.setattr(Database, "vacuum", vacuum)
    gallery.compact()
    assert len(calls) == 1
    told(gallery.forget("p3"))
    assert len(calls) == 2, "what the other owed is done before a receipt"


def test_compacting_does_not_go_through_all_pictures_for_each_place(tmp_path):
    def steps(others):
        with Gallery.create(
            tmp_path / f"{others}", fingerprint="f" * 64, dimension=DIMENSION
        ) as one:
            draw = np.random.default_rng(1)
            one.enrol_vectors(draw.standard_normal((others, DIMENSION)), ["stays"] * others)
            one.enrol_vectors(draw.standard_normal((100, DIMENSION)), ["goes"] * 100)
            one.forget("goes")
            count: list[int] = []
            one._database._connection.set_progress_handler(lambda: count.append(0), 100)
            assert one.compact().places == 201
            one._database._connection.set_progress_handler(None, 0)
            return len(count)

    few, many = steps(100), steps(500)
    assert many - few < 400, "a row more is copied once, not looked at for each place"


def test_a_compaction_that_fails_leaves_the_forget_pending(gallery, monkeypatch):
    def refuse(database):
        raise GalleryError("the disk is full")

    with gallery._database.writing() as connection:
        connection.execute("INSERT INTO choices VALUES (?, '1')", (compacting.OWED,))
    monkeypatch.setattr(Database, "vacuum", refuse)
    outcome = gallery.forget("p3")
    assert outcome.status == "pending" and "disk is full" in outcome.reason
    with Gallery.open(gallery.folder) as other:
        assert other.stats().pending_forgets == 1
    monkeypatch.undo()
    with Gallery.open(gallery.folder) as other:
        assert other.stats().pending_forgets == 0


# The cache of decoded pictures


def decoded(path, count=3):
    """Decode pictures of noise into the cache; returns their paths."""
    path.mkdir()
    paths = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path / f"{number}.png")
        paths.append(path / f"{number}.png")
    samples = [Sample(one, "any") for one in paths]
    decode_once.decode_once(samples, size_hw=(8, 8), channels=3, budget_bytes=1 << 20)
    return paths


@pytest.fixture
def cached(tmp_path, monkeypatch):
    monkeypatch.setenv("SACCADE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_photo_of_a_forgotten_crop_leaves_the_cache(gallery, cached, tmp_path):
    photo = decoded(tmp_path / "photos")[1]
    crop = Crop(bytes.fromhex(sha256_file(photo)), (1.0, 2.0, 6.0, 6.0), False, "detector")
    row = np.eye(1, DIMENSION).astype("<f2").tobytes()
    block = blocks.Block(["Ada"], [crop.source], ["crop"], [row], crops=[crop])
    blocks.write(gallery._database, block)
    assert len(list(cached.glob("*.u8"))) == 1
    receipt = told(gallery.forget("Ada"))
    assert list(cached.glob("*.u8")) == []
    assert receipt["photo_sha256_prefixes"] == [sha256_file(photo)[:8]]


def test_a_cache_that_is_being_written_gets_no_name_after_a_forget(cached):
    shape = (2, 3, 8, 8)
    with cache.drafting(shape, budget_bytes=1 << 20) as draft:
        draft.put(0, np.full(shape[1:], 7, np.uint8))
        assert cache.drop_sources([b"1234"]) == 1
        draft.put(1, np.full(shape[1:], 7, np.uint8))
        assert (cache.publish(draft) == 7).all(), "who writes it goes on undisturbed"
    assert [one.name for one in cached.iterdir()] == ["lock"]


def test_a_cache_folder_that_is_named_wrongly_leaves_the_forget_pending(gallery, monkeypatch):
    monkeypatch.setenv("SACCADE_CACHE", "not/a/whole/path")
    outcome = gallery.forget("p3")
    assert outcome.status == "pending" and "SACCADE_CACHE must be a whole path" in outcome.reason
    monkeypatch.undo()
    with Gallery.open(gallery.folder) as other:
        assert other.stats().pending_forgets == 0


# Places read back


@pytest.mark.parametrize("with_codes", [False, True])
def test_the_receipt_counts_the_places_that_are_zero(gallery, with_codes):
    if with_codes:
        with coded.tuner(coded.scanning(cells=2)):
            gallery.index()
    gallery.describe("p3", {"room": "12"})
    gallery.reject(np.eye(1, DIMENSION)[0], "p3")
    receipt = told(gallery.forget("p3"))
    # Two vectors, two labels, a name, a fact; the vector and label of what was rejected.
    assert receipt["read_back"] == {
        "places": 8,
        "zero": 8,
        "used_again": 0,
        "codes": 2 * with_codes,
    }
    assert "places" not in receipt
    (removed,) = gallery.remove([gallery.show("p4").pictures[0].picture_id])
    assert told(removed)["read_back"]["codes"] == int(with_codes)
    assert gallery.verify_receipt(removed.receipt) == []


def test_a_place_that_is_not_zero_makes_no_receipt(gallery, monkeypatch):
    """On the shelf of labels, where no search looks."""
    plain = slots.wipe

    def careless(connection, shelf, slot):
        if (shelf, slot) != ("labels", 7):
            plain(connection, shelf, slot)
        else:
            connection.execute("INSERT INTO free_slots VALUES ('labels', 64, 7)")

    monkeypatch.setattr(slots, "wipe", careless)
    gone = gallery.forget_many(["p2", "p3", "p4"])
    assert [one.status for one in gone] == ["forgotten", "pending", "forgotten"]
    assert "holds bytes when it is read back" in gone[1].reason


def test_places_that_were_filled_meanwhile_are_told(gallery):
    reader = sqlite3.connect(gallery.folder / "gallery.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM pictures").fetchall()
    assert gallery.forget("p3", wait_s=0.0).status == "pending"
    gallery.enrol_vectors(np.eye(1, DIMENSION), ["somebody"])
    reader.close()
    gallery.set_threshold(0.5)
    (receipt,) = (gallery.folder / "receipts").iterdir()
    assert json.loads(receipt.read_text())["read_back"] == {
        "places": 5,
        "zero": 2,
        "used_again": 3,
        "codes": 0,
    }
    assert gallery.verify_receipt(receipt) == []


def test_codes_that_do_not_take_zeros_are_deleted(gallery, monkeypatch):
    with coded.tuner(coded.scanning(cells=2)):
        gallery.index()
    monkeypatch.setattr(code_wipe, "wipe_codes", lambda codes, positions: None)
    receipt = told(gallery.forget("p3"))
    assert not (gallery.folder / "codes" / "scan").exists()
    assert receipt["read_back"]["codes"] == 0
    assert scan_encode.wipe is not code_wipe.wipe_codes


@pytest.mark.parametrize("everything", [False, True])
def test_all_is_searched_when_all_is_wanted(gallery, monkeypatch, everything):
    monkeypatch.setattr(traces, "BLOCK_STRIDES", 256)
    monkeypatch.setattr(proof, "SEARCH_MOST_S", -1.0)
    search = told(gallery.forget("p3", search_all=everything))["search"]
    assert (search["bytes"] == search["of_bytes"]) == everything


def test_names_are_looked_up_together(gallery):
    """The look-up of ten names takes as many statements as that of one; the rest is the same."""
    seen = []
    gallery._database._connection.set_trace_callback(seen.append)

    def look_ups(count, first):
        del seen[:]
        gallery.forget_many([f"p{number}" for number in range(first, first + count)])
        return sum("identities i ON i.name_key" in one for one in seen)

    assert look_ups(1, 0) == look_ups(8, 8) == 1


@pytest.mark.parametrize(("count", "fits", "whole"), [(2, 1.0, 0), (3, 1.0, 1), (3, 0.0, 0)])
def test_the_file_is_read_in_order_before_many_go(gallery, monkeypatch, count, fits, whole):
    monkeypatch.setattr(forget, "MANY", 3)
    monkeypatch.setattr(rawfile, "READ_AHEAD_MOST", fits)
    monkeypatch.setattr(rawfile, "READ_AHEAD_BYTES", 4096)
    read, size = [], gallery._database.raw.size()
    plain = rawfile.RawFile.read

    def noting(self, position, count):
        read.append(position)
        return plain(self, position, count)

    monkeypatch.setattr(rawfile.RawFile, "read", noting)
    gone = gallery.forget_many([f"p{number}" for number in range(count)])
    assert [one.status for one in gone] == ["forgotten"] * count
    assert (read[: size // 4096] == list(range(0, size, 4096))) == bool(whole)


# Receipts


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"search": {"bytes": 9, "of_bytes": 9, "vectors": 2, "found": 1}}, "found bytes"),
        ({"search": {"bytes": 9, "of_bytes": 8, "vectors": 2, "found": 0}}, "found bytes"),
        ({"search": {"found": 0}}, "'search' has other counts"),
        ({"read_back": {"places": 5, "zero": 4, "used_again": 0, "codes": 0}}, "was not zero"),
        ({"read_back": 5}, "'read_back' has other counts"),
        ({"write_ahead_log": "kept"}, "write-ahead log was cut"),
        ({"vectors": 1}, "all vectors went"),
        ({"picture_ids": [7, 7]}, "no rising numbers"),
        ({"picture_ids": [8, 7]}, "no rising numbers"),
        ({"forgotten_at": "../../elsewhere"}, "is no time"),
    ],
)
def test_what_forget_never_writes_is_no_receipt(gallery, changes, words):
    receipt = gallery.forget("p3").receipt
    false = gallery.folder.parent / "false.json"
    false.write_text(json.dumps(json.loads(receipt.read_text()) | changes))
    with pytest.raises(InputError, match=words):
        gallery.verify_receipt(false)


def test_a_false_receipt_is_compared_with_the_own_copy_and_the_numbers_given(gallery):
    receipt = gallery.forget("p3").receipt
    content = json.loads(receipt.read_text())
    false = gallery.folder.parent / "false.json"
    for changes in (
        {"source_sha256_prefixes": ["00000000", "11111111"]},
        {"search": content["search"] | {"vectors": 1}},
        {"not_covered": "nothing"},
    ):
        false.write_text(json.dumps(content | changes))
        (problem,) = gallery.verify_receipt(false)
        assert f"own copy, {receipt.name}, says something else" in problem
    receipt.unlink()
    false.write_text(json.dumps(content | {"picture_ids": [70, 71]}))
    assert gallery.verify_receipt(false) == ["picture 71 was not enrolled before it was forgotten"]
    receipt.write_text("no JSON")
    (problem,) = gallery.verify_receipt(false)[:1]
    assert "own copy cannot be read" in problem


def test_receipts_of_earlier_versions_are_still_true(gallery):
    receipt = gallery.forget("p3").receipt
    content = json.loads(receipt.read_text())
    for key in ("read_back", "photo_sha256_prefixes"):
        del content[key]
    receipt.write_text(json.dumps(content))
    assert gallery.verify_receipt(receipt) == []
