"""A photo to names: planted squares are found, told apart, named once, enrolled, painted."""

import itertools
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from saccade.api import pictures as api
from saccade.cli.app import main
from saccade.data.measures import FIGURES, measure
from saccade.errors import InputError
from saccade.gallery import Gallery
from saccade.pictures import detect
from saccade.pictures.detect import objects_in
from saccade.pictures.paint import painted
from saccade.pictures.photo import Names, assigned, names_in
from saccade.pictures.quality import LEAST_DETAIL, LEAST_SIDE, quality_of
from saccade.values import UNKNOWN, Found, Hit, Sample
from tests.gallery_victim import TinyEmbedder
from tests.squares import TEMPLATE, SquareDetector, ToldDetector, face, photo

EMBEDDER = TinyEmbedder()
PEOPLE = {1: "Ada", 2: "Ben", 3: "Cleo"}
THRESHOLD = 0.9


def write(path, *placed, **settings):
    Image.fromarray(photo(*placed, **settings)).save(path)
    return path


@pytest.fixture(scope="module", params=[None, TEMPLATE], ids=["boxes", "landmarks"])
def detector(request):
    return SquareDetector(request.param)


def new_gallery(root, detector):
    gallery = Gallery.create(
        root / "gallery",
        fingerprint=EMBEDDER.fingerprint,
        dimension=EMBEDDER.dimension,
        threshold=THRESHOLD,
        embedder=EMBEDDER,
    )
    samples = [
        Sample(write(root / f"{name}.png", (person, 90, 60, 80)), name)
        for person, name in PEOPLE.items()
    ]
    told = list(api.enrol_photos(gallery, samples, detector=detector))
    assert [one.status for one in told] == ["enrolled"] * 3
    assert [one.picture for one in told] == [str(one.path) for one in samples]
    return gallery


@pytest.fixture(scope="module")
def gallery(tmp_path_factory, detector):
    with new_gallery(tmp_path_factory.mktemp("people"), detector) as opened:
        yield opened


@pytest.fixture(scope="module")
def by_boxes(tmp_path_factory):
    """A gallery to be searched and not changed."""
    with new_gallery(tmp_path_factory.mktemp("boxes"), SquareDetector()) as opened:
        yield opened


@pytest.fixture
def own(by_boxes, tmp_path):
    """A gallery of the test's own."""
    shutil.copytree(by_boxes.folder, tmp_path / "own")
    with Gallery.open(tmp_path / "own", embedder=EMBEDDER) as opened:
        yield opened


def named(gallery, detector, *placed, **settings):
    return names_in(photo(*placed), detector=detector, gallery=gallery, **settings)


def test_everybody_in_a_photo_is_found_where_they_are_and_named(gallery, detector):
    found = named(gallery, detector, (3, 10, 20, 70), (9, 100, 90, 60), (1, 230, 5, 50))
    assert [box.box for box in found.boxes] == [
        (10, 20, 70, 70),
        (100, 90, 60, 60),
        (230, 5, 50, 50),
    ]
    assert [box.identity for box in found.boxes] == ["Cleo", UNKNOWN, "Ada"]
    assert found.known and found.threshold == THRESHOLD
    assert {box.aligned for box in found.boxes} == {detector.template is not None}
    assert all(box.searched and not box.poor and len(box.hits) == 3 for box in found.boxes)
    assert found.boxes[0].match == found.boxes[0].hits[0]


def test_the_number_of_hits_told_does_not_change_the_names(gallery, detector):
    places = [(3, 10, 20, 70), (1, 100, 90, 60), (2, 230, 5, 50)]
    found = named(gallery, detector, *places, top=1)
    assert [len(box.hits) for box in found.boxes] == [1, 1, 1]
    assert {box.identity for box in found.boxes} == set(PEOPLE.values())


def test_two_boxes_of_a_photo_are_never_one_identity(gallery, detector):
    found = named(gallery, detector, (1, 10, 20, 70), (1, 100, 90, 60))
    assert [box.identity for box in found.boxes].count("Ada") == 1
    other = next(box for box in found.boxes if box.identity == UNKNOWN)
    assert other.match is None and other.hits[0].identity == "Ada"
    assert other.note == "Ada is surer elsewhere in this photo"


