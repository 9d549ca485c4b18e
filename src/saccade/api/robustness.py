"""``robustness``: a model's score against the strength of what disturbs its pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from saccade.api.about import about
from saccade.api.evaluate import PIXELS, load, report_place
from saccade.api.judged import (
    ALLOWED,
    Judged,
    as_array,
    judged_samples,
    load_judged,
    note_opening,
    require_pictures,
)
from saccade.api.pixel_neighbours import PixelNeighbours
from saccade.api.scoring import Answers, Floats, Scoring, answer, of_searches, scoring_of
from saccade.api.sealed import judged_part
from saccade.api.trained_on import flattered, training_data
from saccade.augment.disturbances import DISTURBANCES, disturb
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.robustness import Robustness, judge_robustness
from saccade.names import look_up
from saccade.tasks.model import Model, pixel_model

BLOCK = 256  # pictures disturbed at a time
Examples = dict[str, dict[float, Tensor]]


@dataclass(slots=True)
class Contestant:
    """Who answers disturbed pictures; ``scores``: what came of it, by disturbance and strength."""

    answer: Callable[[Tensor], Answers]
    scoring: Scoring
    scores: dict[str, dict[float, Floats]] = field(default_factory=dict)

    def judged(self, pictures: Tensor) -> Robustness:
        """Judge the scores against those of the pictures (n, c, H, W) undisturbed."""
        before = self.scoring.score(self.answer(pictures))
        return judge_robustness(
            before,
            self.scores,
            figure=self.scoring.figure,
            pictures=len(pictures),
            groups=self.scoring.groups,
        )


def robustness(
    model: Model | Path | str,
    data: Path | str,
    *,
    only: Sequence[str] = (),
    report: Path | str | None = None,
    open_test: bool = False,
    broken: float = ALLOWED,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Robustness:
    """Judge a model, or that of a run folder, on pictures that are disturbed more and more.

    ``data`` is what ``read_data`` reads; of divided data the part val is judged, or test with
    ``open_test``, which the run folder records.
    ``only`` names rows of DISTURBANCES; without, all are applied, to pictures at the model's size.
    Classifiers are judged by accuracy, regressors by their mean absolute error, embedders by rank-1
    with the enrolled pictures undisturbed. The same disturbed pictures are answered by the nearest
    neighbour on pixels: among a run's training pictures, of an embedder by the word "pixels".
    ``report`` is an HTML file to write; ``broken`` and ``progress`` as for ``evaluate``.
    """
    names = [_known(name) for name in only] or list(DISTURBANCES)
    run = None if isinstance(model, Model) or str(model) == PIXELS else Path(model)
    loaded = model if isinstance(model, Model) else load(model)
    require_pictures(loaded, "robustness")
    place = report_place(report)
    names, notes = _visible(names, loaded, asked=bool(only))
    part = judged_part(data, open_test=open_test)
    judged = load_judged(loaded, judged_samples(loaded, part), allowed=broken)
    mine = Contestant(lambda seen: answer(loaded, seen), scoring_of(loaded, judged))
    rival, alone = _rival(loaded, run, judged)
    seen = flattered(loaded, run, judged.samples)
    examples = _compete([mine, *([rival] if rival else [])], judged.pictures, names, progress)
    found = replace(
        mine.judged(judged.pictures),
        nearest=rival.judged(judged.pictures) if rival else None,
        notes=tuple(note for note in (*notes, alone, seen) if note),
        broken=judged.broken,
    )
    if place is not None:
        _write(place, found, examples, about(loaded, judged.samples, judged.broken))
    note_opening(model, part, found.pictures, found.sentence)
    return found


def _known(name: str) -> str:
    look_up(DISTURBANCES, name, "disturbance")
    return name


def _visible(names: Sequence[str], model: Model, *, asked: bool) -> tuple[list[str], list[str]]:
    """Leave out what cannot be seen: the loss of colour by a model of grey pictures."""
    if model.channels > 1 or "greying" not in names:
        return list(dict.fromkeys(names)), []
    if asked:
        raise SettingError("greying changes nothing: the model sees grey pictures; leave it out")
    return [name for name in names if name != "greying"], [
        "greying is left out: the model sees grey pictures"
    ]


def _rival(model: Model, run: Path | None, judged: Judged) -> tuple[Contestant | None, str]:
    """The nearest neighbour on pixels, or why there is none."""
    if model.dimension:
        return _pixels(judged), ""
    if run is None:
        return None, "no nearest neighbour on pixels: a model by itself has no training pictures"
    try:
        neighbours = PixelNeighbours(training_data(run).kept, model)
    except InputError as error:
        return None, f"no nearest neighbour on pixels: {error}"
    return _neighbours(neighbours, model, judged), ""


def _pixels(judged: Judged) -> Contestant:
    pixels = pixel_model()

    def embed(pictures: Tensor) -> Answers:
        whole = pictures.expand(-1, 3, -1, -1).movedim(1, -1)
        return pixels([picture.numpy() for picture in whole])

    labels = [sample.label for sample in judged.samples]
    return Contestant(embed, of_searches(embed(judged.pictures), labels))


def _neighbours(neighbours: PixelNeighbours, model: Model, judged: Judged) -> Contestant:
    """Answers with the truth of the training picture that is nearest."""
    samples = neighbours.samples
    if model.classes is None:
        truth = np.array([sample.numbers for sample in samples])
    else:
        place = {name: number for number, name in enumerate(model.classes)}
        truth = np.array([place[sample.label] for sample in samples])
    return Contestant(
        lambda pictures: truth[neighbours.nearest(pictures)], scoring_of(model, judged)
    )


def _compete(
    contestants: Sequence[Contestant],
    pictures: Tensor,
    names: Sequence[str],
    progress: Callable[[range], Iterable[int]],
) -> Examples:
    """Give all of them the same disturbed pictures; returns the first picture, each way disturbed.

    What is drawn depends on a picture's place only, not on the strength.
    """
    trials = [
        (name, strength)
        for name in names
        for strength in DISTURBANCES[name].strengths
        if strength != DISTURBANCES[name].undisturbed
    ]
    examples: Examples = {name: {DISTURBANCES[name].undisturbed: pictures[0]} for name in names}
    for number in progress(range(len(trials))):
        name, strength = trials[number]
        answers: list[list[Answers]] = [[] for _ in contestants]
        for start in range(0, len(pictures), BLOCK):
            block = pictures[start : start + BLOCK]
            seen = disturb(block, DISTURBANCES[name], strength, seed=start)
            if start == 0:
                examples[name][strength] = seen[0]
            for one, said in zip(contestants, answers, strict=True):
                said.append(one.answer(seen))
        for one, said in zip(contestants, answers, strict=True):
            one.scores.setdefault(name, {})[strength] = one.scoring.score(np.concatenate(said))
    return examples


def _write(place: Path, found: Robustness, examples: Examples, rows: Mapping[str, str]) -> None:
    from saccade.judge.robustness_report import robustness_report  # Loads the charts.

    pictures = {
        name: {strength: as_array(seen) for strength, seen in sorted(by_strength.items())}
        for name, by_strength in examples.items()
    }
    write_atomic(place, robustness_report(found, examples=pictures, about=rows))
