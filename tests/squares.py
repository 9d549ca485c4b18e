"""Photos with planted squares for faces, and a detector that finds them by their pixels."""

import numpy as np
from PIL import Image
from scipy.ndimage import find_objects, label

from saccade.values import Detected

GROUND = 128
TEMPLATE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)


def face(person, side=64):
    """Return (side, side, 3) uint8: the pattern of a person, the same at every size."""
    pattern = np.random.default_rng(person).integers(0, 100, (8, 8, 3)).astype(np.uint8)
    light = np.random.default_rng(person + 1000).random((8, 8, 1)) < 0.5
    pattern = np.where(light, pattern + 150, pattern).astype(np.uint8)
    return np.asarray(Image.fromarray(pattern).resize((side, side), Image.Resampling.NEAREST))


def photo(*placed, size_hw=(200, 320)):
    """Return (H, W, 3) uint8: a grey ground with (person, x, y, side) on it."""
    picture = np.full((*size_hw, 3), GROUND, np.uint8)
    for person, x, y, side in placed:
        picture[y : y + side, x : x + side] = face(person, side)
    return picture


class SquareDetector:
    """Finds what is not ground; the larger the surer. ``template``: with landmarks, or None."""

    fingerprint = "5" * 64

    def __init__(self, template=None):
        self.template = template

    def __call__(self, pictures):
        return [self._look(picture) for picture in pictures]

    def _look(self, picture):
        places, _ = label((picture != GROUND).any(axis=2), structure=np.ones((3, 3)))
        boxes = [
            (across.start, down.start, across.stop - across.start, down.stop - down.start)
            for down, across in find_objects(places)
        ]
        xywh = np.array(boxes, np.float32).reshape(-1, 4)
        area = xywh[:, 2] * xywh[:, 3]
        scores = (area / (area + 100)).astype(np.float32)
        marks = None
        if self.template is not None:
            marks = xywh[:, None, :2] + self.template * xywh[:, None, 2:]
        return Detected(xywh, scores, marks)


class ToldDetector:
    """Answers what it was told, whatever the picture."""

    fingerprint = "7" * 64

    def __init__(self, xywh, scores=None, landmarks=None, template=None):
        boxes = np.array(xywh, np.float32).reshape(-1, 4)
        given = np.linspace(0.9, 0.6, len(boxes)) if scores is None else scores
        marks = None if landmarks is None else np.array(landmarks, np.float32)
        self.answer = Detected(boxes, np.array(given, np.float32), marks)
        self.template = template

    def __call__(self, pictures):
        return [self.answer for _ in pictures]
