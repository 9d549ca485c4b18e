"""Enrol, find, verify, list: against brute force and a plain dict."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.errors import GalleryError
from saccade.gallery import Gallery, enrol, finding, store
from saccade.values import Sample
from tests import gallery_victim
from tests.gallery_victim import TinyEmbedder, make_pictures
from tests.reference import gallery as reference

EMBEDDER = TinyEmbedder()


def new_gallery(folder, *, dimension=None, **settings_):
    if dimension is not None:
        return Gallery.create(folder, fingerprint="f" * 64, dimension=dimension, **settings_)
    return gallery_victim.new_gallery(folder, EMBEDDER, **settings_)


@pytest.fixture
def samples(tmp_path):
    return make_pictures(tmp_path / "pictures", identities=12, each=3)


@pytest.fixture
def gallery(tmp_path, samples):
    with new_gallery(tmp_path / "gallery") as gallery:
        gallery.enrol(samples)
        yield gallery


def test_every_enrolled_picture_finds_itself(gallery, samples):
    found = gallery.find([sample.path for sample in samples], k=3)
    for sample, answer in zip(samples, found, strict=True):
        assert answer.query == str(sample.path)
        assert answer.known and answer.identity == sample.label
        assert answer.hits[0].picture == sample.path.name
        assert answer.hits[0].similarity == pytest.approx(1.0, abs=1e-3)
        assert len({hit.identity for hit in answer.hits}) == 3
    gallery.check()


def test_enrol_tells_each_picture_in_order(tmp_path, samples):
    with new_gallery(tmp_path / "gallery") as gallery:
        outcomes = gallery.enrol(iter(samples))
        assert [outcome.status for outcome in outcomes] == ["enrolled"] * len(samples)
        assert [outcome.identity for outcome in outcomes] == [sample.label for sample in samples]
        assert [outcome.picture for outcome in outcomes] == [str(sample.path) for sample in samples]
        ids = [outcome.picture_id for outcome in outcomes]
        assert ids == sorted(set(ids))
        again = gallery.enrol(samples)
        assert [outcome.status for outcome in again] == ["unchanged"] * len(samples)
        assert [outcome.picture_id for outcome in again] == ids
        assert gallery.stats().pictures == len(samples)
        assert (
            gallery.stats().generation == 2
        )  # batches of 32: two writes, and none the second time
        gallery.check()


def test_outcomes_come_after_their_batch_is_on_the_disk(tmp_path, samples, monkeypatch):
    monkeypatch.setattr(enrol, "BATCH_PICTURES", 4)
    with new_gallery(tmp_path / "gallery") as gallery, Gallery.open(gallery.folder) as other:
        for told, outcome in enumerate(gallery.enrolling(samples), start=1):
            assert other.stats().pictures >= told
            assert other.thumbnail(outcome.picture_id)


def test_known_pictures_are_not_embedded_again(gallery, samples):
    class Refusing(TinyEmbedder):
        def __call__(self, pictures):
            raise RuntimeError("embedded again")

    with Gallery.open(gallery.folder, embedder=Refusing()) as again:
        assert {outcome.status for outcome in again.enrol(samples)} == {"unchanged"}


def test_the_same_content_twice_in_one_call(tmp_path, samples):
    copy = tmp_path / "copy.png"
    copy.write_bytes(samples[0].path.read_bytes())
    twice = [samples[0], Sample(copy, samples[0].label), samples[1]]
    with new_gallery(tmp_path / "gallery") as gallery:
        outcomes = gallery.enrol(twice)
        assert [outcome.status for outcome in outcomes] == ["enrolled", "unchanged", "enrolled"]
        assert outcomes[1].picture_id == outcomes[0].picture_id
        assert gallery.stats().pictures == 2


def test_content_of_another_identity_is_skipped(gallery, samples):
    (outcome,) = gallery.enrol([Sample(samples[0].path, "somebody else")])
    assert (outcome.status, outcome.picture_id) == ("skipped", None)
    assert samples[0].label in outcome.reason and "forget" in outcome.reason
    assert "somebody else" not in {info.name for info in gallery.identities()}
    gallery.check()


def test_unreadable_pictures_are_skipped_and_the_rest_goes_on(tmp_path, samples):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    bad = [
        Sample(text, "a"),
        Sample(tmp_path / "missing.png", "b"),
        Sample(tmp_path, "c"),
        Sample(samples[3].path, ""),
        Sample(samples[3].path, "new\nline"),
    ]
    with new_gallery(tmp_path / "gallery") as gallery:
        outcomes = gallery.enrol([samples[0], *bad, samples[1]])
        assert [outcome.status for outcome in outcomes] == [
            "enrolled",
            *["skipped"] * len(bad),
            "enrolled",
        ]
        reasons = [outcome.reason for outcome in outcomes[1:-1]]
        assert "cannot be read as a picture" in reasons[0]
        assert "does not exist" in reasons[1]
        assert "cannot be read" in reasons[2]
        assert "empty" in reasons[3]
        assert "control character" in reasons[4]
        assert len(gallery.identities()) == 1
        gallery.check()


def test_a_picture_forgotten_between_reading_and_writing_is_enrolled(gallery, samples, monkeypatch):
    """Known when it was read, so not embedded; forgotten by another process before the write."""
    label = samples[0].label
    first_batch = enrol._batches

    def forgetting_batches(*arguments):
        for batch in first_batch(*arguments):
            with Gallery.open(gallery.folder) as other:
                other.forget(label)
            yield batch

    monkeypatch.setattr(enrol, "_batches", forgetting_batches)
    outcomes = gallery.enrol(samples[:4])
    assert [outcome.status for outcome in outcomes] == ["enrolled"] * 3 + ["unchanged"]
    assert gallery.find([samples[0].path], k=1)[0].identity == label
    gallery.check()


def test_names_are_any_text_in_nfc(tmp_path):
    names = ["Zoë", "Zoe\u0308", "名前", "'; DROP TABLE names; --", "x" * 200, " a", "a"]
    with new_gallery(tmp_path / "gallery", dimension=8) as gallery:
        outcomes = gallery.enrol_vectors(np.eye(8)[: len(names)], names)
        assert outcomes[0].identity == outcomes[1].identity
        infos = {info.name: info.pictures for info in gallery.identities()}
    assert infos == {
        "Zoë": 2,
        "名前": 1,
        "'; DROP TABLE names; --": 1,
        "x" * 200: 1,
        " a": 1,
        "a": 1,
    }


def test_names_with_equal_look_up_keys_stay_apart(tmp_path):
    """Look-up keys have 16 bits only, so that many names share one."""
    by_key = {}
    for number in range(3000):
        by_key.setdefault(store.name_key(f"person {number}"), []).append(f"person {number}")
    names = [name for shared in by_key.values() if len(shared) > 1 for name in shared]
    assert len(names) > 20
    vectors = np.random.default_rng(0).standard_normal((len(names), 8))
    with new_gallery(tmp_path / "gallery", dimension=8) as gallery:
        gallery.enrol_vectors(vectors, names)
        again = gallery.enrol_vectors(vectors, names)
        assert {outcome.status for outcome in again} == {"unchanged"}
        assert gallery.forget(names[0]).pictures == 1
        assert {info.name for info in gallery.identities()} == set(names[1:])
        gallery.check()


def test_thumbnails_are_small_jpegs(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (400, 100), (200, 30, 30)).save(path)
    with new_gallery(tmp_path / "gallery") as gallery:
        (outcome,) = gallery.enrol([Sample(path, "wide")])
        content = gallery.thumbnail(outcome.picture_id)
    shown = tmp_path / "thumbnail.jpg"
    shown.write_bytes(content)
    with Image.open(shown) as image:
        image.load()
        assert image.size == (96, 24)
        assert image.getexif() == {}
        assert np.abs(np.asarray(image, dtype=int) - (200, 30, 30)).max() < 12


def test_a_file_name_that_is_not_utf8(tmp_path, samples):
    odd = tmp_path / "caf\udce9.png"  # the byte E9 alone, as POSIX allows
    odd.write_bytes(samples[0].path.read_bytes())
    with new_gallery(tmp_path / "gallery") as gallery:
        gallery.enrol([Sample(odd, "x")])
        assert gallery.find([odd], k=1)[0].hits[0].picture == "caf\\udce9.png"


@settings(max_examples=25)
@given(
    pictures=st.lists(st.integers(0, 7), min_size=0, max_size=40),
    k=st.integers(1, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_find_equals_brute_force(tmp_path_factory, pictures, k, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((len(pictures), 16)) * 3
    queries = rng.standard_normal((6, 16))
    with new_gallery(tmp_path_factory.mktemp("find") / "g", dimension=16) as gallery:
        names = [f"identity {number}" for number in pictures]
        outcomes = gallery.enrol_vectors(vectors, names)
        found = gallery.find_vectors(queries, k)
    enrolled = [
        (outcome.picture_id, outcome.identity, vector)
        for outcome, vector in zip(outcomes, vectors, strict=True)
    ]
    for query, answer in zip(queries, found, strict=True):
        expected = reference.best_identities(enrolled, query, k)
        assert [(hit.picture_id, hit.identity) for hit in answer.hits] == [
            (picture_id, identity) for _, picture_id, identity in expected
        ]
        np.testing.assert_allclose(
            [hit.similarity for hit in answer.hits], [item[0] for item in expected], atol=1e-6
        )


def test_one_identity_with_very_many_pictures(tmp_path):
    """Its pictures fill all the first places; the others must be found behind them."""
    rng = np.random.default_rng(3)
    crowd = np.array([1.0, 0.0, 0.0]) + 0.01 * rng.standard_normal((500, 3))
    vectors = np.vstack([crowd, [[0.5, 1.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.1, 0.0]]])
    names = ["crowd"] * 500 + ["second", "third", "fourth"]
    with new_gallery(tmp_path / "g", dimension=3) as gallery:
        gallery.enrol_vectors(vectors, names)
        for k in (1, 2, 3, 4, 9):
            (answer,) = gallery.find_vectors([[1.0, 0.0, 0.0]], k)
            hits = [hit.identity for hit in answer.hits]
            assert hits == ["crowd", "second", "third", "fourth"][:k]


def test_ties_go_to_the_earlier_picture(tmp_path):
    with new_gallery(tmp_path / "g", dimension=4) as gallery:
        gallery.enrol_vectors([[1, 0, 0, 0], [2, 0, 0, 0]], ["gone", "x"])
        gallery.enrol_vectors([[3, 0, 0, 0]], ["b"])
        gallery.forget("gone")
        # Takes the slot of "gone", the first in the file, but not its number.
        gallery.enrol_vectors([[4, 0, 0, 0]], ["a"])
        (answer,) = gallery.find_vectors([[1, 0, 0, 0]], 3)
    assert [hit.identity for hit in answer.hits] == ["x", "b", "a"]
    assert [hit.similarity for hit in answer.hits] == [1.0, 1.0, 1.0]
    assert [hit.picture_id for hit in answer.hits] == [2, 3, 4]


def test_vectors_are_kept_as_float16(tmp_path):
    vector = np.random.default_rng(1).standard_normal(64)
    with new_gallery(tmp_path / "g", dimension=64) as gallery:
        gallery.enrol_vectors([vector], ["a"])
        (answer,) = gallery.find_vectors([vector])
    unit = vector / np.linalg.norm(vector)
    expected = float(unit @ reference.as_stored(vector))
    assert answer.hits[0].similarity == pytest.approx(expected, abs=1e-6)
    assert answer.hits[0].similarity <= 1.0


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_length_of_a_vector_does_not_matter(tmp_path, scale):
    with new_gallery(tmp_path / "g", dimension=3) as gallery:
        gallery.enrol_vectors(np.array([[1.0, 2.0, 3.0]]) * scale, ["a"])
        (answer,) = gallery.find_vectors(np.array([[1.0, 2.0, 3.0]]) / scale)
        gallery.check()
    assert answer.hits[0].similarity == pytest.approx(1.0, abs=1e-3)


def test_an_empty_gallery_finds_nobody(tmp_path, samples):
    with new_gallery(tmp_path / "g") as gallery:
        (answer,) = gallery.find([samples[0].path])
        assert (answer.hits, answer.known, answer.identity) == ((), False, "unknown")
        assert gallery.find([]) == []
        assert gallery.find_vectors(np.empty((0, EMBEDDER.dimension))) == []
        assert gallery.identities() == []
        assert gallery.enrol([]) == []
        gallery.check()


def test_the_threshold_decides_who_is_known(tmp_path):
    with new_gallery(tmp_path / "g", dimension=2, threshold=0.9) as gallery:
        gallery.enrol_vectors([[1.0, 0.0]], ["a"])
        queries = [[1.0, 0.1], [1.0, 1.0]]
        assert [found.identity for found in gallery.find_vectors(queries)] == ["a", "unknown"]
        with Gallery.open(gallery.folder) as other:
            other.set_threshold(0.5)
        assert [found.identity for found in gallery.find_vectors(queries)] == ["a", "a"]
        assert gallery.stats().threshold == 0.5
        gallery.set_threshold(None)
        assert gallery.find_vectors([[-1.0, 0.0]])[0].known
        gallery.check()


def test_verify(gallery, samples):
    with pytest.raises(GalleryError, match="set_threshold"):
        gallery.verify(samples[0].path, samples[1].path)
    gallery.set_threshold(0.95)
    same = gallery.verify(samples[0].path, samples[0].path)
    assert same.same and same.similarity == pytest.approx(1.0, abs=1e-6)
    other = gallery.verify(samples[0].path, samples[1].path)
    assert not other.same and other.similarity < 0.95 and other.threshold == 0.95


def test_identities_and_stats(gallery, samples):
    infos = gallery.identities()
    assert [info.name for info in infos] == sorted({sample.label for sample in samples})
    assert {info.pictures for info in infos} == {3}
    assert all(info.enrolled_at.endswith("Z") for info in infos)
    stats = gallery.stats()
    assert (stats.identities, stats.pictures, stats.dimension) == (12, 36, EMBEDDER.dimension)
    assert (stats.pending_forgets, stats.free_slots, stats.format_version) == (0, 0, 4)
    assert stats.fingerprint == EMBEDDER.fingerprint
    assert stats.bytes_on_disk > 36 * 2 * EMBEDDER.dimension


def test_a_find_sees_what_another_process_wrote(gallery, samples):
    query = [samples[0].path]
    assert gallery.find(query, k=1)[0].identity == samples[0].label
    with Gallery.open(gallery.folder, embedder=EMBEDDER) as other:
        other.forget(samples[0].label)
        assert samples[0].label not in {hit.identity for hit in gallery.find(query, k=99)[0].hits}
        other.enrol([Sample(samples[0].path, "new name")])
    assert gallery.find(query, k=1)[0].identity == "new name"


def test_forgotten_between_search_and_naming_is_left_out(gallery, samples, monkeypatch):
    search = Gallery._matches

    def late(self, *asked):
        monkeypatch.setattr(Gallery, "_matches", search)
        matches = search(self, *asked)
        with Gallery.open(gallery.folder) as other:
            other.forget(samples[0].label)
        return matches

    monkeypatch.setattr(Gallery, "_matches", late)
    (answer,) = gallery.find([samples[0].path], k=12)
    assert len(answer.hits) == 11
    assert samples[0].label not in {hit.identity for hit in answer.hits}


def test_an_answer_is_found_though_whoever_was_found_is_always_forgotten(
    gallery, samples, monkeypatch
):
    search = Gallery._matches
    went = []

    def late(self, *asked):
        matches = search(self, *asked)
        with gallery._database.reading() as connection:
            found, _ = finding.with_names(connection, matches, ["query"])
        with Gallery.open(gallery.folder) as other:
            other.forget(found[0].hits[0].identity)
        went.append(found[0].hits[0].identity)
        return matches

    monkeypatch.setattr(Gallery, "_matches", late)
    (answer,) = gallery.find([samples[0].path], k=1)
    left = {info.name for info in gallery.identities()}
    assert len(went) == len(set(went)) > 2
    assert [hit.identity in left for hit in answer.hits] == [True]


def test_threads_share_a_gallery(gallery, samples):
    paths = [sample.path for sample in samples]

    def work(number):
        if number % 3 == 0:
            vectors = np.random.default_rng(number).standard_normal((4, EMBEDDER.dimension))
            return gallery.enrol_vectors(vectors, [f"thread {number}"] * 4)
        return gallery.find(paths[number : number + 2], k=2)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(work, range(30)))
    assert all(
        answer[0].identity == samples[number].label
        for number, answer in enumerate(answers)
        if number % 3
    )
    assert gallery.stats().pictures == 36 + 40
    gallery.check()
