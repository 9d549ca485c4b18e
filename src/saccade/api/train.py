"""``train``: from a folder of pictures to a run folder."""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from saccade.api.best import Best, better, restored
from saccade.api.changes import make_changes
from saccade.api.data import TrainingData
from saccade.api.full_batch import require_full_batch
from saccade.api.judging import Scores
from saccade.api.learner import Learner, first_batch, make_batches, make_learner
from saccade.api.procedures import PROCEDURES
from saccade.api.rates import chosen_rates
from saccade.api.recipe import recipe_values
from saccade.api.resume import (
    disk_told,
    require_same_pictures,
    resumed_data,
    resumed_recipe,
)
from saccade.api.reweighting import Reweighting, require_reweighable, reweigh, watched
from saccade.api.starting import Start, started_recipe
from saccade.api.weights import Weights, chosen_parts, find_weights
from saccade.config import AUTO, Recipe, to_toml
from saccade.errors import InputError, SaccadeError
from saccade.files import write_atomic
from saccade.losses.roles import BackgroundShares
from saccade.names import look_up
from saccade.nn import LEARNS_WORDS
from saccade.nn.initialisation import needs_pictures
from saccade.optim import FULL_BATCH, SCHEDULES, after_step, takes_whole_loss
from saccade.optim.patience import Patience
from saccade.tasks.detect import DetectTask
from saccade.tasks.model import Model
from saccade.training.checkpoint import (
    load_checkpoint,
    mark_finished,
    read_notes,
    save_checkpoint,
)
from saccade.training.freezing import Freezing, frozen_epochs
from saccade.training.loop import Record, steps_per_epoch
from saccade.training.loop import train as train_loop
from saccade.training.precision import choose_precision, faster_precision
from saccade.training.run import (
    HISTORY_FILE,
    RECIPE_FILE,
    append_record,
    clear_parts,
    keep_history,
    new_run_folder,
    record_data,
    require_free,
    write_environment,
)
from saccade.values import Broken

SHOWN = 256  # pictures from which it is told how much of a detector's lesson is background


@dataclass(frozen=True)
class Run:
    """What training left: its folder, the model, and the scores on what was held out, if any.

    ``broken`` names the pictures that were left out because they cannot be read.
    """

    folder: Path
    model: Model
    validation: Scores | None
    broken: tuple[Broken, ...] = ()


def train(
    data: Path | str | None = None,
    *,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: Path | str | None = None,
    start: Path | str | None = None,
    reweight_to: Path | str | None = None,
) -> Run:
    """Learn from pictures with labels, or numbers, and return the finished run.

    ``data`` is what ``read_data`` reads; of divided data the part train is learned from, and the
    part val gives the scores: for embed when it shares no class with train, for the others always.
    ``recipe`` is a TOML file or a Recipe; ``settings``, as ``{"train.epochs": 10}``, are laid over
    it. ``start`` is what the backbone begins with, and brings its settings: a finished run,
    "timm:NAME" or a .safetensors file. ``out`` is the run folder to make; without one, the next
    free below ``runs/``. ``resume`` goes on with a run folder that was stopped, with the settings
    that it has and, without ``data``, the pictures where they were. ``reweight_to`` is the setting
    data.reweight_to. Raises InputError or SettingError, with nothing written, when something given
    cannot be used.
    """
    if reweight_to is not None:
        settings = {**(settings or {}), "data.reweight_to": str(reweight_to)}
    training = Training(
        data, task=task, recipe=recipe, out=out, settings=settings, resume=resume, start=start
    )
    for _ in training.records():
        pass
    return training.finish()


