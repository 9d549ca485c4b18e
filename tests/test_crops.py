"""Crops of photos in a gallery: where each was cut out, known again, told, forgotten."""

import hashlib
import io
import json
import sqlite3

import numpy as np
import pytest
from PIL import Image

from saccade.api import gallery as api_gallery
from saccade.api import pictures as api
from saccade.api import review
from saccade.api.evaluate import PIXELS
from saccade.cli.app import main
from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.exchange import load_embedder
from saccade.gallery import CropInfo, originals
from saccade.gallery.crops import Crop
from saccade.gallery.enrol import BATCH_PICTURES
from saccade.gallery.unnamed import PREFIX
from saccade.pictures.crop import SIDE, side_for
from saccade.pictures.photo import cut_from
from saccade.values import UNKNOWN, Sample
from tests.gallery_victim import TinyEmbedder, new_gallery
from tests.graphs import write_embedder
from tests.squares import TEMPLATE, SquareDetector, ToldDetector, photo

BOX = (90, 60, 80, 80)


class Watched(TinyEmbedder):
    """Remembers the pictures of each call; looks at ``size_hw``, if it is given one."""

    def __init__(self, size_hw=None):
        super().__init__()
        self.calls = []
        if size_hw is not None:
            self.size_hw = size_hw

    def __call__(self, pictures):
        self.calls.append(list(pictures))
        return super().__call__(pictures)


class Other(SquareDetector):
    """Sees the same, and is another one."""

    fingerprint = "6" * 64


def write(path, *placed):
    Image.fromarray(photo(*placed)).save(path)
    return path


def one(path, person, name):
    return Sample(write(path, (person, *BOX[:3])), name)


def new(folder, embedder):
    return new_gallery(folder, embedder, threshold=0.9)


@pytest.fixture
def gallery(tmp_path):
    with new(tmp_path / "gallery", Watched()) as made:
        yield made


def enrol(gallery, *samples, detector=None, **settings):
    return list(
        api.enrol_photos(gallery, samples, detector=detector or SquareDetector(), **settings)
    )


def rows(gallery, query):
    with sqlite3.connect(gallery.folder / "gallery.db") as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("template", [None, TEMPLATE], ids=["boxes", "landmarks"])
def test_photo_box_and_detector_are_kept_with_the_picture(tmp_path, gallery, template):
    sample = one(tmp_path / "a.png", 1, "Ada")
    (told,) = enrol(gallery, sample, detector=SquareDetector(template))
    photo_hash = hashlib.sha256(sample.path.read_bytes()).hexdigest()
    (picture,) = gallery.show("Ada").pictures
    assert picture.crop == CropInfo(photo_hash[:8], BOX, template is not None)
    assert picture.picture_id == told.picture_id
    source = hashlib.sha256(bytes.fromhex(photo_hash) + b"[90, 60, 80, 80]").digest()
    (label,) = rows(gallery, "SELECT content FROM labels")
    assert label[0][:32] == source
    assert gallery.detector == SquareDetector.fingerprint
    gallery.check()


def test_a_whole_picture_has_no_crop_and_names_no_detector(tmp_path, gallery):
    gallery.enrol([one(tmp_path / "a.png", 1, "Ada")])
    assert gallery.show("Ada").pictures[0].crop is None
    assert gallery.detector is None


def test_a_photo_enrolled_again_changes_nothing_whatever_its_name_or_crop(tmp_path, gallery):
    first = one(tmp_path / "a.png", 1, "Ada")
    (told,) = enrol(gallery, first)
    (tmp_path / "copy.png").write_bytes(first.path.read_bytes())
    generation = gallery.stats().generation
    gallery._embedder.size_hw = (40, 40)  # Its crop has other pixels now.
    for path in (first.path, tmp_path / "copy.png"):
        (again,) = enrol(gallery, Sample(path, "Ada"))
        assert (again.status, again.picture_id) == ("unchanged", told.picture_id)
    (other,) = enrol(gallery, Sample(first.path, "Ben"))
    assert other.status == "skipped" and "is enrolled under 'Ada' already" in other.reason
    assert gallery.stats().generation == generation
    assert len(rows(gallery, "SELECT * FROM crops")) == 1


