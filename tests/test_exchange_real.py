"""UltraFace, a face detector of others, on photographs; skipped where SACCADE_DATA is not set."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from saccade.exchange import load_detector
from tests.documents import ROOT

DATA = os.environ.get("SACCADE_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="SACCADE_DATA is not set")
PAGE = ROOT / "docs" / "how-to" / "bring-your-own-model.md"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A copy of the graph, beside the card that the page shows."""
    place = tmp_path_factory.mktemp("ultraface") / "ultraface.onnx"
    weights = Path(DATA) / "weights" / "ultraface" / "version-RFB-320_simplified.onnx"
    shutil.copy(weights, place)
    card = re.search(r"```text\n(# ultraface\.toml\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    place.with_suffix(".toml").write_text(card[1], encoding="utf-8")
    return place


def photograph(seed, count=3):
    """Faces of different people pasted side by side; returns it and their (x, y, w, h)."""
    draw = np.random.default_rng(seed)
    people = sorted(item for item in (Path(DATA) / "faces_orl").iterdir() if item.is_dir())
    ground = Image.new("RGB", (640, 400), (120, 130, 140))
    places = []
    for column, person in enumerate(draw.permutation(len(people))[:count]):
        face = Image.open(sorted(people[person].glob("*.pgm"))[draw.integers(10)])
        size = [int(side * draw.uniform(1.2, 1.8)) for side in face.size]
        face = face.convert("RGB").resize(size)
        left, top = 20 + column * 205, int(draw.integers(0, 400 - size[1]))
        ground.paste(face, (left, top))
        places.append((left, top, *size))
    return np.asarray(ground), places


def test_the_outputs_are_those_of_onnxruntime(file):
    picture = np.asarray(Image.fromarray(photograph(0)[0]).resize((320, 240)))
    detector = load_detector(file)
    [(found, _)] = detector._session.answers([picture])
    batch = ((picture.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    raw = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    scores, boxes = raw.run(["scores", "boxes"], {"input": batch})
    assert scores.shape == (1, 4420, 2)
    np.testing.assert_allclose(found["scores"], scores, atol=1e-6)
    np.testing.assert_allclose(found["boxes"], boxes, atol=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_face_of_a_photograph_is_found_once(file, seed):
    picture, places = photograph(seed)
    found = load_detector(file)([picture])[0]
    middles = found.xywh[:, :2] + found.xywh[:, 2:] / 2
    assert len(middles) == len(places) and (found.scores >= 0.7).all()
    for left, top, width, height in places:
        inside = (middles > [left, top]).all(axis=1) & (middles < [left + width, top + height]).all(
            axis=1
        )
        assert inside.sum() == 1
        box = found.xywh[inside.argmax()]
        assert 0.4 < box[2] / width < 1.1 and 0.4 < box[3] / height < 1.1


def test_a_face_far_away_is_found_and_a_ground_without_is_empty(file):
    picture = np.asarray(Image.open(Path(DATA) / "pennfudan/PNGImages/FudanPed00001.png"))
    found = load_detector(file)([picture[:, :, :3], np.full((300, 400, 3), 128, np.uint8)])
    assert len(found[0].xywh) >= 1 and (found[0].xywh[:, 3] < 60).all()
    assert len(found[1].xywh) == 0
