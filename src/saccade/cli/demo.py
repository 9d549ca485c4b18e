"""``saccade demo``: the main job on handwritten digits, through the same commands a user types.

The digits are those that ship with scikit-learn (Alpaydin and Kaynak, UCI, 1998; 1,797 pictures of
8x8), written out as PNG files. A model learns to tell 0 to 6 apart; 7, 8 and 9 it has never seen,
and each is enrolled with one picture.
"""

import contextlib
import io
import json
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.output import say, say_json, table
from saccade.errors import InputError, SaccadeError

if TYPE_CHECKING:
    from saccade.values import Interval

LEARNED = range(7)
LEARN, CHECK = 0.7, 0.15  # shares of the pictures of each learned digit; the rest are strangers
MARK = ".made-by-saccade-demo"
SETTINGS = (
    *("--train.epochs", "2", "--data.validation", "0", "--data.size", "32x32"),
    *("--data.extra_classes", "turned", "--model.backbone", "gradient_resnet"),
)
PIXELS = "pixels"


@dataclass(frozen=True)
class Outcome:
    """What one embedder reached: rank-1 on never-seen digits, and how well it says unknown.

    ``named`` is the share of never-seen digits given their right name, ``refused`` the share of
    strangers (digits 0 to 6, not enrolled) called unknown, both at the gallery's threshold.
    """

    embedder: str
    rank_1: "Interval"
    named: float
    refused: float


def demo(
    *, out: Path = Path("saccade-demo"), json: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """Show the main job on handwritten digits, in under two minutes.

    Parameters
    ----------
    out
        Folder for the digits, the run and the galleries; made anew each time.
    json
        Print one JSON document instead of text.
    """
    _fresh_folder(out)
    digits = out / "digits"
    counts = write_digits(digits)
    run = out / "run"
    if not json:
        say(f"wrote {sum(counts.values())} pictures of handwritten digits below {digits}")
    _saccade("train", digits / "learn", "--task", "embed", "--out", run, *SETTINGS, quiet=json)
    outcomes = [
        _try(PIXELS, out / "pixels.gallery", digits, quiet=json),
        _try(run, out / "learned.gallery", digits, quiet=json),
    ]
    report = run / "report.html"
    _saccade("evaluate", run, digits / "find", "--report", report, quiet=json)
    if json:
        say_json({"outcomes": outcomes, "report": report})
    else:
        _print(outcomes, counts, report)
    return 0


def write_digits(root: Path) -> dict[str, int]:
    """Write the digits as PNG files into five class-folder trees; returns how many in each.

    Of 0 to 6: ``learn`` to train on, ``check`` to find the threshold, ``strangers`` to refuse.
    Of 7, 8, 9: ``enrol``, the first picture of each, and ``find``, all others.
    """
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    counts = dict.fromkeys(("learn", "check", "strangers", "enrol", "find"), 0)
    for digit in range(10):
        pictures = data.images[data.target == digit]
        for number, picture in enumerate(pictures):
            part = _part(digit, number, len(pictures))
            folder = root / part / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            grey = (picture * (255 / 16)).round().astype("uint8")
            Image.fromarray(grey).save(folder / f"{number:03d}.png")
            counts[part] += 1
    return counts


def _part(digit: int, number: int, count: int) -> str:
    if digit not in LEARNED:
        return "find" if number else "enrol"
    share = number / count
    return "learn" if share < LEARN else "check" if share < LEARN + CHECK else "strangers"


def _try(embedder: Path | str, gallery: Path, digits: Path, *, quiet: bool) -> Outcome:
    """Enrol one picture a digit, search all others and the strangers, and count."""
    words = ("--embedder", embedder, "--threshold-from", digits / "check")
    _saccade("create", gallery, *words, quiet=quiet)
    _saccade("enrol", gallery, digits / "enrol", quiet=quiet)
    known = _answers(gallery, digits / "find", quiet=quiet)
    strangers = _answers(gallery, digits / "strangers", quiet=quiet)
    truth = [Path(answer["query"]).parent.name for answer in known]
    first = [answer["hits"][0]["identity"] for answer in known]
    named = [answer["identity"] for answer in known]
    return Outcome(
        embedder="pixels" if embedder == PIXELS else "learned",
        rank_1=_interval(truth, first),
        named=sum(map(str.__eq__, truth, named)) / len(truth),
        refused=sum(not answer["known"] for answer in strangers) / len(strangers),
    )


def _interval(truth: list[str], answers: list[str]) -> "Interval":
    import numpy as np

    from saccade.judge.intervals import bootstrap_over_identities

    right = np.array([float(a == b) for a, b in zip(truth, answers, strict=True)])
    owners = np.array(truth)
    return bootstrap_over_identities([right[owners == name] for name in np.unique(owners)])


def _answers(gallery: Path, folder: Path, *, quiet: bool) -> list[dict[str, Any]]:
    """The JSON answer of ``saccade find``, kept instead of printed."""
    kept = io.StringIO()
    words = ("find", gallery, folder, "--top", "1", "--json")
    if not quiet:
        say(f"\n$ saccade {shlex.join(map(str, words))}")
    with contextlib.redirect_stdout(kept):
        _run(words)
    answers: list[dict[str, Any]] = json.loads(kept.getvalue())
    if not quiet:
        say(f"{len(answers)} answers")
    return answers


def _saccade(*words: object, quiet: bool) -> None:
    """Run one command line as a user would, shown before it runs."""
    if quiet:
        with contextlib.redirect_stdout(io.StringIO()):
            _run(words)
        return
    say(f"\n$ saccade {shlex.join(map(str, words))}")
    _run(words)


def _run(words: tuple[object, ...]) -> None:
    from saccade.cli.app import WRONG_USE, main

    code = main([str(word) for word in words])
    if code >= WRONG_USE:
        raise SaccadeError(f"the demo stopped: saccade {words[0]} ended with code {code}")


def _fresh_folder(out: Path) -> None:
    if out.exists():
        if not (out / MARK).is_file():
            raise InputError(f"{out} exists and was not made by the demo; name another with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True)
    (out / MARK).touch()


def _print(outcomes: list[Outcome], counts: dict[str, int], report: Path) -> None:
    say()
    say("Digits 7, 8 and 9 were never seen in training; one picture of each was enrolled.")
    rows: list[tuple[str, ...]] = [
        ("embedder", "rank-1 [95 % interval]", "named rightly", "strangers refused", "mean")
    ]
    for o in outcomes:
        mean = (o.named + o.refused) / 2
        rows.append((o.embedder, str(o.rank_1), *(f"{x:.3f}" for x in (o.named, o.refused, mean))))
    table(rows)
    say(
        f"{counts['find']} searches of 3 identities (so the interval is wide); "
        f"{counts['strangers']} strangers, digits 0 to 6."
    )
    say(f"report: {report}")


COMMANDS = {"demo": demo}
