"""Terms, forgetting many at once, and receipts that are compared with the gallery."""

import json
import sqlite3

import numpy as np
import pytest

from saccade.cli.app import main
from saccade.errors import InputError, UnknownNameError
from saccade.gallery import Gallery, code_wipe, codes, forget, proof, slots, terms, traces
from tests import coded

DIMENSION = 32
VECTORS = np.random.default_rng(3).standard_normal((60, DIMENSION)).astype(np.float32)
NAMES = [f"p{row // 2}" for row in range(len(VECTORS))]
LONG_AGO, FAR_AHEAD = "2000-01-01", "9999-12-31"


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        made.enrol_vectors(VECTORS, NAMES)
        yield made


def hits(gallery, query, **how):
    return {hit.identity for hit in gallery.find_vectors(query[None], 40, **how)[0].hits}


def stored(row):
    return (row / np.linalg.norm(row)).astype("<f2").tobytes()


@pytest.mark.parametrize("with_codes", [False, True])
def test_whoever_has_expired_is_no_hit_from_that_day_on(gallery, monkeypatch, with_codes):
    if with_codes:
        with coded.tuner(coded.scanning(cells=2)):
            gallery.index()
    gallery.set_terms("p3", expires="2030-06-01", consent="2026-01-31")
    gallery.set_terms("p4", expires=FAR_AHEAD)
    everybody = set(NAMES)
    for day, wanted in (
        ("2030-05-31", everybody),
        ("2030-06-01", everybody - {"p3"}),
        ("2030-06-02", everybody - {"p3"}),
    ):
        monkeypatch.setattr(terms, "today", lambda day=day: day)
        assert hits(gallery, VECTORS[6]) == hits(gallery, VECTORS[6], exact=True) == wanted
    assert len(gallery.identities()) == len(everybody), "still enrolled"
    with Gallery.open(gallery.folder) as other:
        other.set_terms("p3", expires="none")
    assert hits(gallery, VECTORS[6]) == everybody
    assert gallery.show("p3").consent == "2026-01-31"
    gallery.check()


def test_terms_come_with_the_enrolment(gallery, tmp_path):
    gallery.enrol_vectors(-VECTORS[:4], ["n0", "n0", "p1", "n1"], expires=LONG_AGO)
    assert gallery.show("p1").expires == LONG_AGO, "whoever gets a new picture"
    assert {"n0", "p1", "n1"}.isdisjoint(hits(gallery, VECTORS[0]))
    *_, counts = gallery.enrol_bulk([(2 - VECTORS[:3], ["b"] * 3, None)], expires="2000-01-02")
    assert (counts.enrolled, gallery.show("b").expires) == (3, "2000-01-02")
    gone = gallery.forget_expired("2000-01-01")
    assert [one.status for one in gone] == ["forgotten"] * 3
    assert [one.pictures for one in gone] == [3, 2, 1], "by number, all pictures"
    assert [one.pictures for one in gallery.forget_expired()] == [3]
    assert gallery.forget_expired() == []
    gallery.check()


@pytest.mark.parametrize("text", ["2026-1-1", "2026-02-30", "tomorrow", "", "20260101", "none "])
def test_a_day_that_is_none_is_refused(gallery, text):
    with pytest.raises(InputError, match="must be a day as 2027-01-31"):
        gallery.set_terms("p1", expires=text)
    with pytest.raises(InputError, match="must be a day as 2027-01-31"):
        gallery.enrol_vectors(-VECTORS[:1], ["new"], expires=text)
    assert len(gallery.identities()) == 30


@pytest.mark.parametrize("with_codes", [False, True])
def test_many_are_forgotten_in_one_pass(gallery, monkeypatch, with_codes):
    if with_codes:
        with coded.tuner(coded.scanning(cells=2)):
            gallery.index()
    passes = {"search": 0, "wipe": 0, "write": 0}

    def counted(owner, name, what):
        plain = getattr(owner, name)

        def call(*args, **kwargs):
            passes[what] += 1
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    counted(traces.Traces, "search", "search")
    counted(code_wipe, "wipe_file", "wipe")
    counted(forget, "_remove", "write")
    wanted = [f"p{number}" for number in range(20, 5, -1)]
    gone = gallery.forget_many([*wanted, "p20"])
    assert passes == {"search": 2, "wipe": int(with_codes), "write": 1}, "the file and its log"
    assert [one.pictures for one in gone] == [2] * 16
    assert gone[0] == gone[-1], "named twice, told twice"
    assert gone[0].number == 21 and len({one.receipt for one in gone}) == 15
    for one in gone:
        assert json.loads(one.receipt.read_text())["search"]["vectors"] == 2
        assert gallery.verify_receipt(one.receipt) == []
    assert hits(gallery, VECTORS[20]) == set(NAMES) - set(wanted)
    gallery.check()
    gallery.close()
    bytes_left = b"".join(p.read_bytes() for p in gallery.folder.rglob("*") if p.is_file())
    for row, name in enumerate(NAMES):
        assert (stored(VECTORS[row]) in bytes_left) == (name not in wanted)