def test_a_photo_of_the_ground_shows_nobody(gallery, detector):
    found = named(gallery, detector)
    assert found == Names("photo") and not found.known


def test_a_gallery_without_a_threshold_names_everybody_once(own):
    own.set_threshold(None)
    found = named(own, SquareDetector(), (8, 10, 20, 70), (9, 100, 90, 60), (1, 230, 5, 50))
    assert {box.identity for box in found.boxes} == set(PEOPLE.values())


def hits(similarities):
    ranked = sorted(similarities.items(), key=lambda item: -item[1])
    return tuple(Hit(name, value, "p.png", 1) for name, value in ranked)


TABLES = st.lists(
    st.dictionaries(st.sampled_from("ABCDEF"), st.floats(-1, 1), min_size=0, max_size=6),
    max_size=5,
)


@settings(max_examples=40)
@given(TABLES, st.sampled_from([None, -0.5, 0.0, 0.5]))
def test_names_are_settled_from_the_surest_pair_down(tables, threshold):
    found = [Found(f"{n}", hits(table), threshold) for n, table in enumerate(tables)]
    # The slow way: take the best pair that is left, again and again.
    left = {
        (n, hit.identity): hit
        for n, one in enumerate(found)
        for hit in one.hits
        if threshold is None or hit.similarity >= threshold
    }
    wanted = [None] * len(found)
    while left:
        n, name = max(left, key=lambda pair: left[pair].similarity)
        wanted[n] = left[n, name]
        left = {pair: hit for pair, hit in left.items() if pair[0] != n and pair[1] != name}
    got = assigned(found)
    names = [hit.identity for hit in got if hit]
    assert len(names) == len(set(names))
    assert sorted(hit.similarity for hit in got if hit) == sorted(
        hit.similarity for hit in wanted if hit
    )
    values = [value for table in tables for value in table.values()]
    if len(set(values)) == len(values):
        assert got == wanted


@settings(max_examples=40)
@given(TABLES)
def test_a_stranger_never_takes_the_name_of_a_surer_box(tables):
    found = [Found(f"{n}", hits(table), 0.0) for n, table in enumerate(tables)]
    before = assigned(found)
    stranger = dict.fromkeys("ABCDEF", 0.001)
    after = assigned([*found, Found("stranger", hits(stranger), 0.0)])
    for was, now in zip(before, after, strict=False):
        assert was is None or was == now or was.similarity <= 0.001


def test_the_largest_sum_would_push_the_surest_box_aside():
    found = [
        Found("0", hits({"A": 0.8, "B": 0.7}), 0.6),
        Found("1", hits({"A": 0.78, "B": 0.2}), 0.6),
    ]
    assert [hit and hit.identity for hit in assigned(found)] == ["A", None]


POOR = {
    "small": (photo((1, 50, 50, 20)), "too small: 20 pixels, 24 are needed"),
    "dark": (photo((1, 50, 50, 64)) // 12, "too dark"),
    "bright": (255 - photo((1, 50, 50, 64)) // 12, "too bright"),
}


@pytest.mark.parametrize(("picture", "said"), POOR.values(), ids=POOR)
def test_poor_crops_are_told_and_not_searched_unless_asked(by_boxes, picture, said):
    detector = ToldDetector([[50, 50, 20 if "small" in said else 64, 20]])
    told = names_in(picture, detector=detector, gallery=by_boxes).boxes[0]
    asked = names_in(picture, detector=detector, gallery=by_boxes, any_quality=True).boxes[0]
    assert said in told.identity and not told.searched and not told.hits and told.match is None
    assert asked.searched and asked.hits and asked.poor == told.poor


def test_blur_is_the_variance_of_the_laplacian_of_the_shelf():
    sharp = face(1)
    soft = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(16)))
    for crop in (sharp, soft):
        shelf = dict(zip(FIGURES, measure(Image.fromarray(crop)), strict=True))
        got = quality_of(crop, 64)
        assert got.detail == pytest.approx(np.exp(shelf["detail"]), rel=1e-5)
        assert (got.detail < LEAST_DETAIL) == any("blurred" in why for why in got.poor)
    assert "blurred" in quality_of(soft, 64).poor[0] and not quality_of(sharp, 64).poor


