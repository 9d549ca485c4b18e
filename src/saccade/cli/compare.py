"""The command that compares two models, or their predictions, on the same pictures: compare."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import BROKEN, BrokenShare, Flag, Json
from saccade.cli.output import progress_bar, say, say_json, shown
from saccade.errors import SettingError

if TYPE_CHECKING:
    from saccade.judge.comparison import Compared

NEEDED = "compare needs A, B and DATA, or --predictions A B and --truth DATA"


def compare(
    a: str | None = None,
    b: str | None = None,
    data: Path | None = None,
    /,
    *,
    predictions: tuple[Path, Path] | None = None,
    truth: Path | None = None,
    groups: str | None = None,
    metadata: Path | None = None,
    ignore: int | None = None,
    open_test: Flag = False,
    report: Path | None = None,
    broken: BrokenShare = BROKEN,
    json: Json = False,
) -> int:
    """Say whether one of two models is better on the same pictures; exit code 1 unless B is.

    Parameters
    ----------
    a
        Run folder, or the word pixels for plain pixels.
    b
        Another one, of the same task.
    data
        Folder with one sub-folder a class, CSV, idx pair or .npz, or pictures with boxes, for
        detectors; its part val, if divided.
    predictions
        In place of A, B and DATA, two files or folders: CSV of classes, COCO results, or masks.
    truth
        What is right of them: labelled data, COCO annotations (.json), or a folder of masks.
    groups
        Column of the data's table, or key of COCO's images, whose pictures are alike, such as
        session, and count together.
    metadata
        A CSV with the column path and others, for --groups.
    ignore
        Of masks: the number of the pixels that do not count.
    open_test
        Compare on the sealed part test; the runs record it.
    report
        HTML file to write.
    """
    if predictions is not None or truth is not None:
        if a is not None or predictions is None or truth is None:
            raise SettingError(f"{NEEDED}; give one of the two")
        if open_test:
            raise SettingError("--open-test is for runs, which record it; leave it out")
        found = _foreign(predictions, truth, groups, metadata, ignore, report)
    elif a is None or b is None or data is None:
        raise SettingError(NEEDED)
    elif ignore is not None:
        raise SettingError("--ignore is for --predictions; leave it out")
    else:
        found = _runs(a, b, data, groups, metadata, open_test, report, broken, json)
    if json:
        say_json({**found.to_dict(), "report": report})
    else:
        _print(found)
        if report:
            say(f"report: {shown(str(report))}")
    return 0 if found.better == "B" else 1


def _runs(
    a: str,
    b: str,
    data: Path,
    groups: str | None,
    metadata: Path | None,
    open_test: bool,
    report: Path | None,
    broken: float,
    json: bool,
) -> "Compared":
    from saccade.api.compare import compare as judge

    return judge(
        a,
        b,
        data,
        groups=groups,
        metadata=metadata,
        open_test=open_test,
        report=report,
        broken=broken,
        progress=progress_bar("judging", quiet=json),
    )


def _foreign(
    predictions: tuple[Path, Path],
    truth: Path,
    groups: str | None,
    metadata: Path | None,
    ignore: int | None,
    report: Path | None,
) -> "Compared":
    from saccade.api.compare_predictions import compare_predictions

    return compare_predictions(
        *predictions, truth, groups=groups, metadata=metadata, ignore=ignore, report=report
    )


def _print(found: "Compared") -> None:
    say(f"  A  {found.figure} {found.a}")
    say(f"  B  {found.figure} {found.b}")
    for one in found.others:
        gap = one.difference
        ends = f"{100 * gap.low:.3g} to {100 * gap.high:.3g}"
        say(f"     {one.figure} A {one.a}  B {one.b}  by {100 * gap.value:.3g} points ({ends})")
    if found.only_a is not None and found.p is not None:
        alone = f"A alone {found.only_a}, B alone {found.only_b}"
        say(f"  pictures that one has right: {alone}; p {found.p:.3g} (McNemar)")
    elif found.p is not None:
        say(f"  p of the difference in {found.figure}: {found.p:.3g} (paired, jackknife)")
    if found.speeds is not None:
        for name, fast in (("A", found.speeds.a), ("B", found.speeds.b)):
            say(f"  {name}  pictures a second {fast.value:.3g} [{fast.low:.3g}, {fast.high:.3g}]")
        say(f"  {found.speeds.sentence}")
    drawn = "left out of both alike" if found.others else "drawn for both models alike"
    say(f"  95 % intervals from {found.difference.n} {found.units}, {drawn}")
    if found.warning:
        say(f"  {found.warning}")
    say(found.sentence)


COMMANDS = {"compare": compare}
