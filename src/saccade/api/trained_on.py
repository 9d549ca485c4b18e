"""Which of the pictures that a model is judged on it has learned from: their figures flatter.

A picture is known by its content, whatever its file is called: the bytes of the file, or of the
array that holds it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from saccade.api.data import TrainingData
from saccade.api.procedures import PROCEDURES
from saccade.config import read_recipe
from saccade.errors import InputError
from saccade.files import sha256_file
from saccade.names import look_up
from saccade.tasks.model import Model
from saccade.training.run import RECIPE_FILE, recorded_data
from saccade.values import Sample


def training_data(run: Path) -> TrainingData:
    """Return the data of a run as its recipe divides them; what it learned from is ``kept``.

    Raises InputError where they are no longer at the place that the run recorded.
    """
    place = recorded_data(run)
    if not place.exists():
        raise InputError(f"the run learned from {place}, which is not there any more")
    recipe = read_recipe(run / RECIPE_FILE)
    procedure = look_up(PROCEDURES, recipe.task, "task")(recipe)
    return TrainingData(place, recipe=recipe, procedure=procedure)


def flattered(model: Model, run: Path | None, samples: Sequence[Sample]) -> str:
    """Say how many of ``samples`` the model was trained on, or of their identities; "" for none.

    ``run``: the model's folder, which says what it has learned from; without, identities alone are
    known, by their names. Where its data are gone, the answer says that it cannot be told.
    """
    labels = {sample.label for sample in samples}
    if model.dimension and (known := labels.intersection(model.card.get("classes", ()))):
        return f"{len(known)} of these {len(labels)} identities were trained on: figures flatter"
    if run is None:
        return ""
    try:
        seen = trained_on(training_data(run).kept, samples)
    except InputError as error:
        return f"whether these pictures were trained on cannot be told: {error}"
    said = f"{seen} of these {len(samples)} pictures were trained on, so the figures flatter"
    return said if seen else ""


def trained_on(learned: Iterable[Sample], judged: Sequence[Sample]) -> int:
    """Return how many of ``judged`` are pictures of ``learned``; one that is gone is not counted.

    Only pictures of the same number of bytes are read.
    """
    sizes = {_size(sample) for sample in judged} - {-1}
    known = {_content(sample) for sample in learned if _size(sample) in sizes} - {b""}
    if not known:
        return 0
    return sum(_content(sample) in known for sample in judged)


def _size(sample: Sample) -> int:
    if sample.array is not None:
        return sample.array.nbytes
    try:
        return sample.path.stat().st_size
    except OSError:
        return -1


def _content(sample: Sample) -> bytes:
    """What the picture is known by; empty for a file that cannot be read."""
    if sample.array is not None:
        shape = f"{sample.array.shape}".encode()
        return hashlib.sha256(shape + sample.array.tobytes()).digest()
    try:
        return bytes.fromhex(sha256_file(sample.path))
    except OSError:
        return b""