def test_light_is_told_before_blur_and_a_good_crop_says_nothing():
    black = np.zeros((64, 64, 3), np.uint8)
    assert quality_of(black, 64).poor == ("too dark: 100 % of its pixels are clipped",)
    assert quality_of(255 - black, LEAST_SIDE - 1).poor == (
        "too small: 23 pixels, 24 are needed",
        "too bright: 100 % of its pixels are clipped",
    )
    assert quality_of(face(1), LEAST_SIDE).poor == ()


def test_what_does_not_fit_its_template_is_a_misfit_and_not_searched(by_boxes):
    wrong = TEMPLATE[[4, 0, 3, 1, 2]] * 64 + [50, 50]
    detector = ToldDetector([[50, 50, 64, 64]], landmarks=[wrong], template=TEMPLATE)
    picture = photo((1, 50, 50, 64))
    told = names_in(picture, detector=detector, gallery=by_boxes).boxes[0]
    asked = names_in(picture, detector=detector, gallery=by_boxes, any_quality=True).boxes[0]
    assert told.identity.startswith("misfit: its landmarks do not fit") and not told.searched
    assert asked.identity == "Ada" and not asked.aligned  # by its box


BROKEN = {
    "NaN box": (ToldDetector([[np.nan, 0, 5, 5]]), "a box that is no number"),
    "infinite box": (ToldDetector([[0, 0, np.inf, 5]]), "a box that is no number"),
    "NaN score": (ToldDetector([[0, 0, 5, 5]], [np.nan]), "a score outside 0 to 1"),
    "score above 1": (ToldDetector([[0, 0, 5, 5]], [1.5]), "a score outside 0 to 1"),
    "too few boxes": (ToldDetector([[0, 0, 5, 5]], [0.5, 0.4]), "(n, 4) and (n,) are needed"),
    "landmarks": (ToldDetector([[0, 0, 5, 5]], landmarks=[[1, 2]]), "(n, p, 2) is needed"),
}


@pytest.mark.parametrize(("detector", "said"), BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_none_is_refused_with_the_photo(tmp_path, by_boxes, detector, said):
    picture = write(tmp_path / "p.png", (1, 50, 50, 64))
    with pytest.raises(InputError) as caught:
        list(api.find_in_photos(by_boxes, [picture], detector=detector))
    assert said in str(caught.value) and str(picture) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_detector_that_answers_for_another_number_of_pictures_is_refused():
    with pytest.raises(InputError, match="gave 0 answers for one picture"):
        objects_in(photo(), lambda pictures: [])


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ([50, 50, 0, 20], "has no area"),
        ([50, 50, -5, 20], "has no area"),
        ([50, 50, 0.5, 0.5], "has no area"),
        ([-40, 50, 60, 20], "lies outside the picture"),
        ([5000, 50, 60, 20], "lies outside the picture"),
        ([0, 0, 1e9, 1e9], "lies outside the picture"),
    ],
)
def test_boxes_that_are_none_are_left_out_and_told(box, said):
    seen, left_out = objects_in(photo((1, 50, 50, 64)), ToldDetector([box, [50, 50, 64, 64]]))
    assert [one.xywh for one in seen] == [(50, 50, 64, 64)]
    assert left_out == [f"a box was left out: it {said}"]


def test_of_a_thousand_boxes_and_more_the_surest_are_looked_at(monkeypatch):
    monkeypatch.setattr(detect, "MOST_BOXES", 2)
    detector = ToldDetector([[10 * n, 10, 30, 30] for n in range(5)], [0.5, 0.9, 0.6, 0.8, 0.7])
    seen, left_out = objects_in(photo((1, 10, 10, 64)), detector)
    np.testing.assert_allclose([one.score for one in seen], [0.9, 0.8], atol=1e-6)
    assert left_out == ["of 5 boxes the 2 surest are looked at"]


def test_a_box_over_the_edge_is_searched():
    seen, left_out = objects_in(photo((1, 0, 0, 64)), ToldDetector([[-20, -10, 84, 74]]))
    assert len(seen) == 1 and not left_out and seen[0].crop.shape == (112, 112, 3)


