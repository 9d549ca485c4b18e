"""``inspect``: what is wrong with data, before anything learns from them."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from saccade.api.box_samples import samples_of
from saccade.api.evaluate import load
from saccade.api.kinds import task_of
from saccade.data.box_readers import read_boxes
from saccade.data.first_look import Vectors, look
from saccade.data.mask_readers import masked_pictures
from saccade.data.pictures import refuse_picture
from saccade.data.readers import find_parts, read_data
from saccade.data.tables import PART, PATH, write_table
from saccade.data.targets import LABEL
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.inspection import Inspection, inspect_pictures
from saccade.tasks.model import Model
from saccade.values import Float32Array, Sample, UInt8Array

SUGGESTED = "suggested"


def inspect(
    data: Path | str,
    *,
    model: Model | Path | str | None = None,
    report: Path | str | None = None,
    write: Path | str | None = None,
    seed: int = 0,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Inspection:
    """Look for copies, leaks between parts, wrong labels and useless pictures; change nothing.

    ``data`` is what ``read_data`` reads, or pictures with boxes or masks, which have no labels to
    be judged; of divided data all parts are looked at together. Each picture is decoded once.
    ``model``, an embedder or its run folder, says which pictures are alike in its eyes; without,
    their pixels do. ``report``: an HTML page to write. ``write``: a CSV table to write, of the
    pictures without copies and those that show nothing; where another label is suggested, it says
    so in a column of its own, and ``train`` reads it back. ``seed`` deals the folds that labels are
    judged by. ``progress`` is handed the range of blocks of pictures and passes it through. Raises
    InputError for data without files or labels when a table is wanted, and for a model that is no
    embedder.
    """
    page = None if report is None else _target(report, "report", "--report", data)
    table = None if write is None else _target(write, "table", "--write", data)
    samples, parts = read_parts(data)
    if table is not None:
        _require_files(table, samples)
        if not any(sample.label for sample in samples):
            raise InputError(
                f"data {data} hold boxes or masks, of which no table of labels can be written; "
                "leave out --write"
            )
    looked = look(samples, vectors=None if model is None else _vectors(model), progress=progress)
    found = inspect_pictures(samples, parts, looked, seed=seed, threads=torch.get_num_threads())
    if table is not None:
        write_clean(table, found)
    if page is not None:
        from saccade.judge.inspection_report import inspection_report  # Slow to load.

        write_atomic(page, inspection_report(found, data=str(data)))
    return found


def read_parts(data: Path | str) -> tuple[list[Sample], list[str]]:
    """Return the samples of all parts of ``data``, and the part of each, "" where undivided.

    Those of pictures with boxes or masks have no label.
    """
    place = Path(data)
    found: Mapping[str, Sequence[Sample]]
    kind = task_of(place)
    if kind == "detect":
        found = {part: samples_of(one) for part, one in read_boxes(place).items()}
    elif kind == "segment":
        masked = masked_pictures(place)
        found = {part: [Sample(one, "") for one in files] for part, files in masked.items()}
    else:
        places = find_parts(data) or {"": place}
        found = {part: read_data(one) for part, one in places.items()}
    samples = [sample for part in found.values() for sample in part]
    return samples, [part for part, own in found.items() for _ in own]


def write_clean(table: Path, found: Inspection) -> None:
    """Write the rows of pictures that stay: path, label, part if divided, suggested label."""
    suggested = {one.picture: one.suggested for one in found.found["two_labels"]}
    suggested |= {one.picture: one.suggested for one in found.found["label"]}
    base, divided = table.absolute().parent.resolve(), any(found.parts)
    own = {PATH, LABEL, PART, SUGGESTED}
    others = [name for name in found.samples[0].metadata if name not in own]
    columns = [PATH, LABEL, *([PART] if divided else []), SUGGESTED, *others]
    rows = [
        [
            os.path.relpath(sample.path.resolve(), base),
            sample.label,
            *([part] if divided else []),
            suggested.get(row, ""),
            *(sample.metadata.get(name, "") for name in others),
        ]
        for row, (sample, part) in enumerate(zip(found.samples, found.parts, strict=True))
        if row not in found.removed
    ]
    write_table(table, columns, rows)


def _vectors(model: Model | Path | str) -> Vectors:
    loaded = model if isinstance(model, Model) else load(model)
    if not loaded.dimension:
        raise InputError(
            f"{loaded.called} makes no vectors to compare; name a run of --task embed with --model"
        )

    def embed(pictures: UInt8Array) -> Float32Array:
        return loaded.embed_prepared(torch.from_numpy(np.ascontiguousarray(pictures)))

    return Vectors(embed, loaded.size_hw, loaded.channels, loaded.dimension)


def _target(given: Path | str, what: str, flag: str, data: Path | str) -> Path:
    place = Path(given)
    if place.is_dir() or not place.absolute().parent.is_dir():
        raise InputError(f"{what} {place} must be a file in a folder that exists")
    if place.resolve() == Path(data).resolve():
        raise InputError(f"{what} {place} is the data themselves, which stay; name another file")
    if flag == "--write" and place.suffix.lower() != ".csv":
        raise InputError(f"{what} {place} must end in .csv, so that it can be read back")
    refuse_picture(place, f"name another file with {flag}")
    return place


def _require_files(table: Path, samples: Sequence[Sample]) -> None:
    for sample in samples:
        if sample.array is not None:
            raise InputError(
                f"table {table} would name files, and {sample.path} is a picture in a file of "
                "many; leave out --write, or save the pictures as files first"
            )
