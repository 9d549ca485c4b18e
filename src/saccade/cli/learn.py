"""Commands that teach and judge: train, evaluate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.output import bar, say, say_json, shown
from saccade.config import DataSettings, settings
from saccade.errors import SettingError
from saccade.names import suggest

if TYPE_CHECKING:
    from saccade.judge.embedding import EmbeddingScores
    from saccade.values import Broken

Words = Annotated[str, Parameter(allow_leading_hyphen=True)]
PRINTED_EPOCHS = 10
FEW_IDENTITIES = 30
PRINTED_BROKEN = 10
TRAIN_FLAGS = ("task", "recipe", "out", "json")


def train(
    *words: Words,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Learn from pictures with labels; any setting can be given as --section.key value.

    Parameters
    ----------
    words
        DATA (class folders, CSV, idx pair or .npz; its part train, if divided) and settings.
    task
        What is learned: embed.
    recipe
        TOML file with settings; docs/reference/settings.md lists them all.
    out
        Run folder to make; else the next free one below runs/.
    json
        Print one JSON document instead of text.
    """
    data, values = _data_and_settings(words)
    from saccade.api.train import Training

    training = Training(data, task=task, recipe=recipe, out=out, settings=values)
    if not json:
        _print_part(data, training.data)
        _print_broken(training.broken)
    every = max(1, training.recipe.train.epochs // PRINTED_EPOCHS)
    last = None
    for record in bar(training.records(), total=training.steps, what="training", quiet=json):
        last = record
        if record.epoch_ends and not json and record.epoch % every == 0:
            say(f"epoch {record.epoch:4d}   loss {record.loss:8.4f}")
    run = training.finish()
    if json:
        scores = run.validation.to_dict() if run.validation else None
        final = last and last.to_json()
        broken = run.broken
        say_json({"run": run.folder, "final": final, "validation": scores, "broken": broken})
        return 0
    say(f"model: {run.folder}")
    if run.validation is None:
        say("no class was held out, so there is no threshold and no score; run: saccade evaluate")
    else:
        say("on classes held out from training:")
        _print_scores(run.validation)
        say(f"report: {run.folder / 'report.html'}")
    return 0


def evaluate(
    run: str,
    data: Path,
    /,
    *,
    report: Path | None = None,
    broken: Annotated[float, Parameter(name="--data.broken")] = DataSettings().broken,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Judge a model on pictures of classes that it has never seen.

    Parameters
    ----------
    run
        Run folder, or the word pixels for plain pixels.
    data
        Folder with one sub-folder an identity, CSV, idx pair or .npz; its part test, else val.
    report
        HTML file to write; else evaluation.html in the run folder.
    broken
        Share of the pictures that may be unreadable.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.evaluate import JUDGED_PARTS, PIXELS, load, seen_in_training
    from saccade.api.evaluate import evaluate as judge
    from saccade.data.readers import choose_part

    if not json:
        _print_part(data, choose_part(data, JUDGED_PARTS))
    place = report or (None if run == PIXELS else Path(run) / "evaluation.html")
    scores = judge(run, data, report=place, broken=broken)
    seen = seen_in_training(load(run), data)
    if json:
        say_json({**scores.to_dict(), "seen_in_training": seen, "report": place})
        return 0
    _print_broken(scores.broken)
    _print_scores(scores)
    if seen:
        say(f"  {len(seen)} of these identities were trained on, so the figures flatter")
    if place:
        say(f"report: {place}")
    return 0


def _print_part(data: Path, part: Path) -> None:
    """Say which part of divided data is used."""
    if part != data:
        say(f"part: {shown(str(part))}")


def _print_broken(broken: "Sequence[Broken]") -> None:
    """Name the pictures that were left out, a few of them, and say how many they are."""
    for item in broken[:PRINTED_BROKEN]:
        say(f"left out   {shown(item.reason)}")
    if broken:
        say(f"{len(broken)} pictures left out, unreadable")


def _print_scores(scores: "EmbeddingScores") -> None:
    for name, figure in (
        ("rank-1", scores.rank_1),
        ("rank-5", scores.rank_5),
        ("AUC", scores.auc),
        ("equal error rate", scores.equal_error_rate),
    ):
        say(f"  {name:<17} {figure}")
    say(f"  95 % intervals from {scores.rank_1.n} identities; {scores.pictures} pictures")
    if scores.rank_1.n < FEW_IDENTITIES:
        say(f"  fewer than {FEW_IDENTITIES} identities: the intervals are rough, often too narrow")


def _data_and_settings(words: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """Read DATA, ``--section.key value`` and ``--section.key=value``, in any order."""
    known = [*settings(), *TRAIN_FLAGS]
    data: list[str] = []
    values: dict[str, Any] = {}
    rest = iter([part for word in words for part in _halves(word)])
    for word in rest:
        name = word.removeprefix("--")
        if name == word:
            data.append(word)
            continue
        if name not in known:
            raise SettingError(f"there is no option {word}; {suggest(name, known)}")
        value = next(rest, None)
        if value is None:
            raise SettingError(f"{word} needs a value")
        values[name] = value
    if len(data) != 1:
        raise SettingError(f"train needs one data folder. Got {', '.join(data) or 'none'}")
    return Path(data[0]), values


def _halves(change: str) -> list[str]:
    name, equals, value = change.partition("=")
    return [name, value] if equals and change.startswith("--") else [change]


COMMANDS = {"train": train, "evaluate": evaluate}
