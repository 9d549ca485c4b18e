"""``train``: from a folder of pictures to a run folder."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from saccade.api.evaluate import find_threshold, judge_model
from saccade.api.resume import (
    digest_of,
    disk_told,
    recipe_values,
    require_same_pictures,
    resumed_data,
    resumed_recipe,
)
from saccade.augment import Augment
from saccade.config import Recipe, override, parse_size, read_recipe, to_toml
from saccade.data.batches import BalancedBatches, load_pictures
from saccade.data.folders import read_class_folders
from saccade.data.pictures import suit
from saccade.data.splits import hold_out_classes
from saccade.data.symmetries import EXTRA_CLASSES, add_classes
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.embedding import EmbeddingScores
from saccade.names import look_up
from saccade.optim import SCHEDULES, make_optimiser
from saccade.tasks import TASKS
from saccade.tasks.model import FORMAT, Model, build_network
from saccade.training.average import WeightAverage
from saccade.training.checkpoint import (
    load_checkpoint,
    mark_finished,
    read_notes,
    save_checkpoint,
)
from saccade.training.loop import Record, steps_per_epoch
from saccade.training.loop import train as train_loop
from saccade.training.patience import Patience
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
from saccade.values import Sample

LONGEST_SIDE = 64


@dataclass(frozen=True)
class Run:
    """What training left: its folder, the model, and the scores on the held-out classes, if any."""

    folder: Path
    model: Model
    validation: EmbeddingScores | None


def train(
    data: Path | str | None = None,
    *,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
    resume: Path | str | None = None,
) -> Run:
    """Learn from class folders and return the finished run.

    ``data`` holds one sub-folder a class. ``recipe`` is a TOML file or a Recipe; ``settings``, as
    ``{"train.epochs": 10}``, are laid over it. ``out`` is the run folder to make; without one, the
    next free below ``runs/``. ``resume`` goes on with a run folder that was stopped, with the
    settings that it has and, without ``data``, the pictures where they were. Raises InputError or
    SettingError, with nothing written, when something given cannot be used.
    """
    training = Training(data, task=task, recipe=recipe, out=out, settings=settings, resume=resume)
    for _ in training.records():
        pass
    return training.finish()


class Training:
    """A run in its three parts: made ready, ``records()`` to iterate, ``finish()``."""

    def __init__(
        self,
        data: Path | str | None = None,
        *,
        task: str | None = None,
        recipe: Recipe | Path | str | None = None,
        out: Path | str | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: Path | str | None = None,
    ) -> None:
        self.resumed = resume is not None
        place = _place(out, resume)
        if resume is not None:
            self.recipe = resumed_recipe(Path(resume), recipe, task, settings or {})
            self.data = resumed_data(Path(resume), data)
        elif data is None:
            raise InputError("train requires DATA, a folder of class folders, or --resume RUN")
        else:
            self.recipe = _whole_recipe(recipe, task, settings or {})
            self.data = Path(data)
            require_free(place)
        samples = read_class_folders(self.data)
        self.kept, self.held = _split(samples, self.recipe, self.data)
        self.classes = sorted({sample.label for sample in self.kept})
        self.card = _card(samples, self.classes, self.recipe, self.data)
        self._build()
        self.pictures, self.targets = self._training_tensors()
        self.batches = BalancedBatches(
            self.targets.numpy(),
            classes_per_batch=self.recipe.train.classes_per_batch,
            pictures_per_class=self.recipe.train.pictures_per_class,
            seed=self.recipe.train.seed,
        )
        self.first_epoch = 0
        if resume is not None:
            self.folder = Path(resume)
            self._restore()
        else:
            self.folder = new_run_folder(place, data=self.data, task=self.recipe.task)
            write_atomic(self.folder / RECIPE_FILE, to_toml(self.recipe))

    def _build(self) -> None:
        """Make network, task and optimiser; every name in the recipe is checked by then."""
        recipe = self.recipe
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)
        images = look_up(EXTRA_CLASSES, recipe.data.extra_classes, "way to add classes")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.train.seed)
            self.network = build_network(self.card)
            self.task = look_up(TASKS, recipe.task, "task")(
                self.network,
                loss=recipe.loss.name,
                classes=len(self.classes) * len(images),
                margin=recipe.loss.margin,
                scale=recipe.loss.scale,
            ).to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(
            [self.task],
            name=recipe.optim.name,
            lr=recipe.optim.lr,
            weight_decay=recipe.optim.weight_decay,
        )
        self.schedule = look_up(SCHEDULES, recipe.optim.schedule, "schedule")
        decay = recipe.optim.ema
        self.average = WeightAverage(self.task, decay=decay) if decay else None
        self.patience = Patience(recipe.train.patience)

    @property
    def steps(self) -> int:
        """How many records are still to come, unless the run stops early."""
        settings = self.recipe.train
        per_epoch = steps_per_epoch(self.batches, settings.accumulate)
        return (settings.epochs - self.first_epoch) * per_epoch

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
                    append_record(history, record)
                    losses.append(record.loss)
                    if self.average:
                        self.average.update()
                    if record.epoch_ends:
                        self.patience.saw(sum(losses) / len(losses))
                        losses = []
                        self._save(record.epoch)
                    yield record
                    if self.patience.ended:
                        break

    def _begin(self) -> None:
        """Choose the precision, and leave what a resumed run needs before the first step."""
        settings = self.recipe.train
        chosen = choose_precision(settings.precision)
        if settings.precision == "auto" and chosen != torch.float32:
            rows = torch.from_numpy(next(iter(self.batches.epoch(0))))
            batch = self.pictures[rows].float() / 255
            chosen = faster_precision(self.task, batch, self.targets[rows])
        self.precision = str(chosen).removeprefix("torch.")
        write_environment(self.folder, seed=settings.seed, precision=self.precision, data=self.data)
        self.digest = digest_of(self.pictures, self.targets, self.classes)
        self._save(0)

    def _restore(self) -> None:
        """Take up the checkpoint of a stopped run."""
        self.digest = digest_of(self.pictures, self.targets, self.classes)
        require_same_pictures(self.folder, self.data, self.digest)
        notes = read_notes(self.folder)
        self.precision = notes["precision"]
        self.patience.restore(notes["patience"])
        self.first_epoch = load_checkpoint(
            self.folder, task=self.task, optimiser=self.optimiser, average=self.average
        )
        clear_parts(self.folder)
        record_data(self.folder, self.data)

    def _save(self, next_epoch: int) -> None:
        save_checkpoint(
            self.folder,
            task=self.task,
            optimiser=self.optimiser,
            next_epoch=next_epoch,
            average=self.average,
            notes={
                "recipe": recipe_values(self.recipe),
                "precision": self.precision,
                "patience": self.patience.state(),
                "pictures_sha256": self.digest,
            },
        )

    def _steps(self) -> Iterator[Record]:
        settings = self.recipe.train
        return train_loop(
            self.task,
            self.pictures,
            self.targets,
            batches=self.batches,
            augment=Augment(**vars(self.recipe.augment)),
            optimiser=self.optimiser,
            schedule=partial(self.schedule, warm_up=self.recipe.optim.warm_up),
            epochs=settings.epochs,
            clip=self.recipe.optim.clip,
            seed=settings.seed,
            precision=choose_precision(self.precision),
            accumulate=settings.accumulate,
            first_epoch=self.first_epoch,
        )

    def finish(self) -> Run:
        """Find the threshold and the scores on the held-out classes, and write model and report.

        With an average of the weights (optim.ema), that is what the model gets.
        """
        with disk_told(self.folder):
            run = self._finish()
            mark_finished(self.folder)
        return run

    def _finish(self) -> Run:
        settings = self.recipe.model
        if self.average:
            self.average.apply()
        self.task.complete(
            self.pictures,
            self.targets,
            projection=settings.projection,
            shrinkage=settings.shrinkage,
        )
        model = Model(self.card, self.network.eval())
        scores = None
        if self.held:
            vectors = model.embed_prepared(self._load(self.held))
            labels = [sample.label for sample in self.held]
            self.card["threshold"] = find_threshold(vectors, labels)
        model.save(self.folder)
        if self.held:
            scores = judge_model(
                model, self.held, vectors, report=self.folder / "report.html", run=self.folder
            )
            self.card["score"] = {"on": "held-out classes", "rank_1": asdict(scores.rank_1)}
            model.save(self.folder)
        return Run(self.folder, model, scores)

    def _training_tensors(self) -> tuple[torch.Tensor, torch.Tensor]:
        targets = torch.tensor([self.classes.index(sample.label) for sample in self.kept])
        pictures = self._load(self.kept)
        return add_classes(pictures, targets, how=self.recipe.data.extra_classes)

    def _load(self, samples: list[Sample]) -> torch.Tensor:
        height, width = self.card["size_hw"]
        return load_pictures(
            [sample.path for sample in samples],
            size_hw=(height, width),
            channels=self.card["channels"],
        )


def _place(out: Path | str | None, resume: Path | str | None) -> Path | None:
    if out is not None and resume is not None:
        raise InputError("--out and --resume exclude each other; a resumed run keeps its folder")
    return None if out is None else Path(out)


def _whole_recipe(
    recipe: Recipe | Path | str | None, task: str | None, settings: Mapping[str, Any]
) -> Recipe:
    whole = recipe if isinstance(recipe, Recipe) else read_recipe(recipe) if recipe else Recipe()
    whole = override(whole, settings.items(), where="settings")
    return whole if task is None else replace(whole, task=task)


def _split(samples: list[Sample], recipe: Recipe, data: Path) -> tuple[list[Sample], list[Sample]]:
    labels = [sample.label for sample in samples]
    if len(set(labels)) < 2:
        raise InputError(
            f"data folder {data} has one class, '{labels[0]}'; "
            "training needs at least two sub-folders with pictures"
        )
    _, held = hold_out_classes(labels, share=recipe.data.validation, seed=recipe.train.seed)
    kept = [sample for sample in samples if sample.label not in held]
    return kept, [sample for sample in samples if sample.label in held]


def _card(samples: list[Sample], classes: list[str], recipe: Recipe, data: Path) -> dict[str, Any]:
    suited, channels = suit([sample.path for sample in samples], longest=LONGEST_SIDE)
    colour = recipe.data.colour
    return {
        "format": FORMAT,
        "kind": "network",
        "task": recipe.task,
        "backbone": recipe.model.backbone,
        "width": recipe.model.width,
        "dimension": recipe.model.dimension,
        "channels": channels if colour == "auto" else {"grey": 1, "rgb": 3}[colour],
        "mirror": recipe.model.mirror,
        "size_hw": list(parse_size(recipe.data.size) or suited),
        "standardise": "each picture by its own mean and deviation",
        "classes": classes,
        "licence": "that of the pictures it learned from; no weights of others",
        "provenance": f"trained from scratch on {data.resolve().name}, {len(samples)} pictures",
    }
