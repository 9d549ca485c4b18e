"""``saccade demo detect``: detectors of both families learn drawn shapes, and are compared."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saccade.cli.demo_steps import answer_of, show
from saccade.cli.output import say, say_json
from saccade.data.shapes import MASKS, PARTS, write_shapes
from saccade.files import write_atomic

if TYPE_CHECKING:
    from saccade.values import Detection

FAMILIES = ("one_stage", "two_stage")
SETTINGS = {
    "train.epochs": 20,
    "train.batch_size": 8,
    "train.precision": "float32",
    "model.width": 8,
    "augment.rotate": 0.0,
    "augment.flip": 0.5,
    "augment.erase": 0.0,
    "detect.strides": "4,8",
    "detect.depth": 32,
    "detect.ratios": "1",
    "detect.positive": 0.5,
    "detect.negative": 0.4,
    "detect.proposals": 200,
    "detect.kept": 40,
    "detect.sampled": 16,
    "detect.units": 64,
}
PAINTED = 12  # pictures
ENLARGED = 4  # times, to be looked at
SURE = 0.5  # least score of a box that is painted


def demo_detect(out: Path, *, json: bool) -> int:
    """Draw shapes, train, judge and compare both families, and paint what the better one found."""
    shapes = out / "shapes"
    counts = write_shapes(shapes, parts=PARTS)
    if not json:
        told = ", ".join(f"{n} in {PARTS[part]} pictures of {part}" for part, n in counts.items())
        say(f"drew shapes below {shapes}: {told}; their masks in {shapes / MASKS}")
    truth = shapes / "test" / "_annotations.coco.json"
    judged = [_judged(family, out, shapes, truth, quiet=json) for family in FAMILIES]
    found = [out / family / "found.json" for family in FAMILIES]
    report = out / "comparison.html"
    words = ("compare", "--predictions", *found, "--truth", truth, "--report", report)
    if not json:
        show(*words, quiet=False)
        say(f"\npainted, boxes of a score of {SURE} and more: {out / 'painted'}")
        say(f"reports: {out / 'one_stage.html'}, {out / 'two_stage.html'}, {report}")
        return 0
    say_json({"judged": judged, "compared": answer_of(*words), "painted": out / "painted"})
    return 0


def _judged(family: str, out: Path, shapes: Path, truth: Path, *, quiet: bool) -> Any:
    """Train a detector, and judge it on the part test; returns the answer, if ``quiet``."""
    run = out / family
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    words = ("--task", "detect", "--detect.family", family, "--out", run)
    show("train", shapes, *words, *settings, quiet=quiet)
    found = _find(run, truth)
    write_atomic(run / "found.json", json.dumps(_results(found)))
    paint(found, out / "painted" / family)
    report = ("--report", out / f"{family}.html")
    asked = ("evaluate", "--predictions", run / "found.json", "--truth", truth, *report)
    if quiet:
        return {"family": family, **answer_of(*asked)}
    show(*asked, quiet=False)
    return None


def _find(run: Path, truth: Path) -> "list[Detection]":
    """What a run finds in the pictures of COCO's annotations, in their order."""
    from saccade.data.coco import read_truth
    from saccade.tasks.model import Model

    pictures = read_truth(truth).pictures
    return Model.load(run).detect([truth.parent / one["file_name"] for one in pictures])


def _results(found: "Sequence[Detection]") -> list[dict[str, Any]]:
    """COCO's results; pictures and classes have the numbers that ``write_shapes`` gave them."""
    from saccade.data.shapes import SHAPES

    return [
        {
            "image_id": number,
            "category_id": SHAPES.index(label) + 1,
            "bbox": box,
            "score": score,
        }
        for number, one in enumerate(found, 1)
        for label, box, score in zip(
            one.labels, one.xywh.tolist(), one.scores.tolist(), strict=True
        )
    ]


def paint(found: "Sequence[Detection]", folder: Path) -> None:
    """Write the first pictures, enlarged, with their boxes and classes."""
    from PIL import Image, ImageDraw

    folder.mkdir(parents=True)
    for one in found[:PAINTED]:
        with Image.open(one.picture) as picture:
            large = picture.resize((picture.width * ENLARGED, picture.height * ENLARGED))
        pen = ImageDraw.Draw(large)
        rows = zip(one.labels, one.xywh * ENLARGED, one.scores, strict=True)
        for label, (x, y, width, height), score in rows:
            if score >= SURE:
                pen.rectangle((x, y, x + width, y + height), outline="white", width=3)
                place = (x + 4, y + 3)
                pen.rectangle(pen.textbbox(place, f"{label} {score:.2f}"), fill="white")
                pen.text(place, f"{label} {score:.2f}", "black")
        large.save(folder / Path(one.picture).name)
