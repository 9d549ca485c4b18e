"""``check`` and ``group`` on a gallery: what they propose, and what deciding does."""

import json
from dataclasses import replace

import numpy as np
import pytest

from saccade.api import review
from saccade.api.gallery import Gallery
from saccade.api.review import check, decide, group
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.gallery import Gallery as PlainGallery
from saccade.gallery import merges, proposals, store, whole
from saccade.values import Sample
from tests.test_review import people, unit

HOSTILE = "<script>alert('\u202eup')</script>"


@pytest.fixture
def planted(tmp_path):
    """A gallery with a twin, two under one name, and a picture under a wrong name."""
    draw = np.random.default_rng(11)
    vectors, whose = people(draw, 30)
    truth = whose.copy()
    whose[3] = 20
    whose[truth == 11] = 10
    whose[np.flatnonzero(truth == 12)[:3]] = 30
    names = [HOSTILE if one == 30 else f"person {one}" for one in whose]
    with PlainGallery.create(
        tmp_path / "g", fingerprint="vectors", dimension=vectors.shape[1]
    ) as made:
        made.enrol_vectors(vectors, names)
    return tmp_path / "g"


def test_what_is_wrong_is_proposed_and_decided(planted):
    with Gallery.open(planted) as gallery:
        found = check(gallery)
        assert {one.kind: one.identities for one in found.proposals} == {
            "wrong_name": ("person 20", "person 0"),
            "same": ("person 12", HOSTILE),
            "two": ("person 10",),
        }
        number = {one.kind: one.number for one in found.proposals}
        done = decide(gallery, accept=[number["same"]], refuse=[number["two"]])
        assert done[0] == f"{number['same']}: merge '{HOSTILE}' into 'person 12'"
        assert ("person 12", 8) in [(one.name, one.pictures) for one in gallery.identities()]
        again = check(gallery)
        assert [one.kind for one in again.proposals] == ["wrong_name"]
        with pytest.raises(InputError, match="no open proposal"):
            decide(gallery, accept=[number["same"]])
        gallery.check()


def test_pictures_are_moved_and_removed(planted):
    with Gallery.open(planted) as gallery:
        number = {one.kind: one.number for one in check(gallery).proposals}
        decide(gallery, accept=[number["wrong_name"], number["two"]])
        counts = {one.name: one.pictures for one in gallery.identities()}
        assert counts["person 0"] == 8 and counts["person 20"] == 8
        assert counts["person 10"] == 8 and counts["person 10 (2)"] == 8
        assert [one.kind for one in check(gallery).proposals] == ["same"]
        gallery.check()


def test_nothing_is_done_where_one_cannot_be_decided(planted):
    with Gallery.open(planted) as gallery:
        number = {one.kind: one.number for one in check(gallery).proposals}
        for accept, refuse, says in [
            ([number["same"], 99], (), "no open proposal 99"),
            ([number["same"]], [99], "no open proposal 99"),
            ([10**30, -1], [], "no open proposal 1000"),
            ([number["same"]], [number["same"]], "both accepted and refused"),
        ]:
            with pytest.raises(InputError, match=says):
                decide(gallery, accept=accept, refuse=refuse)
        assert len(decide(gallery, accept=[number["same"], number["same"]])) == 1
        assert len(check(gallery).proposals) == 2


def test_what_was_decided_by_hand_meanwhile(planted):
    """Another process merges, renames and moves while the proposals are open."""
    with Gallery.open(planted) as gallery, PlainGallery.open(planted) as other:
        number = {one.kind: one for one in check(gallery).proposals}
        other.rename("person 12", "twelve")
        other.merge("twelve", HOSTILE)
        assert decide(gallery, accept=[number["same"].number]), "it is so already"
        other.unmerge(HOSTILE)
        again = {one.kind: one for one in check(gallery).proposals}
        assert again["same"].identities == ("twelve", HOSTILE)
        other.move(again["wrong_name"].pictures, "person 1")
        with pytest.raises(InputError, match="no open proposal"):
            decide(gallery, accept=[again["wrong_name"].number])
        other.merge("person 3", HOSTILE)
        with pytest.raises(InputError, match="is merged into 'person 3' already") as told:
            decide(gallery, accept=[again["two"].number, again["same"].number])
        assert "these were done" in str(told.value) and "to a new identity" in str(told.value)
        gallery.check()


