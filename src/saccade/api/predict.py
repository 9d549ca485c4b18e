"""``predict``: what a model sees in pictures: class, numbers, boxes, masks, or the next frames."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from saccade.api.evaluate import load
from saccade.api.neighbours import neighbours_page, require_neighbours
from saccade.api.predict_frames import write_next
from saccade.api.predict_masks import mark_pixels
from saccade.api.predict_objects import (
    BOX_HEAD,
    coco_results,
    csv_rows,
    find_objects,
    require_ending,
)
from saccade.data.pictures import find_pictures, refuse_picture
from saccade.errors import InputError, SettingError
from saccade.files import existing_folder, write_atomic
from saccade.tasks.model import Model
from saccade.values import Detection, Estimate, Forecast, Prediction, Segmentation

Answer = TypeVar("Answer", Prediction, Estimate, Detection, Segmentation)
CSV_HEAD = ("path", "label", "probability")


def predict(
    run: Path | str | Model,
    pictures: Sequence[Path | str],
    *,
    at_least: float | None = None,
    out: Path | str | None = None,
    neighbours: Path | str | None = None,
    painted: Path | str | None = None,
    frames: int | None = None,
) -> list[Prediction] | list[Estimate] | list[Detection] | list[Segmentation] | list[Forecast]:
    """Say for each picture which class it shows, its numbers, or which objects are where in it.

    Folders are searched at any depth. An answer whose probability is below ``at_least`` is
    "unsure"; a detector tells the boxes with that score, 0.5 unless named, and none below the
    ``answer.at_least`` of its card. ``out`` is a CSV file to write, with the columns path, label,
    probability; of a regressor path and each target; of a detector COCO's results, or a CSV of
    boxes; of a segmenter a folder of masks. ``painted``: a folder for a detector's pictures with
    their boxes, or a segmenter's with their masks, none of which may be there. Of a forecaster
    ``pictures`` are folders of frames, and ``out`` is a folder to write the next ``frames`` to, as
    PNG of the size of those given. ``neighbours`` is an HTML file to write, with the training
    pictures nearest to each, of a knn model. A picture that cannot be read has a ``reason`` and no
    label or values. Raises InputError, with nothing written, when no picture can be read, the run
    is an embedder, or a file has no folder to stand in.
    """
    if at_least is not None and not 0.0 <= at_least <= 1.0:
        raise SettingError(f"--at-least must be a probability, 0 to 1. Got {at_least} instead")
    model = run if isinstance(run, Model) else load(run)
    if model.window is not None:
        for name, value in (
            ("--at-least", at_least),
            ("--neighbours", neighbours),
            ("--painted", painted),
        ):
            if value is not None:
                raise SettingError(f"{name} is not for forecasters; leave it out")
        return write_next(model, pictures, frames=frames, out=out)
    if frames is not None:
        raise SettingError(f"--frames is for forecasters, and this is {model.called}; leave it out")
    folders = model.surfaces is not None  # A mask is a file a picture.
    place = None if out is None or folders else writable(Path(out), "a file with --out")
    sheet = None
    if neighbours is not None:
        sheet = writable(Path(neighbours), "an HTML file with --neighbours")
    if not pictures:
        raise InputError("no picture is named; give files or folders")
    if model.dimension:
        raise InputError(
            f"{'the model' if isinstance(run, Model) else run} is an embedder and knows no "
            "classes; train one with --task classify, or use find with a gallery"
        )
    if at_least and model.targets is not None:
        raise SettingError(
            "--at-least is for classifiers: numbers have no probability; leave it out"
        )
    if sheet is not None:
        require_neighbours(model)
    if painted is not None and not folders and model.objects is None:
        raise SettingError(
            f"--painted is for detectors and segmenters, and this is {model.called}; leave it out"
        )
    if at_least and folders:
        raise SettingError(
            "--at-least is not for segmenters: each pixel gets a class; leave it out"
        )
    if place is not None and model.objects is not None:
        require_ending(place)
    paths = [found for item in pictures for found in find_pictures(Path(item))]
    if model.targets is not None:
        estimates = _some_answered(model.estimate(paths))
        if place is not None:
            write_atomic(place, _numbers_csv(estimates, model.targets))
        return estimates
    if folders:
        masks, views = (None if one is None else Path(one) for one in (out, painted))
        return _some_answered(mark_pixels(model, paths, out=masks, painted=views))
    if model.objects is not None:
        folder = None if painted is None else Path(painted)
        found = _some_answered(find_objects(model, paths, at_least=at_least, painted=folder))
        if place is not None:
            as_json = place.suffix.lower() == ".json"
            text = (
                coco_results(found, model.objects) if as_json else _csv(BOX_HEAD, csv_rows(found))
            )
            write_atomic(place, text)
        return found
    predictions = _some_answered(model.predict(paths, at_least=at_least or 0.0))
    if place is not None:
        write_atomic(place, _csv(CSV_HEAD, map(_row, predictions)))
    if sheet is not None:
        write_atomic(sheet, neighbours_page(model, predictions))
    return predictions


def _some_answered(found: list[Answer]) -> list[Answer]:
    if all(one.reason for one in found):
        raise InputError(f"no picture can be answered: {found[0].reason}")
    return found


def writable(place: Path, wanted: str) -> Path:
    """Return ``place``; InputError, saying what is ``wanted``, where no such file can stand."""
    existing_folder(place.absolute().parent, f"folder for {place.name}")
    if place.is_dir():
        raise InputError(f"{place} is a folder; name {wanted}")
    refuse_picture(place, f"name {wanted}")
    return place


def _row(one: Prediction) -> Sequence[str]:
    return one.picture, one.answer, "" if one.reason else f"{one.probability:.6f}"


def _numbers_csv(estimates: Iterable[Estimate], targets: Sequence[str]) -> str:
    """Numbers with all their digits; none for a picture that could not be read."""
    rows = (
        [one.picture, *(repr(one.values[name]) if one.values else "" for name in targets)]
        for one in estimates
    )
    return _csv(("path", *targets), rows)


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return stream.getvalue()
