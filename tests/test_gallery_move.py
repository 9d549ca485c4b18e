"""Pictures that become another's, and single ones that are forgotten: answers and refusals."""

import json

import numpy as np
import pytest
from PIL import Image

from saccade.cli.app import main
from saccade.errors import InputError, UnknownNameError
from saccade.gallery import Gallery, proposals, store
from saccade.gallery.gone import runs
from saccade.values import Sample
from tests import coded
from tests.gallery_victim import DIMENSION, TinyEmbedder, make_pictures, new_gallery, people

PEOPLE = ["anna", "ben", "cleo"]


@pytest.fixture
def gallery(tmp_path):
    """Three people of six pictures: numbers 1 to 6, 7 to 12, 13 to 18."""
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as made:
        for name in PEOPLE:
            made.enrol_vectors(people(name), [name] * 6)
        yield made
        made.check()


def numbers_of(gallery, name):
    return [one.picture_id for one in gallery.show(name).pictures]


def generation(gallery):
    return gallery.stats().generation


def test_moved_pictures_are_found_as_the_other(gallery):
    answer = gallery.move([3, 1], "ben")
    assert (answer.identity, answer.before, answer.now) == ("ben", (1, 3), (19, 20))
    assert answer.unchanged == ()
    assert numbers_of(gallery, "anna") == [2, 4, 5, 6]
    assert numbers_of(gallery, "ben") == [*range(7, 13), 19, 20]
    for exact in (False, True):
        (found,) = gallery.find_vectors(people("anna")[:1], 1, exact=exact)
        assert (found.hits[0].identity, found.hits[0].picture_id) == ("ben", 19)
    again = gallery.enrol_vectors(people("anna")[:1], ["anna"])[0]
    assert (again.status, "is enrolled under 'ben'" in again.reason) == ("skipped", True)
    assert gallery.enrol_vectors(people("anna")[:1], ["ben"])[0].picture_id == 19


def test_a_move_to_a_new_identity_and_of_what_is_there(gallery):
    answer = gallery.move([1, 7], "dora", new=True)
    assert numbers_of(gallery, "dora") == list(answer.now) == [19, 20]
    before = generation(gallery)
    assert gallery.move([19, 20, 20], "dora").unchanged == (19, 20)
    assert generation(gallery) == before, "nothing was written"
    assert gallery.move([2, 19], "dora").unchanged == (19,)


def test_what_belongs_to_a_picture_goes_with_it(tmp_path):
    folder, embedder = tmp_path / "g", TinyEmbedder()
    made = [
        Sample(one.path, one.label, metadata={"site": f"place {number}"})
        for number, one in enumerate(make_pictures(tmp_path / "p", identities=2, each=2), 1)
    ]
    first, second = made[0].label, made[2].label
    with new_gallery(folder, embedder, keep_originals=True) as gallery:
        gallery.enrol(made)
        with gallery._database.writing() as connection:
            connection.execute("INSERT INTO crops VALUES (2, 7, 1.0, 2.0, 3.0, 4.0, 1)")
        before = gallery.show(first).pictures[1]
        jpeg = gallery.thumbnail(2)
        assert gallery.move([2], second).now == (5,)
        moved = gallery.show(second).pictures[-1]
        assert (moved.picture, moved.facts, moved.kept) == (before.picture, before.facts, True)
        assert moved.facts == {"site": "place 2"}
        assert gallery.thumbnail(5) == jpeg
        (found,) = gallery.find([made[1].path], k=5, where="site = 'place 2'")
        assert [(hit.identity, hit.picture_id) for hit in found.hits] == [(second, 5)]
        with gallery._database.reading() as connection:
            crops = connection.execute("SELECT picture, photo_key FROM crops").fetchall()
        assert crops == [(5, 7)]
        gallery.check()
        assert gallery.remove([5])[0].status == "forgotten"
        gallery.check()
    file, name = made[1].path.read_bytes(), made[1].path.name.encode()
    assert not coded.files_with(folder, [file[40:90], name, b"place 2", jpeg[-200:-100]])


