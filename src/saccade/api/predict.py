"""``predict``: which of its classes a classifier sees in pictures."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from saccade.api.evaluate import load
from saccade.data.pictures import find_pictures, refuse_picture
from saccade.errors import InputError, SettingError
from saccade.files import existing_folder, write_atomic
from saccade.tasks.model import Model
from saccade.values import Prediction

CSV_HEAD = ("path", "label", "probability")


def predict(
    run: Path | str | Model,
    pictures: Sequence[Path | str],
    *,
    at_least: float = 0.0,
    out: Path | str | None = None,
) -> list[Prediction]:
    """Say for each picture which class it shows; folders are searched at any depth.

    An answer whose probability is below ``at_least`` is "unsure". ``out`` is a CSV file to write,
    with the columns path, label, probability. A picture that cannot be read has a ``reason`` and no
    label. Raises InputError, with nothing written, when no picture can be read, the run is no
    classifier, or the CSV has no folder to stand in.
    """
    if not 0.0 <= at_least <= 1.0:
        raise SettingError(f"--at-least must be a probability, 0 to 1. Got {at_least} instead")
    place = None if out is None else _writable(Path(out))
    if not pictures:
        raise InputError("no picture is named; give files or folders")
    model = run if isinstance(run, Model) else load(run)
    if model.classes is None:
        raise InputError(
            f"{'the model' if isinstance(run, Model) else run} is an embedder and knows no "
            "classes; train one with --task classify, or use find with a gallery"
        )
    paths = [found for item in pictures for found in find_pictures(Path(item))]
    predictions = model.predict(paths, at_least=at_least)
    if all(one.reason for one in predictions):
        raise InputError(f"no picture can be answered: {predictions[0].reason}")
    if place is not None:
        write_atomic(place, _csv(predictions))
    return predictions


def _writable(place: Path) -> Path:
    existing_folder(place.absolute().parent, "folder for the CSV")
    if place.is_dir():
        raise InputError(f"{place} is a folder; name a CSV file with --out")
    refuse_picture(place, "name a CSV file with --out")
    return place


def _csv(predictions: Iterable[Prediction]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for one in predictions:
        probability = "" if one.reason else f"{one.probability:.6f}"
        writer.writerow((one.picture, one.answer, probability))
    return stream.getvalue()
