""" "Not this one": heeded for the picture and its near copies, undone, forgotten."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.api.evaluate import load
from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError, UnknownNameError
from saccade.gallery import Gallery
from saccade.gallery.merges import Merges
from saccade.gallery.near_copies import NEAR
from saccade.gallery.rejections import MOST_NEAR, Rejections
from saccade.values import Sample
from tests import coded
from tests.gallery_victim import TinyEmbedder, make_pictures

EMBEDDER = TinyEmbedder()
DIMENSION = EMBEDDER.dimension
DATA = os.environ.get("SACCADE_DATA")


@pytest.fixture
def samples(tmp_path):
    return make_pictures(tmp_path / "pictures", identities=5, each=3)


@pytest.fixture
def gallery(tmp_path, samples):
    made = Gallery.create(
        tmp_path / "g",
        fingerprint=EMBEDDER.fingerprint,
        dimension=DIMENSION,
        embedder=EMBEDDER,
    )
    with made:
        made.enrol(samples)
        yield made


@pytest.fixture
def stranger(tmp_path):
    (one,) = make_pictures(tmp_path / "strangers", identities=1, each=1, seed=9)
    return one.path


def names_of(gallery, picture, k=3, **how):
    return [hit.identity for hit in gallery.find([picture], k, **how)[0].hits]


def row_count(gallery, table):
    with gallery._database.reading() as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_rejected_identity_is_never_offered_again_and_others_take_its_place(gallery, stranger):
    everyone = names_of(gallery, stranger, 5)
    for turn, wrong in enumerate(everyone[:-1]):
        outcome = gallery.reject(stranger, wrong)
        assert (outcome.status, outcome.identity, outcome.picture_id) == ("rejected", wrong, None)
        for exact in (False, True):
            assert names_of(gallery, stranger, 3, exact=exact) == everyone[turn + 1 :][:3]
    assert gallery.reject(stranger, everyone[1]).status == "unchanged"
    assert row_count(gallery, "rejections") == 4
    assert gallery.reject(stranger, everyone[1], undo=True).status == "withdrawn"
    assert names_of(gallery, stranger) == [everyone[1], everyone[4]]
    gallery.check()


def test_it_holds_for_copies_and_for_nobody_else(gallery, samples, stranger, tmp_path):
    before = {sample.path: names_of(gallery, sample.path) for sample in samples}
    wrong = names_of(gallery, stranger)[0]
    gallery.reject(stranger, wrong)
    copy = tmp_path / "copy.jpg"
    with Image.open(stranger) as picture:
        picture.resize((48, 48), Image.Resampling.BICUBIC).save(copy, quality=95)
    assert float(EMBEDDER([read_picture(copy)])[0] @ EMBEDDER([read_picture(stranger)])[0]) > NEAR
    assert wrong not in names_of(gallery, copy)
    assert {sample.path: names_of(gallery, sample.path) for sample in samples} == before
    # Whoever has the copy only can take it back.
    assert gallery.reject(copy, wrong, undo=True).status == "withdrawn"
    assert names_of(gallery, stranger)[0] == wrong
    assert row_count(gallery, "rejections") == 0


@pytest.mark.parametrize("by", ["path", "text", "number", "sample", "vector"])
def test_every_way_to_point_at_an_enrolled_picture(gallery, samples, by):
    sample, wrong = samples[4], samples[0].label
    vector = EMBEDDER([read_picture(sample.path)])[0]
    given = {
        "path": sample.path,
        "text": str(sample.path),
        "number": 5,
        "sample": sample,
        "vector": vector,
    }[by]
    outcome = gallery.reject(given, wrong)
    assert outcome.picture_id == (None if by == "vector" else 5)
    assert wrong not in names_of(gallery, sample.path, 5)
    assert names_of(gallery, sample.path)[0] == sample.label
    gallery.check()


def test_a_path_of_an_enrolled_picture_needs_no_embedder(gallery, samples):
    with Gallery.open(gallery.folder) as other:
        assert other.reject(samples[4].path, samples[0].label).picture_id == 5
        with pytest.raises(GalleryError, match="without an embedder"):
            other.reject(Sample(samples[0].path, "", np.zeros((9, 9), np.uint8)), samples[0].label)


def test_bad_input(gallery, samples, stranger, tmp_path):
    name = samples[0].label
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for picture, words in [
        (tmp_path / "missing.png", "missing.png"),
        (broken, "broken.png"),
        (tmp_path, str(tmp_path)),
        (99, "no picture 99"),
        (-1, "no picture -1"),
        (np.full(DIMENSION, np.nan), "NaN"),
        (np.zeros(DIMENSION), "length zero"),
        (np.ones(3), "length 3"),
        (np.ones((2, DIMENSION)), "shape"),
    ]:
        with pytest.raises(InputError, match=words):
            gallery.reject(picture, name)
    with pytest.raises(UnknownNameError, match="nobody"):
        gallery.reject(stranger, "nobody")
    with pytest.raises(InputError, match="was not rejected as"):
        gallery.reject(stranger, name, undo=True)
    assert row_count(gallery, "rejections") == 0


def test_an_enrolled_picture_is_not_rejected_as_itself(gallery, samples):
    first, second = samples[0], samples[3]
    with pytest.raises(InputError, match=r"itself, as picture 1; .*saccade move.*saccade remove"):
        gallery.reject(first.path, first.label)
    gallery.merge(first.label, second.label)
    with pytest.raises(InputError, match=f"unmerge '{second.label}'"):
        gallery.reject(second.path, first.label)


def test_contradictions_are_refused_with_the_remedy(gallery, samples, stranger):
    first, second = samples[0], samples[3]
    gallery.reject(second.path, first.label)
    for kept, merged in [(first.label, second.label), (second.label, first.label)]:
        with pytest.raises(InputError, match=f"'{first.label}' --picture-id 4 --undo"):
            gallery.merge(kept, merged)
    gallery.reject(stranger, first.label)
    (skipped,) = gallery.enrol([Sample(stranger, first.label)])
    assert (skipped.status, skipped.picture_id) == ("skipped", None)
    assert f"was rejected as '{first.label}'; undo that first" in skipped.reason
    twice = [Sample(stranger, first.label), Sample(stranger, second.label)]
    assert [one.status for one in gallery.enrol(twice)] == ["skipped", "enrolled"]
    gallery.check()
    gallery.reject(second.path, first.label, undo=True)
    with pytest.raises(InputError, match=f"of '{second.label}' was rejected as '{first.label}'"):
        gallery.merge(first.label, second.label)
    gallery.reject(stranger, first.label, undo=True)
    assert gallery.merge(first.label, second.label).pictures == 7
    gallery.check()


def test_a_rejection_holds_for_whom_its_identity_was_merged_into(gallery, samples, stranger):
    wrong, other, *_ = names_of(gallery, stranger, 5)
    gallery.reject(stranger, wrong)
    gallery.merge(other, wrong)
    assert other not in names_of(gallery, stranger, 5)
    assert gallery.reject(stranger, other).status == "rejected", "holds after the merge is undone"
    gallery.unmerge(wrong)
    assert not {wrong, other} & set(names_of(gallery, stranger, 5))
    gallery.merge(other, wrong)
    gallery.reject(stranger, other, undo=True)
    assert row_count(gallery, "rejections") == 0


def test_how_near_a_copy_is_can_be_set(gallery, stranger):
    wrong = names_of(gallery, stranger)[0]
    gallery.reject(stranger, wrong)
    draw = np.random.default_rng(0)
    vector = EMBEDDER([read_picture(stranger)])[0]
    apart = draw.standard_normal(DIMENSION)
    apart -= (apart @ vector) * vector
    query = 0.9 * vector + np.sqrt(1 - 0.9**2) * apart / np.linalg.norm(apart)

    def offered():
        return wrong in [hit.identity for hit in gallery.find_vectors([query], 5)[0].hits]

    assert offered()
    with Gallery.open(gallery.folder) as other:
        other.set_near(0.89)
    assert not offered()
    gallery.set_near(0.91)
    assert offered()
    for bad in (0.4, 1.0, float("nan")):
        with pytest.raises(InputError, match=r"between 0\.5 and 0\.999"):
            gallery.set_near(bad)
    with gallery._database.writing() as connection:
        connection.execute("UPDATE choices SET value = 'much'")
    with pytest.raises(GalleryError, match="reject_near"):
        gallery.check()


def test_a_picture_is_its_own_copy_at_the_strictest_limit(gallery, stranger):
    gallery.set_near(MOST_NEAR)
    wrong = names_of(gallery, stranger)[0]
    gallery.reject(stranger, wrong)
    assert wrong not in names_of(gallery, stranger)


@pytest.mark.parametrize("who", ["named", "shown"])
def test_forgotten_rejections_leave_no_byte(gallery, samples, stranger, who):
    """They go with the identity they name, and with the one that has their content."""
    named, shown = samples[0], samples[3]
    traces = [EMBEDDER([read_picture(shown.path)])[0].astype("<f2").tobytes()]
    gallery.reject(shown.path, named.label)
    if who == "named":
        gallery.reject(stranger, named.label)
        vector = EMBEDDER([read_picture(stranger)])[0]
        traces = [stranger.name.encode(), vector.astype("<f2").tobytes()]
    outcome = gallery.forget(named.label if who == "named" else shown.label)
    assert outcome.status == "forgotten"
    assert row_count(gallery, "rejections") == 0
    gallery.check()
    gallery.close()
    content = b"\0".join(path.read_bytes() for path in gallery.folder.rglob("*") if path.is_file())
    assert [trace in content for trace in traces] == [False] * len(traces)


def test_what_is_taken_back_leaves_no_byte(gallery, stranger, samples):
    gallery.reject(stranger, samples[0].label)
    gallery.reject(stranger, samples[0].label, undo=True)
    assert (gallery.folder / "gallery.db-wal").stat().st_size == 0
    gallery.check()
    vector = EMBEDDER([read_picture(stranger)])[0].astype("<f2").tobytes()
    gallery.close()
    content = (gallery.folder / "gallery.db").read_bytes()
    assert stranger.name.encode() not in content and vector not in content


def test_a_picture_forgotten_meanwhile_does_not_come_back(gallery, samples, monkeypatch):
    """Its vector is read where it is rejected, not before."""
    from saccade.gallery import rejecting

    subject = rejecting.subject

    def late(*given, **named):
        found = subject(*given, **named)
        with Gallery.open(gallery.folder) as other:
            other.forget(samples[3].label)
        return found

    monkeypatch.setattr(rejecting, "subject", late)
    with pytest.raises(InputError, match="picture 4 was forgotten"):
        gallery.reject(4, samples[0].label)
    assert row_count(gallery, "rejections") == 0


def test_another_process_heeds_it_at_once(gallery, stranger):
    with Gallery.open(gallery.folder, embedder=EMBEDDER) as other:
        wrong = names_of(other, stranger)[0]
        loose = other._memory.loose
        gallery.reject(stranger, wrong)
        assert wrong not in names_of(other, stranger)
        assert other._memory.loose is loose, "no row was read again"
        gallery.reject(stranger, wrong, undo=True)
        assert names_of(other, stranger)[0] == wrong


def test_codes_give_k_hits_beside_rejections(tmp_path):
    draw = np.random.default_rng(2)
    pool = draw.standard_normal((30, 6, DIMENSION)).astype(np.float32)
    names = [f"person {number}" for number in range(30)]
    query = pool[0, 0] + 0.1 * draw.standard_normal(DIMENSION)
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=DIMENSION) as gallery:
        numbers = {}
        with coded.tuner(coded.scanning(cells=2, finalists=8)):
            for person, name in enumerate(names):
                for row, one in enumerate(gallery.enrol_vectors(pool[person], [name] * 6)):
                    numbers[one.picture_id] = (name, pool[person, row])
            gallery.index()
        order = [hit.identity for hit in gallery.find_vectors([query], 30, exact=True)[0].hits]
        for wrong in order[:12]:
            gallery.reject(query, wrong)
        left = {number: it for number, it in numbers.items() if it[0] not in order[:12]}
        other = draw.standard_normal(DIMENSION)
        for k in (1, 5, 18, 30):
            for exact in (False, True):
                both = gallery.find_vectors([query, other], k, exact=exact)
                coded.assert_right(both[0], left, query, k)
                coded.assert_right(both[1], numbers, other, k)


def test_many_rejections_are_one_product(monkeypatch):
    """Ten thousand of them against double precision, and in blocks of queries."""
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((10_000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    identities = draw.integers(1, 50, 10_000)
    rejections = Rejections(vectors, identities, 0.8)
    merges = Merges(np.array([3, 4]), np.array([2, 2]))
    queries = draw.standard_normal((20, 16)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    monkeypatch.setattr("saccade.gallery.rejections.BLOCK_QUERIES", 7)
    found = rejections.of(queries, merges)
    assert sum(map(len, found)) > 10
    for query, mine in zip(queries, found, strict=True):
        cosines = vectors.astype(np.float64) @ query.astype(np.float64)
        assert np.abs(cosines - 0.8).min() > 1e-6
        near = set(identities[cosines >= 0.8].tolist())
        assert set(mine.tolist()) == {2 if one in (3, 4) else one for one in near}


def test_a_damaged_rejection_is_said(gallery, stranger, samples):
    gallery.reject(stranger, samples[0].label)
    with gallery._database.writing() as connection:
        (slot,) = connection.execute("SELECT vector FROM rejections").fetchone()
        connection.execute("UPDATE vectors SET content = zeroblob(?)", (2 * DIMENSION,))
    assert slot
    for ask in (gallery.check, lambda: gallery.find([stranger])):
        with pytest.raises(GalleryError, match="vector cannot be read"):
            ask()


@pytest.mark.skipif(not DATA, reason="SACCADE_DATA does not name a folder with faces_orl")
def test_near_copies_of_faces_are_nearer_than_other_people():
    """Plain pixels of ORL: the limit takes copies, and hardly any picture of somebody else."""
    embedder = load("pixels")
    faces = Path(DATA) / "faces_orl"
    people = [sorted(folder.iterdir()) for folder in sorted(faces.iterdir()) if folder.is_dir()]
    pictures = [read_picture(path) for person in people for path in person[:4]]
    whose = np.repeat(np.arange(len(people)), 4)
    rows = unit(embedder(pictures))
    copies = unit(embedder([copied(picture) for picture in pictures]))
    assert ((rows * copies).sum(axis=1) > NEAR).all()
    others = (rows @ rows.T)[whose[:, None] != whose]
    assert (others >= NEAR).mean() < 0.01


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def copied(picture):
    """Half as large, a hundredth cut off at each side, and compressed again."""
    image = Image.fromarray(picture)
    width, height = image.size
    x, y = round(width / 100), round(height / 100)
    image = image.crop((x, y, width - x, height - y)).resize((width // 2, height // 2))
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=75)
    with Image.open(stream) as again:
        return np.asarray(again.convert("RGB"))