@pytest.mark.parametrize(
    ("pictures", "to", "new", "error", "says"),
    [
        ([], "ben", False, InputError, "no picture was named"),
        ([1, 99], "ben", False, InputError, "no picture 99"),
        ([0], "ben", False, InputError, "no picture 0"),
        ([-1], "ben", False, InputError, "no picture -1"),
        ([10**30], "ben", False, InputError, "no picture 1000"),
        ([1], "bem", False, UnknownNameError, "--new"),
        ([1], "ben", True, InputError, "has an identity 'ben' already"),
        ([1], " ", True, InputError, "name"),
        (range(1, 7), "ben", False, InputError, "no picture of its 6; to give the identity"),
        ([1, *range(13, 19)], "ben", False, InputError, "'cleo'"),
        (range(1, 7), "dora", True, InputError, "saccade rename"),
    ],
)
def test_a_refused_move_changes_nothing(gallery, pictures, to, new, error, says):
    before = generation(gallery), gallery.identities()
    with pytest.raises(error, match=says.replace("-", r"\-")):
        gallery.move(list(pictures), to, new=new)
    assert (generation(gallery), gallery.identities()) == before


def test_a_picture_is_not_moved_to_whom_it_was_rejected_as(gallery):
    gallery.reject(1, "ben")
    with pytest.raises(InputError, match=r"picture 1 was rejected as 'ben'.*--undo"):
        gallery.move([2, 1], "ben")
    gallery.merge("cleo", "ben")
    with pytest.raises(InputError, match="rejected as 'ben'"):
        gallery.move([1], "cleo")
    gallery.unmerge("ben")
    (now,) = gallery.move([1], "cleo").now
    (found,) = gallery.find_vectors(people("anna")[:1], 5)
    assert "ben" not in {hit.identity for hit in found.hits}
    gallery.reject(now, "ben", undo=True)
    gallery.move([now], "ben")


def test_a_merged_name_stands_for_its_own_pictures(gallery):
    gallery.merge("anna", "ben")
    (now,) = gallery.move([13], "ben").now
    (between,) = gallery.move([1], "ben").now
    gallery.unmerge("ben")
    assert numbers_of(gallery, "ben") == [*range(7, 13), now, between]


def test_proposals_follow(gallery):
    refused = proposals.Proposal("wrong", (1,), (1, 2), 0.5)
    with gallery._database.writing() as connection:
        one = proposals.replace(connection, ["wrong"], [refused])[0]
        proposals.refuse(connection, one.number, at=store.now())
        proposals.replace(connection, ["twins"], [proposals.Proposal("twins", (1,), (1, 9), 0.5)])
        proposals.replace(connection, ["group"], [proposals.Proposal("group", (), (9,), 0.5)])
    gallery.move([1], "ben")
    with gallery._database.reading() as connection:
        assert [one.kind for one in proposals.read(connection)] == ["group"]
        assert proposals.read(connection, refused=True)[0].pictures == (19, 2)
    gallery.remove([9, 19])
    with gallery._database.reading() as connection:
        assert proposals.read(connection) == proposals.read(connection, refused=True) == []


