"""Names and merges: one identity in every answer, undone exactly, gone together."""

import json
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.errors import GalleryError, InputError, UnknownNameError
from saccade.gallery import Gallery, merges
from saccade.gallery.known import KnownNames
from tests import coded

DIMENSION = 16
PEOPLE = ["anna", "annie", "berta", "clara"]


@pytest.fixture
def gallery(tmp_path):
    """Four people of three pictures; the vectors of the first two are alike."""
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        for name in PEOPLE:
            made.enrol_vectors(vectors(name), [name] * 3)
        yield made


def vectors(name, n=3):
    draw = np.random.default_rng(len(name) * 1000 + ord(name[-2]))
    return draw.standard_normal((n, DIMENSION)).astype(np.float32)


def tables(gallery):
    """Everything but the log: what a merge and its end must leave as it was."""
    with gallery._database.reading() as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("identities", "pictures", "merges", "vectors", "labels", "names")
        }


def names_of(gallery, query, k=9, **how):
    return [hit.identity for hit in gallery.find_vectors([query], k, **how)[0].hits]


def test_a_merge_makes_one_of_two_in_every_answer(gallery):
    info = gallery.merge("anna", "annie")
    assert (info.name, info.pictures, info.also) == ("anna", 6, ("annie",))
    assert info in gallery.identities()
    assert [one.name for one in gallery.identities()] == ["anna", "berta", "clara"]
    stats = gallery.stats()
    assert (stats.identities, stats.pictures) == (3, 12)
    (found,) = gallery.find_vectors(vectors("annie")[:1], 5)
    assert [hit.identity for hit in found.hits].count("anna") == 1
    assert found.hits[0].identity == "anna" and len(found.hits) == 3
    assert found.hits[0].picture_id == 4, "the picture that matched is one of annie's"
    gallery.check()


def test_unmerge_undoes_exactly_even_after_more_was_enrolled(gallery):
    before = tables(gallery)
    gallery.merge("anna", "annie")
    assert gallery.unmerge("annie").pictures == 3
    assert tables(gallery) == before
    gallery.merge("anna", "annie")
    more = vectors("more", 2)
    assert {one.status for one in gallery.enrol_vectors(more, ["annie"] * 2)} == {"enrolled"}
    assert names_of(gallery, more[0])[0] == "anna"
    gallery.unmerge("annie")
    assert names_of(gallery, more[0])[0] == "annie"
    counts = {info.name: info.pictures for info in gallery.identities()}
    assert counts == {"anna": 3, "annie": 5, "berta": 3, "clara": 3}


def test_chains_lead_to_their_end(gallery):
    gallery.merge("berta", "annie")
    gallery.merge("anna", "berta")
    (info,) = [one for one in gallery.identities() if one.also]
    assert (info.name, info.pictures, info.also) == ("anna", 9, ("annie", "berta"))
    for name in ("anna", "annie", "berta"):
        assert names_of(gallery, vectors(name)[0])[0] == "anna"
    assert gallery.unmerge("berta").also == ("annie",), "what was merged into it goes with it"
    assert names_of(gallery, vectors("annie")[0])[0] == "berta"


@pytest.mark.parametrize(
    ("kept", "merged", "words"),
    [
        ("anna", "anna", "'anna' and 'anna' are one identity already"),
        ("annie", "anna", "are one identity already"),
        ("clara", "annie", "'annie' is merged into 'anna' already; merge 'anna' instead"),
        ("annie", "berta", None),
        ("anna", "nobody", "no identity 'nobody'"),
    ],
)
def test_what_cannot_be_merged(gallery, kept, merged, words):
    gallery.merge("anna", "annie")
    if words is None:
        assert gallery.merge(kept, merged).name == "anna"
        return
    before = tables(gallery), gallery.stats().generation
    with pytest.raises((InputError, UnknownNameError), match=words):
        gallery.merge(kept, merged)
    assert (tables(gallery), gallery.stats().generation) == before


def test_who_was_not_merged_cannot_be_unmerged(gallery):
    gallery.merge("anna", "annie")
    with pytest.raises(
        InputError, match=r"'anna' is not merged.*these are merged into it: 'annie'"
    ):
        gallery.unmerge("anna")
    with pytest.raises(InputError, match="saccade list"):
        gallery.unmerge("clara")


@pytest.mark.parametrize("name", ["anna", "annie"])
def test_forget_takes_all_names_of_one(gallery, name):
    gallery.merge("anna", "annie")
    outcome = gallery.forget(name)
    assert (outcome.status, outcome.number, outcome.pictures) == ("forgotten", 1, 6)
    receipts = [json.loads(path.read_text()) for path in outcome.receipts]
    assert [one["identity"] for one in receipts] == [1, 2]
    assert [one["pictures"] for one in receipts] == [3, 3]
    assert outcome.receipt == outcome.receipts[0]
    assert [info.name for info in gallery.identities()] == ["berta", "clara"]
    assert gallery.stats().pending_forgets == 0
    for gone in ("anna", "annie"):
        with pytest.raises(UnknownNameError):
            gallery.forget(gone)
    gallery.check()