@pytest.mark.parametrize(
    ("placed", "said"),
    [
        ([], "nothing was found in it"),
        ([(1, 10, 10, 64), (2, 120, 10, 80)], "shows 2 where one can be enrolled"),
        ([(1, 10, 10, 20)], "too small"),
    ],
)
def test_a_photo_that_shows_not_just_one_is_not_enrolled(tmp_path, own, placed, said):
    sample = Sample(write(tmp_path / "x.png", *placed), "Dora")
    told = list(api.enrol_photos(own, [sample], detector=SquareDetector()))
    assert [one.status for one in told] == ["skipped"] and said in told[0].reason
    assert str(sample.path) in told[0].reason
    assert "Dora" not in {one.name for one in own.identities()}


def test_the_largest_and_the_poor_are_enrolled_when_asked(tmp_path, own):
    two = Sample(write(tmp_path / "x.png", (7, 10, 10, 64), (8, 120, 10, 80)), "Dora")
    low = Sample(write(tmp_path / "y.png", (6, 10, 10, 20)), "Emil")
    detector = SquareDetector()
    told = [
        *api.enrol_photos(own, [two], detector=detector, largest=True),
        *api.enrol_photos(own, [low], detector=detector, any_quality=True),
    ]
    assert [one.status for one in told] == ["enrolled"] * 2
    assert named(own, detector, (8, 30, 30, 70)).boxes[0].identity == "Dora"
    assert named(own, detector, (7, 30, 30, 70)).boxes[0].identity == UNKNOWN


def test_an_unreadable_photo_is_told_and_the_rest_goes_on(tmp_path, own):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG but no more")
    paths = [
        tmp_path / "broken.png",
        write(tmp_path / "good.png", (1, 10, 10, 64)),
        tmp_path / "none.png",
    ]
    found = list(api.find_in_photos(own, paths, detector=SquareDetector()))
    assert "cannot be read" in found[0].reason and "not exist" in found[2].reason
    assert found[1].known and not found[1].reason and not found[0].boxes
    samples = [Sample(path, "Ada") for path in paths]
    told = list(api.enrol_photos(own, samples, detector=SquareDetector()))
    assert [one.status for one in told] == ["skipped", "enrolled", "skipped"]


