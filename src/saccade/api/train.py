"""``train``: from a folder of pictures to a run folder."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from saccade.api.evaluate import find_threshold, judge_model
from saccade.augment import Augment
from saccade.config import Recipe, override, parse_size, read_recipe, to_toml
from saccade.config import settings as known_settings
from saccade.data.batches import BalancedBatches, load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.pictures import suit
from saccade.data.readers import choose_part, find_parts, read_data
from saccade.data.splits import hold_out_classes
from saccade.data.symmetries import EXTRA_CLASSES, add_classes
from saccade.errors import InputError, SaccadeError, SettingError
from saccade.files import write_atomic
from saccade.judge.embedding import EmbeddingScores
from saccade.names import look_up
from saccade.optim import make_optimiser, one_cycle
from saccade.tasks import TASKS
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
from saccade.values import Broken, Sample

LONGEST_SIDE = 64
MAX_BATCH = 4096


@dataclass(frozen=True)
class Run:
    """What training left: its folder, the model, and the scores on the held-out classes, if any.

    ``broken`` names the pictures that were left out because they cannot be read.
    """

    folder: Path
    model: Model
    validation: EmbeddingScores | None
    broken: tuple[Broken, ...] = ()


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
    part val gives threshold and scores when it shares no class with train. ``recipe`` is a TOML
    file or a Recipe; ``settings``, as ``{"train.epochs": 10}``, are laid over it. ``out`` is the
    run folder to make; without one, the next free below ``runs/``. Raises InputError or
    SettingError, with nothing written, when something given cannot be used.
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
        self.source, self.data = Path(data), choose_part(data, ("train",))
        learned = read_data(self.data)
        _require_two_classes(learned, self.data)
        validation = _validation_samples(data, learned, self.recipe)
        self.suited = suit(learned, longest=LONGEST_SIDE)
        self.broken: tuple[Broken, ...] = ()
        self._prepare(learned, validation)
        self.pictures, self.targets = self._load(learned, validation)
        self.batches = BalancedBatches(
            self.targets.numpy(),
            classes_per_batch=self.recipe.train.classes_per_batch,
            pictures_per_class=self.recipe.train.pictures_per_class,
            seed=self.recipe.train.seed,
        )
        self.folder = new_run_folder(place, data=Path(data), task=self.recipe.task)
        write_atomic(self.folder / "recipe.toml", to_toml(self.recipe))

    def _prepare(self, learned: list[Sample], validation: list[Sample]) -> None:
        """Choose who is learned from and who is held out, and make what learns."""
        self.kept, self.held = _split(learned, validation, self.recipe, self.data)
        self.classes = sorted({sample.label for sample in self.kept})
        self.card = _card(len(learned), self.classes, self.recipe, self.source, *self.suited)
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
                append_record(history, record)
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
        """Find the threshold and the scores on the held-out classes, and write model and report."""
        if self._steps_done != self.steps:
            raise SaccadeError(
                f"iterate over all records first: {self._steps_done} of {self.steps} done"
            )
        settings = self.recipe.model
        self.task.complete(
            self.pictures,
            self.targets,
            projection=settings.projection,
            shrinkage=settings.shrinkage,
        )
        model = Model(self.card, self.network.eval())
        scores = None
        if self.held:
            vectors = model.embed_prepared(self.held_pictures)
            labels = [sample.label for sample in self.held]
            self.card["threshold"] = find_threshold(vectors, labels)
        model.save(self.folder)
        if self.held:
            scores = judge_model(
                model, self.held, vectors, report=self.folder / "report.html", run=self.folder
            )
            self.card["score"] = {"on": "held-out classes", "rank_1": asdict(scores.rank_1)}
            model.save(self.folder)
        return Run(self.folder, model, scores, self.broken)

    def _load(
        self, learned: list[Sample], validation: list[Sample]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode every picture once; where some are broken, prepare again without them."""
        samples = self.kept + self.held
        height, width = self.card["size_hw"]
        pictures, reasons = load_readable(
            samples, size_hw=(height, width), channels=self.card["channels"]
        )
        read, broken = part_broken(samples, reasons)
        require_few(broken, of=len(samples), allowed=self.recipe.data.broken)
        if broken:
            self.broken = tuple(broken)
            rows = {id(sample): row for row, sample in enumerate(read)}
            self._prepare(*([s for s in part if id(s) in rows] for part in (learned, validation)))
            pictures = pictures[[rows[id(sample)] for sample in self.kept + self.held]]
        self.held_pictures = pictures[len(self.kept) :].clone()
        targets = torch.tensor([self.classes.index(sample.label) for sample in self.kept])
        return add_classes(pictures[: len(self.kept)], targets, how=self.recipe.data.extra_classes)


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


def _require_two_classes(samples: list[Sample], data: Path) -> None:
    labels = sorted({sample.label for sample in samples})
    if len(labels) < 2:
        has = f"one class, '{labels[0]}'" if labels else "no class"
        raise InputError(f"data {data} hold {has}; training needs pictures of at least two")


def _validation_samples(data: Path | str, learned: list[Sample], recipe: Recipe) -> list[Sample]:
    """The samples of the part val, when there is one that the recipe and the task can use."""
    part = find_parts(data).get("val") if recipe.data.validation else None
    samples = [] if part is None else read_data(part)
    return samples if _searchable(samples, learned) else []


def _searchable(validation: list[Sample], learned: list[Sample]) -> bool:
    """True for two classes or more, one with two pictures, none of which is learned from."""
    counts = Counter(sample.label for sample in validation)
    enough = len(counts) > 1 and max(counts.values()) > 1
    return enough and not counts.keys() & {sample.label for sample in learned}


def _split(
    learned: list[Sample], validation: list[Sample], recipe: Recipe, data: Path
) -> tuple[list[Sample], list[Sample]]:
    """Return who is learned from and who is held out: ``validation``, else classes of ``learned``.

    An embedding is judged on classes that it has not seen.
    """
    _require_two_classes(learned, data)
    labels = [sample.label for sample in learned]
    if _searchable(validation, learned):
        return learned, validation
    _, held = hold_out_classes(labels, share=recipe.data.validation, seed=recipe.train.seed)
    kept = [sample for sample in learned if sample.label not in held]
    return kept, [sample for sample in learned if sample.label in held]


def _card(
    pictures: int,
    classes: list[str],
    recipe: Recipe,
    data: Path,
    suited: tuple[int, int],
    channels: int,
) -> dict[str, Any]:
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
        "provenance": f"trained from scratch on {data.resolve().name}, {pictures} pictures",
    }
