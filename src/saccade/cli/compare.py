"""The command that compares two models on the same pictures: compare."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import BROKEN, BrokenShare, Flag
from saccade.cli.output import progress_bar, say, say_json

if TYPE_CHECKING:
    from saccade.judge.comparison import Compared


def compare(
    a: str,
    b: str,
    data: Path,
    /,
    *,
    groups: str | None = None,
    open_test: Flag = False,
    broken: BrokenShare = BROKEN,
    json: Flag = False,
) -> int:
    """Say whether one of two models is better on the same pictures; exit code 1 unless B is.

    Parameters
    ----------
    a
        Run folder, or the word pixels for plain pixels.
    b
        Another one, of the same task.
    data
        Folder with one sub-folder a class, CSV, idx pair or .npz; its part val, if divided.
    groups
        Column of the data's table whose pictures are alike, such as session, and count together.
    open_test
        Compare on the sealed part test; the runs record it.
    broken
        Share of the pictures that may be unreadable.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.compare import compare as judge

    progress = progress_bar("judging", quiet=json)
    found = judge(a, b, data, groups=groups, open_test=open_test, broken=broken, progress=progress)
    if json:
        say_json(found.to_dict())
    else:
        _print(found)
    return 0 if found.better == "B" else 1


def _print(found: "Compared") -> None:
    say(f"  A  {found.figure} {found.a}")
    say(f"  B  {found.figure} {found.b}")
    if found.p is not None:
        alone = f"A alone {found.only_a}, B alone {found.only_b}"
        say(f"  pictures that one has right: {alone}; p {found.p:.3g} (McNemar)")
    say(f"  95 % intervals from {found.difference.n} {found.units}, drawn for both models alike")
    if found.warning:
        say(f"  {found.warning}")
    say(found.sentence)


COMMANDS = {"compare": compare}
