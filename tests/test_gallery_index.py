"""A gallery with an index: the same answers, changes followed, damage survived, bad input told."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest

from saccade.cli.app import main
from saccade.errors import GalleryError
from saccade.gallery import Gallery, code_place, code_wipe, codes, rows, upkeep
from saccade.gallery.memory import outline
from saccade.vectors.scan_coded import Coded
from saccade.vectors.scan_file import CodeFile
from saccade.vectors.tuned import Wish

ROWS, DIMENSION, EACH = 12_000, 24, 4


def people(n, seed=0, centres=None):
    """Unit rows of identities that have EACH pictures, and their names."""
    draw = np.random.default_rng(seed)
    strength = np.linspace(1.5, 0.2, DIMENSION)
    middle = np.random.default_rng(99).standard_normal((ROWS // EACH, DIMENSION)) * strength
    whose = np.arange(n) // EACH % len(middle)
    rows = middle[whose] + 0.35 * draw.standard_normal((n, DIMENSION)) * strength
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), [f"person {number}" for number in whose]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("indexed") / "gallery"
    with Gallery.create(folder, fingerprint="vectors", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(*people(ROWS))
        made = gallery.index(Wish(recall=0.95))
    assert made.kind == "scan", made.reason
    return folder


@pytest.fixture
def copied(indexed, tmp_path):
    import shutil

    return shutil.copytree(indexed, tmp_path / "gallery")


def hits(answers):
    return [[(hit.identity, hit.picture_id) for hit in found.hits] for found in answers]


def test_the_promised_share_of_best_hits_is_that_of_exact_search(indexed):
    queries, _ = people(2_000, seed=5)
    with Gallery(indexed) as gallery:
        stats = gallery.stats()
        assert (stats.index, stats.indexed, stats.index_due) == ("scan", ROWS, "")
        assert stats.recall >= stats.recall_low >= stats.recall_wanted == 0.95
        found, exact = (gallery.find_vectors(queries, exact=flag) for flag in (False, True))
        same = [a.hits[0] == b.hits[0] for a, b in zip(found, exact, strict=True)]
        assert np.mean(same) >= 0.95
        for a in found:
            assert len({hit.identity for hit in a.hits}) == len(a.hits) == 5
            assert sorted(a.hits, key=lambda hit: (-hit.similarity, hit.picture_id)) == [*a.hits]


def test_similarities_are_true_cosines(indexed):
    rows, _ = people(ROWS)
    queries, _ = people(50, seed=6)
    with Gallery(indexed) as gallery:
        for query, found in zip(queries, gallery.find_vectors(queries), strict=True):
            for hit in found.hits:
                stored = rows[hit.picture_id - 1].astype(np.float16).astype(np.float64)
                assert hit.similarity == pytest.approx(
                    stored @ query / np.linalg.norm(stored), abs=1e-6
                )


@pytest.mark.parametrize("k", [1, 5, 40])
def test_what_the_bounds_leave_out_changes_no_answer(indexed, monkeypatch, k):
    """Fewer rows of the truth are read, as many as the bounds allow, and the answers are equal."""
    queries, _ = people(60, seed=8)
    read = []

    def counted(connection, numbers):
        read.append(len(numbers))
        return named(connection, numbers)

    def unbounded(coded, query, positions):
        return np.full(len(positions), -np.inf), np.full(len(positions), np.inf)

    named = rows.named
    monkeypatch.setattr(rows, "named", counted)
    with Gallery(indexed) as gallery:
        bounded = [gallery.find_vectors([query], k, ["it"])[0] for query in queries]
        assert gallery.find_vectors(queries, k, ["it"] * 60) == bounded
        few = sum(read[:60])
        read.clear()
        monkeypatch.setattr(Coded, "bounds", unbounded)
        assert [gallery.find_vectors([query], k, ["it"])[0] for query in queries] == bounded
        assert few < {1: 0.3, 5: 0.5, 40: 0.99}[k] * sum(read)


def test_rows_that_another_process_zeroed_are_not_looked_at_again(copied):
    vectors, names = people(ROWS)
    with Gallery(copied) as gallery, Gallery(copied) as other:
        gallery.find_vectors(vectors[:1], 1)
        assert other.forget(names[0]).status == "forgotten"
        (answer,) = gallery.find_vectors(vectors[:1], 1)
        assert answer.hits[0].identity != names[0]
        base = gallery._memory.base
        alive = np.unpackbits(base.allowed, count=len(base), bitorder="little")
        assert np.array_equal(np.flatnonzero(alive), np.flatnonzero(base.numbers))
        assert base.alive_rows == alive.sum() == ROWS - EACH


def test_the_index_follows_enrolments_and_forgets(copied):
    queries, names = people(40, seed=7)
    with Gallery(copied) as gallery, Gallery(copied) as other:
        before = hits(gallery.find_vectors(queries))
        other.enrol_vectors(queries, [f"new {number}" for number in range(40)])
        found = gallery.find_vectors(queries)
        assert [one.hits[0].identity for one in found] == [f"new {number}" for number in range(40)]
        for number in range(40):
            assert other.forget(f"new {number}").status == "forgotten"
        assert hits(gallery.find_vectors(queries)) == before
        assert other.forget(names[0]).status == "forgotten"
        assert all(
            name != names[0]
            for one in gallery.find_vectors(queries)
            for name in [hit.identity for hit in one.hits]
        )
        assert gallery.stats().indexed == ROWS - EACH


def test_forgotten_rows_leave_no_codes(copied):
    file = CodeFile(copied / "codes" / "scan")
    identities = np.array(file.arrays["identities"])
    with Gallery(copied) as gallery:
        gallery.forget("person 17")
    places = codes.positions_of(identities, np.array([18]))
    assert len(places) == EACH
    after = CodeFile(copied / "codes" / "scan")
    after.check(after.arrays)
    head = after.arrays["head"].reshape(-(-len(identities) // 16), -1, 16, 4)
    assert not head[places // 16, :, places % 16].any()
    for name in ("full", "numbers", "identities"):
        assert not after.arrays[name][places].any()
    others = np.setdiff1d(np.arange(len(identities)), places)
    assert (after.arrays["identities"][others] == identities[others]).all()


def test_when_one_identity_fills_the_list_others_are_found_all_the_same(tmp_path):
    rows, names = people(ROWS)
    crowd = rows[0] + 0.002 * np.random.default_rng(1).standard_normal((300, DIMENSION))
    folder = tmp_path / "gallery"
    with Gallery.create(folder, fingerprint="vectors", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(np.vstack([rows, crowd]), [*names, *["crowd"] * len(crowd)])
        assert gallery.index(Wish(recall=0.8)).kind == "scan"
        found = gallery.find_vectors(rows[:1], k=5)[0]
        exact = gallery.find_vectors(rows[:1], k=5, exact=True)[0]
    assert len(found.hits) == 5
    assert {"crowd", names[0]} <= {hit.identity for hit in found.hits}
    assert [hit.identity for hit in exact.hits][:2] == [hit.identity for hit in found.hits][:2]


@pytest.mark.parametrize("place", ["header", "rotation", "full", "numbers", "cut", "empty"])
def test_damaged_codes_are_dropped_and_answers_stay_right(copied, place):
    path, queries = copied / "codes" / "scan", people(20, seed=8)[0]
    with Gallery(copied) as gallery:
        exact = hits(gallery.find_vectors(queries, exact=True))
    if place == "cut":
        path.write_bytes(path.read_bytes()[:100_000])
    elif place == "empty":
        path.write_bytes(b"")
    else:
        content = bytearray(path.read_bytes())
        start = 0 if place == "header" else CodeFile(path)._places[place][0]
        content[start : start + 64] = bytes(64)
        path.write_bytes(content)
    code_wipe.check(copied)
    with Gallery(copied) as gallery:
        assert gallery.stats().index == "exact"
        assert hits(gallery.find_vectors(queries)) == exact
        gallery.index(Wish(recall=0.95))
        assert gallery.stats().index == "scan"


def test_codes_that_change_while_they_are_opened_are_read_when_that_is_over(copied):
    """As in a forget: what it zeroes, and the checksum of that, are not written at once."""
    file = CodeFile(copied / "codes" / "scan", writable=True)
    with code_place.locked(copied, wait_s=0) as held, Gallery(copied) as gallery:
        assert held
        file.arrays["escaped"][0] ^= 1
        file.flush()

        def finish():
            file.arrays["escaped"][0] ^= 1
            file.flush()
            release.set()

        release = threading.Event()
        threading.Timer(0.1, finish).start()
        assert outline(gallery._database)[0] is None  # the lock is held for longer than it waits
        release.wait()
    with Gallery(copied) as gallery:
        assert outline(gallery._database)[0] is not None


def test_codes_of_another_gallery_are_not_believed(copied, tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="vectors", dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(*people(30, seed=3))
        (tmp_path / "g" / "codes").mkdir(exist_ok=True)
        (copied / "codes" / "scan").rename(tmp_path / "g" / "codes" / "scan")
        assert gallery.stats().index == "exact"
        assert gallery.find_vectors(people(1, seed=3)[0])[0].hits[0].picture_id == 1


def test_an_index_is_due_when_rows_have_come_or_gone(copied, monkeypatch):
    monkeypatch.setattr(upkeep, "INDEX_FROM", 400)
    with Gallery(copied) as gallery:
        assert gallery.index_due() == ""
        gallery.enrol_vectors(people(300, seed=11)[0], ["late"] * 300)
        assert gallery.index_due() == "300 pictures are new since the index was made"
        gallery.index()
        assert gallery.index_due() == ""
        base, _ = outline(gallery._database)
        assert base.wish == Wish(recall=0.95)  # the wish is kept


def test_a_new_kind_of_rows_is_seen(copied):
    draw = np.random.default_rng(0)
    rows = np.zeros((1100, DIMENSION), np.float32)
    rows[:, -4:] = draw.standard_normal((1100, 4))
    with Gallery(copied) as gallery:
        gallery.enrol_vectors(people(1100, seed=12)[0], ["alike"] * 1100)
        assert upkeep.drift(gallery._current_memory()) == ""
        assert gallery.index_due() == ""
        gallery.enrol_vectors(rows, ["other"] * 1100)
        assert "tune again" in upkeep.drift(gallery._current_memory())
        assert "tune again" in gallery.index_due()


def test_an_index_is_made_in_the_background_when_it_is_due(copied, monkeypatch):
    monkeypatch.setattr(upkeep, "INDEX_FROM", 400)
    queries = people(300, seed=13)[0]
    with Gallery(copied, background=True) as gallery:
        gallery.enrol_vectors(queries, ["late"] * 300)
        assert gallery.find_vectors(queries[:1])[0].identity == "late"
        gallery._upkeep.wait()
        assert gallery.find_vectors(queries[:1])[0].identity == "late"
        assert gallery.stats().indexed == ROWS + 300


def test_a_gallery_that_memory_should_not_hold_is_indexed_first(copied, monkeypatch):
    (copied / "codes" / "scan").unlink()
    monkeypatch.setattr(upkeep, "VAST_BYTES", 1000)
    monkeypatch.setattr(upkeep, "INDEX_FROM", 1000)
    with Gallery(copied) as gallery:
        gallery.find_vectors(people(1)[0])
        assert gallery._memory.loose.count == 0 and gallery.stats().index == "scan"


def test_two_do_not_make_it_at_once(copied):
    with code_place.locked(copied, wait_s=0), Gallery(copied) as gallery:
        with pytest.raises(GalleryError, match="another process is making the index"):
            gallery.index()
        forgotten = gallery.forget("person 3", wait_s=0)
        assert forgotten.status == "pending" and "making the index" in forgotten.reason
    with Gallery(copied) as gallery:  # opening finishes it
        assert gallery.stats().pending_forgets == 0
        assert 4 not in CodeFile(copied / "codes" / "scan").arrays["identities"]


def test_the_command_line_makes_and_tells_it(copied, capsys):
    assert main(["index", str(copied), "--recall", "0.9", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["kind"] == "scan" and made["recall_low"] >= 0.9
    assert main(["index", str(copied)]) == 0
    assert "wanted 0.9" in capsys.readouterr().out
    assert main(["index", str(copied), "--recall", "0.9", "--memory", "0.000001"]) == 1
    assert "promise kept: no, memory" in capsys.readouterr().out
    assert main(["stats", str(copied)]) == 0
    assert "index" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--recall", "1.5"], "recall must be above 0 and at most 1, got 1.5"),
        (["--recall", "nan"], "recall must be above 0 and at most 1, got nan"),
        (["--memory", "0"], "memory must be"),
        (["--latency", "-1"], "latency must be above 0"),
        (["--threads", "0"], "threads must be 1 or more, got 0"),
        (["--recal", "0.9"], "recal"),
    ],
)
def test_bad_wishes_are_refused_in_one_line(copied, words, told, capsys):
    before = (copied / "codes" / "scan").read_bytes()
    assert main(["index", str(copied), *words]) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1
    assert (copied / "codes" / "scan").read_bytes() == before


def test_galleries_without_rows_and_of_one_are_searched_exactly(tmp_path, capsys):
    with Gallery.create(tmp_path / "g", fingerprint="vectors", dimension=3) as gallery:
        assert gallery.index().kind == "exact"
        assert gallery.find_vectors(np.eye(3, dtype=np.float32))[0].hits == ()
        gallery.enrol_vectors(np.eye(3, dtype=np.float32)[:1], ["one"])
        assert gallery.index().kind == "exact"
        assert gallery.find_vectors(np.eye(3, dtype=np.float32)[:1])[0].identity == "one"
    assert main(["index", str(tmp_path / "nobody")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_finding_vectors_with_an_index_loads_no_torch(indexed):
    code = (
        "import sys, numpy as np; from saccade.gallery import Gallery; "
        f"g = Gallery({str(indexed)!r}); "
        f"print(g.find_vectors(np.ones((1, {DIMENSION}), 'f4'))[0].identity); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
