"""``check`` and ``group`` on a gallery: what they propose, and what deciding does."""

import json

import numpy as np
import pytest

from saccade.api.gallery import Gallery
from saccade.api.review import check, decide, group
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.gallery import Gallery as PlainGallery
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
