"""``explain_mistakes``: the surest wrong answers, why given, and what they were learned from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from saccade.api.evaluate import answer_readable, load
from saccade.api.explain import MOST, PAGE, explain_class
from saccade.api.judged import ALLOWED, allowed_share, judged_samples
from saccade.api.predict import writable
from saccade.api.sealed import judged_part
from saccade.api.trained_on import training_data
from saccade.data.batches import load_pictures
from saccade.data.stored import StoredPictures
from saccade.errors import InputError, SaccadeError, SettingError
from saccade.files import write_atomic
from saccade.judge.attribution import explainable
from saccade.judge.classification import numbered
from saccade.judge.explanation import Mistake, Neighbour
from saccade.tasks.closed_form import features_of
from saccade.tasks.model import Model
from saccade.values import Broken, IntArray, Sample

NEIGHBOURS = 3
MOST_LEARNED = 20_000  # training pictures, spread evenly, that are searched for the nearest


@dataclass(frozen=True, slots=True, eq=False)
class Mistakes:
    """The surest of ``wrong`` mistakes on ``judged`` pictures; ``broken`` could not be read.

    ``note`` says why no training pictures stand beside them; empty where they do.
    """

    judged: int
    wrong: int
    mistakes: tuple[Mistake, ...]
    note: str
    broken: tuple[Broken, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain numbers and text."""
        return {
            "judged": self.judged,
            "wrong": self.wrong,
            "mistakes": [one.to_dict() for one in self.mistakes],
            "note": self.note or None,
            "broken": [{"picture": one.picture, "reason": one.reason} for one in self.broken],
        }


def explain_mistakes(
    run: Path | str,
    data: Path | str,
    *,
    count: int = 12,
    out: Path | str | None = None,
    broken: float = ALLOWED,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Mistakes:
    """Explain the ``count`` mistakes on pictures with labels that a classifier was surest of.

    For each: what speaks for the answer, what for the true class, and the training pictures whose
    features are nearest, where the run's data are still there. ``data``, ``broken`` and
    ``progress`` as for ``evaluate``, but a test part stays sealed; ``out`` is an HTML page to
    write. Raises InputError for a model that is no classifier, or has no slopes.
    """
    if not 1 <= count <= MOST:
        raise SettingError(f"--mistakes must be 1 to {MOST}. Got {count} instead")
    model = load(run)
    explainable(model)
    place = None if out is None else writable(Path(out), PAGE)
    if model.classes is None:
        raise InputError(f"{run} is {model.called}; only a classifier gives a wrong class")
    allowed = allowed_share(broken)
    part = judged_part(data, open_test=None)
    samples = judged_samples(model, part)
    shares, samples, left_out = answer_readable(model, samples, allowed=allowed, progress=progress)
    truth = numbered([sample.label for sample in samples], model.classes)
    wrong = np.flatnonzero(shares.argmax(axis=1) != truth)
    surest = wrong[np.argsort(-shares.max(axis=1)[wrong], kind="stable")][:count]
    mistakes, note = _explained(Path(run), model, samples, surest, shares.max(axis=1))
    found = Mistakes(len(samples), len(wrong), mistakes, note, tuple(left_out))
    if place is not None:
        from saccade.judge.explanation_report import mistakes_report  # Loads the charts.

        text = mistakes_report(
            mistakes,
            pictures=samples,
            about=f"{model.called} ({model.card['backbone']})",
            judged=found.judged,
            wrong=found.wrong,
            note=note,
        )
        write_atomic(place, text)
    return found


def _explained(
    run: Path,
    model: Model,
    samples: Sequence[Sample],
    rows: IntArray,
    surest: np.ndarray[Any, np.dtype[np.floating[Any]]],
) -> tuple[tuple[Mistake, ...], str]:
    if not len(rows):
        return (), ""
    wrong = [samples[row] for row in rows]
    pictures = load_pictures(wrong, size_hw=model.size_hw, channels=model.channels)
    neighbours, note = _nearest(run, model, pictures)
    mistakes = []
    for number, (row, sample) in enumerate(zip(rows.tolist(), wrong, strict=True)):
        picture, name = pictures[number : number + 1], str(sample.path)
        best = int(model.classify_prepared(picture)[0].argmax())
        for_answer = explain_class(model, name, picture, (model.classes or ())[best])
        for_truth = explain_class(model, name, picture, sample.label)
        near = neighbours[number] if neighbours else ()
        mistakes.append(Mistake(row, sample.label, float(surest[row]), for_answer, for_truth, near))
    return tuple(mistakes), note


def _nearest(run: Path, model: Model, pictures: Tensor) -> tuple[list[tuple[Neighbour, ...]], str]:
    """The nearest training pictures of each, or why there are none."""
    try:
        samples, learned = _training_pictures(run, model)
    except (SaccadeError, OSError) as error:
        return [], str(error)
    network = explainable(model)
    rows = normalize(features_of(network, learned))
    similarities = normalize(features_of(network, pictures)) @ rows.T
    best = similarities.topk(min(NEIGHBOURS, len(rows)), dim=1)
    found = []
    for values, places in zip(best.values.tolist(), best.indices, strict=True):
        pixels = torch.movedim(learned[places], 1, -1).squeeze(-1).numpy()
        found.append(
            tuple(
                Neighbour(str(samples[place].path), samples[place].label, value, picture)
                for value, place, picture in zip(values, places.tolist(), pixels, strict=True)
            )
        )
    return found, ""


def _training_pictures(run: Path, model: Model) -> tuple[list[Sample], StoredPictures]:
    """Who the run learned from, MOST_LEARNED at most, and their pictures, as they are stored."""
    data = training_data(run)
    data.card |= {"size_hw": list(model.size_hw), "channels": model.channels}
    data.decode()
    step = -(-len(data.kept) // MOST_LEARNED)
    stored = StoredPictures(data.pictures.pixels, data.pictures.rows[::step])
    return data.kept[::step], stored
