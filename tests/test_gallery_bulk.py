"""Bulk enrolment: the same gallery as row by row, in bounded memory, whole after a kill."""

import hashlib
import sqlite3
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import GalleryError, InputError
from saccade.gallery import Gallery, bulk, known, slots, source_keys
from tests import gallery_victim

VICTIM = Path(gallery_victim.__file__)
DIMENSION = 8
POOL = np.random.default_rng(3).standard_normal((12, DIMENSION)).astype(np.float32)
NAMES = ("Ann", "Bo", "Zoë", "x" * 70)

ROWS = st.lists(st.tuples(st.integers(0, len(POOL) - 1), st.sampled_from(NAMES)), max_size=24)
STEPS = st.lists(st.one_of(ROWS, st.sampled_from(NAMES)), max_size=5)  # enrol these, or forget one


def new_gallery(folder, dimension=DIMENSION):
    return Gallery.create(folder, fingerprint="f" * 64, dimension=dimension)


def dump(folder):
    """All that a gallery says of its pictures, and every table but the log and its length."""
    connection = sqlite3.connect(folder / "gallery.db")
    said = connection.execute(
        "SELECT p.number, p.identity, n.content, l.content, v.content FROM pictures p "
        "JOIN identities i ON i.number = p.identity JOIN names n ON n.slot = i.name "
        "JOIN labels l ON l.slot = p.label JOIN vectors v ON v.slot = p.vector ORDER BY p.number"
    ).fetchall()
    free = connection.execute("SELECT shelf, bytes, count(*) FROM free_slots GROUP BY 1, 2")
    answer = said, free.fetchall()
    connection.close()
    return answer


def one_by_one(gallery, rows):
    return [
        gallery.enrol_vectors(POOL[[vector]], [name], [f"row {row}"])[0].status
        for row, (vector, name) in enumerate(rows)
    ]


def in_bulk(gallery, rows, cut):
    def blocks():
        for start in range(0, len(rows), cut):
            vectors, names = zip(*rows[start : start + cut], strict=True)
            yield POOL[list(vectors)], names, None

    return list(gallery.enrol_bulk(blocks()))


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, cut=st.integers(1, 9), block_rows=st.integers(1, 6))
def test_bulk_leaves_what_row_by_row_leaves(tmp_path_factory, steps, cut, block_rows):
    root = tmp_path_factory.mktemp("bulk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bulk, "BLOCK_ROWS", block_rows)
        patch.setattr(bulk, "MOVED_ROWS", 7)
        with new_gallery(root / "slow") as slow, new_gallery(root / "fast") as fast:
            enrolled = {}  # what a plain dict says: content → name
            for step in steps:
                if isinstance(step, str):
                    if step in enrolled.values():
                        slow.forget(step)
                        fast.forget(step)
                    enrolled = {key: name for key, name in enrolled.items() if name != step}
                    continue
                statuses = one_by_one(slow, step)
                told = in_bulk(fast, step, cut)
                expected = []
                for vector, name in step:
                    known = vector in enrolled
                    enrolled.setdefault(vector, name)
                    same = enrolled[vector] == name
                    expected.append("enrolled" if not known else ("skipped", "unchanged")[same])
                assert statuses == expected
                counts = told[-1] if told else None
                for word in ("enrolled", "unchanged", "skipped"):
                    assert getattr(counts, word, 0) == expected.count(word)
                assert counts is None or len(counts.reasons) == min(counts.skipped, 5)
            slow.check()
            fast.check()
        assert dump(root / "slow") == dump(root / "fast")


def test_the_source_is_the_hash_of_the_float32_bytes(tmp_path):
    rows = POOL.astype(">f8")
    with new_gallery(tmp_path / "g") as gallery:
        list(gallery.enrol_bulk([(rows, ["Ann"] * len(rows), None)]))
    said, _ = dump(tmp_path / "g")
    for row, (number, _, name, label, vector) in enumerate(said):
        assert number == row + 1
        assert name.rstrip(b"\0") == b"Ann"
        assert label[:32] == hashlib.sha256(POOL[row].tobytes()).digest()
        assert label[32:].rstrip(b"\0").decode() == f"row {row}"
        expected = POOL[row] / np.linalg.norm(POOL[row])
        np.testing.assert_allclose(np.frombuffer(vector, "<f2"), expected, atol=1e-3)


def test_what_others_do_between_blocks_is_seen(tmp_path, monkeypatch):
    """A name that another connection enrolled, one that it forgot, after all names were read."""
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 2)
    with new_gallery(tmp_path / "g") as gallery, Gallery(tmp_path / "g") as other:
        rows = [(POOL[:2], ["Ann", "Bo"]), (POOL[2:4], ["Ann", "Bo"]), (POOL[5:7], ["Cy", "Ann"])]
        enrolling = gallery.enrol_bulk((*block, None) for block in rows)
        next(enrolling)
        next(enrolling)
        other.enrol_vectors(POOL[4:5], ["Cy"])
        other.forget("Ann", wait_s=0.0)
        [counts] = enrolling
        assert (counts.enrolled, counts.unchanged, counts.skipped) == (6, 0, 0)
        assert {info.name: info.pictures for info in gallery.identities()} == {
            "Ann": 1,
            "Bo": 2,
            "Cy": 2,
        }
        gallery.check()


