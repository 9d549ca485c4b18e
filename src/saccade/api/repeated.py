"""What commands have in common that train again and again: tune, learning-curve, bias-variance.

Each keeps a plan and how far it is in one file of its folder, trains in a folder that does not
remain, and can go on where it was stopped.
"""

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from saccade.api.procedures import PROCEDURES
from saccade.api.train import Training
from saccade.config import AUTO, Recipe
from saccade.errors import InputError
from saccade.files import write_atomic

FORMAT = 1
Answer = TypeVar("Answer")
Kept = TypeVar("Kept")


def steady(recipe: Recipe) -> Recipe:
    """Hold out nothing where no epoch is chosen, and let no measured time decide a format."""
    train, data = recipe.train, recipe.data
    if train.precision == AUTO:
        train = replace(train, precision="float32")
    if PROCEDURES[recipe.task].watched is None or not train.epochs:
        data = replace(data, validation=0.0)
    return replace(recipe, train=train, data=data)


def trained_once(
    place: Path,
    *,
    make: Callable[[Path], Training],
    answer: Callable[[Training], Answer],
    command: str,
) -> Answer:
    """Train in the folder ``place``, which does not remain, and return the answer to it.

    Raises InputError, saying how ``command`` goes on, when the disk is full.
    """
    shutil.rmtree(place, ignore_errors=True)
    try:
        training = make(place)
        for _ in training.records():
            pass
        return answer(training)
    except InputError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise InputError(  # The folder of the training is not what goes on.
            f"{place.parent} cannot be written: {error.__cause__.strerror}; free the disk, then "
            f"{how_to_go_on(place.parent, command)}"
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def how_to_go_on(folder: Path, command: str) -> str:
    """Return the command line that goes on with a folder of ``command``, as it is typed."""
    return f"go on with: saccade {command} --resume {shlex.quote(str(folder))}"


def write_plan_file(file: Path, plan: Any, standing: Any) -> None:
    """Write two dataclasses into a file, whole: what is to be done, and how far it is."""
    content = {"format": FORMAT, "plan": asdict(plan), "standing": asdict(standing)}
    write_atomic(file, json.dumps(content, indent=1) + "\n")


def read_plan_file(
    file: Path,
    command: str,
    make: Callable[[Mapping[str, Any], Mapping[str, Any]], Kept | None],
) -> Kept:
    """Return what ``make`` makes of the plan and the standing that ``write_plan_file`` wrote.

    Raises InputError when the file is missing, damaged (``make`` raises), of another version
    (``make`` returns None) or finished.
    """
    folder, anew = file.parent, f"start {command} anew"
    if not file.is_file():
        raise InputError(f"{folder} holds no {file.name}: {command} has not begun there; {anew}")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        kept = make(content["plan"], content["standing"])
        finished, fits = content["standing"]["finished"], content["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is damaged; {anew}, in another folder") from error
    if not fits or kept is None:
        raise InputError(f"{file} is not of this version; {anew}, in another folder")
    if finished:
        raise InputError(f"{command} {folder} is finished, its report is in it; nothing to resume")
    return kept
