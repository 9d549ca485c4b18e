"""The commands create, enrol and find where they work on vectors instead of pictures."""

from dataclasses import asdict
from pathlib import Path

from saccade.api import vectors as api
from saccade.cli.index import bring_up
from saccade.cli.output import (
    answer,
    bar,
    line_of_created,
    lines_of_found,
    say,
    say_json,
    shown,
    tell,
)
from saccade.data.vector_files import VectorFile
from saccade.errors import InputError
from saccade.gallery import BulkEnrolled, Gallery


def create(
    gallery: Path,
    dimension: int | None,
    threshold: float | None,
    threshold_from: Path | None,
    *,
    json: bool,
) -> int:
    """Make a gallery for vectors that come from elsewhere."""
    if dimension is None or dimension < 1:
        raise InputError(f"--dimension must be at least 1. Got {dimension} instead")
    if threshold_from is not None:
        raise InputError("--threshold-from needs an --embedder; give --threshold instead")
    with api.create_for_vectors(gallery, dimension, threshold=threshold) as made:
        stats = made.stats()
    tell(asdict(stats), [line_of_created(gallery, stats)], json=json)
    return 0


def enrol(gallery: Path, file: VectorFile, *, expires: str | None, json: bool) -> int:
    """Enrol the vectors of a file; exit code 1 when some were skipped."""
    with Gallery.open(gallery) as opened:
        enrolling = api.enrol_file(opened, file, expires=expires)
        told = list(bar(enrolling, total=file.block_count, what="enrolling", quiet=json))
        bring_up(opened, quiet=json)
    counts = told[-1] if told else BulkEnrolled()
    if json:
        say_json(counts)
    else:
        for reason in counts.reasons:
            say(f"skipped    {shown(reason)}")
        say(f"{counts.enrolled} enrolled, {counts.unchanged} unchanged, {counts.skipped} skipped")
    if counts.rows and counts.skipped == counts.rows:
        raise InputError(f"nothing was enrolled: {counts.reasons[0]}")
    return 1 if counts.skipped else 0


def find(
    gallery: Path, file: VectorFile, top: int, *, exact: bool, where: str | None, json: bool
) -> int:
    """Search with each vector of a file; exit code 1 when none is known."""
    with Gallery.open(gallery) as opened:
        searching = api.find_file(opened, file, top, exact=exact, where=where)
        answers = list(bar(searching, total=file.rows, what="searching", quiet=json))
    lines = [line for found in answers for line in lines_of_found(found)]
    tell([answer(found) for found in answers], lines, json=json)
    return 0 if any(found.known for found in answers) else 1
