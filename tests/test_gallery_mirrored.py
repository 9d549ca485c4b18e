"""Pictures averaged with their mirror images, in enrolment and search alike."""

import numpy as np
import pytest
from PIL import Image

from saccade.api.gallery import Gallery as ApiGallery
from saccade.cli.app import main
from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError
from saccade.gallery import Gallery
from saccade.gallery.mirrored import Mirrored
from tests.gallery_victim import TinyEmbedder, make_pictures

EMBEDDER = TinyEmbedder()


class Opposite(TinyEmbedder):
    """A mirror image gets the opposite vector."""

    def __call__(self, pictures):
        sides = [1.0 if picture[0, 0, 0] > picture[0, -1, 0] else -1.0 for picture in pictures]
        return (np.array(sides)[:, None] * np.eye(1, self.dimension)).astype(np.float32)


@pytest.fixture
def samples(tmp_path):
    return make_pictures(tmp_path / "pictures", identities=3, each=2)


def mirror_image(sample, folder):
    path = folder / "mirror.png"
    Image.fromarray(read_picture(sample)[:, ::-1]).save(path)
    return path


def test_the_mean_of_both(samples):
    pictures = [read_picture(sample) for sample in samples]
    both = Mirrored(EMBEDDER)
    rows = both(pictures)
    turned = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    sums = EMBEDDER(pictures).astype(np.float64) + EMBEDDER(turned)
    np.testing.assert_allclose(rows, sums / np.linalg.norm(sums, axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(both(turned), rows)
    assert both.fingerprint not in (EMBEDDER.fingerprint, Mirrored(TinyEmbedder(1)).fingerprint)


def test_vectors_that_cancel_out_give_one_answer_for_both():
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    both = Mirrored(Opposite())
    rows = both([picture, np.ascontiguousarray(picture[:, ::-1])])
    np.testing.assert_array_equal(rows[0], rows[1])
    assert np.linalg.norm(rows[0]) == 1.0


def test_enrolled_found_and_verified_alike(samples, tmp_path):
    made = ApiGallery.create(tmp_path / "g", embedder=EMBEDDER, mirrored=True, threshold=0.9)
    turned = mirror_image(samples[3], tmp_path)
    with made:
        made.enrol(samples)
        hit = made.find([turned])[0].hits[0]
        assert (hit.identity, hit.picture_id) == (samples[3].label, 4)
        assert hit.similarity > 0.9999
        assert made.verify(samples[3].path, turned).similarity > 0.9999
        assert made.stats().mirrored == "yes"
        made.check()
    with Gallery.open(tmp_path / "g", embedder=EMBEDDER) as again:
        assert again.find([turned])[0].hits[0].similarity > 0.9999
        with pytest.raises(InputError, match="mirrored is yes for all vectors"):
            again.choose(mirrored="no")
    with pytest.raises(GalleryError, match="was made by embedder"):
        Gallery.open(tmp_path / "g", embedder=TinyEmbedder(1))


def test_kinds_are_not_mixed(samples, tmp_path):
    with (
        ApiGallery.create(tmp_path / "a", embedder=EMBEDDER) as plain,
        ApiGallery.create(tmp_path / "b", embedder=EMBEDDER, mirrored=True) as both,
    ):
        plain.enrol(samples)
        plain.export(tmp_path / "out")
        with pytest.raises(GalleryError, match="holds vectors of embedder"):
            both.import_(tmp_path / "out")


def test_embedded_again_as_it_was_or_otherwise(samples, tmp_path):
    folder, turned = tmp_path / "g", mirror_image(samples[0], tmp_path)
    with ApiGallery.create(folder, embedder=EMBEDDER, mirrored=True, keep_originals=True) as made:
        made.enrol(samples)
        made.choose(templates="mean")
        made.re_embed(tmp_path / "same", TinyEmbedder(5))
        made.re_embed(tmp_path / "plain", TinyEmbedder(5), mirrored=False)
    for name, mirrored in (("same", "yes"), ("plain", "no")):
        with ApiGallery(tmp_path / name, embedder=TinyEmbedder(5)) as again:
            stats = again.stats()
            assert (stats.mirrored, stats.templates) == (mirrored, "mean")
            again.choose(templates="best")
            similarity = again.find([turned])[0].hits[0].similarity
            assert (similarity > 0.9999) == (mirrored == "yes")
            again.check()


def test_the_embedders_own_threshold_is_not_taken(tmp_path, capsys):
    folder = tmp_path / "g"
    assert main(["create", str(folder), "--embedder", "pixels", "--mirrored"]) == 0
    with ApiGallery(folder) as made:
        assert made.stats().threshold is None
    assert main(["create", str(tmp_path / "v"), "--dimension", "8", "--mirrored"]) == 2
    assert "no mirror images" in capsys.readouterr().err