def test_another_box_of_a_photo_is_another_picture_and_its_last_bits_are_not(tmp_path, gallery):
    sample = Sample(write(tmp_path / "a.png", (1, 20, 20, 64), (2, 150, 60, 64)), "Ada")
    boxes = ([20, 20, 64, 64], [20.001, 19.999, 64, 64], [150, 60, 64, 64])
    told = [enrol(gallery, sample, detector=ToldDetector([box]))[0].status for box in boxes]
    assert told == ["enrolled", "unchanged", "enrolled"]
    keys = rows(gallery, "SELECT DISTINCT photo_key FROM crops")
    assert len(keys) == 1 and 0 <= keys[0][0] < 2**32


def test_a_photo_without_a_file_is_known_by_its_pixels(gallery, tmp_path):
    sample = Sample(tmp_path / "data.npz#1", "Ada", array=photo((1, *BOX[:3])))
    assert [enrol(gallery, sample)[0].status for _ in range(2)] == ["enrolled", "unchanged"]


def test_forgetting_takes_the_boxes_along(tmp_path, gallery):
    enrol(gallery, one(tmp_path / "a.png", 1, "Ada"), one(tmp_path / "b.png", 2, "Ben"))
    done = gallery.forget("Ada")
    assert done.status == "forgotten" and len(rows(gallery, "SELECT * FROM crops")) == 1
    assert gallery.verify_receipt(done.receipt) == []
    gallery.check()


def test_photos_are_embedded_in_batches_and_told_in_order(tmp_path, gallery):
    count = BATCH_PICTURES + 6
    samples = [one(tmp_path / f"{n}.png", n, f"p{n}") for n in range(count)]
    samples[3] = Sample(write(tmp_path / "ground.png"), "nobody")
    samples[-1] = Sample(tmp_path / "none.png", "nobody")
    told = enrol(gallery, *samples)
    assert [one.picture for one in told] == [f"{one.path}" for one in samples]
    assert [row for row, one in enumerate(told) if one.status == "skipped"] == [3, count - 1]
    assert "nothing was found" in told[3].reason and "not exist" in told[-1].reason
    assert [len(call) for call in gallery._embedder.calls] == [BATCH_PICTURES - 1, 5]
    assert gallery.stats().pictures == count - 2


def test_crops_are_as_large_as_the_embedder_looks_at(tmp_path):
    for size_hw, side in ((None, SIDE), ((40, 48), 48), ((160, 160), 160)):
        embedder = Watched(size_hw)
        with new(tmp_path / f"{side}", embedder) as gallery:
            enrol(gallery, one(tmp_path / "a.png", 1, "Ada"))
            list(api.find_in_photos(gallery, [tmp_path / "a.png"], detector=SquareDetector()))
        assert [call[0].shape for call in embedder.calls] == [(side, side, 3)] * 2
        assert side_for(size_hw) == side


def test_a_foreign_embedder_states_its_size(tmp_path):
    pytest.importorskip("onnxruntime")
    embedder = load_embedder(write_embedder(tmp_path / "e.onnx"))
    assert embedder.size_hw == embedder._session.card.size


def test_another_detector_is_told_at_once_and_the_first_stays(tmp_path, gallery):
    sample = one(tmp_path / "a.png", 1, "Ada")
    assert api.other_detector(gallery, Other()) == ""
    enrol(gallery, sample)
    enrol(gallery, one(tmp_path / "b.png", 2, "Ben"), detector=Other())
    assert gallery.detector == SquareDetector.fingerprint
    assert api.other_detector(gallery, SquareDetector()) == ""
    line = api.other_detector(gallery, Other())
    assert "55555555" in line and "66666666" in line and "\n" not in line


def test_a_crop_that_was_not_written_names_no_detector(tmp_path, gallery):
    enrol(gallery, Sample(write(tmp_path / "ground.png"), "Ada"), detector=Other())
    assert gallery.detector is None


