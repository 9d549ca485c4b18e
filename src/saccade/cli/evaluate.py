"""The command that judges a model, or predictions made elsewhere: evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.judged import print_part, print_scores
from saccade.cli.options import BROKEN, BrokenShare, Flag, Json
from saccade.cli.output import lines_of_broken, progress_bar, say, say_json, shown
from saccade.errors import SettingError

if TYPE_CHECKING:
    from saccade.judge.operating_point import Wanted


def evaluate(
    run: str | None = None,
    data: Path | None = None,
    /,
    *,
    predictions: Path | None = None,
    truth: Path | None = None,
    groups: str | None = None,
    by: str | None = None,
    alarm: str | None = None,
    false_alarms: float | None = None,
    miss_cost: float | None = None,
    ignore: int | None = None,
    metadata: Path | None = None,
    open_test: Flag = False,
    report: Path | None = None,
    broken: BrokenShare = BROKEN,
    json: Json = False,
) -> int:
    """Judge a model on pictures that it has never seen, or predictions that were made elsewhere.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels; an embedder sees new classes too.
    data
        Class folders, CSV, idx pair or .npz, for a detector pictures with boxes, for a forecaster
        sequences of frames; its part val, if divided.
    predictions
        In place of RUN: a CSV of classes, a COCO results.json of boxes, or a folder of masks.
    truth
        What is right of them: labelled data, COCO annotations (.json), or a folder of masks.
    groups
        Column of the data's table, or key of COCO's images, whose pictures are alike, such as
        patient, and count together.
    by
        Such a column whose values are judged each by itself.
    alarm
        Class for which the best threshold is told, by --false-alarms or --miss-cost.
    false_alarms
        Share of the other classes' pictures that may raise the alarm, 0 to 1.
    miss_cost
        How many false alarms one missed picture is worth.
    ignore
        Of masks: the number of the pixels that do not count.
    metadata
        A CSV with the column path and others, for --groups and --by.
    open_test
        Judge the sealed part test; the run records it.
    report
        HTML file to write; else evaluation.html in the run folder.
    """
    wanted = _wanted(alarm, false_alarms, miss_cost)
    if predictions is not None or truth is not None:
        if run is not None or predictions is None or truth is None:
            raise SettingError(
                "evaluate needs RUN and DATA, or --predictions and --truth; give one of the two"
            )
        return _foreign(predictions, truth, groups, by, wanted, ignore, metadata, report, json)
    if ignore is not None:
        raise SettingError("--ignore is for --predictions; leave it out")
    if run is None or data is None:
        raise SettingError("evaluate needs RUN and DATA, or --predictions FILE and --truth DATA")
    from saccade.api.evaluate import PIXELS, load, seen_in_training
    from saccade.api.evaluate import evaluate as judge
    from saccade.api.sealed import is_sealed, judged_part, openings, times

    model = load(run)
    boxes = model.objects is not None
    part = judged_part(data, open_test=open_test, boxes=boxes)
    if not json:
        print_part(data, part)
    place = report or (None if run == PIXELS else Path(run) / "evaluation.html")

    progress = progress_bar("judging", quiet=json)
    scores = judge(
        run,
        data,
        report=place,
        groups=groups,
        by=by,
        alarm=wanted,
        metadata=metadata,
        open_test=open_test,
        broken=broken,
        progress=progress,
    )
    seen = seen_in_training(model, part)
    sealed = is_sealed(part, boxes=boxes) and run != PIXELS
    opened = len(openings(Path(run))) if sealed else 0
    if json:
        more = {"seen_in_training": seen, "report": place, "test_opened": opened}
        say_json({**scores.to_dict(), **more})
        return 0
    for line in lines_of_broken(scores.broken):
        say(line)
    print_scores(scores)
    if seen:
        say(f"  {len(seen)} of these identities were trained on, so the figures flatter")
    if opened:
        say(f"  {times(opened)}")
    if place:
        say(f"report: {shown(str(place))}")
    return 0


def _foreign(
    predictions: Path,
    truth: Path,
    groups: str | None,
    by: str | None,
    wanted: "Wanted | None",
    ignore: int | None,
    metadata: Path | None,
    report: Path | None,
    json: bool,
) -> int:
    from saccade.api.predictions import evaluate_predictions

    scores = evaluate_predictions(
        predictions,
        truth,
        report=report,
        groups=groups,
        by=by,
        alarm=wanted,
        ignore=ignore,
        metadata=metadata,
    )
    if json:
        say_json({**scores.to_dict(), "report": report})
        return 0
    print_scores(scores)
    if report:
        say(f"report: {shown(str(report))}")
    return 0


def _wanted(
    alarm: str | None, false_alarms: float | None, miss_cost: float | None
) -> "Wanted | None":
    if alarm is None:
        if false_alarms is not None or miss_cost is not None:
            raise SettingError("--false-alarms and --miss-cost are for an alarm; add --alarm CLASS")
        return None
    from saccade.judge.operating_point import Wanted

    return Wanted(alarm, false_alarms=false_alarms, cost=miss_cost)


COMMANDS = {"evaluate": evaluate}