def test_a_group_stays_pending_while_somebody_reads(gallery):
    gallery.merge("anna", "annie")
    reader = sqlite3.connect(gallery.folder / "gallery.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM pictures").fetchall()
    outcome = gallery.forget("annie", wait_s=0.0)
    assert (outcome.status, outcome.receipts, outcome.receipt) == ("pending", (), None)
    assert gallery.stats().pending_forgets == 2
    reader.close()
    gallery.set_threshold(0.5)
    assert gallery.stats().pending_forgets == 0
    assert len(list((gallery.folder / "receipts").iterdir())) == 2


def test_rename(gallery):
    info = gallery.rename("anna", "Änne")
    assert (info.name, info.pictures) == ("Änne", 3)
    assert names_of(gallery, vectors("anna")[0])[0] == "Änne"
    with pytest.raises(UnknownNameError):
        gallery.forget("anna")
    (again,) = gallery.enrol_vectors(vectors("anna")[:1], ["Änne"])
    assert again.status == "unchanged"
    gallery.check()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("anna", "berta", "'berta' already; choose another name, or say that both are one"),
        ("anna", "anna", "already"),
        ("nobody", "somebody", "no identity 'nobody'"),
        ("anna", "unknown", "answer for nobody"),
        ("anna", " ", "empty"),
        ("anna", "x" * 201, "201 characters"),
    ],
)
def test_what_cannot_be_renamed(gallery, old, new, words):
    before = tables(gallery)
    with pytest.raises(InputError, match=words):
        gallery.rename(old, new)
    assert tables(gallery) == before


def test_a_merged_name_can_be_renamed_and_stays_merged(gallery):
    gallery.merge("anna", "annie")
    assert gallery.rename("annie", "Ann").also == ("Ann",)
    assert gallery.unmerge("Ann").name == "Ann"


@pytest.mark.parametrize("new", ["short", "a name of another length " * 7])
def test_no_byte_of_an_old_name_stays(tmp_path, new):
    old = "old-name-4f1c97"
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=2) as gallery:
        gallery.enrol_vectors(np.eye(2), [old, "other"])
        assert old.encode() in all_bytes(tmp_path / "g")
        gallery.rename(old, new)
        assert (tmp_path / "g" / "gallery.db-wal").stat().st_size == 0
        gallery.check()
    content = all_bytes(tmp_path / "g")
    assert old.encode() not in content and new.strip().encode() in content


def all_bytes(folder):
    return b"\0\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_bulk_enrolment_follows_a_rename(gallery):
    """What is surely new by its bit is not looked up: a new name needs its bit too."""
    known = KnownNames()
    with gallery._database.writing() as connection:
        assert known.possible(connection, ["Änne", "anna"]) == ["anna"]
    with Gallery.open(gallery.folder) as other:
        other.rename("anna", "Änne")
    with gallery._database.writing() as connection:
        assert "Änne" in known.possible(connection, ["Änne", "new"])
        assert "new" not in known.possible(connection, ["Änne", "new"])


def test_a_name_that_is_given_during_bulk_enrolment_is_met(gallery, monkeypatch):
    monkeypatch.setattr("saccade.gallery.bulk.BLOCK_ROWS", 4)
    draw = np.random.default_rng(3)

    def blocks():
        for number in range(6):
            name = "Änne" if number == 5 else f"block {number}"
            yield draw.standard_normal((4, DIMENSION)).astype(np.float32), [name] * 4, None

    for counts in gallery.enrol_bulk(blocks()):
        if counts.rows == 12:
            with Gallery.open(gallery.folder) as other:
                other.rename("anna", "Änne")
    assert {info.name: info.pictures for info in gallery.identities()}["Änne"] == 7
    gallery.check()


