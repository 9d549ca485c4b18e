"""Commands that teach and judge: train, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.output import bar, say, say_json
from saccade.config import settings
from saccade.errors import SettingError
from saccade.names import suggest

if TYPE_CHECKING:
    from saccade.api.train import Training
    from saccade.judge.embedding import EmbeddingScores
    from saccade.training.loop import Record

Data = Annotated[Path | None, Parameter(allow_leading_hyphen=True)]
Settings = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]
PRINTED_EPOCHS = 10
TRAIN_FLAGS = ("task", "recipe", "out", "resume", "json")


def train(
    data: Data = None,
    /,
    *changes: Settings,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Learn from class folders; any setting can be given as --section.key value.

    Parameters
    ----------
    data
        Folder with one sub-folder a class, pictures inside; with --resume, only if they moved.
    task
        What is learned: embed.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Run folder to make; else the next free one below runs/.
    resume
        Run folder of a training that was stopped; it goes on with its own settings.
    json
        Print one JSON document instead of text.
    """
    if data is not None and str(data).startswith("--"):  # No data folder, so a setting came first.
        data, changes = None, (str(data), *changes)
    values = _pairs(changes)
    from saccade.api.resume import how_to_go_on
    from saccade.api.train import Training

    training = Training(data, task=task, recipe=recipe, out=out, settings=values, resume=resume)
    try:
        last = _follow(training, quiet=json)
        run = training.finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on(training.folder)) from None
    if json:
        scores = run.validation.to_dict() if run.validation else None
        say_json({"run": run.folder, "final": last and last.to_json(), "validation": scores})
        return 0
    say(f"model: {run.folder}")
    if run.validation is None:
        say("no class was held out, so there is no threshold and no score; run: saccade evaluate")
    else:
        say("on classes held out from training:")
        _print_scores(run.validation)
        say(f"report: {run.folder / 'report.html'}")
    return 0


def _follow(training: "Training", *, quiet: bool) -> "Record | None":
    """Train to the end, telling of ten epochs on the way; returns the last record, if any came."""
    epochs, last = training.recipe.train.epochs, None
    if training.resumed and not quiet:
        say(f"{training.first_epoch} of {epochs} epochs are done")
    every = max(1, epochs // PRINTED_EPOCHS)
    for record in bar(training.records(), total=training.steps, what="training", quiet=quiet):
        last = record
        if record.epoch_ends and not quiet and record.epoch % every == 0:
            say(f"epoch {record.epoch:4d}   loss {record.loss:8.4f}")
    if not quiet and training.patience.ended:
        say(f"stopped early: {training.patience.waited} epochs without a lower loss")
    return last


def evaluate(
    run: str,
    data: Path,
    /,
    *,
    report: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Judge a model on class folders that it has never seen.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels.
    data
        Folder with one sub-folder an identity, pictures inside.
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


def _print_scores(scores: "EmbeddingScores") -> None:
    for name, figure in (
        ("rank-1", scores.rank_1),
        ("rank-5", scores.rank_5),
        ("AUC", scores.auc),
        ("equal error rate", scores.equal_error_rate),
    ):
        say(f"  {name:<17} {figure}")
    say(f"  95 % intervals from {scores.rank_1.n} identities; {scores.pictures} pictures")


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


COMMANDS = {"train": train, "evaluate": evaluate}