NAMES = {
    "long": "x" * 10_000,
    "page": "<script>alert(1)</script>",
    "right to left": "\u202eADA \u05d0\u05d3\u05d4",
    "control": "a\x1b[31m\nb",
    "empty": "",
    "letters of the world": "Zoë Søren Жанна Αθηνά",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("size_hw", [(20, 24), (200, 320), (700, 30)])
def test_any_name_can_be_painted_and_boxes_show(name, size_hw):
    height, width = size_hw
    picture = np.full((*size_hw, 3), 128, np.uint8)
    detector = ToldDetector([[2, 2, width - 4, height - 4], [-5, -5, width, height]])
    seen, _ = objects_in(picture, detector)
    hit = Hit(name, 0.987, "p.png", 1)
    boxes = tuple(_box(one, hit) for one in seen)
    got = painted(picture, Names("p", boxes))
    factor = len(got) // height
    assert got.shape == (height * factor, width * factor, 3) and max(got.shape) >= 480
    assert (got != 128).any() and (picture == 128).all()


def _box(one, hit):
    from saccade.pictures.photo import Named

    return Named(one.xywh, one.score, False, one.quality, (), True, (hit,), hit)


def test_labels_do_not_cover_each_other(monkeypatch, gallery, detector):
    from saccade.pictures import paint

    found = named(gallery, detector, (1, 100, 60, 40), (2, 145, 60, 40), (3, 100, 105, 40))
    taken = []
    inner = paint._label
    monkeypatch.setattr(paint, "_label", lambda *given: taken.append(inner(*given)) or taken[-1])
    painted(photo(), found)
    assert len(taken) == 3
    assert not any(paint._meet(a, b) for a, b in itertools.combinations(taken, 2))


@pytest.fixture
def command(tmp_path, by_boxes, monkeypatch):
    """A folder with a gallery that carries no embedder; the command line is handed ours."""
    shutil.copytree(by_boxes.folder, tmp_path / "gallery")
    from saccade.api import gallery as api_gallery

    monkeypatch.setattr(api_gallery, "_kept", lambda root: EMBEDDER)
    monkeypatch.setattr(api, "open_detector", lambda given: SquareDetector())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    write(tmp_path / "photos" / "team.png", (3, 10, 20, 70), (9, 100, 90, 60), (1, 230, 5, 50))
    return tmp_path


def test_find_with_a_detector_prints_boxes_and_names(command, capsys):
    assert main(["find", "gallery", "photos", "--detector", "d.onnx"]) == 0
    out = capsys.readouterr().out
    assert "team.png: 3 found" in out
    assert "1. Cleo   box 10 20 70 70" in out and "2. unknown   box 100 90 60 60" in out
    assert "not aligned" in out


def test_find_with_a_detector_as_json(command, capsys):
    words = ["find", "gallery", "photos", "--detector", "d.onnx", "--json", "--top", "2"]
    assert main([*words, "--painted", "out"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["boxes"][0]["box"] == [10.0, 20.0, 70.0, 70.0]
    assert [box["identity"] for box in told["boxes"]] == ["Cleo", UNKNOWN, "Ada"]
    assert [len(box["hits"]) for box in told["boxes"]] == [2, 2, 2]
    assert told["known"] and told["painted"] == "out/team.png"
    with Image.open(command / "out" / "team.png") as image:
        assert image.size == (640, 400)


def test_nobody_known_is_exit_code_1(command, capsys):
    write(command / "stranger.png", (9, 10, 20, 70))
    write(command / "ground.png")
    assert main(["find", "gallery", "stranger.png", "--detector", "d.onnx"]) == 1
    assert main(["find", "gallery", "ground.png", "--detector", "d.onnx"]) == 1
    assert "ground.png: nothing found" in capsys.readouterr().out


def test_painted_photos_of_one_name_stand_beside_each_other(command):
    (command / "more").mkdir()
    write(command / "more" / "team.jpg", (2, 10, 20, 70))
    words = ["find", "gallery", "photos", "more", "--detector", "d.onnx", "--painted", "out"]
    assert main(words) == 0
    assert {item.name for item in (command / "out").iterdir()} == {"team.png", "team-2.png"}


def test_nothing_is_painted_over(command, capsys):
    before = (command / "photos" / "team.png").read_bytes()
    words = ["find", "gallery", "photos", "--detector", "d.onnx", "--painted", "photos"]
    assert main(words) == 2
    assert "photos/team.png exists already" in capsys.readouterr().err
    assert (command / "photos" / "team.png").read_bytes() == before


def test_enrol_with_a_detector(command, capsys):
    write(command / "dora.png", (8, 40, 30, 60))
    words = ["enrol", "gallery", "dora.png", "--as", "Dora", "--detector", "d.onnx"]
    assert main(words) == 0
    assert main([*words[:2], "photos/team.png", *words[3:]]) == 2
    assert "shows 3 where one can be enrolled" in capsys.readouterr().err
    assert main([*words[:2], "photos/team.png", "--as", "Chris", *words[5:], "--largest"]) == 0


def test_class_folders_of_photos_are_enrolled(command, capsys):
    for person, name in ((7, "Gus"), (8, "Hal")):
        (command / "team" / name).mkdir(parents=True)
        write(command / "team" / name / "a.png", (person, 40, 30, 60))
    assert main(["enrol", "gallery", "team", "--detector", "d.onnx"]) == 0
    assert "2 enrolled" in capsys.readouterr().out


WRONG = {
    "painted alone": (["find", "gallery", "photos", "--painted", "o"], "belong to --detector"),
    "largest alone": (["enrol", "gallery", "photos", "--as", "A", "--largest"], "belong to --det"),
    "every of photos": (
        ["find", "gallery", "photos", "--detector", "d", "--every", "2"],
        "--every is for a video",
    ),
    "webcam and photos": (
        ["find", "gallery", "photos", "--detector", "d", "--webcam", "0"],
        "--webcam stands alone",
    ),
    "vectors": (
        ["find", "gallery", "--vectors", "v.npy", "--detector", "d"],
        "--vectors needs no --detector",
    ),
    "nothing": (["find", "gallery", "--detector", "d"], "no picture is named"),
    "missing": (["find", "gallery", "none.png", "--detector", "d"], "none.png does not exist"),
    "top": (["find", "gallery", "photos", "--detector", "d", "--top", "0"], "--top must be"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(command, capsys, words, said):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_folder_without_pictures_is_one_line(command, capsys):
    shutil.rmtree(command / "photos")
    (command / "photos").mkdir()
    assert main(["find", "gallery", "photos", "--detector", "d"]) == 2
    assert "holds no picture" in capsys.readouterr().err