@pytest.mark.parametrize("cells", [0, 2])
def test_codes_loose_rows_and_exact_search_agree(tmp_path, cells):
    """One identity of very many pictures and names fills every list, and is one hit."""
    draw = np.random.default_rng(cells)
    pool = draw.standard_normal((12, 20, DIMENSION)).astype(np.float32)
    pool[:8] += 4 * pool[0, 0]  # eight names that lie together
    names = [f"person {number}" for number in range(12)]
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as gallery:
        with coded.tuner(coded.scanning(cells=cells, finalists=30)):
            for person in range(12):
                gallery.enrol_vectors(pool[person, :15], [names[person]] * 15)
            gallery.index()
        for person in range(12):
            gallery.enrol_vectors(pool[person, 15:], [names[person]] * 5)
        for person in range(1, 8):
            gallery.merge(names[person - 1], names[person])
        kept = [names[0]] * 8 + names[8:]
        with gallery._database.reading() as connection:
            own = dict(connection.execute("SELECT number, identity FROM pictures").fetchall())
        numbers = sorted(own)
        order = [(person, row) for person in range(12) for row in range(15)]
        order += [(person, row) for person in range(12) for row in range(15, 20)]
        enrolled = {
            number: (kept[person], pool[person, row])
            for number, (person, row) in zip(numbers, order, strict=True)
        }
        queries = [pool[0, 0], *draw.standard_normal((5, DIMENSION))]
        for k in (1, 3, 5, 9):
            for exact in (False, True):
                answers = gallery.find_vectors(queries, k, exact=exact)
                for query, found in zip(queries, answers, strict=True):
                    coded.assert_right(found, enrolled, query, k)


def test_two_processes_see_each_others_corrections(gallery):
    with Gallery.open(gallery.folder) as other:
        query = vectors("annie")[0]
        assert names_of(other, query)[0] == names_of(gallery, query)[0] == "annie"
        gallery.merge("anna", "annie")
        assert names_of(other, query)[0] == "anna"
        other.rename("anna", "Änne")
        assert names_of(gallery, query)[0] == "Änne"
        other.unmerge("annie")
        assert names_of(gallery, query)[0] == "annie"
        gallery.forget("annie")
        assert "annie" not in names_of(other, query)


def test_following_a_correction_reads_no_row(gallery, monkeypatch):
    names_of(gallery, vectors("anna")[0])
    loose = gallery._memory.loose
    gallery.merge("anna", "annie")
    gallery.rename("berta", "Bertha")
    names_of(gallery, vectors("anna")[0])
    assert gallery._memory.loose is loose


pointers = st.lists(st.integers(0, 19), min_size=20, max_size=20)


@settings(max_examples=30, deadline=None)
@given(pointers=pointers, asked=st.lists(st.integers(0, 25), max_size=30))
def test_pointers_are_followed_as_one_by_one(pointers, asked):
    """Each points at a lower number or at itself, which is none: so there is no circle."""
    into = {one: kept for one, kept in enumerate(pointers) if kept < one}

    def end(one):
        return end(into[one]) if one in into else one

    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE merges (merged INTEGER PRIMARY KEY, kept INTEGER, at TEXT)")
    connection.executemany("INSERT INTO merges VALUES (?, ?, '')", into.items())
    read = merges.Merges.read(connection)
    assert read.of(np.array(asked, np.int64)).tolist() == [end(one) for one in asked]
    roots = np.unique([end(one) for one in range(20)][:5])
    members = [one for one in range(20) if end(one) in roots]
    assert sorted(read.members(roots).tolist()) == members
    for one in range(20):
        assert merges.root(connection, one) == end(one)
        assert merges.group(connection, one) == [x for x in range(20) if end(x) == end(one)]


def test_a_circle_in_a_damaged_gallery_is_said(gallery):
    with gallery._database.writing() as connection:
        connection.execute("INSERT INTO merges VALUES (1, 2, ''), (2, 3, ''), (3, 1, '')")
    for ask in (
        gallery.identities,
        gallery.check,
        lambda: gallery.forget("anna"),
        lambda: names_of(gallery, vectors("anna")[0]),
    ):
        with pytest.raises(GalleryError, match="circle"):
            ask()


def test_the_log_in_words(gallery):
    gallery.rename("berta", "Bertha")
    gallery.merge("anna", "annie")
    gallery.unmerge("annie")
    gallery.reject(vectors("clara")[0], "anna")
    gallery.reject(7, "clara")
    gallery.reject(7, "clara", undo=True)
    gallery.forget("Bertha")
    told = gallery.log()
    assert told.problem == ""
    assert [entry.words for entry in told.entries[4:]] == [
        "renamed identity 3",
        "merged identity 2 (annie)",
        "into identity 1 (anna)",
        "took the merge back of identity 2 (annie)",
        "with identity 1 (anna)",
        "picture 10 is not identity 1 (anna)",
        "picture 7 is not identity 4 (clara)",
        "picture 7 may be identity 4 (clara) again",
        "forgot identity 3 with 3 pictures",
    ]
    assert told.entries[0].words == "enrolled 3 pictures, numbers 1 to 3"
    mine = [entry.number for entry in gallery.log("annie").entries]
    assert mine == [2, 6, 8]
    with gallery._database.writing() as connection:
        connection.execute("UPDATE log SET identity = 4 WHERE number = 6")
    assert gallery.log().problem == "log entry 6 does not fit its hash"
