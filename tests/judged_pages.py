"""Pages of the commands that judge, made of given names: hostile ones, or plain ones."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from saccade.boxes import FoundBoxes, TrueBoxes
from saccade.data.first_look import look
from saccade.judge.attribution import Attribution
from saccade.judge.bias_variance import judge_parts, zero_one_parts
from saccade.judge.bias_variance_report import bias_variance_report
from saccade.judge.detection import judge_detection
from saccade.judge.detection_report import detection_report
from saccade.judge.explanation import Explanation, Mistake, Neighbour
from saccade.judge.explanation_report import explanation_report, mistakes_report
from saccade.judge.inside_report import inside_report
from saccade.judge.inspection import inspect_pictures
from saccade.judge.inspection_report import inspection_report
from saccade.judge.learning_curve import judge_curve
from saccade.judge.learning_curve_report import learning_curve_report
from saccade.judge.limits import Limits, Seen, judge_background, judge_transfer
from saccade.judge.limits_report import limits_report
from saccade.judge.robustness import judge_robustness
from saccade.judge.robustness_report import robustness_report
from saccade.judge.segmentation import judge_segmentation
from saccade.judge.segmentation_report import Shown, segmentation_report
from saccade.judge.weight_pictures import Inside, WeightPicture
from saccade.values import Broken, Sample


def noise(*shape):
    return np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)


def of_names(names, count, side=8):
    """Pictures of noise whose files, classes and columns are called ``names``, in turn."""
    pictures = noise(count, side, side, 3)
    turn = [names[number % len(names)] for number in range(count)]
    return [
        Sample(Path(one), one, picture, {names[0]: one})
        for one, picture in zip(turn, pictures, strict=True)
    ]


def detection(names):
    count, k = 40, len(names)
    place = np.arange(count)
    boxes = np.tile([10.0, 10, 40, 30], (count, 1))
    areas, crowds = boxes[:, 2] * boxes[:, 3], np.zeros(count, bool)
    true = TrueBoxes(place, place % k, boxes, areas, crowds)
    draw = np.random.default_rng(0)
    answered = np.where(place % 5 == 0, (place + 1) % k, place % k)
    found = FoundBoxes(place, answered, boxes + draw.normal(0, 4, boxes.shape), draw.random(count))
    scores = judge_detection(true, found, pictures=count, classes=names, resamples=100)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "0.png"
        Image.fromarray(noise(64, 64, 3)).save(file)
        pictures = [file] + [None] * (count - 1)
        about = dict(zip(names, names[::-1], strict=True))
        return detection_report(scores, true, found, pictures=pictures, about=about)


def segmentation(names):
    k, draw = len(names), np.random.default_rng(0)
    truths = draw.integers(0, k, (12, 20, 24)).repeat(2, 1).repeat(2, 2)
    pairs = [(one, np.roll(one, 1, 1)) for one in truths]
    scores = judge_segmentation(pairs, classes=names)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, pair in enumerate(pairs):
            both = [Path(folder) / f"{side}{number}.png" for side in ("true", "found")]
            for file, mask in zip(both, pair, strict=True):
                Image.fromarray(mask.astype(np.uint8)).save(file)
            files.append(Shown.of_files(both[1], both[0]))
        return segmentation_report(scores, shown=files, about={names[0]: names[-1]})


def inspection(names):
    samples = of_names(names, 5 * len(names))
    samples += [Sample(one.path, names[0], one.array) for one in samples[:5]]
    flat = np.full((8, 8, 3), 7, np.uint8)
    samples += [Sample(Path(one), one, flat) for one in names]
    samples += [Sample(Path("none") / f"{number}.png", one) for number, one in enumerate(names)]
    parts = [names[number % 2] for number in range(len(samples))]
    found = inspect_pictures(samples, parts, look(samples))
    return inspection_report(found, data=names[-1])


def robustness(names):
    draw = np.random.default_rng(0)
    before = (draw.random(20) < 0.9).astype(float)
    after = {"noise": {s: (draw.random(20) < 0.5).astype(float) for s in (0.04, 0.08)}}
    found = judge_robustness(before, after, figure="accuracy", pictures=20)
    told = type(found)(
        **{name: getattr(found, name) for name in found.__dataclass_fields__}
        | {"notes": names, "broken": tuple(Broken(one, one) for one in names)}
    )
    examples = {"noise": {0.0: noise(8, 8, 3), 0.08: noise(8, 8)}}
    return robustness_report(told, examples=examples, about={names[0]: names[1]})


def limits(names):
    draw = np.random.default_rng(0)
    first, second, third = (draw.random((3, 40)) < 0.6).astype(float)
    found = Limits(
        "accuracy",
        "pictures",
        judge_transfer(first, second, figure="accuracy", left_out=names),
        judge_background(*(first, second, third), figure="accuracy", chance=0.5, hidden=0.2),
        notes=names,
    )
    seen = [[Seen("as it is", noise(8, 8), one, right=True)] for one in names]
    return limits_report(found, examples=seen, about={names[2]: names[0]})


def attribution():
    parts = noise(8, 8).astype(np.float32) - 100
    return Attribution(parts[::4, ::4].clip(0), "", parts, 2.0, 0.5, 0.001, 32)


def explanation(names):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "0.png"
        Image.fromarray(noise(8, 8, 3)).save(file)
        found = [Explanation(str(file), one, one, attribution()) for one in names]
        return explanation_report(found, about=names[0], left_out=2)


def mistakes(names):
    samples = of_names(names, len(names))
    found = []
    for row, one in enumerate(names):
        why = Explanation(one, one, one, attribution())
        near = (Neighbour(one, one, 0.5, noise(8, 8)),)
        found.append(Mistake(row, one, 0.9, why, why, near))
    return mistakes_report(
        found, pictures=samples, about=names[1], judged=99, wrong=len(names), note=names[2]
    )


def inside(names):
    pictures = tuple(WeightPicture(one, 0.1, noise(8, 8, 3)) for one in names)
    return inside_report(Inside("templates", names[0], len(names), pictures), about=names[1])


def learning_curve(names):
    draw = np.random.default_rng(0)
    shares = np.array([0.5, 0.6, 0.7, 0.8])[:, None, None]
    held = (draw.random((4, 2, 50)) < shares).astype(float)
    train = [[[0.9, 0.09, 50.0]] * 2] * 4
    curve = judge_curve(
        held,
        train,
        [[0.7, 0.2, 20.0]] * 2,
        sizes=(0.1, 0.2, 0.5, 1.0),
        counts=(10, 20, 50, 100),
        names=("accuracy", "pictures", "pictures"),
        folder=Path(names[0]),
    )
    return learning_curve_report(curve, data=names[1])


def bias_variance(names):
    answers = np.random.default_rng(0).integers(0, 3, (4, 60))
    parts = zero_one_parts(answers, np.zeros(60))
    found = judge_parts(parts, None, folder=Path(names[0]), bags=4, units="pictures")
    return bias_variance_report(found, data=names[1])


JUDGED_PAGES = {
    make.__name__: make
    for make in (
        *(detection, segmentation, inspection, robustness, limits, explanation, mistakes),
        *(inside, learning_curve, bias_variance),
    )
}
