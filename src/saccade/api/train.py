"""``train``: from a folder of pictures to a run folder."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from saccade.api.evaluate import Scores
from saccade.api.procedures import PROCEDURES
from saccade.augment import Augment
from saccade.config import AUTO, Recipe, override, parse_size, read_recipe, to_toml
from saccade.data.batches import (
    BalancedBatches,
    Batches,
    ShuffledBatches,
    load_pictures,
)
from saccade.data.folders import read_class_folders
from saccade.data.pictures import suit
from saccade.data.symmetries import EXTRA_CLASSES, add_classes
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.names import look_up
from saccade.optim import make_optimiser, one_cycle
from saccade.tasks.model import FORMAT, Model, build_network
from saccade.training.checkpoint import save_checkpoint
from saccade.training.loop import Record
from saccade.training.loop import train as train_loop
from saccade.training.precision import choose_precision
from saccade.training.run import (
    HISTORY_FILE,
    append_record,
    new_run_folder,
    require_free,
    write_environment,
)
from saccade.values import Sample

LONGEST_SIDE = 64


@dataclass(frozen=True)
class Run:
    """What training left: its folder, the model, and the scores on what was held out, if any."""

    folder: Path
    model: Model
    validation: Scores | None


@dataclass(frozen=True)
class Best:
    """The epoch (from 1) with the highest watched figure, and the network's weights after it."""

    epoch: int
    figure: float
    weights: dict[str, torch.Tensor]