def test_who_is_forgotten_during_the_look_is_not_proposed(planted, monkeypatch):
    look = review.check_thumbnails

    def forget(*given):
        with PlainGallery.open(planted) as other:
            other.forget("person 12")
            other.remove([4])
        return look(*given)

    monkeypatch.setattr(review, "check_thumbnails", forget)
    with Gallery.open(planted) as gallery:
        assert [one.kind for one in check(gallery).proposals] == ["two"]


def test_boxes_of_one_photo_are_no_twins(planted):
    with Gallery.open(planted) as gallery:
        first = gallery.show("person 12").pictures[0].picture_id
        second = gallery.show(HOSTILE).pictures[0].picture_id
        in_one_photo(gallery, first, second)
        assert "same" not in {one.kind for one in check(gallery).proposals}
        gallery.merge("person 12", HOSTILE)  # the user's own word stands
        gallery.check()


def in_one_photo(gallery, *pictures):
    with gallery.database.writing() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO crops VALUES (?, 7, 1.0, 2.0, 3.0, 4.0, 1)",
            [(picture,) for picture in pictures],
        )


def test_forgetting_takes_the_proposals_away(planted):
    with Gallery.open(planted) as gallery:
        number = {one.kind: one.number for one in check(gallery).proposals}
        gallery.forget("person 12")
        with pytest.raises(InputError, match="no open proposal"):
            decide(gallery, accept=[number["same"]])


