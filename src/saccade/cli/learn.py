"""Commands that teach, judge and answer: train, evaluate, predict."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.output import bar, say, say_json, shown
from saccade.config import settings
from saccade.errors import SettingError
from saccade.names import suggest

if TYPE_CHECKING:
    from saccade.api.evaluate import Scores

Settings = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
PRINTED_EPOCHS = 10
TRAIN_FLAGS = ("task", "recipe", "out", "json")


def train(
    data: Path,
    /,
    *changes: Settings,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Learn from class folders; any setting can be given as --section.key value.

    Parameters
    ----------
    data
        Folder with one sub-folder a class, pictures inside.
    task
        What is learned: embed (the default) or classify.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Run folder to make; else the next free one below runs/.
    json
        Print one JSON document instead of text.
    """
    values = _pairs(changes)
    from saccade.api.train import Training

    training = Training(data, task=task, recipe=recipe, out=out, settings=values)
    every = max(1, training.recipe.train.epochs // PRINTED_EPOCHS)
    last = None
    for record in bar(training.records(), total=training.steps, what="training", quiet=json):
        last = record
        if record.epoch_ends and not json and record.epoch % every == 0:
            say(f"epoch {record.epoch:4d}   loss {record.loss:8.4f}")
    if training.best is not None and not json:
        say(f"kept epoch {training.best.epoch}, the best on the pictures held out")
    run = training.finish()
    if json:
        scores = run.validation.to_dict() if run.validation else None
        say_json({"run": run.folder, "final": last and last.to_json(), "validation": scores})
        return 0
    say(f"model: {run.folder}")
    if run.validation is None:
        say("nothing was held out, so there is no score (and no threshold); run: saccade evaluate")
    else:
        say("on what was held out from training:")
        _print_scores(run.validation)
        say(f"report: {run.folder / 'report.html'}")
    return 0


def evaluate(
    run: str,
    data: Path,
    /,
    *,
    report: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Judge a model on class folders whose pictures it has never seen.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels.
    data
        Folder with one sub-folder an identity or class, pictures inside.
    report
        HTML file to write; else report.html in the run folder.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.evaluate import PIXELS
    from saccade.api.evaluate import evaluate as judge

    place = report or (None if run == PIXELS else Path(run) / "report.html")
    scores = judge(run, data, report=place)
    if json:
        say_json({**scores.to_dict(), "report": place})
        return 0
    _print_scores(scores)
    if place:
        say(f"report: {place}")
    return 0


def predict(
    run: Path,
    /,
    *pictures: Path,
    out: Path | None = None,
    at_least: float = 0.0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say which class pictures show; exit code 1 when every answer is unsure.

    Parameters
    ----------
    run
        Run folder of a classifier.
    pictures
        Picture files, or folders that are searched at any depth.
    out
        CSV file to write: path, label, probability.
    at_least
        Probability, 0 to 1, below which the answer is unsure.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.predict import predict as answer

    found = answer(run, pictures, at_least=at_least, out=out)
    if json:
        say_json([{**asdict(one), "answer": one.answer, "sure": one.sure} for one in found])
    else:
        for one in found:
            second = f"then {shown(one.runner_up)} {one.runner_up_probability:.4f}"
            best = (
                f"{one.probability:.4f}"
                if one.sure
                else f"{shown(one.label)} {one.probability:.4f}"
            )
            say(f"{shown(one.picture)}: {shown(one.answer)}   {best}   {second}")
        if out:
            say(f"written: {out}")
    return 0 if any(one.sure for one in found) else 1


def _print_scores(scores: "Scores") -> None:
    for name, figure in scores.headline:
        say(f"  {name:<17} {figure}")
    say(f"  95 % intervals from {scores.basis}")


def _pairs(changes: tuple[str, ...]) -> dict[str, Any]:
    """Read ``--section.key value`` and ``--section.key=value`` into a dictionary."""
    words = [part for change in changes for part in _halves(change)]
    values: dict[str, Any] = {}
    place = 0
    while place < len(words):
        word = words[place]
        name = word.removeprefix("--")
        known = [*settings(), *TRAIN_FLAGS]
        if name == word:
            raise SettingError(
                f"'{word}' stands alone; one data folder and --section.key value are understood"
            )
        if name not in known:
            raise SettingError(f"there is no option {word}; {suggest(name, known)}")
        if place + 1 == len(words):
            raise SettingError(f"{word} needs a value")
        values[name] = words[place + 1]
        place += 2
    return values


def _halves(change: str) -> list[str]:
    name, equals, value = change.partition("=")
    return [name, value] if equals and change.startswith("--") else [change]


COMMANDS = {"train": train, "evaluate": evaluate, "predict": predict}
