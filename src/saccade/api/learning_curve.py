"""``learning_curve``: trainings on more and more of the pictures, and what their scores say."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from saccade.api.repeated import steady
from saccade.api.series import Draw, Series
from saccade.api.train import Training
from saccade.api.unit_scores import SCORINGS
from saccade.config import Recipe
from saccade.data.splits import nested_shares, taken_of
from saccade.data.stored import StoredPictures
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.learning_curve import Curve, judge_curve
from saccade.judge.repeats import summary

REPORT_FILE = "report.html"
SIZES = (0.1, 0.2, 0.5, 1.0)
REPEATS = 3


def learning_curve(
    data: Path | str | None = None,
    *,
    sizes: Sequence[float] = SIZES,
    repeats: int = REPEATS,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: Path | str | None = None,
) -> Curve:
    """Train on growing shares of the pictures, and say whether more pictures would help.

    What ``train`` would hold out judges every model: the part val, else the share data.validation;
    the part test is never read. Of the others each of the rising ``sizes``, in (0, 1], is drawn,
    for classify with its share of every class, for embed whole classes, each within the next; and
    all of it ``repeats`` times, with a seed of its own. Where the task chooses an epoch, it does so
    on a share of what was drawn. Scores: accuracy, for embed rank-1 accuracy (training classes in
    galleries of as many as are held out), for regress R². ``recipe`` and ``settings`` as for
    ``train``. ``out`` is the folder to make, which gets ``curve.json`` and ``report.html``;
    ``resume`` goes on with one that was stopped, to the same result. Where train.precision is auto,
    float32 is taken. Raises InputError or SettingError before anything is learned.
    """
    series = CurveSeries(
        data,
        sizes=sizes,
        repeats=repeats,
        task=task,
        recipe=recipe,
        out=out,
        settings=settings,
        resume=resume,
    )
    for _ in series.models():
        pass
    return series.finish()


class CurveSeries(Series):
    """The trainings of a learning curve; of each the held-out scores are kept, unit by unit."""

    command, file = "learning-curve", "curve.json"
    usual = (list(SIZES), REPEATS)

    def drawn(self) -> list[Draw]:
        sizes, repeats, units = self.plan.sizes, self.plan.repeats, self.units
        _require_rising(sizes)
        if type(repeats) is not int or repeats < 1:
            raise SettingError(
                f"--repeats must be a whole number, at least 1. Got {repeats} instead"
            )
        self._require_enough()
        seed = self.recipe.train.seed
        shares = [
            nested_shares(units.strata, shares=sizes, seed=seed + repeat)
            for repeat in range(repeats)
        ]
        self.counts = [len(places) for places in shares[0]]
        for place, (count, more) in enumerate(pairwise(self.counts)):
            if count == more:
                both = f"{sizes[place]:g} and {sizes[place + 1]:g}"
                raise SettingError(
                    f"--sizes {both} both draw {count} {units.name}; leave one of them out"
                )
        return [
            Draw(
                f"size {size:g}",
                [place for unit in shares[repeat][number] for place in units.places[unit]],
                seed + repeat,
            )
            for number, size in enumerate(sizes)
            for repeat in range(repeats)
        ]

    def _require_enough(self) -> None:
        """Raise InputError where the smallest share draws too little to learn from."""
        share, units, task = self.plan.sizes[0], self.units, self.recipe.task
        chooses = steady(self.recipe).data.validation > 0
        need = 2 if task == "embed" else (2 if chooses else 1) * (2 if task == "regress" else 1)
        counts = Counter(units.strata)
        stratum = "searched" if task == "embed" else min(counts, key=lambda name: counts[name])
        m = counts[stratum]
        if m >= need and taken_of(share, m) >= need:
            return
        which = {"embed": " with two pictures or more", "regress": ""}.get(
            task, f" of class '{stratum}'"
        )
        begin = math.ceil(100 * (need - 0.5) / m) / 100 if m >= need else 0
        raise InputError(
            f"size {share:g} draws {taken_of(share, m) if m else 0} of the {m} {units.name}{which} "
            f"to learn from, and {need} are needed; "
            + (f"begin --sizes with {begin:g}, or " if begin else "")
            + f"bring {math.ceil((need - 0.5) / share)} of them"
        )

    def kept(self, training: Training) -> dict[str, Any]:
        data, scoring = training.data, SCORINGS[self.recipe.task]
        model = training.complete()
        identities = len({sample.label for sample in data.fold})
        own = StoredPictures(data.pictures.pixels, data.pictures.rows)  # Without images of them.
        found = {
            "held": scoring.score(model, data.fold, data.fold_pictures, 0).tolist(),
            "train": summary(scoring.score(model, data.kept, own, identities)),
        }
        if data.held:
            found["validation"] = summary(scoring.score(model, data.held, data.held_pictures, 0))
        return found

    def finish(self) -> Curve:
        """Judge the curve and write the report."""
        self._require_done()
        kept, repeats = self.standing.kept, self.plan.repeats
        scoring = SCORINGS[self.recipe.task]
        held = np.array([each["held"] for each in kept])
        train = [each["train"] for each in kept]
        found = judge_curve(
            held.reshape(len(self.plan.sizes), repeats, -1),
            [train[first : first + repeats] for first in range(0, len(train), repeats)],
            [each["validation"] for each in kept[-repeats:] if "validation" in each],
            sizes=self.plan.sizes,
            counts=self.counts,
            names=(scoring.figure, self.units.name, scoring.units),
            folder=self.folder,
            seed=self.recipe.train.seed,
        )
        from saccade.judge.learning_curve_report import learning_curve_report  # Loads the charts.

        write_atomic(self.folder / REPORT_FILE, learning_curve_report(found, data=self.data.name))
        self._finished()
        return found


def _require_rising(sizes: Sequence[float]) -> None:
    good = all(isinstance(size, int | float) and 0 < size <= 1 for size in sizes)
    if not sizes or not good or any(a >= b for a, b in pairwise(sizes)):
        told = ",".join(map(str, sizes))
        raise SettingError(
            f"--sizes must rise, each above 0 and at most 1, as 0.1,0.5,1. Got {told} instead"
        )