def test_removed_pictures_have_a_receipt_an_identity(gallery):
    gallery.reject(2, "cleo")
    answers = gallery.remove([9, 2, 3, 5, 8])
    assert [(one.number, one.pictures, one.status) for one in answers] == [
        (1, 3, "forgotten"),
        (2, 2, "forgotten"),
    ]
    receipt = json.loads(answers[0].receipt.read_text())
    assert (receipt["identity"], receipt["pictures_only"]) == (1, True)
    assert receipt["picture_ids"] == [2, 3, 5]
    assert receipt["search"]["vectors"] == 4, "that of the rejection too"
    for answer in answers:
        assert gallery.verify_receipt(answer.receipt) == []
    gallery.forget("anna")
    assert gallery.verify_receipt(answers[0].receipt) == []
    gallery.enrol_vectors(people("anna")[1:2], ["ben"])
    (problem,) = gallery.verify_receipt(answers[0].receipt)
    assert "enrolled again" in problem


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"identity": 2}, "something else"),
        ({"picture_ids": [2, 4, 5]}, "something else"),
        ({"picture_ids": [2, 3, 4]}, "something else"),
        ({"pictures_only": False}, "something else"),
        ({"generation": 4}, "something else"),
        ({"generation": 99}, "no entry 99"),
        ({"forgotten_at": "2020-01-01T00:00:00Z"}, "something else"),
    ],
)
def test_a_changed_receipt_is_not_true(gallery, changed, says):
    receipt = gallery.remove([2, 3, 5])[0].receipt
    assert gallery.verify_receipt(receipt) == []
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | changed))
    assert any(says in problem for problem in gallery.verify_receipt(receipt))


@pytest.mark.parametrize(
    "changed", [{"pictures_only": "yes"}, {"picture_ids": [5, 3, 2]}, {"picture_ids": [2, 2, 3]}]
)
def test_a_broken_receipt_is_none(gallery, changed):
    receipt = gallery.remove([2, 3, 5])[0].receipt
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | changed))
    with pytest.raises(InputError, match="no receipt"):
        gallery.verify_receipt(receipt)


def test_a_receipt_without_pictures_is_none(gallery):
    receipt = gallery.remove([2])[0].receipt
    empty = {"picture_ids": [], "pictures": 0, "source_sha256_prefixes": []}
    receipt.write_text(json.dumps(json.loads(receipt.read_text()) | empty))
    with pytest.raises(InputError, match="no rising numbers"):
        gallery.verify_receipt(receipt)


def test_all_pictures_of_an_identity_are_not_removed(gallery):
    before = generation(gallery)
    with pytest.raises(InputError, match=r"no picture of its 6; .*saccade forget"):
        gallery.remove([1, *range(7, 13)])
    with pytest.raises(InputError, match="no picture 40"):
        gallery.remove([40])
    assert generation(gallery) == before


def test_the_log_in_words(gallery):
    gallery.move([1, 3, 4], "ben")
    gallery.remove([7])
    words = [entry.words for entry in gallery.log().entries][3:]
    assert words == [
        "took 1 picture from identity 1 (anna), number 1",
        "took 2 pictures from identity 1 (anna), numbers 3 to 4",
        "moved 3 pictures to identity 2 (ben), numbers 19 to 21",
        "removed 1 picture of identity 2 (ben), number 7",
    ]
    assert [entry.action for entry in gallery.log("anna").entries] == ["enrol", "leave", "leave"]


def test_forgetting_takes_the_codes_under_the_old_numbers(gallery):
    """The codes were made before the move, and say another identity and another number."""
    with coded.tuner(coded.scanning(cells=2)):
        gallery.index()
    traces = coded.traces(gallery.folder, people("anna")[:2], [1, 2])
    gallery.move([1, 2], "dora", new=True)
    gallery.move([20], "ben")
    gallery.forget("dora")
    coded.assert_nothing_left(gallery.folder, [*range(3, 19), 21])
    gallery.forget("ben")
    coded.assert_nothing_left(gallery.folder, [*range(3, 7), *range(13, 19)])
    gallery.close()
    assert coded.files_with(gallery.folder, traces) == []
    gallery.__init__(gallery.folder)


def test_an_open_gallery_follows_without_reading_all_again(gallery):
    with coded.tuner(coded.scanning(cells=2)):
        gallery.index()
    with Gallery.open(gallery.folder) as other:
        other.find_vectors(people("anna")[:1], 1)
        base = other._memory.base
        gallery.move([1], "ben")
        gallery.remove([2])
        for row, expected in ((0, "ben"), (2, "anna")):
            (found,) = other.find_vectors(people("anna")[[row]], 1)
            assert found.hits[0].identity == expected
        assert other._memory.base.coded is base.coded
        assert other._memory.base.alive_rows == 16
        assert other._memory.loose.count == 1