def test_known_names_never_calls_an_enrolled_name_new(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "TABLE_BYTES", 64)  # full of collisions
    names = [f"name {number}" for number in range(300)]
    vectors = np.random.default_rng(0).standard_normal((300, DIMENSION))
    with new_gallery(tmp_path / "g") as gallery:
        gallery.enrol_vectors(vectors[:200], names[:200])
        names_known = known.KnownNames()
        with gallery._database.reading() as connection:
            assert set(names[:200]) <= set(names_known.possible(connection, names))
        gallery.enrol_vectors(vectors[200:], names[200:])
        with gallery._database.reading() as connection:
            assert names_known.possible(connection, names) == names


def test_known_sources_never_calls_an_enrolled_content_new(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "TABLE_BYTES", 64)  # full of collisions
    vectors = np.random.default_rng(0).standard_normal((300, DIMENSION)).astype(np.float32)
    names = ["Ann"] * 300
    sources = [hashlib.sha256(row.tobytes()).digest() for row in vectors]
    with new_gallery(tmp_path / "g") as gallery:
        gallery.enrol_vectors(vectors[:100], names[:100])
        contents = known.KnownSources()
        with gallery._database.reading() as connection:
            possible = contents.possible(connection, sources)
            assert set(sources[:100]) <= set(possible) < set(sources)
        gallery.enrol_vectors(vectors[100:200], names[:100])  # as another process would
        with gallery._database.reading() as connection:
            assert set(sources[:200]) <= set(contents.possible(connection, sources))
            contents.add(sources[200:], 300)
            assert contents.possible(connection, sources) == sources


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.lists(st.integers(1, 200), max_size=12), min_size=1, max_size=4),
    shelf=st.sampled_from(["vectors", "labels"]),
    piece_bytes=st.sampled_from([1, 300, 1 << 20]),
    wiped=st.randoms(use_true_random=False),
)
def test_slots_hold_what_was_put_there(tmp_path_factory, lengths, shelf, piece_bytes, wiped):
    """Contents of many lengths, some of them into slots that were wiped."""
    held = {}
    draw = np.random.default_rng(sum(map(sum, lengths)))
    folder = tmp_path_factory.mktemp("slots")
    with pytest.MonkeyPatch.context() as patch, new_gallery(folder / "g") as gallery:
        patch.setattr(slots, "PIECE_BYTES", piece_bytes)
        with gallery._database.writing() as connection:
            for batch in lengths:
                contents = [draw.bytes(length) for length in batch]
                placed = slots.put(connection, shelf, contents)
                assert len(set(placed)) == len(placed) and held.keys().isdisjoint(placed)
                held |= dict(
                    zip(placed, (slots.padded(shelf, one) for one in contents), strict=True)
                )
                for slot in wiped.sample(sorted(held), len(held) // 3):
                    slots.wipe(connection, shelf, slot)
                    del held[slot]
            found = dict(connection.execute(f"SELECT slot, content FROM {shelf}"))
            assert {slot: found[slot] for slot in held} == held
            rest = found.keys() - held.keys()
            free = connection.execute("SELECT slot, bytes FROM free_slots").fetchall()
            assert {slot: bytes(length) for slot, length in free} == {s: found[s] for s in rest}


def test_keys_move_in_the_middle(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 5)
    monkeypatch.setattr(bulk, "MOVED_ROWS", 15)
    vectors = np.random.default_rng(1).standard_normal((60, DIMENSION)).astype(np.float32)
    names = [f"person {row // 4}" for row in range(60)]
    with new_gallery(tmp_path / "g") as gallery:
        for start in (0, 25):
            *_, counts = gallery.enrol_bulk([(vectors[: start + 35], names[: start + 35], None)])
            assert counts.unchanged == (0, 35)[start > 0]
            gallery.check()
        with gallery._database.reading() as connection:
            recent = source_keys.recent(connection)
            moved = connection.execute("SELECT count(*) FROM sources").fetchone()[0]
            assert recent < 15 and moved + recent == 60
        *_, counts = gallery.enrol_bulk([(vectors, names, None)])
        assert counts.unchanged == 60


def test_a_bad_row_is_named_and_what_came_before_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 4)
    bad = POOL.copy()
    bad[5, 1] = np.nan
    with new_gallery(tmp_path / "g") as gallery:
        enrolling = gallery.enrol_bulk([(POOL[:3], ["Ann"] * 3, None), (bad, ["Bo"] * 12, None)])
        assert next(enrolling).enrolled == 3
        assert next(enrolling).rows == 3 + 4
        with pytest.raises(InputError, match="vectors row 8 holds NaN"):
            next(enrolling)
        gallery.check()
        assert gallery.stats().pictures == 4  # three of its contents were there already


