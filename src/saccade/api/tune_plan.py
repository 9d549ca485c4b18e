"""What ``tune`` is going to do: the grid of settings, checked, and where it stands in its file."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from saccade.api.recipe import recipe_values, whole_recipe
from saccade.api.repeated import read_plan_file, write_plan_file
from saccade.config import Recipe, override, settings
from saccade.errors import SettingError

PLAN_FILE = "tuning.json"
Values = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Plan:
    """A grid over the settings of a recipe, and the folds that judge it.

    ``data`` is an absolute path, ``recipe`` every setting by name, ``vary`` the values of those
    that vary, ``groups`` a column whose pictures stay together, if any.
    """

    data: str
    recipe: dict[str, Any]
    vary: dict[str, list[Any]]
    folds: int
    groups: str | None

    def choices(self) -> list[dict[str, Any]]:
        """Every combination of the values; the last setting varies fastest."""
        return [
            dict(zip(self.vary, row, strict=True)) for row in itertools.product(*self.vary.values())
        ]

    def base(self) -> Recipe:
        """The recipe that all choices are laid over."""
        return override(Recipe(), self.recipe.items(), where="recipe")

    def recipes(self) -> list[Recipe]:
        """The recipe of each choice; SettingError for one that cannot be."""
        return [whole_recipe(self.base(), None, each) for each in self.choices()]


@dataclass(frozen=True)
class Standing:
    """How far it is: the scores of each choice, a fold each, and the choices that failed, and why.

    ``digest`` is that of the pictures.
    """

    digest: str
    scores: list[list[float]] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    finished: bool = False


def make_plan(
    data: Path,
    *,
    vary: Values,
    folds: int,
    groups: str | None,
    task: str | None,
    recipe: Recipe | Path | str | None,
    changes: Mapping[str, Any],
) -> Plan:
    """Return the plan, every value checked; raises SettingError."""
    whole = whole_recipe(recipe, task, changes)
    if not vary:
        raise SettingError("tune needs settings to vary, as --vary optim.lr=0.001,0.003")
    if type(folds) is not int or folds < 2:
        raise SettingError(f"--folds must be a whole number, at least 2. Got {folds} instead")
    for name in vary:
        if name == "task" or name in changes:
            why = "scores of two tasks are not alike" if name == "task" else "it has a value too"
            raise SettingError(f"--vary {name}: {why}; leave one of them out")
    checked = {name: _checked(name, values) for name, values in vary.items()}
    return Plan(str(data.resolve()), recipe_values(whole), checked, folds, groups)


def _checked(name: str, values: Sequence[Any]) -> list[Any]:
    """The values as their setting's type, each allowed and none twice."""
    found = []
    for value in values:
        own = settings(override(Recipe(), [(name, value)], where="--vary"))[name].value
        if own in found:
            raise SettingError(f"--vary {name}: the value {value} stands twice; give it once")
        found.append(own)
    if not found:
        raise SettingError(f"--vary {name} has no value; give two or more")
    return found


def write_plan(folder: Path, plan: Plan, standing: Standing) -> None:
    """Write both into the folder, whole."""
    write_plan_file(folder / PLAN_FILE, plan, standing)


def read_plan(folder: Path) -> tuple[Plan, Standing]:
    """Return what ``write_plan`` wrote; InputError when it is missing, damaged or finished."""
    return read_plan_file(folder / PLAN_FILE, "tune", _kept)


def _kept(planned: Mapping[str, Any], stood: Mapping[str, Any]) -> tuple[Plan, Standing] | None:
    plan, standing = Plan(**planned), Standing(**stood)
    failed = {int(place): why for place, why in standing.failed.items()}
    fits = len(standing.scores) == len(plan.choices())
    return (plan, replace(standing, failed=failed)) if fits else None
