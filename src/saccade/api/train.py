"""``train``: from a folder of pictures to a run folder."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from saccade.api.data import (
    LONGEST_SIDE,
    decode,
    learned_part,
    model_card,
    require_two_classes,
    training_tensors,
    validation_samples,
)
from saccade.api.evaluate import Scores
from saccade.api.procedures import PROCEDURES
from saccade.augment import Augment
from saccade.config import AUTO, Recipe, override, read_recipe, to_toml
from saccade.config import settings as known_settings
from saccade.data.batches import BalancedBatches, Batches, ShuffledBatches
from saccade.data.pictures import suit
from saccade.data.readers import read_data
from saccade.data.symmetries import EXTRA_CLASSES
from saccade.errors import SaccadeError, SettingError
from saccade.files import write_atomic
from saccade.names import look_up
from saccade.optim import make_optimiser, one_cycle
from saccade.tasks.model import Model, build_network
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
from saccade.values import Broken, Sample

MAX_BATCH = 4096


@dataclass(frozen=True)
class Run:
    """What training left: its folder, the model, and the scores on what was held out, if any.

    ``broken`` names the pictures that were left out because they cannot be read.
    """

    folder: Path
    model: Model
    validation: Scores | None
    broken: tuple[Broken, ...] = ()


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
    """Learn from pictures with labels and return the finished run.

    ``data`` is what ``read_data`` reads; of divided data the part train is learned from, and the
    part val gives the scores: for embed when it shares no class with train, for classify always.
    ``recipe`` is a TOML file or a Recipe; ``settings``, as ``{"train.epochs": 10}``, are laid over
    it. ``out`` is the run folder to make; without one, the next free below ``runs/``. Raises
    InputError or SettingError, with nothing written, when something given cannot be used.
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
        self._steps_done = 0
        self.recipe = _whole_recipe(recipe, task, settings or {})
        place = None if out is None else Path(out)
        require_free(place)
        self.procedure = look_up(PROCEDURES, self.recipe.task, "task")(self.recipe)
        self.source, self.data = Path(data), learned_part(data)
        learned = read_data(self.data)
        require_two_classes(learned, self.data)
        validation = validation_samples(data, self.recipe)
        self.suited = suit(learned, longest=LONGEST_SIDE)
        self.broken: tuple[Broken, ...] = ()
        self._prepare(learned, validation)
        self._load(learned, validation)
        self.batches = self._batches()
        self.best: Best | None = None
        self.folder = new_run_folder(place, data=Path(data), task=self.recipe.task)
        write_atomic(self.folder / "recipe.toml", to_toml(self.recipe))

    def _prepare(self, learned: list[Sample], validation: list[Sample]) -> None:
        """Choose who is learned from and who is held out, and make what learns."""
        require_two_classes(learned, self.data)
        self.kept, self.held = self.procedure.hold_out(learned, validation)
        self.classes = sorted({sample.label for sample in self.kept})
        card = model_card(
            self.recipe,
            self.classes,
            data=self.source,
            pictures=len(learned),
            suited=self.suited,
        )
        self.card = card | self.procedure.card()
        self._build()

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
                self._steps_done += 1
                yield record

    def finish(self) -> Run:
        """Complete the model, judge it on what was held out, and write model and report."""
        if self._steps_done != self.steps:
            raise SaccadeError(
                f"iterate over all records first: {self._steps_done} of {self.steps} done"
            )
        if self.best is not None:
            self.network.load_state_dict(self.best.weights)
            self.card["best_epoch"] = self.best.epoch
        self.procedure.complete(self.task, self.pictures, self.targets)
        model = Model(self.card, self.network.eval())
        if not self.held:
            model.save(self.folder)
            return Run(self.folder, model, None, self.broken)
        scores = self.procedure.judge(model, self.held, self.held_pictures, run=self.folder)
        return Run(self.folder, model, scores, self.broken)

    def _watch(self, record: Record) -> dict[str, float]:
        """At an epoch's end, the watched figure by name; the latest of equally good ones is kept.

        Nothing when the task watches none, or nothing is held out.
        """
        name = self.procedure.watched
        if name is None or not self.held or not record.epoch_ends:
            return {}
        model = Model(self.card, copy.deepcopy(self.network))
        figure = self.procedure.watch(model, self.held, self.held_pictures)
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

    def _load(self, learned: list[Sample], validation: list[Sample]) -> None:
        """Decode every picture once; where some are broken, prepare again without them."""
        pictures, read, broken = decode(
            self.kept + self.held, card=self.card, allowed=self.recipe.data.broken
        )
        if broken:
            self.broken = tuple(broken)
            rows = {id(sample): row for row, sample in enumerate(read)}
            self._prepare(*([s for s in part if id(s) in rows] for part in (learned, validation)))
            pictures = pictures[[rows[id(sample)] for sample in self.kept + self.held]]
        self.held_pictures = pictures[len(self.kept) :].clone()
        self.pictures, self.targets = training_tensors(
            pictures[: len(self.kept)],
            self.kept,
            self.classes,
            extra_classes=self.recipe.data.extra_classes,
        )


def _whole_recipe(
    recipe: Recipe | Path | str | None, task: str | None, settings: Mapping[str, Any]
) -> Recipe:
    whole = recipe if isinstance(recipe, Recipe) else read_recipe(recipe) if recipe else Recipe()
    named = {} if task is None else {"task": task}
    given = {name: entry.value for name, entry in known_settings(whole).items()}
    whole = override(Recipe(), given.items(), where="recipe")
    whole = override(whole, {**settings, **named}.items(), where="settings")
    batch = whole.train.classes_per_batch * whole.train.pictures_per_class
    if batch > MAX_BATCH:
        raise SettingError(
            f"a batch of {batch:,} pictures is over {MAX_BATCH:,}; lower train.classes_per_batch "
            "or train.pictures_per_class"
        )
    return whole