def test_a_name_cannot_steer_the_page(planted, tmp_path):
    with Gallery.open(planted) as gallery:
        found = check(gallery, report=tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert found.report == tmp_path / "check.html"
    assert "Some of these are wrong" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page


class Colours:
    """An embedder for these tests: the mean colour of each picture, and its spread."""

    fingerprint, dimension = "c" * 64, 6

    def __call__(self, pictures):
        rows = [np.concatenate([p.mean((0, 1)) - 100, p.std((0, 1))]) for p in pictures]
        return unit(np.array(rows, np.float32))


def coloured(draw, colour, name):
    picture = (np.array(colour) + draw.normal(0, 6, (24, 24, 3))).clip(0, 255).astype(np.uint8)
    return Sample(name, "whatever it was called", array=picture)


def test_unnamed_pictures_are_grouped(tmp_path):
    draw = np.random.default_rng(3)
    colours = [(230, 20, 20), (20, 220, 30), (30, 40, 240)]
    samples = [
        coloured(draw, colour, tmp_path / f"{number}-{place}.png")
        for number, colour in enumerate(colours)
        for place in range(5)
    ]
    with Gallery.create(tmp_path / "g", embedder=Colours(), threshold=0.95) as gallery:
        assert {one.status for one in gallery.enrolling_unnamed(samples)} == {"enrolled"}
        assert {one.status for one in gallery.enrolling_unnamed(samples)} == {"unchanged"}
        assert check(gallery).proposals == (), "nobody is named"
        found = group(gallery, report=tmp_path / "group.html")
        assert [len(one.identities) for one in found.proposals] == [5, 5, 5]
        first, second, _ = found.proposals
        decide(gallery, accept=[first.number], refuse=[second.number])
        gallery.rename(first.identities[0], "red")
        assert gallery.find([samples[0]])[0].identity == "red"
        assert len(group(gallery).proposals) == 1
        assert "data:image/jpeg" in (tmp_path / "group.html").read_text()


def test_a_rejected_picture_is_apart(tmp_path):
    draw = np.random.default_rng(4)
    samples = [coloured(draw, (230, 20, 20), tmp_path / f"{place}.png") for place in range(6)]
    with Gallery.create(tmp_path / "g", embedder=Colours(), threshold=0.9) as gallery:
        done = list(gallery.enrolling_unnamed(samples))
        gallery.reject(samples[5], done[0].identity)
        (found,) = group(gallery).proposals
        assert not {done[0].identity, done[5].identity} <= set(found.identities)


def test_a_group_never_holds_two_boxes_of_a_photo_by_way_of_an_older_group(tmp_path):
    draw = np.random.default_rng(5)
    samples = [coloured(draw, (230, 20, 20), tmp_path / f"{place}.png") for place in range(8)]
    with Gallery.create(tmp_path / "g", embedder=Colours(), threshold=0.9) as gallery:
        done = list(gallery.enrolling_unnamed(samples))
        gallery.merge(done[0].identity, done[1].identity)
        in_one_photo(gallery, done[1].picture_id, done[2].picture_id)
        for proposal in group(gallery).proposals:
            decide(gallery, accept=[proposal.number])
        with gallery.database.reading() as connection:
            ends = [merges.root(connection, gallery_number(connection, one)) for one in done]
        assert ends[1] == ends[0] != ends[2]
        gallery.check()


def gallery_number(connection, enrolled):
    return store.find_identity(connection, enrolled.identity)


def test_pictures_of_an_accepted_group_are_moved_and_removed(tmp_path):
    """Each is the only picture of an identity of its own, which is merged into the first."""
    draw = np.random.default_rng(6)
    red = [coloured(draw, (230, 20, 20), tmp_path / f"red {place}.png") for place in range(5)]
    blue = [coloured(draw, (30, 40, 240), tmp_path / f"blue {place}.png") for place in range(2)]
    with Gallery.create(tmp_path / "g", embedder=Colours(), threshold=0.9) as gallery:
        gallery.enrol([replace(one, label="blue") for one in blue])
        done = list(gallery.enrolling_unnamed(red))
        (found,) = group(gallery).proposals
        decide(gallery, accept=[found.number])
        gallery.rename(found.identities[0], "red")
        with pytest.raises(InputError, match=r"forget would take too.*saccade unmerge"):
            gallery.remove([done[3].picture_id])

        def proposed(kind, names, pictures):
            with gallery.database.reading() as connection:
                numbers = tuple(store.find_identity(connection, name) for name in names)
            with gallery.database.writing() as connection:
                made = [proposals.Proposal(kind, numbers, tuple(pictures), 1.0)]
                (kept,) = proposals.replace(connection, [kind], made)
            return kept.number

        ids = [one.picture_id for one in done]
        decide(gallery, accept=[proposed("copy", ["red"], [ids[0], ids[4]])])
        gallery.check()
        assert {one.name: one.pictures for one in gallery.identities()} == {"red": 4, "blue": 2}
        decide(gallery, accept=[proposed("wrong_name", ["red", "blue"], [ids[3]])])
        gallery.check()
        assert {one.name: one.pictures for one in gallery.identities()} == {"red": 3, "blue": 3}
        decide(gallery, accept=[proposed("two", ["red"], [ids[1], ids[2]])])
        gallery.check()
        counts = {one.name: one.pictures for one in gallery.identities()}
        assert counts == {"red": 1, "blue": 3, "red (2)": 2}


def test_copies_of_copies_are_decided_together(tmp_path):
    draw = np.random.default_rng(8)
    vectors, whose = people(draw, 12)
    more = [vectors[:1] + 1e-3, vectors[:1] + 2e-3, vectors[8:9] + 1e-3]
    vectors = np.concatenate([vectors, *more])
    with PlainGallery.create(tmp_path / "g", fingerprint="v", dimension=16) as made:
        made.enrol_vectors(
            unit(vectors), [str(one) for one in [*whose, 0, 0, 1]], [str(n) for n in range(99)]
        )
    with Gallery.open(tmp_path / "g") as gallery:
        found = check(gallery).of("copy")
        assert sorted(one.pictures for one in found) == [(1, 97, 98), (9, 99)]
        done = decide(gallery, accept=[one.number for one in found])
        assert sorted(line.split(": ")[1] for line in done) == [
            "remove picture 99",
            "remove pictures 97, 98",
        ]
        assert check(gallery).of("copy") == ()
        gallery.check()


def test_the_memory_that_is_missing_is_told(planted, monkeypatch):
    monkeypatch.setattr(whole, "MOST_BYTES", 32 * 16 * 240 - 1)
    with Gallery.open(planted) as gallery, pytest.raises(InputError, match="has 240 pictures"):
        check(gallery)
    monkeypatch.setattr(whole, "MOST_BYTES", 32 * 16 * 240)
    with Gallery.open(planted) as gallery:
        assert check(gallery).pictures == 240


def test_the_commands(planted, capsys, tmp_path):
    assert main(["check", str(planted), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {one["kind"] for one in found["proposals"]} == {"wrong_name", "same", "two"}
    numbers = [str(one["number"]) for one in found["proposals"]]
    assert main(["check", str(planted), "--refuse", *numbers]) == 0
    assert main(["check", str(planted)]) == 0
    assert "nothing is proposed" in capsys.readouterr().out
    assert main(["group", str(planted)]) == 2
    assert "has no threshold" in capsys.readouterr().err
    assert main(["group", str(planted), "--at-least", "0.5"]) == 0
    assert "no unnamed picture" in capsys.readouterr().out
    assert main(["group", str(planted), "--at-least", "2"]) == 2
    assert main(["check", str(planted), "--accept", "77"]) == 2
    assert main(["check", str(planted), "--accept", "1", "--report", str(tmp_path / "a")]) == 2
    assert main(["check", str(tmp_path / "none")]) == 2