class Training:
    """A run in its three parts: made ready, ``records()`` to iterate, ``finish()``.

    ``apart``: places, in the order of ``read_data``, of pictures that this run takes no notice of;
    ``learned``: places that it learns from, see ``TrainingData``.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        task: str | None = None,
        recipe: Recipe | Path | str | None = None,
        out: Path | str | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: Path | str | None = None,
        apart: Collection[int] = (),
        learned: Sequence[int] | None = None,
        start: Path | str | None = None,
    ) -> None:
        self.start: Start | None = None
        self.resumed = resume is not None
        place = _place(out, resume, start)
        if resume is not None:
            self.recipe = resumed_recipe(Path(resume), recipe, task, settings or {})
            source = resumed_data(Path(resume), data)
        elif data is None:
            raise InputError("train needs data, or with --resume a run that was stopped")
        else:
            self.recipe, self.start = started_recipe(recipe, task, settings or {}, start)
            source = Path(data)
            require_free(place)
        self.procedure = look_up(PROCEDURES, self.recipe.task, "task")(self.recipe)
        require_full_batch(self.recipe)
        make_changes(self.recipe)  # Before anything is read: it may be refused.
        if not self.resumed:
            require_reweighable(self.recipe)
        self.weights = self._first_weights(resume)
        self.data = TrainingData(
            source,
            recipe=self.recipe,
            procedure=self.procedure,
            weights=self.weights,
            apart=apart,
            learned=learned,
        )
        rates = chosen_rates(self.recipe.optim)
        schedule = look_up(SCHEDULES, rates.schedule, "schedule")
        self.schedule = partial(schedule, warm_up=rates.warm_up)
        # Made before the pictures are decoded: every name in the recipe is checked by it.
        self.learner = self._made()
        changed = self.data.decode()
        model = self.recipe.model
        words = model.backbone in LEARNS_WORDS
        looks = (words or needs_pictures(model.initialisation)) and not self.resumed
        if changed or looks:
            self.learner = self._made(first_batch(self.data) if looks else None)
        optim = self.recipe.optim
        self.freezing = Freezing(
            self.learner.network.backbone,
            epochs=frozen_epochs(optim.frozen, self.recipe.train.epochs),
            by_part=optim.thaw == "by_part",
        )
        self.changes = make_changes(self.recipe, classes=len(self.data.classes))
        self.batches = make_batches(self.recipe, self.data, self.procedure)
        full = self.recipe.optim.name in FULL_BATCH
        self.accumulate = len(self.batches) if full else self.recipe.train.accumulate
        self.reweighting = self._reweighted(resume)
        self.patience = Patience(self.recipe.train.patience)
        self.first_epoch, self._steps_done = 0, 0
        self.best: Best | None = None
        self.reweighting_notes: dict[str, Any] | None = None
        if resume is not None:
            self.folder = Path(resume)
            self._restore()
        else:
            self.folder = new_run_folder(place, data=source, task=self.recipe.task)
            write_atomic(self.folder / RECIPE_FILE, to_toml(self.recipe))

    def _first_weights(self, resume: Path | str | None) -> Weights | None:
        """What the network starts from; a resumed run noted it, and has the weights."""
        if resume is None:
            model = self.recipe.model
            return find_weights(model.backbone, model.weights, parts=chosen_parts(model))
        noted = read_notes(Path(resume)).get("weights")
        return None if noted is None else Weights.from_notes(noted)

    def _reweighted(self, resume: Path | str | None) -> Reweighting | None:
        """How much each picture counts; a resumed run noted it, and has the weights."""
        if resume is None:
            found = reweigh(self.recipe, self.data, self.learner.network.eval())
        else:
            noted = read_notes(Path(resume)).get("reweighting")
            found = None if noted is None else Reweighting.read(Path(resume), noted)
        if found is not None:
            found.enter(self.data.card)
        return found

    def _made(self, batch: Tensor | None = None) -> Learner:
        # A resumed run has its weights in the checkpoint.
        weights = None if self.resumed else self.weights
        return make_learner(self.recipe, self.data, self.procedure, weights, batch)

    @property
    def steps(self) -> int:
        """How many records are still to come at the start, unless the run stops early."""
        per_epoch = steps_per_epoch(self.batches, self.accumulate)
        return (self.recipe.train.epochs - self.first_epoch) * per_epoch

    def background(self) -> BackgroundShares | None:
        """Return how much of what a detector learns is background; None for other tasks.

        From pictures as they are, without the random changes, at most SHOWN spread over all.
        """
        task, targets = self.learner.task, self.data.targets
        if not isinstance(task, DetectTask):
            return None
        return task.background_shares(targets[:: -(-len(targets) // SHOWN)])

    def records(self) -> Iterator[Record]:
        """Train, yielding what happened in each step; a checkpoint is written after each epoch.

        Stop to iterate, and the run can be resumed from its last checkpoint.
        """
        with disk_told(self.folder):
            if not self.resumed:
                self._begin()
            keep_history(self.folder, epochs=self.first_epoch)
            with (self.folder / HISTORY_FILE).open("a") as history:
                losses: list[float] = []
                for record in () if self.patience.ended else self._steps():
                    if self.learner.average:
                        self.learner.average.update()
                    figures = self._watch(record)
                    append_record(history, record, figures)
                    losses.append(record.loss)
                    if record.epoch_ends:
                        # Patience waits for lower figures; a watched one is better when higher.
                        loss = sum(losses) / len(losses)
                        self.patience.saw(-next(iter(figures.values())) if figures else loss)
                        losses = []
                        self._save(record.epoch)
                    self._steps_done += 1
                    yield record
                    if self.patience.ended:
                        break

    def _begin(self) -> None:
        """Choose the precision, and leave what a resumed run needs before the first step."""
        settings = self.recipe.train
        whole = takes_whole_loss(self.recipe.optim.name)
        chosen = choose_precision("float32" if whole else settings.precision)
        if not settings.epochs:
            chosen = torch.float32  # Nothing is timed, as nothing is trained.
        elif settings.precision == AUTO and chosen != torch.float32:
            rows = torch.from_numpy(next(iter(self.batches.epoch(0))))
            batch = self.data.pictures[rows].float() / 255
            chosen = faster_precision(self.learner.task, batch, self.data.targets[rows])
        self.precision = str(chosen).removeprefix("torch.")
        write_environment(
            self.folder, seed=settings.seed, precision=self.precision, data=self.data.source
        )
        self.digest = self.data.digest()
        if self.reweighting is not None:
            self.reweighting_notes = self.reweighting.write(self.folder)
        self._save(0)

    def _restore(self) -> None:
        """Take up the checkpoint of a stopped run."""
        self.digest = self.data.digest()
        require_same_pictures(self.folder, self.data.source, self.digest)
        notes = read_notes(self.folder)
        self.precision = notes["precision"]
        self.reweighting_notes = notes.get("reweighting")
        self.patience.restore(notes["patience"])
        learner = self.learner
        self.best = restored(self.folder, notes.get("best"), like=learner.network.state_dict())
        self.first_epoch = load_checkpoint(
            self.folder, task=learner.task, optimiser=learner.optimiser, average=learner.average
        )
        clear_parts(self.folder)
        record_data(self.folder, self.data.source)

    def _save(self, next_epoch: int) -> None:
        save_checkpoint(
            self.folder,
            task=self.learner.task,
            optimiser=self.learner.optimiser,
            next_epoch=next_epoch,
            average=self.learner.average,
            best=None if self.best is None else self.best.weights,
            notes={
                "recipe": recipe_values(self.recipe),
                "precision": self.precision,
                "patience": self.patience.state(),
                "best": None if self.best is None else self.best.notes(),
                "pictures_sha256": self.digest,
                "weights": None if self.weights is None else self.weights.notes(),
                "reweighting": self.reweighting_notes,
            },
        )

    def _steps(self) -> Iterator[Record]:
        settings, optim = self.recipe.train, self.recipe.optim
        return train_loop(
            self.learner.task,
            self.data.pictures,
            self.data.targets,
            batches=self.batches,
            augment=self.changes,
            optimiser=self.learner.optimiser,
            schedule=self.schedule,
            epochs=settings.epochs,
            clip=optim.clip,
            seed=settings.seed,
            precision=choose_precision(self.precision),
            accumulate=self.accumulate,
            first_epoch=self.first_epoch,
            after_step=after_step(l1=optim.l1, max_norm=optim.max_norm),
            before_epoch=(self.freezing,),
            weights=None if self.reweighting is None else self.reweighting.weights,
        )

    def finish(self) -> Run:
        """Complete the model, judge it on what was held out, and write model and report."""
        model = self.complete()
        with disk_told(self.folder):
            run = self._finish(model)
            mark_finished(self.folder)
        return run

    def complete(self) -> Model:
        """Return the model when all records have come; nothing is judged or written.

        With an average of the weights (optim.ema, asgd), that is what the model gets; with a best
        epoch, the weights, or their average, after it.
        """
        if self._steps_done != self.steps and not self.patience.ended:
            raise SaccadeError(
                f"iterate over all records first: {self._steps_done} of {self.steps} done"
            )
        data, card = self.data, self.data.card
        self.freezing.end()
        if self.learner.average:
            self.learner.average.apply()
        if self.best is not None:
            self.learner.network.load_state_dict(self.best.weights)
            card["best_epoch"] = self.best.epoch
        self.procedure.complete(self.learner.task, data.pictures, data.targets)
        return Model(card, self.learner.network.eval())

    def _finish(self, model: Model) -> Run:
        data = self.data
        if not data.held:
            model.save(self.folder)
            return Run(self.folder, model, None, data.broken)
        scores = self.procedure.judge(model, data.held, data.held_pictures, run=self.folder)
        return Run(self.folder, model, scores, data.broken)

    def _watch(self, record: Record) -> dict[str, float]:
        """At an epoch's end, the watched figure by name; the latest of equally good ones is kept.

        Nothing when the task watches none, or nothing is held out.
        """
        name, held = self.procedure.watched, self.data.held
        if name is None or not held or not record.epoch_ends:
            return {}
        weights = self.learner.weights()
        network = copy.deepcopy(self.learner.network)
        network.load_state_dict(weights)
        model = Model(self.data.card, network)
        pictures, reweighting = self.data.held_pictures, self.reweighting
        if reweighting is None:
            figure = self.procedure.watch(model, held, pictures)
        else:
            figure = watched(self.recipe.task, model, held, pictures, reweighting.held)
        if figure is None:
            return {}
        self.best = better(self.best, record.epoch, figure, weights)
        return {name: figure}


def _place(
    out: Path | str | None, resume: Path | str | None, start: Path | str | None
) -> Path | None:
    if start is not None and resume is not None:
        raise InputError("--from and --resume exclude each other; a resumed run has begun already")
    if out is not None and resume is not None:
        raise InputError("--out and --resume exclude each other; a resumed run keeps its folder")
    return None if out is None else Path(out)