def test_all_or_none(gallery):
    with pytest.raises(UnknownNameError, match="did you mean 'p7'"):
        gallery.forget_many(["p1", "p7x"])
    assert gallery.stats().pictures == len(VECTORS)
    assert not list((gallery.folder / "receipts").iterdir())


def test_a_search_that_would_take_too_long_is_bounded(gallery, monkeypatch):
    """Of every identity a vector is searched for before a second of any, in as many bytes."""
    monkeypatch.setattr(traces, "MOST_PIECES", 8)
    monkeypatch.setattr(traces, "BLOCK_STRIDES", 256)
    monkeypatch.setattr(proof, "SEARCH_MOST_S", -1.0)
    gone = gallery.forget_many(["p0", "p1", "p2"])
    size = (gallery.folder / "gallery.db").stat().st_size
    searches = [json.loads(one.receipt.read_text())["search"] for one in gone]
    assert [search["vectors"] for search in searches] == [2, 1, 1]
    assert {search["of_bytes"] for search in searches} == {size}
    assert all(0 < search["bytes"] < size / 10 for search in searches)


def test_a_vector_that_was_left_somewhere_is_found(gallery, monkeypatch):
    """The one search for all sees whose vector stayed, and only that one gets no receipt."""
    plain = slots.wipe

    def careless(connection, shelf, slot):
        if not (shelf == "vectors" and slot == 3):
            plain(connection, shelf, slot)
        else:
            connection.execute("DELETE FROM vectors WHERE slot = 3")
            connection.execute(
                "INSERT INTO originals VALUES (1, ?)", (stored(VECTORS[2]) + bytes(64),)
            )

    monkeypatch.setattr(slots, "wipe", careless)
    gone = gallery.forget_many(["p0", "p1", "p2"])
    assert [one.status for one in gone] == ["forgotten", "pending", "forgotten"]
    assert "found bytes of a forgotten vector" in gone[1].reason


@pytest.mark.parametrize("count", [0, 1, 8, 9, 200])
def test_positions_of_many_identities(count):
    rng = np.random.default_rng(count)
    held = rng.integers(0, 300, 5000)
    wanted = rng.integers(0, 400, count)
    slow = [place for place, one in enumerate(held.tolist()) if one in set(wanted.tolist())]
    assert codes.positions_of(held, wanted).tolist() == slow


def altered(receipt, **changes):
    content = json.loads(receipt.read_text()) | changes
    receipt.with_name("altered.json").write_text(json.dumps(content))
    return receipt.with_name("altered.json")


def test_a_receipt_is_compared_with_the_gallery(gallery, tmp_path):
    (one,) = gallery.forget_many(["p5"])
    assert gallery.verify_receipt(one.receipt) == []
    for changes, said in (
        ({"log_sha256": "0" * 64}, "has another hash"),
        ({"identity": 1}, "something else"),
        ({"generation": 99}, "no entry 99"),
        ({"picture_ids": [1, 2]}, "picture 1 is in the gallery"),
        ({"forgotten_at": "2020-01-01T00:00:00Z"}, "something else"),
    ):
        problems = gallery.verify_receipt(altered(one.receipt, **changes))
        assert any(said in problem for problem in problems), (changes, problems)
    gallery.enrol_vectors(VECTORS[10:11], ["p5"])  # the same content again
    assert ["enrolled since" in problem for problem in gallery.verify_receipt(one.receipt)] == [
        True
    ]
    with Gallery.create(tmp_path / "h", fingerprint="f" * 64, dimension=DIMENSION) as another:
        assert "of another gallery" in another.verify_receipt(one.receipt)[0]


def test_a_log_that_was_changed_makes_no_receipt_true(gallery):
    (one,) = gallery.forget_many(["p5"])
    gallery.close()
    connection = sqlite3.connect(gallery.folder / "gallery.db")
    connection.execute("UPDATE log SET pictures = 61 WHERE number = 1")
    connection.commit()
    connection.close()
    with Gallery.open(gallery.folder) as opened:
        assert opened.verify_receipt(one.receipt) == ["log entry 1 does not fit its hash"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no object"),
        ('{"format": 2}', "format"),
        ('{"format": 1, "identity": "x"}', "'identity' is no number"),
        (
            '{"format": 1, "identity": 1, "pictures": 1, "generation": 2, "picture_ids": []}',
            "'picture_ids' has 0 entries",
        ),
    ],
)
def test_what_is_no_receipt_is_refused(gallery, tmp_path, content, said):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=said):
        gallery.verify_receipt(tmp_path / "r.json")


