"""The photos that the page on people speaks of: faces of ORL set into photos of one or several.

Also the detector with its card, as the page calls them.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

GRAPH = Path("weights") / "ultraface" / "version-RFB-320_simplified.onnx"
TEAM = ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay")  # s29 to s34
FIRST, STRANGERS = 29, (35, 36)
CARD = """kind = "detector"
licence = "MIT"
source = "Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB, version-RFB-320"
[input]
size = [240, 320]
layout = "nchw"
colours = "rgb"
mean = [127, 127, 127]
std = [128, 128, 128]
fit = "stretch"
[outputs]
scores = "scores"
boxes = "boxes"
[detector]
object = 1
coding = "priors"
threshold = 0.7
iou = 0.3
[priors]
strides = [8, 16, 32, 64]
sizes = [[10, 16, 24], [32, 48], [64, 96], [128, 192, 256]]
variances = [0.1, 0.2]
clip = true
"""


def furnish(root, data, *, learn=28, each=10):
    """Write into ``root`` the photos of ``learn`` people to learn from, of the team, and groups."""
    (root / "face.onnx").write_bytes((data / GRAPH).read_bytes())
    (root / "face.toml").write_text(CARD, encoding="utf-8")
    faces = data / "faces_orl"
    for person in range(1, learn + 1):
        for number in range(1, each + 1):
            place = root / "photos_to_learn" / f"s{person}" / f"{number}.jpg"
            compose(place, faces, (person, number))
    for person, name in enumerate(TEAM, FIRST):
        for number in (1, 2, 3):
            compose(root / "team" / name / f"{number}.jpg", faces, (person, number))
    ada, ben, cleo, dora, emil, fay = range(FIRST, FIRST + len(TEAM))
    compose(root / "photos" / "garden.jpg", faces, (cleo, 6), (fay, 7), (emil, 8))
    compose(root / "photos" / "kitchen.jpg", faces, (STRANGERS[0], 5), (ada, 9), (ben, 6))
    compose(root / "photos" / "stairs.jpg", faces, (dora, 4), (fay, 5))
    compose(root / "more" / "party.jpg", faces, (emil, 5), (dora, 6), near=0)
    compose(root / "visitors" / "guest" / "door.jpg", faces, (STRANGERS[0], 2))
    _film(root / "meeting.mp4", faces, (cleo, 1), (dora, 2))


def _film(path, faces, *shown):
    """Two seconds in which the same people stand elsewhere in the second half."""
    from saccade.pictures.video import PaintedVideo

    with PaintedVideo(path) as film:
        for half in range(2):
            photo = path.with_name(f"half{half}.png")
            compose(photo, faces, *shown[:: 1 - 2 * half])
            with Image.open(photo) as image:
                picture = np.asarray(image)
            photo.unlink()
            for frame in range(10):
                film.add(picture, half + frame / 10)


def compose(path, faces, *shown, near=None):
    """Write a photo of faces (person, number), side by side; the one in place ``near`` is nearer.

    The photo's name decides where they stand and how large they are.
    """
    draw = np.random.default_rng([*path.name.encode(), *sum(shown, ())])
    size = (60 + 230 * len(shown), 340)
    ground = draw.integers(60, 200, (6, 4 + 2 * len(shown), 3), dtype=np.uint8)
    photo = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    photo = photo.filter(ImageFilter.GaussianBlur(3))
    for place, (person, number) in enumerate(shown):
        height = 260 if place == near else int(draw.integers(170, 230))
        with Image.open(faces / f"s{person}" / f"{number}.pgm") as face:
            large = face.convert("RGB").resize((round(height * 92 / 112), height))
        photo.paste(large, (40 + 230 * place, int(draw.integers(20, 340 - height))))
    path.parent.mkdir(parents=True, exist_ok=True)
    photo.save(path, quality=92)