def test_an_error_of_the_reader_comes_after_what_it_gave(tmp_path):
    def blocks():
        yield POOL[:3], ["Ann"] * 3, None
        yield POOL[3:5], ["Bo"] * 2, None
        raise OSError("the tape is torn")

    with new_gallery(tmp_path / "g") as gallery:
        enrolling = gallery.enrol_bulk(blocks())
        assert [next(enrolling).enrolled, next(enrolling).enrolled] == [3, 5]
        with pytest.raises(OSError, match="the tape is torn"):
            next(enrolling)
        assert gallery.stats().pictures == 5
        gallery.check()


def test_one_array_may_be_filled_again_and_again(tmp_path, monkeypatch):
    """The next block is read only when this one is copied; and only one is read before its turn."""
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 2)
    buffer, names, given = np.empty((4, DIMENSION), np.float32), [""] * 4, []

    def blocks():
        for start in range(0, len(POOL), 4):
            buffer[:] = POOL[start : start + 4]
            names[:] = [f"person {row}" for row in range(start, start + 4)]
            given.append(start)
            yield buffer, names, None
            buffer[:] = np.nan

    with new_gallery(tmp_path / "g") as gallery:
        for counts in gallery.enrol_bulk(blocks()):
            assert 4 * len(given) <= counts.rows + 2 + 4
        infos = gallery.identities()
    said, _ = dump(tmp_path / "g")
    assert len(infos) == len(said) == len(POOL)
    for row, (_, _, name, label, _) in enumerate(said):
        assert name.rstrip(b"\0").decode() == f"person {row}"
        assert label[:32] == hashlib.sha256(POOL[row].tobytes()).digest()


BAD_BLOCKS = {
    "length": ((POOL[:, :4], ["Ann"] * 12, None), "vectors have length 4"),
    "shape": ((POOL[0], ["Ann"] * 8, None), "must be an array"),
    "objects": ((np.array([[None] * 8]), ["Ann"], None), "must be an array"),
    "identities": ((POOL, ["Ann"] * 11, None), "12 vectors but 11 identities"),
    "names": ((POOL, ["Ann"] * 12, ["a"] * 13), "12 vectors but 13 names"),
    "name": ((POOL, ["Ann"] * 11 + ["\n"], None), "identities row 14: the name"),
    "no text": ((POOL, ["Ann"] * 11 + [3], None), "identities row 14: 3 is no text"),
    "zero": ((POOL * 0, ["Ann"] * 12, None), "vectors row 3 has length zero"),
}