def test_the_commands(gallery, tmp_path, capsys):
    folder = str(gallery.folder)
    gallery.close()
    assert main(["describe", folder, "p1", "site=A", "year=2021"]) == 0
    assert main(["describe", folder, "p1", "year=2022", "--remove", "site"]) == 0
    assert main(["terms", folder, "p1", "--consent", "2026-01-31", "--expires", LONG_AGO]) == 0
    assert main(["show", folder, "p1"]) == 0
    told = capsys.readouterr().out
    assert "facts: year=2022\nconsent: 2026-01-31   expires: 2000-01-01\n" in told
    assert main(["list", folder, "--where", "year > 2021", "--json"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == ["p1"]
    np.save(tmp_path / "q.npy", VECTORS[2:3])
    query = ["find", folder, "--vectors", str(tmp_path / "q.npy"), "--top", "40"]
    assert main([*query, "--where", "year > 2021"]) == 1, "she has expired"
    assert main(["terms", folder, "p1", "--expires", "none"]) == 0
    assert main([*query, "--where", "year > 2021"]) == 0
    assert main(["terms", folder, "p2", "--expires", "2026-06-01"]) == 0
    capsys.readouterr()
    assert main(["forget", folder, "--expired", "--on", "2026-05-31"]) == 0
    assert capsys.readouterr().out == "nobody has expired\n"
    assert main(["forget", folder, "--expired", "--on", "2026-06-01"]) == 0
    receipt = capsys.readouterr().out.splitlines()[1].removeprefix("receipt: ")
    assert main(["verify-receipt", receipt, "--gallery", folder]) == 0
    capsys.readouterr()
    (tmp_path / "names.txt").write_text("p7\n\np8\n")
    assert main(["forget", folder, "p9", "--from", str(tmp_path / "names.txt"), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    with Gallery.open(folder) as opened:
        assert len(opened.identities()) == 26


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["forget", "G"], "needs names"),
        (["forget", "G", "p1", "--expired"], "needs names"),
        (["forget", "G", "p1", "--on", "2026-01-01"], "--on belongs to --expired"),
        (["forget", "G", "--expired", "--on", "soon"], "the day must be a day"),
        (["forget", "G", "--from", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["describe", "G", "p1"], "nothing is said"),
        (["describe", "G", "p1", "site"], "'site' is no fact"),
        (["describe", "G", "p1", "=x"], "key of a fact must have 1 to 100"),
        (["describe", "G", "p1", "a=1", "a=2"], "given twice"),
        (["describe", "G", "p1", "--remove", "site"], "no fact 'site' to remove; it has no facts"),
        (["describe", "G", "nobody", "a=1"], "no identity 'nobody'"),
        (["terms", "G", "p1"], "no day is given"),
        (["list", "G", "--where", "site="], "at the caret: site=^"),
        (["show", "G", "p1x"], "did you mean"),
    ],
)
def test_wrong_use_is_one_clear_line(gallery, capsys, arguments, said):
    gallery.close()
    words = [str(gallery.folder) if word == "G" else word for word in arguments]
    assert main(words) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and not told.out


def test_of_merged_names_only_the_expired_go(gallery, monkeypatch, capsys):
    """Each name has its own day; the others stay one, and are hits until theirs."""
    for kept, merged in (("p3", "p4"), ("p3", "p5"), ("p5", "p6")):
        gallery.merge(kept, merged)
    gallery.set_terms("p3", expires="2030-06-01")
    gallery.set_terms("p4", expires="2030-07-01")
    days = (("p3", "2030-06-01"), ("p4", "2030-07-01"), ("p5", None), ("p6", None))
    for name, expires in days:
        shown = gallery.show(name)
        assert shown.expires == expires
        assert shown.also == tuple(one for one in days if one[0] != name)
    assert main(["show", str(gallery.folder), "p4"]) == 0
    assert "one with p3, which expires: 2030-06-01\n" in capsys.readouterr().out
    assert main(["terms", str(gallery.folder), "p5", "--expires", "2030-07-01"]) == 0
    told = capsys.readouterr().out
    assert "one with p6, which expires: never" in told and "one with p4" not in told
    monkeypatch.setattr(terms, "today", lambda: "2030-06-01")
    found = gallery.find_vectors(VECTORS[6:7], 40)[0].hits  # a picture of p3
    assert {hit.picture_id for hit in found}.isdisjoint({7, 8})
    assert "p3" in {hit.identity for hit in gallery.find_vectors(VECTORS[8:9], 1)[0].hits}
    assert [one.pictures for one in gallery.forget_expired()] == [2]
    also = {one.name: one.also for one in gallery.identities() if one.name in ("p4", "p5")}
    assert also == {"p4": (), "p5": ("p6",)}, "p3 held them together"
    gallery.check()
