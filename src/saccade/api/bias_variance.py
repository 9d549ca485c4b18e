"""``bias_variance``: models of bootstrap samples, and their error taken apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saccade.api.series import Draw, Series
from saccade.api.train import Training
from saccade.api.unit_scores import SCORINGS
from saccade.config import Recipe
from saccade.data.splits import bootstrap_sample
from saccade.errors import SettingError
from saccade.files import write_atomic
from saccade.judge.bias_variance import (
    FEWEST_MODELS,
    Decomposition,
    judge_parts,
    squared_parts,
    zero_one_parts,
)

REPORT_FILE = "report.html"
BAGS = 10


def bias_variance(
    data: Path | str | None = None,
    *,
    bags: int = BAGS,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: Path | str | None = None,
) -> Decomposition:
    """Train ``bags`` models on bootstrap samples, and take their error into bias and variance.

    Each model learns from as many pictures as there are to learn from, drawn with replacement, for
    classify class by class, for embed whole classes; with a seed of its own, so that the chance of
    training is part of the variance. They judge what ``train`` would hold out, as
    ``learning_curve`` does. Classes, and the identities that searches find, are judged by 0-1 loss,
    numbers by squared error, of several targets in deviations of their truth. ``recipe``,
    ``settings``, ``out`` (which gets ``bags.json`` and ``report.html``) and ``resume`` as for
    ``learning_curve``. Raises InputError or SettingError before anything is learned.
    """
    series = BagSeries(
        data,
        sizes=(),
        repeats=bags,
        task=task,
        recipe=recipe,
        out=out,
        settings=settings,
        resume=resume,
    )
    for _ in series.models():
        pass
    return series.finish()


class BagSeries(Series):
    """The trainings on bootstrap samples; of each the answers are kept."""

    command, file = "bias-variance", "bags.json"
    usual = ([], BAGS)

    def drawn(self) -> list[Draw]:
        bags, units, seed = self.plan.repeats, self.units, self.recipe.train.seed
        if type(bags) is not int or bags < FEWEST_MODELS:
            raise SettingError(
                f"--bags must be a whole number, at least {FEWEST_MODELS}. Got {bags} instead"
            )
        found = []
        for bag in range(bags):
            drawn = bootstrap_sample(units.strata, seed=seed + bag).tolist()
            places = [place for unit in drawn for place in units.places[unit]]
            found.append(Draw(f"bag {bag + 1}", places, seed + bag))
        return found

    def kept(self, training: Training) -> dict[str, Any]:
        data = training.data
        answer = SCORINGS[self.recipe.task].answers
        found = answer(training.complete(), data.fold, data.fold_pictures)
        return {name: rows.tolist() for name, rows in found._asdict().items()}

    def finish(self) -> Decomposition:
        """Take the error apart and write the report."""
        self._require_done()
        kept = self.standing.kept
        take_apart = squared_parts if self.recipe.task == "regress" else zero_one_parts
        parts = take_apart([each["said"] for each in kept], kept[0]["truth"])
        found = judge_parts(
            parts,
            np.array(kept[0]["groups"]),
            folder=self.folder,
            bags=len(kept),
            units=SCORINGS[self.recipe.task].units,
            seed=self.recipe.train.seed,
        )
        from saccade.judge.bias_variance_report import bias_variance_report  # Loads the charts.

        write_atomic(self.folder / REPORT_FILE, bias_variance_report(found, data=self.data.name))
        self._finished()
        return found