def test_the_pixels_of_a_crop_are_kept_embedded_again_and_forgotten(tmp_path):
    with api_gallery.Gallery.create(
        tmp_path / "g", embedder=PIXELS, threshold=0.9, keep_originals=True
    ) as gallery:
        sample = one(tmp_path / "a.png", 1, "Ada")
        enrol(gallery, sample, one(tmp_path / "b.png", 2, "Ben"))
        (number,) = [told.picture_id for told in gallery.show("Ada").pictures]
        with gallery.database.reading() as connection:
            kept = originals.read(connection, number)
        side = side_for(gallery.input_size_hw)
        crop = read_picture(
            cut_from(sample, detector=SquareDetector(), side=side, largest=False, any_quality=False)
        )
        with Image.open(io.BytesIO(kept)) as image:
            np.testing.assert_array_equal(np.asarray(image), crop)
        embedder = Watched((40, 40))
        done = gallery.re_embed(tmp_path / "again", embedder, threshold=0.9)
        assert (done.identities, done.pictures) == (2, 2)
        np.testing.assert_array_equal(embedder.calls[0][0], crop)
        assert kept[40:90] in database_bytes(gallery)
        assert gallery.forget("Ada").status == "forgotten"
        assert kept[40:90] not in database_bytes(gallery)
        gallery.check()
    with api_gallery.Gallery.open(tmp_path / "again", embedder=Watched((40, 40))) as again:
        assert again.show("Ada").pictures[0].crop.box == BOX
        (found,) = api.find_in_photos(again, [sample.path], detector=SquareDetector())
        assert found.boxes[0].hits[0].identity == "Ada"
        assert [one.status for one in enrol(again, sample)] == ["unchanged"]


def database_bytes(gallery):
    return b"".join(file.read_bytes() for file in sorted(gallery.folder.glob("gallery.db*")))


def test_an_export_of_crops_with_kept_pixels_can_be_imported(tmp_path):
    with api_gallery.Gallery.create(
        tmp_path / "g", embedder=PIXELS, threshold=0.9, keep_originals=True
    ) as gallery:
        enrol(gallery, one(tmp_path / "a.png", 1, "Ada"))
    assert main(["export", str(tmp_path / "g"), str(tmp_path / "e.zip")]) == 0
    assert main(["create", str(tmp_path / "h"), "--embedder", "pixels"]) == 0
    assert main(["import", str(tmp_path / "h"), str(tmp_path / "e.zip")]) == 0


def boxes_of(*photos, detector=None):
    return [Sample(path, "") for path in photos], detector or SquareDetector()


def test_every_box_is_an_unnamed_identity_and_a_photo_never_shows_one_twice(tmp_path, gallery):
    photos = [
        write(tmp_path / "a.png", (1, 10, 10, 64), (2, 120, 20, 64), (3, 220, 90, 64)),
        write(tmp_path / "b.png", (2, 10, 10, 64), (1, 120, 20, 64)),
        write(tmp_path / "twins.png", (1, 10, 10, 64), (1, 120, 20, 64)),
        write(tmp_path / "small.png", (1, 10, 10, 20), (4, 120, 20, 64)),
        write(tmp_path / "ground.png"),
        tmp_path / "none.png",
    ]
    samples, detector = boxes_of(*photos)
    told = list(api.enrol_unnamed_photos(gallery, samples, detector=detector))
    assert [one.status for one in told] == [*["enrolled"] * 8, *["skipped"] * 3]
    assert len({one.identity for one in told[:8]}) == 8
    assert all(one.identity.startswith(PREFIX) for one in told)
    assert "small.png: box 10 10 20 20: too small" in told[8].reason
    assert "nothing was found" in told[9].reason and "not exist" in told[10].reason
    again = list(api.enrol_unnamed_photos(gallery, samples, detector=detector))
    assert [one.status for one in again] == [*["unchanged"] * 8, *["skipped"] * 3]
    proposals = review.group(gallery, at_least=0.99).proposals
    photo_of = {one.identity: one.picture for one in told[:8]}
    assert proposals
    for proposal in proposals:
        shown = [photo_of[name] for name in proposal.identities]
        assert len(shown) == len(set(shown))
    # Three photos show person 1, one of them twice: of the twins one comes, the other stays.
    assert sorted(len(one.identities) for one in proposals) == [2, 3]


def test_what_was_grouped_before_is_held_apart_as_a_whole(tmp_path, gallery):
    first = write(tmp_path / "a.png", (1, 10, 10, 64), (2, 120, 20, 64))
    second = write(tmp_path / "b.png", (1, 10, 10, 64))
    samples, detector = boxes_of(first, second)
    one, other, third = api.enrol_unnamed_photos(gallery, samples, detector=detector)
    (found,) = review.group(gallery, at_least=0.99).proposals
    assert set(found.identities) == {one.identity, third.identity}
    gallery.merge(third.identity, other.identity)  # The user is wrong, and the proposal stands.
    with pytest.raises(InputError, match=r"two boxes of photo [0-9a-f]{8}; refuse it"):
        review.decide(gallery, accept=[found.number])
    assert review.group(gallery, at_least=0.99).proposals == ()


