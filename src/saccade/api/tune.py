"""``tune``: cross-validation over a grid of settings, and which of them do best."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saccade.api.procedures import PROCEDURES
from saccade.api.repeated import steady, trained_once
from saccade.api.train import Training
from saccade.api.tune_folds import JUDGINGS
from saccade.api.tune_plan import Standing, Values, make_plan, read_plan, write_plan
from saccade.config import Recipe
from saccade.errors import InputError, NotFiniteError
from saccade.files import existing_folder, write_atomic
from saccade.judge.tuning import Tuned, compare_trials
from saccade.names import look_up
from saccade.training.run import clear_parts, new_run_folder, require_free

REPORT_FILE, FOLD_FOLDER = "report.html", "fold"
FOLDS = 5


def tune(
    data: Path | str | None = None,
    *,
    vary: Values | None = None,
    folds: int = FOLDS,
    groups: str | None = None,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: Path | str | None = None,
) -> Tuned:
    """Judge every combination of settings by cross-validation, and say which do best.

    ``vary`` names settings of the recipe with the values to try, as
    ``{"optim.lr": [0.001, 0.003]}``; the others are those of ``recipe`` with ``settings`` laid over
    it, as for ``train``. The pictures that ``train`` would learn from (of divided data the part
    train; the part test is never read) are dealt into ``folds``, the same for every choice by the
    recipe's seed: for classify with an equal share of every class, or whole ``groups``, the values
    of a column of metadata; for embed whole classes, for forecast whole sequences. For each fold a
    model learns from the others, as ``train`` would, and answers that fold: by its accuracy, for
    embed its rank-1 accuracy, for regress R², for forecast the share of the squared error of
    repeating the last frame that it does not make.
    Means carry the interval, and differences the test, of ``judge/folds.py``. ``out`` is the folder
    to make, which gets ``tuning.json`` and ``report.html``; ``resume`` goes on with one that was
    stopped, from the fold it was in, to the same result. Where train.precision is auto, float32 is
    taken. Raises InputError or SettingError before anything is learned.
    """
    tuning = Tuning(
        data,
        vary=vary,
        folds=folds,
        groups=groups,
        task=task,
        recipe=recipe,
        out=out,
        settings=settings,
        resume=resume,
    )
    for _ in tuning.scores():
        pass
    return tuning.finish()


@dataclass(frozen=True, slots=True)
class FoldScore:
    """The score of the choice of settings ``trial``, from 0, on ``fold``, from 0."""

    trial: int
    fold: int
    score: float


class Tuning:
    """Cross-validation in its three parts: made ready, ``scores()`` to iterate, ``finish()``."""

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        vary: Values | None = None,
        folds: int = FOLDS,
        groups: str | None = None,
        task: str | None = None,
        recipe: Recipe | Path | str | None = None,
        out: Path | str | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: Path | str | None = None,
    ) -> None:
        if resume is not None:
            if vary or groups or task or recipe or out or settings:
                raise InputError("--resume goes on with its own settings; give no others")
            self.folder = existing_folder(resume, "folder of tune")
            self.plan, self.standing = read_plan(self.folder)
            if folds not in (FOLDS, self.plan.folds):
                raise InputError(f"{self.folder} was begun with {self.plan.folds} folds; keep them")
            self.data = Path(data or self.plan.data)
        elif data is None:
            raise InputError("tune needs data, or with --resume a folder that it left")
        else:
            self.data = Path(data)
            require_free(Path(out) if out else None)
            self.plan = make_plan(
                self.data,
                vary=vary or {},
                folds=folds,
                groups=groups,
                task=task,
                recipe=recipe,
                changes=settings or {},
            )
        base = self.plan.base()
        self.judging = look_up(JUDGINGS, base.task, "score for task")
        self.choices = self.plan.choices()
        self.recipes = [steady(each) for each in self.plan.recipes()]
        samples = PROCEDURES[base.task](base).parts(self.data, validation=False).samples
        self.folds = self.judging.deal(samples, self.plan.folds, self.plan.groups, base.train.seed)
        digest = self._checked()
        if resume is None:
            self.standing = Standing(digest, [[] for _ in self.choices])
            self.folder = new_run_folder(Path(out) if out else None, data=self.data, task="tune")
            write_plan(self.folder, self.plan, self.standing)
        elif digest != self.standing.digest:
            raise InputError(
                f"the pictures or classes in {self.data} are not those that {self.folder} began "
                "with; name the data that hold them, or start tune anew"
            )

    def _checked(self) -> str:
        """Make every choice's run ready, so that nothing is learned where one cannot be.

        Returns the digest of the pictures.
        """
        digests = []
        for recipe in self.recipes:
            with tempfile.TemporaryDirectory() as folder:
                digests.append(self._training(recipe, 0, Path(folder) / "run").data.digest())
        return digests[0]

    def _training(self, recipe: Recipe, fold: int, out: Path) -> Training:
        return Training(self.data, recipe=recipe, out=out, apart=self.folds[fold].tolist())

    @property
    def steps(self) -> int:
        """How many scores are still to come, unless a choice fails."""
        missing = (len(self.folds) - len(own) for own in self.standing.scores)
        return sum(n for place, n in enumerate(missing) if place not in self.standing.failed)

    def scores(self) -> Iterator[FoldScore]:
        """Learn and judge, yielding each fold's score when it is written.

        Stop to iterate, and it can be resumed. A choice whose loss is not finite fails, and the
        next one has its turn.
        """
        clear_parts(self.folder)
        for place, recipe in enumerate(self.recipes):
            own = self.standing.scores[place]
            while place not in self.standing.failed and len(own) < len(self.folds):
                fold = len(own)
                try:
                    score = self._score(recipe, fold)
                except NotFiniteError as error:
                    self.standing.failed[place] = f"fold {fold + 1}: {error}"
                else:
                    own.append(score)
                write_plan(self.folder, self.plan, self.standing)
                if place not in self.standing.failed:
                    yield FoldScore(place, fold, score)

    def _score(self, recipe: Recipe, fold: int) -> float:
        """Learn from the other folds, and judge on this one."""

        def answer(training: Training) -> float:
            data = training.data
            return self.judging.score(training.complete(), data.fold, data.fold_pictures)

        return trained_once(
            self.folder / FOLD_FOLDER,
            make=lambda folder: self._training(recipe, fold, folder),
            answer=answer,
            command="tune",
        )

    def finish(self) -> Tuned:
        """Compare the choices and write the report."""
        if self.steps:
            raise InputError(f"iterate over all scores first: {self.steps} are missing")
        varied = tuple(self.plan.vary)
        trials = compare_trials(self.choices, self.standing.scores, self.standing.failed)
        found = Tuned(self.folder, self.judging.figure, varied, len(self.folds), trials)
        from saccade.judge.tuning_report import tuning_report  # Loads the charts.

        write_atomic(self.folder / REPORT_FILE, tuning_report(found, data=self.data.name))
        self.standing = replace(self.standing, finished=True)
        write_plan(self.folder, self.plan, self.standing)
        return found
