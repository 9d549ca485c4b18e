"""What ``train --resume`` checks before it goes on with a run."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from saccade.api.recipe import recipe_values
from saccade.api.reweighting import WEIGHTS_FILE
from saccade.config import Recipe, override, read_recipe
from saccade.errors import InputError, SettingError
from saccade.files import existing_folder
from saccade.training.checkpoint import has_checkpoint, is_finished, read_notes
from saccade.training.run import (
    ENVIRONMENT_FILE,
    HISTORY_FILE,
    RECIPE_FILE,
    recorded_data,
)

FREE = ("data.cache",)  # The settings that change no result.


def resumed_recipe(
    run: Path, recipe: Recipe | Path | str | None, task: str | None, changes: Mapping[str, Any]
) -> Recipe:
    """Return the recipe that ``run`` was started with, but for what is FREE to change.

    Raises InputError when the run is finished or holds no checkpoint, SettingError when its recipe
    file was changed since, or something given here differs from it.
    """
    existing_folder(run, "run folder")
    if is_finished(run):
        raise InputError(f"run {run} is finished, its model is in it; there is nothing to resume")
    kept = read_notes(run).get("recipe")
    if kept is None:
        raise InputError(f"the checkpoint of run {run} does not tell its settings; start it anew")
    started = override(Recipe(), kept.items(), where=f"run {run}")
    _require_same(started, read_recipe(run / RECIPE_FILE), f"{run / RECIPE_FILE} says")
    if recipe is None:
        given = started
    else:
        given = recipe if isinstance(recipe, Recipe) else read_recipe(recipe)
    named = {**changes, **({} if task is None else {"task": task})}
    wanted = override(given, named.items(), where="settings")
    _require_same(started, wanted, "this command says")
    free = {name: value for name, value in recipe_values(wanted).items() if name in FREE}
    return override(started, free.items(), where="settings")


def resumed_data(run: Path, data: Path | str | None) -> Path:
    """Return ``data``, else the place that the run recorded; InputError when it is gone."""
    if data is not None:
        return Path(data)
    found = recorded_data(run)
    if not found.exists():
        raise InputError(
            f"the pictures of run {run} were in {found}, which is not there; "
            f"name their place: saccade train DATA --resume {run}"
        )
    return found


def require_same_pictures(run: Path, data: Path, digest: str) -> None:
    """Raise InputError when ``digest`` is not that of the pictures that ``run`` began with."""
    if read_notes(run).get("pictures_sha256") != digest:
        raise InputError(
            f"the pictures or classes in {data} are not those that run {run} began with; "
            "name the data that hold them, or start a new run"
        )


@contextlib.contextmanager
def disk_told(run: Path) -> Iterator[None]:
    """Turn a full disk into one line that says how to go on."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or run} cannot be written: {error.strerror or error}; "
            f"free the disk, then {how_to_go_on(run)}"
        ) from error


def how_to_go_on(run: Path) -> str:
    """Return what a user does with a run that was stopped, with the command as it is typed.

    One that had not begun is removed, so that the same command can start it anew.
    """
    if not has_checkpoint(run):
        for name in (RECIPE_FILE, ENVIRONMENT_FILE, HISTORY_FILE, WEIGHTS_FILE):
            (run / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # There may be something of others in it.
            run.rmdir()
        return "start it anew; it had not begun"
    return f"go on with: saccade train --resume {shlex.quote(str(run))}"


def _require_same(started: Recipe, other: Recipe, who: str) -> None:
    values = recipe_values(other)
    for name, value in recipe_values(started).items():
        if name not in FREE and values[name] != value:
            raise SettingError(
                f"the run was started with {name} {value}, {who} {values[name]}; "
                "a resumed run keeps its settings, so leave it out, or start a new run"
            )
