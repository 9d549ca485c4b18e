"""Commands that say what a model lacks: learning-curve, bias-variance."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.learn import Words, data_and_settings
from saccade.cli.options import Json
from saccade.cli.output import bar, say, say_json, shown, table
from saccade.errors import SettingError

if TYPE_CHECKING:
    from saccade.api.series import Series

SERIES_FLAGS = ("task", "recipe", "out", "resume", "json")
CURVE_FLAGS = ("sizes", "repeats", *SERIES_FLAGS)
BAG_FLAGS = ("bags", *SERIES_FLAGS)


def learning_curve(
    *words: Words,
    sizes: str = "0.1,0.2,0.5,1",
    repeats: int = 3,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    json: Json = False,
) -> int:
    """Train on growing shares of the pictures, and say whether more would help.

    Parameters
    ----------
    words
        DATA, as for train, and settings as --section.key value; the part test is never read. With
        --resume, DATA only if it moved.
    sizes
        Rising shares of what is learned from, at most 1; four or more tell of twice the pictures.
    repeats
        How many trainings for each size, each with a draw and a seed of its own; of fewer than
        three the intervals say too little of how trainings differ.
    task
        What is learned: embed (the default), classify or regress.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Folder to make, for the scores and the report; else the next free one below runs/.
    resume
        Folder of a learning-curve that was stopped; it goes on with the training it was in.
    """
    given, values = data_and_settings(
        words, command="learning-curve", flags=CURVE_FLAGS, resumes=resume is not None
    )
    from saccade.api.learning_curve import CurveSeries

    series = CurveSeries(
        given,
        sizes=shares(sizes),
        repeats=repeats,
        task=task,
        recipe=recipe,
        out=out,
        settings=values,
        resume=resume,
    )
    _follow(series, quiet=json)
    found = series.finish()
    if json:
        say_json(found.to_dict())
        return 0
    from saccade.judge.learning_curve_report import figure_rows

    say()
    table(figure_rows(found))
    say("  95 % intervals over what is held out and over the trainings")
    for sentence in found.sentences:
        say(sentence)
    say(f"report: {shown(str(found.folder / 'report.html'))}")
    return 0


def bias_variance(
    *words: Words,
    bags: int = 10,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    json: Json = False,
) -> int:
    """Train on bootstrap samples, and take the error into bias and variance.

    Parameters
    ----------
    words
        DATA, as for train, and settings as --section.key value; the part test is never read. With
        --resume, DATA only if it moved.
    bags
        How many models, each of a bootstrap sample; few make a rough picture.
    task
        What is learned: embed (the default), classify or regress.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Folder to make, for the answers and the report; else the next free one below runs/.
    resume
        Folder of a bias-variance that was stopped; it goes on with the training it was in.
    """
    given, values = data_and_settings(
        words, command="bias-variance", flags=BAG_FLAGS, resumes=resume is not None
    )
    from saccade.api.bias_variance import BagSeries

    series = BagSeries(
        given,
        sizes=(),
        repeats=bags,
        task=task,
        recipe=recipe,
        out=out,
        settings=values,
        resume=resume,
    )
    _follow(series, quiet=json)
    found = series.finish()
    if json:
        say_json(found.to_dict())
        return 0
    from saccade.judge.bias_variance import figure_rows, written

    say()
    say(f"{found.loss} of {found.bags} models on {found.error.n} {found.units}")
    table([(f"  {name}", written(one), text) for name, one, text in figure_rows(found)])
    say(f"  95 % intervals over the {found.units}, for these models")
    say(found.sentence)
    say(f"report: {shown(str(found.folder / 'report.html'))}")
    return 0


def shares(text: str) -> list[float]:
    """Return the numbers of "0.1,0.5,1"."""
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingError(
            f"--sizes must be shares with commas between, as 0.1,0.5,1. Got '{text}' instead"
        ) from None


def _follow(series: "Series", *, quiet: bool) -> None:
    """Train and judge, telling of each model."""
    from saccade.api.repeated import how_to_go_on

    done = len(series.standing.kept)
    try:
        steps = bar(series.models(), total=series.steps, what="training", quiet=quiet)
        for number, draw in enumerate(steps, done + 1):
            if not quiet:
                say(f"{draw.name}   training {number} of {len(series.draws)}")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on(series.folder, series.command)) from None


COMMANDS = {"learning-curve": learning_curve, "bias-variance": bias_variance}
