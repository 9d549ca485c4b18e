"""Models on disk and what they answer."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.errors import InputError, PictureError, UnknownNameError
from saccade.tasks.card import CARD_FILE, FORMAT
from saccade.tasks.model import WEIGHTS_FILE, Model, pixel_model
from saccade.tasks.networks import build_network

CARD = {
    "format": FORMAT,
    "kind": "network",
    "task": "embed",
    "backbone": "small_resnet",
    "width": 4,
    "dimension": 8,
    "channels": 3,
    "size_hw": [24, 24],
    "threshold": {"similarity": 0.5},
}


def network_model(**changes):
    card = CARD | changes
    torch.manual_seed(0)
    network = build_network(card)
    network(torch.rand(8, card["channels"], *card["size_hw"]))  # sets the running means
    return Model(card, network.eval())


@pytest.fixture
def saved(tmp_path):
    network_model().save(tmp_path)
    return tmp_path


KINDS = {"network": network_model, "pixels": pixel_model}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_comes_back_the_same(shapes, tmp_path, kind):
    model = KINDS[kind]()
    model.save(tmp_path)
    again = Model.load(tmp_path)
    np.testing.assert_array_equal(again(shapes[0]), model(shapes[0]))
    assert again.fingerprint == model.fingerprint
    assert again.card == model.card
    assert (again.threshold, again.dimension) == (model.threshold, model.dimension)


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_finite_and_of_length_one(shapes, kind):
    model = KINDS[kind]()
    odd = [
        np.zeros((24, 24, 3), np.uint8),
        np.full((5, 60, 3), 255, np.uint8),
        np.full((1, 1, 3), 9, np.uint8),
    ]
    vectors = model([*shapes[0], *odd])
    assert vectors.shape == (len(shapes[0]) + 3, model.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_one_picture_is_embedded_as_in_a_batch(shapes, kind):
    model = KINDS[kind]()
    pictures = np.concatenate([shapes[0], shapes[0][::-1]])  # more than one block
    together = model(pictures)
    alone = np.concatenate([model([picture]) for picture in pictures])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_gives_no_rows(kind):
    model = KINDS[kind]()
    assert model([]).shape == model.embed([]).shape == (0, model.dimension)
    assert model([]).dtype == model.embed([]).dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_arrays_give_the_same(shapes, class_folders, kind):
    model = KINDS[kind]()
    files = sorted(class_folders.rglob("*.png"), key=lambda file: file.name)
    np.testing.assert_array_equal(model.embed(files), model(shapes[0]))


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(PictureError, match=r"x\.png"):
        pixel_model().embed([tmp_path / "x.png"])


def test_mirroring_averages_the_two_vectors(shapes):
    plain, both = network_model(), network_model(mirror=True)
    mirrored = shapes[0][:, :, ::-1]
    total = plain(shapes[0]) + plain(mirrored)
    total /= np.linalg.norm(total, axis=1, keepdims=True)
    np.testing.assert_allclose(both(shapes[0]), total, atol=1e-5)
    np.testing.assert_allclose(both(mirrored), both(shapes[0]), atol=1e-5)
    assert not np.allclose(plain(mirrored), plain(shapes[0]), atol=1e-4)
    assert plain.fingerprint != both.fingerprint


def test_pixels_are_the_scaled_picture_at_length_one():
    picture = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    rgb = picture[:, :, None].repeat(3, 2)
    flat = picture.ravel().astype(np.float64)
    np.testing.assert_allclose(pixel_model()([rgb])[0], flat / np.linalg.norm(flat), atol=1e-6)


def test_the_fingerprint_changes_with_the_answers_only(tmp_path):
    model = network_model()
    model.save(tmp_path)
    prints = {
        model.fingerprint,
        pixel_model().fingerprint,
        pixel_model(size_hw=(8, 8)).fingerprint,
        pixel_model(channels=3).fingerprint,
    }
    assert len(prints) == 4
    with torch.no_grad():
        model.network.project.weight[0, 0] += 1
    before = model.fingerprint
    model.card["licence"] = "another"
    assert model.fingerprint == before
    model.save(tmp_path)
    assert model.fingerprint != before


def edit_card(folder, **changes):
    card = json.loads((folder / CARD_FILE).read_text())
    for key, value in changes.items():
        if value is None:
            card.pop(key)
        else:
            card[key] = value
    (folder / CARD_FILE).write_text(json.dumps(card))


def refused(folder, said, error=InputError):
    with pytest.raises(error, match=said) as caught:
        Model.load(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_or_file_is_refused(saved, tmp_path):
    refused(tmp_path / "none", "model folder .* does not exist")
    refused(saved / CARD_FILE, "is a file; a folder is needed")
    (saved / WEIGHTS_FILE).unlink()
    refused(saved, f"{WEIGHTS_FILE} is missing")
    (saved / CARD_FILE).unlink()
    refused(saved, f"holds no {CARD_FILE}")


def test_changed_weights_are_refused(saved):
    content = bytearray((saved / WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    (saved / WEIGHTS_FILE).write_bytes(content)
    refused(saved, f"not the file that {CARD_FILE} names")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b"null", b"{}", b'{"format": "one"}', b"\xff\xfe", b"\x00" * 50],
)
def test_a_broken_card_is_refused(saved, content):
    (saved / CARD_FILE).write_bytes(content)
    refused(saved, "is not a model card")


def test_a_newer_format_is_refused(saved):
    edit_card(saved, format=FORMAT + 1)
    refused(saved, f"has format {FORMAT + 1}, this Saccade reads {FORMAT}; install a newer one")


@pytest.mark.parametrize(
    "key", ["kind", "dimension", "channels", "size_hw", "backbone", "width", "sha256"]
)
def test_an_incomplete_card_is_refused(saved, key):
    edit_card(saved, **{key: None})
    refused(saved, "is not a complete model card")


@pytest.mark.parametrize(
    "changes",
    [
        {"width": "wide"},
        {"width": 0},
        {"width": 5},
        {"dimension": 9},
        {"dimension": -1},
        {"dimension": True},
        {"channels": 1},
        {"channels": 2.5},
        {"size_hw": [24]},
        {"size_hw": 24},
        {"size_hw": ["a", "b"]},
        {"size_hw": [0, 0]},
        {"kind": "oracle"},
        {"backbone": ["small_resnet"]},
    ],
)
def test_a_card_that_does_not_fit_is_refused(saved, changes):
    edit_card(saved, **changes)
    refused(saved, CARD_FILE)


def test_an_unknown_backbone_is_refused(saved):
    edit_card(saved, backbone="small_resnt")
    refused(saved, "did you mean 'small_resnet'", UnknownNameError)


def test_saving_again_replaces(saved, shapes):
    model = Model.load(saved)
    with torch.no_grad():
        model.network.project.weight.mul_(-1.5)
    model.save(saved)
    np.testing.assert_array_equal(Model.load(saved)(shapes[0]), model(shapes[0]))
    assert sorted(item.name for item in saved.iterdir()) == [CARD_FILE, WEIGHTS_FILE]


def test_grey_models_take_colour_pictures(tmp_path):
    Image.fromarray(np.full((9, 9), 77, np.uint8)).save(tmp_path / "grey.png")
    model = network_model(channels=1, size_hw=[8, 8])
    assert model.embed([tmp_path / "grey.png"]).shape == (1, 8)


def test_one_picture_where_several_are_expected_is_refused(tmp_path):
    model = pixel_model()
    with pytest.raises(InputError, match="Got one array"):
        model(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="Got one path"):
        model.embed(str(tmp_path / "a.png"))