def train(
    data: Path | str,
    *,
    task: str | None = None,
    recipe: Recipe | Path | str | None = None,
    out: Path | str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Run:
    """Learn from class folders and return the finished run.

    ``data`` holds one sub-folder a class. ``recipe`` is a TOML file or a Recipe; ``settings``, as
    ``{"train.epochs": 10}``, are laid over it. ``out`` is the run folder to make; without one, the
    next free below ``runs/``. Raises InputError or SettingError, with nothing written, when
    something given cannot be used.
    """
    training = Training(data, task=task, recipe=recipe, out=out, settings=settings)
    for _ in training.records():
        pass
    return training.finish()


class Training:
    """A run in its three parts: made ready, ``records()`` to iterate, ``finish()``."""

    def __init__(
        self,
        data: Path | str,
        *,
        task: str | None = None,
        recipe: Recipe | Path | str | None = None,
        out: Path | str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = _whole_recipe(recipe, task, settings or {})
        place = None if out is None else Path(out)
        require_free(place)
        self.procedure = look_up(PROCEDURES, self.recipe.task, "task")(self.recipe)
        samples = read_class_folders(data)
        _require_two_classes(samples, Path(data))
        places = self.procedure.hold_out(samples)
        self.kept = [sample for place, sample in enumerate(samples) if place not in places]
        self.held = [samples[place] for place in sorted(places)]
        self.classes = sorted({sample.label for sample in self.kept})
        self.card = _card(samples, self.classes, self.recipe, Path(data)) | self.procedure.card()
        self._build()
        self.pictures, self.targets = self._training_tensors()
        self.held_pictures = self._load(self.held) if self.held else None
        self.batches = self._batches()
        self.best: Best | None = None
        self.folder = new_run_folder(place, data=Path(data), task=self.recipe.task)
        write_atomic(self.folder / "recipe.toml", to_toml(self.recipe))

    def _build(self) -> None:
        """Make network, task and optimiser; every name in the recipe is checked by then."""
        recipe = self.recipe
        if recipe.train.threads:
            torch.set_num_threads(recipe.train.threads)
        images = look_up(EXTRA_CLASSES, recipe.data.extra_classes, "way to add classes")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.train.seed)
            self.network = build_network(self.card)
            classes = len(self.classes) * len(images)
            task = self.procedure.task(self.network, classes=classes)
            self.task = task.to(memory_format=torch.channels_last)
        self.optimiser = make_optimiser(
            [self.task],
            name=recipe.optim.name,
            lr=recipe.optim.lr,
            weight_decay=recipe.optim.weight_decay,
        )

    @property
    def steps(self) -> int:
        """How many records the whole run yields."""
        return self.recipe.train.epochs * len(self.batches)

    def records(self) -> Iterator[Record]:
        """Train, yielding what happened in each step; a checkpoint is written after each epoch."""
        settings = self.recipe.train
        precision = choose_precision(settings.precision)
        write_environment(self.folder, seed=settings.seed, precision=str(precision).split(".")[1])
        augment = self.recipe.augment
        steps = train_loop(
            self.task,
            self.pictures,
            self.targets,
            batches=self.batches,
            augment=Augment(**vars(augment)),
            optimiser=self.optimiser,
            schedule=lambda progress: one_cycle(progress, warm_up=self.recipe.optim.warm_up),
            epochs=settings.epochs,
            clip=self.recipe.optim.clip,
            seed=settings.seed,
            precision=precision,
        )
        with (self.folder / HISTORY_FILE).open("w") as history:
            for record in steps:
                append_record(history, record, self._watch(record))
                if record.epoch_ends:
                    save_checkpoint(
                        self.folder,
                        task=self.task,
                        optimiser=self.optimiser,
                        next_epoch=record.epoch,
                    )
                yield record

    def finish(self) -> Run:
        """Complete the model, judge it on what was held out, and write model and report."""
        if self.best is not None:
            self.network.load_state_dict(self.best.weights)
            self.card["best_epoch"] = self.best.epoch
        self.procedure.complete(self.task, self.pictures, self.targets)
        model = Model(self.card, self.network.eval())
        if self.held_pictures is None:
            model.save(self.folder)
            return Run(self.folder, model, None)
        scores = self.procedure.judge(model, self.held, self.held_pictures, run=self.folder)
        return Run(self.folder, model, scores)

    def _watch(self, record: Record) -> dict[str, float]:
        """At an epoch's end, the watched figure by name; the latest of equally good ones is kept.

        Nothing when the task watches none, or nothing is held out.
        """
        name, held = self.procedure.watched, self.held_pictures
        if name is None or held is None or not record.epoch_ends:
            return {}
        model = Model(self.card, copy.deepcopy(self.network))
        figure = self.procedure.watch(model, self.held, held)
        if figure is None:
            return {}
        if self.best is None or figure >= self.best.figure:
            weights = {key: value.clone() for key, value in self.network.state_dict().items()}
            self.best = Best(record.epoch, figure, weights)
        return {name: figure}

    def _batches(self) -> Batches:
        settings = self.recipe.train
        kind = self.procedure.batches if settings.batches == AUTO else settings.batches
        if kind == "shuffled":
            return ShuffledBatches(
                len(self.targets), batch_size=settings.batch_size, seed=settings.seed
            )
        return BalancedBatches(
            self.targets.numpy(),
            classes_per_batch=settings.classes_per_batch,
            pictures_per_class=settings.pictures_per_class,
            seed=settings.seed,
        )

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


def _whole_recipe(
    recipe: Recipe | Path | str | None, task: str | None, settings: Mapping[str, Any]
) -> Recipe:
    whole = recipe if isinstance(recipe, Recipe) else read_recipe(recipe) if recipe else Recipe()
    whole = override(whole, settings.items(), where="settings")
    return whole if task is None else replace(whole, task=task)


def _require_two_classes(samples: list[Sample], data: Path) -> None:
    labels = {sample.label for sample in samples}
    if len(labels) < 2:
        raise InputError(
            f"data folder {data} has one class, '{samples[0].label}'; "
            "training needs at least two sub-folders with pictures"
        )


def _card(samples: list[Sample], classes: list[str], recipe: Recipe, data: Path) -> dict[str, Any]:
    suited, channels = suit([sample.path for sample in samples], longest=LONGEST_SIDE)
    colour = recipe.data.colour
    return {
        "format": FORMAT,
        "task": recipe.task,
        "backbone": recipe.model.backbone,
        "width": recipe.model.width,
        "channels": channels if colour == "auto" else {"grey": 1, "rgb": 3}[colour],
        "mirror": recipe.model.mirror,
        "size_hw": list(parse_size(recipe.data.size) or suited),
        "standardise": "each picture by its own mean and deviation",
        "classes": classes,
        "licence": "that of the pictures it learned from; no weights of others",
        "provenance": f"trained from scratch on {data.resolve().name}, {len(samples)} pictures",
    }
