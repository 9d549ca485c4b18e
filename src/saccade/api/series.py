"""A series of trainings on drawn shares of the same pictures, all judged on the same others.

``learning-curve`` and ``bias-variance`` say what is drawn, and what is kept of each model.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from saccade.api.procedures import PROCEDURES
from saccade.api.recipe import recipe_values, whole_recipe
from saccade.api.repeated import read_plan_file, steady, trained_once, write_plan_file
from saccade.api.train import Training
from saccade.api.unit_scores import SCORINGS
from saccade.config import Recipe, override
from saccade.errors import InputError, SaccadeError
from saccade.files import existing_folder
from saccade.names import look_up
from saccade.training.run import clear_parts, new_run_folder, require_free
from saccade.values import Sample

TRAINING_FOLDER = "training"


@dataclass(frozen=True)
class Plan:
    """What is trained: ``recipe``, every setting by name, on what is drawn from ``data``.

    ``sizes``: rising shares that are drawn, none for bootstrap samples; ``repeats``: how often.
    """

    data: str
    recipe: dict[str, Any]
    sizes: list[float]
    repeats: int


@dataclass(frozen=True)
class Standing:
    """How far it is: what is kept of each model; ``digest`` is that of the pictures."""

    digest: str
    kept: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False


@dataclass(frozen=True)
class Draw:
    """What one training learns from: places of pictures, and its seed; ``name`` is for people."""

    name: str
    places: list[int]
    seed: int


@dataclass(frozen=True)
class Units:
    """What is drawn whole: a picture, or for embed a class.

    ``places``: the pictures of each; ``strata``: a name each, drawn from alike.
    """

    name: str
    places: list[list[int]]
    strata: list[str]


class Series:
    """Made ready, ``models()`` to iterate, ``finish()``; below it, ``command`` and its answers."""

    command = ""
    file = ""
    usual: tuple[list[float], int] = ([], 0)  # sizes and repeats where none are named

    def __init__(
        self,
        data: Path | str | None,
        *,
        sizes: Sequence[float],
        repeats: int,
        task: str | None = None,
        recipe: Recipe | Path | str | None = None,
        out: Path | str | None = None,
        settings: Mapping[str, Any] | None = None,
        resume: Path | str | None = None,
    ) -> None:
        if resume is not None:
            if task or recipe or out or settings:
                raise InputError("--resume goes on with its own settings; give no others")
            self.folder = existing_folder(resume, f"folder of {self.command}")
            self.plan, self.standing = read_plan_file(
                self.folder / self.file, self.command, self._read
            )
            began = (self.plan.sizes, self.plan.repeats)
            for given, kept, usual in zip((list(sizes), repeats), began, self.usual, strict=True):
                if given not in (usual, kept):
                    raise InputError(f"{self.folder} was begun with {kept}, not {given}; keep it")
            self.data = Path(data or self.plan.data)
        elif data is None:
            raise InputError(f"{self.command} needs data, or with --resume a folder that it left")
        else:
            self.data = Path(data)
            require_free(Path(out) if out else None)
            values = recipe_values(whole_recipe(recipe, task, settings or {}))
            self.plan = Plan(str(self.data.resolve()), values, list(sizes), repeats)
        self.recipe = override(Recipe(), self.plan.recipe.items(), where="recipe")
        self._divide()
        self.draws = self.drawn()
        digest = self._checked()
        if resume is None:
            self.standing = Standing(digest)
            self.folder = new_run_folder(
                Path(out) if out else None, data=self.data, task=self.command
            )
            self._write()
        elif digest != self.standing.digest:
            raise InputError(
                f"the pictures or classes in {self.data} are not those that {self.folder} began "
                f"with; name the data that hold them, or start {self.command} anew"
            )

    def drawn(self) -> list[Draw]:
        """Return what each training learns from."""
        raise NotImplementedError

    def kept(self, training: Training) -> dict[str, Any]:
        """Return what is kept of a training whose records have come, as JSON holds it."""
        raise NotImplementedError

    @staticmethod
    def _read(plan: Mapping[str, Any], standing: Mapping[str, Any]) -> tuple[Plan, Standing]:
        return Plan(**plan), Standing(**standing)

    def _write(self) -> None:
        write_plan_file(self.folder / self.file, self.plan, self.standing)

    def _divide(self) -> None:
        """Part the pictures as ``train`` does: ``units`` to draw from, ``judged`` places."""
        procedure = look_up(PROCEDURES, self.recipe.task, "task")(self.recipe)
        look_up(SCORINGS, self.recipe.task, "score for task")
        parts = procedure.parts(self.data, validation=True)
        samples, validation = parts.samples, parts.validation
        procedure.require(samples, parts.place)
        pool, judged = procedure.hold_out(samples, validation)
        if len(judged) < 2:
            raise InputError(
                f"{self.command} judges on what is held out, and of {self.data} that is "
                f"{len(judged)} pictures; raise data.validation, or add pictures"
            )
        place = {id(sample): place for place, sample in enumerate(samples + validation)}
        self.judged = [place[id(sample)] for sample in judged]
        self.units = units_of(self.recipe.task, pool, [place[id(sample)] for sample in pool])

    def _checked(self) -> str:
        """Make the first of each kind of draw ready, so that nothing is learned where one cannot.

        Returns the digest of the pictures.
        """
        digest = ""
        for draw in self.draws[:: self.plan.repeats]:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    digest = self._training(draw, Path(folder) / "run").data.digest()
                except SaccadeError as error:
                    raise InputError(f"{draw.name}: {error}") from error
        return digest

    def _training(self, draw: Draw, out: Path) -> Training:
        train = replace(self.recipe.train, seed=draw.seed)
        recipe = steady(replace(self.recipe, train=train))
        return Training(self.data, recipe=recipe, out=out, apart=self.judged, learned=draw.places)

    @property
    def steps(self) -> int:
        """How many trainings are still to come."""
        return len(self.draws) - len(self.standing.kept)

    def models(self) -> Iterator[Draw]:
        """Train and judge, yielding each draw when what is kept of it is written.

        Stop to iterate, and it can be resumed.
        """
        clear_parts(self.folder)
        while self.steps > 0:
            draw = self.draws[len(self.standing.kept)]
            found = trained_once(
                self.folder / TRAINING_FOLDER,
                make=lambda folder, draw=draw: self._training(draw, folder),  # type: ignore[misc]
                answer=self.kept,
                command=self.command,
            )
            self.standing.kept.append(found)
            self._write()
            yield draw

    def _finished(self) -> None:
        self.standing = replace(self.standing, finished=True)
        self._write()

    def _require_done(self) -> None:
        if self.steps:
            raise InputError(f"iterate over all models first: {self.steps} are missing")


def units_of(task: str, pool: Sequence[Sample], places: Sequence[int]) -> Units:
    """Return what is drawn whole of ``pool``, which stands at ``places``.

    For classify pictures, class by class; for regress pictures; for embed classes, those with one
    picture apart from the others.
    """
    if task != "embed":
        strata = [sample.label if task == "classify" else "" for sample in pool]
        return Units("pictures", [[place] for place in places], strata)
    counts = Counter(sample.label for sample in pool)
    members: dict[str, list[int]] = {name: [] for name in sorted(counts)}
    for sample, place in zip(pool, places, strict=True):
        members[sample.label].append(place)
    return Units(
        "classes",
        list(members.values()),
        ["searched" if counts[name] > 1 else "one picture" for name in members],
    )