@pytest.mark.parametrize(("block", "said"), BAD_BLOCKS.values(), ids=BAD_BLOCKS)
def test_a_bad_block_writes_nothing(tmp_path, block, said):
    with new_gallery(tmp_path / "g") as gallery:
        enrolling = gallery.enrol_bulk([(POOL[:3], ["Ann"] * 3, None), block])
        assert next(enrolling).enrolled == 3
        with pytest.raises(InputError, match=said):
            next(enrolling)
        assert gallery.stats().pictures == 3


def test_nothing_to_enrol(tmp_path):
    with new_gallery(tmp_path / "g") as gallery:
        assert list(gallery.enrol_bulk([])) == []
        assert list(gallery.enrol_bulk([(POOL[:0], [], None)])) == []
        assert gallery.stats().generation == 0


@pytest.mark.parametrize("how", ["finished", "abandoned"])
def test_the_connection_is_as_before_afterwards(tmp_path, how):
    def said(gallery):
        names = ("foreign_keys", "cache_size", "wal_autocheckpoint", "synchronous")
        execute = gallery._database._connection.execute
        return [execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    with new_gallery(tmp_path / "g") as gallery:
        before = said(gallery)
        enrolling = gallery.enrol_bulk(
            [(POOL[:6], ["Ann"] * 6, None), (POOL[6:], ["Bo"] * 6, None)]
        )
        next(enrolling)
        assert said(gallery) != before and said(gallery)[-1] == before[-1]
        list(enrolling) if how == "finished" else enrolling.close()
        assert said(gallery) == before
        assert (tmp_path / "g" / "gallery.db-wal").stat().st_size == 0


def test_a_read_only_gallery_is_refused(tmp_path, monkeypatch):
    with new_gallery(tmp_path / "g") as gallery:
        monkeypatch.setattr(gallery._database, "read_only", True)
        with pytest.raises(GalleryError, match="read-only"):
            list(gallery.enrol_bulk([(POOL, ["Ann"] * 12, None)]))


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(bulk, "BLOCK_ROWS", 512)
    monkeypatch.setattr(known, "TABLE_BYTES", 1 << 10)

    def peak(folder, count):
        def blocks():
            draw = np.random.default_rng(count)
            for number in range(count):
                names = [f"person {number} {row // 4}" for row in range(512)]
                yield draw.standard_normal((512, 64)), names, None

        with new_gallery(folder, 64) as gallery:
            tracemalloc.start()
            for counts in gallery.enrol_bulk(blocks()):
                assert counts.skipped == 0
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return size

    peak(tmp_path / "warm", 2)
    assert peak(tmp_path / "long", 24) < 1.2 * peak(tmp_path / "short", 4)


@pytest.mark.parametrize("acknowledged", [1, 3, 6])
def test_killed_in_the_middle(tmp_path, acknowledged):
    """Every block that was told is there, and the one after it is there whole or not at all."""
    folder = tmp_path / "g"
    new_gallery(folder, gallery_victim.DIMENSION).close()
    victim = subprocess.Popen(
        [sys.executable, VICTIM, "bulk", folder], stdout=subprocess.PIPE, text=True
    )
    with victim:
        lines = [victim.stdout.readline() for _ in range(1 + acknowledged)]
        victim.kill()
        lines += [line for line in victim.stdout.read().splitlines(True) if line.endswith("\n")]
    told = int(lines[-1].split()[1])
    assert told >= acknowledged * gallery_victim.BULK_ROWS
    with Gallery.open(folder) as gallery:
        gallery.check()
        held = gallery.stats().pictures
        assert held >= told and held % gallery_victim.BULK_ROWS == 0
        *_, counts = gallery.enrol_bulk(gallery_victim.bulk_blocks(10))
        assert counts.unchanged == min(held, 10 * gallery_victim.BULK_ROWS)
        gallery.check()