def test_the_command_takes_every_box_of_photos_without_names(command, capsys):
    write(command / "more.png", (1, 10, 10, 64), (2, 120, 20, 64))
    words = ["enrol", "gallery", "more.png", "g.png", "--unnamed", "--detector", "d.onnx"]
    assert main([*words, "--largest"]) == 2
    assert "--unnamed stands without --as, --largest" in capsys.readouterr().err
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["enrolled"] == 3 and len({one["identity"] for one in told["pictures"]}) == 3
    assert main(["group", "gallery", "--at-least", "0.5"]) == 1


def test_only_what_fits_a_condition_is_found_in_photos(tmp_path, gallery):
    enrol(gallery, one(tmp_path / "a.png", 1, "Ada"), one(tmp_path / "b.png", 2, "Ben"))
    gallery.describe("Ada", {"site": "A"})
    group = write(tmp_path / "g.png", (1, 10, 20, 70), (2, 150, 60, 64))
    for where, names in (
        (None, ["Ada", "Ben"]),
        ("site = A", ["Ada", UNKNOWN]),
        ("site = B", [UNKNOWN, UNKNOWN]),
    ):
        for exact in (False, True):
            (found,) = api.find_in_photos(
                gallery, [group], detector=SquareDetector(), where=where, exact=exact
            )
            assert [box.identity for box in found.boxes] == names


def test_a_wrong_condition_is_refused_before_a_photo_is_looked_at(tmp_path, gallery):
    ground = write(tmp_path / "g.png")
    with pytest.raises(InputError, match="condition, column"):
        list(api.find_in_photos(gallery, [ground], detector=SquareDetector(), where="site =="))


def test_a_box_has_a_source_of_its_own():
    given = {"photo": b"p" * 32, "aligned": False, "detector": "d"}
    one, same, other = (
        Crop(box=box, **given).source
        for box in ((1.0, 2.0, 3.0, 4.0), (1.2, 1.8, 3.1, 4.4), (1.0, 2.0, 3.0, 5.0))
    )
    assert one == same != other


@pytest.fixture
def command(tmp_path, gallery, monkeypatch):
    """A folder with a gallery; the command line is handed our embedder and detector."""
    from saccade.api import gallery as api_gallery

    monkeypatch.setattr(api_gallery, "_kept", lambda root: TinyEmbedder())
    kinds = {"d.onnx": SquareDetector, "other.onnx": Other}
    monkeypatch.setattr(api, "open_detector", lambda given: kinds.get(f"{given}", lambda: given)())
    monkeypatch.chdir(tmp_path)
    enrol(gallery, one(tmp_path / "a.png", 1, "Ada"))
    write(tmp_path / "g.png", (1, 10, 20, 70))
    return tmp_path


@pytest.mark.parametrize(
    "words", [["find", "gallery", "g.png"], ["enrol", "gallery", "g.png", "--as", "Ben"]]
)
def test_the_command_warns_of_another_detector_in_one_line(command, capsys, words):
    assert main([*words, "--detector", "other.onnx"]) == 0
    error = capsys.readouterr().err
    assert error.startswith("saccade: warning: gallery gallery has crops of detector 55555555")
    assert error.count("\n") == 1


def test_the_command_says_nothing_of_the_gallerys_own_detector(command, capsys):
    assert main(["find", "gallery", "g.png", "--detector", "d.onnx"]) == 0
    assert capsys.readouterr().err == ""


def test_the_command_finds_in_photos_among_some(command, capsys):
    words = ["find", "gallery", "g.png", "--detector", "d.onnx", "--where"]
    assert main([*words, "site = A"]) == 1
    assert main(["describe", "gallery", "Ada", "site=A"]) == 0
    assert main([*words, "site = A"]) == 0
    capsys.readouterr()
    assert main([*words, "site == A"]) == 2
    assert "condition, column" in capsys.readouterr().err


def test_show_tells_the_box_and_the_photo(command, capsys):
    digits = hashlib.sha256((command / "a.png").read_bytes()).hexdigest()[:8]
    assert main(["show", "gallery", "Ada"]) == 0
    wanted = f"   1  a.png   box 90 60 80 80 of photo {digits}, not aligned\n"
    assert capsys.readouterr().out.endswith(wanted)
    assert main(["show", "gallery", "Ada", "--json"]) == 0
    (picture,) = json.loads(capsys.readouterr().out)["pictures"]
    assert picture["crop"] == {"photo": digits, "box": list(map(float, BOX)), "aligned": False}
