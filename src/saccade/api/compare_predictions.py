"""``compare_predictions``: two sets of predictions, made by any programs, on the same pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saccade.api.evaluate import report_place
from saccade.api.judge_masks import count_pairs, numbers_in, samples_of
from saccade.api.predictions import kind_of, refuse
from saccade.data.coco import read_results, read_truth
from saccade.data.columns import with_columns
from saccade.data.masks import pair_masks
from saccade.data.predictions import read_predictions
from saccade.data.readers import column, read_data
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.judge.classification import numbered
from saccade.judge.comparison import Compared, compare_scores
from saccade.judge.paired_figures import compare_boxes, compare_counts
from saccade.values import Float64Array, Sample

Place = Path | str


def compare_predictions(
    a: Place,
    b: Place,
    truth: Place,
    *,
    groups: str | None = None,
    metadata: Place | None = None,
    ignore: int | None = None,
    report: Place | None = None,
) -> Compared:
    """Compare two sets of predictions of one kind, and write a report if asked.

    Kinds, ``truth``, ``groups``, ``metadata`` and ``ignore`` as for ``evaluate_predictions``.
    Classes are compared by accuracy, boxes by average precision, masks by mean intersection over
    union. Raises InputError, in one line, for what cannot be compared.
    """
    place, kinds = report_place(report), [kind_of(one) for one in (a, b)]
    if kinds[0] != kinds[1]:
        raise InputError(f"A holds {kinds[0]} and B {kinds[1]}; name two predictions of one kind")
    if kinds[0] == "masks":
        found = _masks(a, b, truth, groups, metadata, ignore)
    else:
        refuse(kinds[0], ignore=ignore)
        compared = _boxes if kinds[0] == "boxes" else _classes
        found = compared(a, b, truth, groups, metadata)
    if place is not None:
        from saccade.judge.comparison_report import comparison_report  # Loads the charts.

        about = {"A": str(a), "B": str(b), "Truth": str(truth)}
        write_atomic(place, comparison_report(found, about=about))
    return found


def _classes(
    a: Place, b: Place, truth: Place, groups: str | None, metadata: Place | None
) -> Compared:
    samples = with_columns(read_data(truth), metadata)
    named = _named(samples, groups)

    def right(predictions: Place) -> Float64Array:
        found = read_predictions(Path(predictions), samples)
        shown = numbered([sample.label for sample in samples], found.classes)
        return np.asarray(found.given == shown, np.float64)

    return compare_scores(right(a), right(b), figure="accuracy", groups=named)


def _boxes(
    a: Place, b: Place, truth: Place, groups: str | None, metadata: Place | None
) -> Compared:
    known = read_truth(truth)
    samples = with_columns(known.samples(), metadata)
    return compare_boxes(
        known.boxes,
        read_results(a, known),
        read_results(b, known),
        pictures=len(samples),
        categories=len(known.categories),
        groups=_named(samples, groups),
    )


def _masks(
    a: Place,
    b: Place,
    truth: Place,
    groups: str | None,
    metadata: Place | None,
    ignore: int | None,
) -> Compared:
    pairs = [pair_masks(one, truth) for one in (a, b)]
    named = _named(samples_of(pairs[0], metadata), groups)
    classes = len(numbers_in([*pairs[0], *pairs[1]], ignore))
    first, second = (count_pairs(one, classes=classes, ignore=ignore) for one in pairs)
    return compare_counts(first, second, groups=named)


def _named(samples: Sequence[Sample], groups: str | None) -> list[str] | None:
    return None if groups is None else column(samples, groups)
