"""The commands that show where a model ends: robustness, limits."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import BROKEN, BrokenShare, Flag, Json
from saccade.cli.output import lines_of_broken, progress_bar, say, say_json, shown, table

if TYPE_CHECKING:
    from saccade.judge.limits import Limits
    from saccade.judge.robustness import Robustness

PIXELS = "pixels"


def robustness(
    run: str,
    data: Path,
    /,
    *,
    only: str | None = None,
    report: Path | None = None,
    open_test: Flag = False,
    broken: BrokenShare = BROKEN,
    json: Json = False,
) -> int:
    """Draw a model's score against the strength of shift, rotation, blur, noise and others.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels.
    data
        Folder with one sub-folder a class, CSV, idx pair or .npz; its part val, if divided.
    only
        Disturbances, with commas between, such as shift,rotation; else all.
    report
        HTML file to write; else robustness.html in the run folder.
    open_test
        Judge the sealed part test; the run records it.
    """
    from saccade.api.robustness import robustness as judge

    names = [] if only is None else [name.strip() for name in only.split(",")]
    place = _place(run, report, "robustness.html")
    progress = progress_bar("judging", quiet=json)
    found = judge(
        run, data, only=names, report=place, open_test=open_test, broken=broken, progress=progress
    )
    if json:
        say_json({**found.to_dict(), "report": place})
        return 0
    _print_robustness(found)
    if place:
        say(f"report: {shown(str(place))}")
    return 0


def _print_robustness(found: "Robustness") -> None:
    for line in (*lines_of_broken(found.broken), *(shown(note) for note in found.notes)):
        say(line)
    say(f"{found.figure}, undisturbed {found.undisturbed}")
    nearest = {curve.disturbance: curve for curve in found.nearest.curves} if found.nearest else {}
    head = ("", "mean", *(["nearest pixels"] if nearest else []), "")
    rows = [
        (
            curve.disturbance,
            f"{curve.mean.value:.3f}",
            *([f"{nearest[curve.disturbance].mean.value:.3f}"] if nearest else []),
            curve.sentence,
        )
        for curve in found.curves
    ]
    table([head, *rows])
    if found.nearest:
        say(f"nearest pixels, undisturbed {found.nearest.undisturbed}")
    say(f"  95 % intervals from {found.undisturbed.n} {found.units}")
    say(found.sentence)


def _place(run: str, report: Path | None, name: str) -> Path | None:
    """Where the report goes: as named, else into the run folder."""
    return report or (None if run == PIXELS else Path(run) / name)


def limits(
    run: str,
    data: Path,
    /,
    *,
    second: Path | None = None,
    boxes: str | None = None,
    masks: Path | None = None,
    report: Path | None = None,
    open_test: Flag = False,
    broken: BrokenShare = BROKEN,
    json: Json = False,
) -> int:
    """Say if a model holds on other pictures, or looks at the background; exit code 1 for a limit.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels.
    data
        Folder with one sub-folder a class, CSV, idx pair or .npz; its part val, if divided.
    second
        Other pictures of the same classes, read in the same way.
    boxes
        Columns of the table that hold the object's box in pixels, such as x,y,width,height.
    masks
        Folder with a PNG of each picture's name, or CLASS/NAME; above 0 is the object.
    report
        HTML file to write; else limits.html in the run folder.
    open_test
        Judge the sealed part test; the run records it.
    """
    from saccade.api.limits import limits as judge

    found = judge(
        run,
        data,
        second=second,
        boxes=boxes,
        masks=masks,
        report=(place := _place(run, report, "limits.html")),
        open_test=open_test,
        broken=broken,
        progress=progress_bar("judging", quiet=json),
    )
    if json:
        say_json({**found.to_dict(), "report": place})
    else:
        _print_limits(found)
        if place:
            say(f"report: {shown(str(place))}")
    return 1 if found.shown else 0


def _print_limits(found: "Limits") -> None:
    for line in (*lines_of_broken(found.broken), *(shown(note) for note in found.notes)):
        say(line)
    if found.transfer:
        if found.transfer.left_out:
            say(f"left out: {shown(', '.join(found.transfer.left_out))}")
        say(f"  {found.figure:<17} {found.transfer.first}")
        say(f"  {'second data':<17} {found.transfer.second}")
    if found.background:
        say(f"  {found.figure:<17} {found.background.as_they_are}")
        say(f"  {'object hidden':<17} {found.background.object_hidden}")
        say(f"  {'background hidden':<17} {found.background.background_hidden}")
    say(f"  95 % intervals from the {found.units}")
    for sentence in found.sentences:
        say(sentence)


COMMANDS = {"robustness": robustness, "limits": limits}
