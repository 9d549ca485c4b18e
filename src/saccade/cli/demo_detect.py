"""``saccade demo detect``: detectors of both families learn drawn shapes, and are compared."""

from pathlib import Path
from typing import Any

from saccade.cli.demo_steps import answer_of, say_command, show
from saccade.cli.output import say, say_json
from saccade.data.shapes import MASKS, PARTS, write_shapes

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


def demo_detect(out: Path, *, json: bool) -> int:
    """Draw shapes, train both families, judge, paint and compare what they find."""
    shapes = out / "shapes"
    counts = write_shapes(shapes, parts=PARTS)
    if not json:
        told = ", ".join(f"{n} in {PARTS[part]} pictures of {part}" for part, n in counts.items())
        say(f"drew shapes below {shapes}: {told}; their masks in {shapes / MASKS}")
    judged = [_judged(family, out, shapes, quiet=json) for family in FAMILIES]
    runs = [out / family for family in FAMILIES]
    report = out / "comparison.html"
    words = ("compare", *runs, shapes, "--open-test", "--report", report)
    if not json:
        show(*words, quiet=False)
        say(f"\npainted: {out / 'painted'}")
        say(f"reports: {out / 'one_stage.html'}, {out / 'two_stage.html'}, {report}")
        return 0
    say_json({"judged": judged, "compared": answer_of(*words), "painted": out / "painted"})
    return 0


def _judged(family: str, out: Path, shapes: Path, *, quiet: bool) -> Any:
    """Train a detector, paint what it finds in the part test, and judge it there.

    Returns the answer, if ``quiet``.
    """
    run = out / family
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", value)]
    words = ("--task", "detect", "--detect.family", family, "--out", run)
    show("train", shapes, *words, *settings, quiet=quiet)
    finding = ("predict", run, shapes / "test", "--painted", out / "painted" / family)
    if not quiet:
        say_command(*finding)
    show(*finding, quiet=True)  # A line a picture would hide the figures.
    asked = ("evaluate", run, shapes, "--open-test", "--report", out / f"{family}.html")
    if quiet:
        return {"family": family, **answer_of(*asked)}
    show(*asked, quiet=False)
    return None
