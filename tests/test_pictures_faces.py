"""Real faces on composed photos: found by a real detector, and named."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.api.evaluate import PIXELS, load
from saccade.api.pictures import enrol_photos, find_in_photos
from saccade.boxes import overlap
from saccade.gallery import Gallery
from saccade.values import Sample
from tests.people_photos import CARD

DATA = Path(os.environ.get("SACCADE_DATA", "nowhere"))
GRAPH = DATA / "weights" / "ultraface" / "version-RFB-320_simplified.onnx"
HEIGHT, WIDTH = 180, 148
TEAM = {"s29": "Ada", "s31": "Ben", "s33": "Cleo", "s36": "Dora"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not GRAPH.is_file(), reason="SACCADE_DATA holds no ultraface and faces"),
]


def compose(path, *shown):
    """Write a photo of faces (person, number of the picture) side by side; returns their boxes."""
    draw = np.random.default_rng(len(shown))
    ground = draw.normal(120, 4, (320, 60 + 240 * len(shown), 3))
    photo = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    boxes = []
    for place, (person, number) in enumerate(shown):
        x, y = 60 + 240 * place, int(draw.integers(40, 90))
        with Image.open(DATA / "faces_orl" / person / f"{number}.pgm") as face:
            photo.paste(face.convert("RGB").resize((WIDTH, HEIGHT)), (x, y))
        boxes.append((x, y, WIDTH, HEIGHT))
    photo.save(path)
    return np.array(boxes, np.float64)


def test_two_and_three_faces_of_a_photo_are_found_and_named(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert onnxruntime
    from saccade.exchange import load_detector

    (tmp_path / "face.onnx").write_bytes(GRAPH.read_bytes())
    (tmp_path / "face.toml").write_text(CARD)
    detector = load_detector(tmp_path / "face.onnx")
    embedder = load(PIXELS)
    samples = []
    for person, name in TEAM.items():
        for number in range(1, 6):
            compose(tmp_path / f"{name}{number}.png", (person, number))
            samples.append(Sample(tmp_path / f"{name}{number}.png", name))
    with Gallery.create(
        tmp_path / "gallery",
        fingerprint=embedder.fingerprint,
        dimension=embedder.dimension,
        threshold=0.9,
        embedder=embedder,
    ) as gallery:
        told = list(enrol_photos(gallery, samples, detector=detector))
        assert {one.status for one in told} == {"enrolled"}
        people = list(TEAM)
        right = total = 0
        for number in range(6, 11):
            for group in (people[:2], people[1:]):
                photo = tmp_path / f"group{number}{len(group)}.png"
                true = compose(photo, *((person, number) for person in group))
                (found,) = find_in_photos(gallery, [photo], detector=detector)
                boxes = sorted(found.boxes, key=lambda box: box.box[0])
                assert len(boxes) == len(group)
                xywh = np.array([box.box for box in boxes])
                # A box is the face, a part of the picture of the head.
                assert (overlap(xywh, true, np.ones(len(true), np.bool_)) > 0.85).all()
                right += sum(
                    box.identity == TEAM[one] for box, one in zip(boxes, group, strict=True)
                )
                total += len(group)
    assert total == 25 and right >= 20


def test_a_photo_without_a_face_shows_none(tmp_path):
    pytest.importorskip("onnxruntime")
    from saccade.exchange import load_detector
    from saccade.pictures.detect import objects_in

    (tmp_path / "face.onnx").write_bytes(GRAPH.read_bytes())
    (tmp_path / "face.toml").write_text(CARD)
    with Image.open(DATA / "style_pictures" / "content" / "coffee.png") as image:
        photo = np.asarray(image.convert("RGB"))
    assert objects_in(photo, load_detector(tmp_path / "face.onnx")) == ([], [])