def test_runs():
    assert runs([]) == []
    assert runs([4]) == [(4, 4)]
    assert runs([1, 2, 5, 7, 8, 9]) == [(1, 2), (5, 5), (7, 9)]


@pytest.fixture
def world(tmp_path, capsys):
    """A gallery of plain pixels with two people of two pictures, one of them of a hostile name."""
    samples = make_pictures(tmp_path / "people", identities=2, each=2)
    folder = tmp_path / "g"
    assert main(["create", str(folder), "--embedder", "pixels"]) == 0
    assert main(["enrol", str(folder), str(tmp_path / "people")]) == 0
    capsys.readouterr()
    return folder, sorted({sample.label for sample in samples})


def said(capsys, *words):
    """Run a command; returns its exit code, and what it printed on both streams."""
    code = main([str(word) for word in words])
    out, errors = capsys.readouterr()
    return code, out + errors


def test_the_commands(world, capsys):
    folder, (a, b) = world
    assert said(capsys, "move", folder, b, "--picture-id", 1) == (
        0,
        f"moved: picture 1 is picture 5 of {b} now\n",
    )
    code, text = said(capsys, "move", folder, b, "--picture-id", 5, "--json")
    assert (code, json.loads(text)) == (
        0,
        {"identity": b, "before": [], "now": [], "unchanged": [5]},
    )
    code, text = said(capsys, "move", folder, "<b>\u202e new", "--new", "--picture-id", 3, 5)
    assert code == 0 and text.count("moved: ") == 2 and "\u202e" not in text
    code, text = said(capsys, "remove", folder, "--picture-id", 6)
    assert code == 0
    first, second = text.splitlines()
    assert first == "forgotten: 1 picture of identity 3"
    receipt = second.removeprefix("receipt: ")
    assert receipt.endswith("-picture-6.json")
    assert said(capsys, "verify-receipt", receipt, "--gallery", folder)[0] == 0
    code, text = said(capsys, "show", folder, a, "--json")
    assert code == 0 and [one["picture_id"] for one in json.loads(text)["pictures"]] == [2]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("move", "ben"), "--picture-id NUMBER"),
        (("remove",), "--picture-id NUMBER"),
        (("remove", "--picture-id", "x"), "picture-id"),
        (("remove", "--picture-id", "77"), "no picture 77"),
        (("remove", "--picture-id", "1", "2"), "saccade forget"),
        (("move", "nobody", "--picture-id", "1"), "no identity 'nobody'"),
        (("remove", "--pictures-id", "1"), "pictures-id"),
    ],
)
def test_bad_input_is_one_line(world, capsys, words, says):
    folder, _ = world
    command, *rest = words
    code, text = said(capsys, command, folder, *rest)
    assert code == 2 and says in text
    assert main(["stats", str(folder)]) == 0


def test_no_gallery(tmp_path, capsys):
    Image.new("RGB", (4, 4)).save(tmp_path / "picture.png")
    for place in (tmp_path / "none", tmp_path, tmp_path / "picture.png"):
        code, text = said(capsys, "remove", place, "--picture-id", 1)
        assert code == 2 and str(place) in text


def test_more_than_a_statement_holds(tmp_path):
    """Hundreds of pictures that do not follow one another."""
    draw = np.random.default_rng(3).standard_normal((800, DIMENSION)).astype(np.float32)
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as gallery:
        gallery.enrol_vectors(draw, ["anna"] * 800)
        answer = gallery.move(range(1, 801, 2), "ben", new=True)
        assert answer.now == tuple(range(801, 1201))
        receipt = gallery.remove(range(2, 401, 2))[0].receipt
        assert gallery.verify_receipt(receipt) == []
        assert {one.name: one.pictures for one in gallery.identities()} == {
            "anna": 200,
            "ben": 400,
        }
        gallery.check()
