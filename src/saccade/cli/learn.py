"""The command that teaches: train; and the settings that others take as it does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.judged import print_part, print_scores
from saccade.cli.output import bar, line_of_count, lines_of_broken, say, say_json, shown
from saccade.config import settings
from saccade.errors import SettingError
from saccade.names import suggest

if TYPE_CHECKING:
    from saccade.api.train import Training
    from saccade.losses.roles import BackgroundShares
    from saccade.training.loop import Record

Words = Annotated[str, Parameter(allow_leading_hyphen=True)]
From = Annotated[str | None, Parameter(name="--from")]
PRINTED_EPOCHS = 10
SHORT = {"precision": "train.precision", "reweight-to": "data.reweight_to"}
LONG = ("task", "recipe", "out", "resume", "from", "balance", "json")
TRAIN_FLAGS = (*LONG, *SHORT)


def train(
    *words: Words,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    from_: From = None,
    precision: str | None = None,
    balance: str | None = None,
    reweight_to: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Learn from pictures; any setting as --section.key value.

    Parameters
    ----------
    words
        DATA (class folders, CSV, idx pair, .npz, boxes, masks, folders of frames; its part train,
        if divided) and settings; with --resume, DATA only if it moved.
    task
        embed (the default), classify, regress, detect, segment or forecast.
    recipe
        TOML file with settings: docs/reference/settings.md.
    out
        Run folder to make; else the next free one below runs/.
    resume
        Run that was stopped; it goes on with its own settings.
    from_
        First weights: a run, timm:NAME or a .safetensors file.
    precision
        train.precision: auto (the faster), float32, bfloat16.
    balance
        Unequal classes: weights, batches (drawn evenly) or none.
    reweight_to
        Folder of pictures like those to come: weights towards them.
    json
        Print one JSON document instead of text.
    """
    data, values = data_and_settings(
        words, command="train", flags=TRAIN_FLAGS, resumes=resume is not None
    )
    for flag, value in (("precision", precision), ("reweight-to", reweight_to)):
        _lay_over(values, flag, None if value is None else str(value))
    from saccade.api.balance import with_balance
    from saccade.api.resume import how_to_go_on
    from saccade.api.train import Training

    values = with_balance(values, balance)
    training = Training(
        data, task=task, recipe=recipe, out=out, settings=values, resume=resume, start=from_
    )
    background = training.background()
    try:
        last = _follow(training, background, quiet=json)
        run = training.finish()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on(training.folder)) from None
    if json:
        scores = run.validation.to_dict() if run.validation else None
        final = last and last.to_json()
        told: dict[str, Any] = {
            "run": run.folder,
            "final": final,
            "validation": scores,
            "broken": run.broken,
        }
        if training.reweighting is not None:
            told["reweighting"] = dict(training.reweighting.told)
        if background is not None:
            told["background"] = background._asdict()
        if training.recipe.task in ("detect", "segment"):
            told |= {"left_out": training.data.left_out, "changed": training.data.changed}
        if training.start is not None:
            told["start"] = training.start
        say_json(told)
        return 0
    say(f"model: {shown(str(run.folder))}")
    if run.validation is None:
        say("nothing was held out, so there is no score (and no threshold); run: saccade evaluate")
    else:
        say("on what was held out from training:")
        print_scores(run.validation)
        say(f"report: {shown(str(run.folder / 'report.html'))}")
    return 0


def _lay_over(values: dict[str, Any], flag: str, value: str | None) -> None:
    """Set the setting that a flag of its own means; raises SettingError where both differ."""
    name = SHORT[flag]
    if value is not None and values.setdefault(name, value) != value:
        raise SettingError(
            f"--{flag} {value} and --{name} {values[name]} mean the same setting; give one of them"
        )


def _follow(
    training: "Training", background: "BackgroundShares | None", *, quiet: bool
) -> "Record | None":
    """Train to the end, telling of ten epochs on the way; returns the last record, if any came."""
    epochs, last = training.recipe.train.epochs, None
    if not quiet:
        _tell_start(training, background)
    every = max(1, epochs // PRINTED_EPOCHS)
    for record in bar(training.records(), total=training.steps, what="training", quiet=quiet):
        last = record
        if record.epoch_ends and not quiet and record.epoch % every == 0:
            say(f"epoch {record.epoch:4d}   loss {record.loss:8.4f}")
    if training.patience.ended and not quiet:
        say(f"stopped early: {training.patience.waited} epochs without improvement")
    if training.best is not None and not quiet:
        say(f"kept epoch {training.best.epoch}, the best on the pictures held out")
    return last


def _tell_start(training: "Training", background: "BackgroundShares | None") -> None:
    """Say what is learned from, and with what the network begins."""
    data, epochs = training.data, training.recipe.train.epochs
    print_part(data.source, data.part)
    for count in (*data.left_out, *data.changed):
        say(line_of_count(count))
    for line in lines_of_broken(data.broken):
        say(line)
    if data.note:
        say(shown(data.note))
    if training.start is not None:
        say(shown(training.start.sentence()))
    if training.weights is not None:
        weights = training.weights
        say(f"weights: {shown(weights.place)}; licence: {shown(weights.licence)}")
    if training.freezing.epochs:
        say(f"the backbone is frozen for {training.freezing.epochs} of {epochs} epochs")
    if training.reweighting is not None:
        say(shown(training.reweighting.sentence()))
    if training.resumed:
        say(f"{training.first_epoch} of {epochs} epochs are done")
    if background is not None:
        say(
            f"background with remedy {training.recipe.detect.remedy}: {background.counted:.1%} of "
            f"the anchors that count, {background.all:.1%} of all"
        )


def data_and_settings(
    words: tuple[str, ...], *, command: str, flags: Sequence[str], resumes: bool
) -> tuple[Path | None, dict[str, Any]]:
    """Read DATA, ``--section.key value`` and ``--section.key=value``, in any order.

    ``flags`` are the others that ``command`` knows. One that ``resumes`` needs no DATA.
    """
    known = [*settings(), *flags]
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
    if len(data) > 1 or not (data or resumes):
        got = ", ".join(data) or "none"
        raise SettingError(f"{command} needs one data folder, or --resume RUN. Got {got}")
    return Path(data[0]) if data else None, values


def _halves(change: str) -> list[str]:
    name, equals, value = change.partition("=")
    return [name, value] if equals and change.startswith("--") else [change]


COMMANDS = {"train": train}
