"""``saccade demo``: a whole job, through the same commands a user types; by itself on digits.

The digits are those that ship with scikit-learn (Alpaydin and Kaynak, UCI, 1998; 1,797 pictures of
8x8), written out as PNG files. A model learns to tell 0 to 6 apart; 7, 8 and 9 it has never seen,
and each is enrolled with one picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from saccade.cli.demo_steps import answer_of, fresh_folder, say_command, show
from saccade.cli.output import say, say_json, table
from saccade.names import look_up

if TYPE_CHECKING:
    from saccade.values import Interval

LEARNED = range(7)
LEARN, CHECK = 0.7, 0.15  # shares of the pictures of each learned digit; the rest are strangers
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
    what: str = "digits",
    /,
    *,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show a whole job in under two minutes: digits are told apart, or shapes are found.

    Parameters
    ----------
    what
        digits: handwritten digits, never seen in training, are searched; detect: detectors of both
        families find drawn shapes, and are compared.
    out
        Folder for pictures, runs and reports, made anew each time; else saccade-demo, for detect
        saccade-demo-detect.
    json
        Print one JSON document instead of text.
    """
    row = look_up(DEMOS, what, "demo")
    place = out or row.out
    fresh_folder(place)
    return row.show(place, json=json)


def demo_digits(out: Path, *, json: bool) -> int:
    """Learn to tell digits apart, and search for those that were never seen."""
    digits = out / "digits"
    counts = write_digits(digits)
    run = out / "run"
    if not json:
        say(f"wrote {sum(counts.values())} pictures of handwritten digits below {digits}")
    show("train", digits / "learn", "--task", "embed", "--out", run, *SETTINGS, quiet=json)
    outcomes = [
        _try(PIXELS, out / "pixels.gallery", digits, quiet=json),
        _try(run, out / "learned.gallery", digits, quiet=json),
    ]
    report = run / "report.html"
    show("evaluate", run, digits / "find", "--report", report, quiet=json)
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
    show("create", gallery, *words, quiet=quiet)
    show("enrol", gallery, digits / "enrol", quiet=quiet)
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
    words = ("find", gallery, folder, "--top", "1")
    if not quiet:
        say_command(*words, "--json")
    answers: list[dict[str, Any]] = answer_of(*words)
    if not quiet:
        say(f"{len(answers)} answers")
    return answers


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


def _demo_detect(out: Path, *, json: bool) -> int:
    from saccade.cli.demo_detect import demo_detect  # Loads NumPy.

    return demo_detect(out, json=json)


class Demo(NamedTuple):
    """A row of DEMOS: the folder that it makes unless one is named, and what it does there."""

    out: Path
    show: Callable[..., int]


DEMOS = {
    "digits": Demo(Path("saccade-demo"), demo_digits),
    "detect": Demo(Path("saccade-demo-detect"), _demo_detect),
}
COMMANDS = {"demo": demo}
