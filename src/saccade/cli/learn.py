"""Commands that teach and answer: train, predict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.judged import print_part, print_scores
from saccade.cli.output import bar, line_of_count, lines_of_broken, say, say_json, shown
from saccade.config import settings
from saccade.errors import InputError, SettingError
from saccade.names import suggest

if TYPE_CHECKING:
    from saccade.api.train import Training
    from saccade.losses.roles import BackgroundShares
    from saccade.training.loop import Record
    from saccade.values import Detection, Estimate, Prediction

Words = Annotated[str, Parameter(allow_leading_hyphen=True)]
PRINTED_EPOCHS = 10
SHORT = {"precision": "train.precision", "reweight-to": "data.reweight_to"}
TRAIN_FLAGS = ("task", "recipe", "out", "resume", "precision", "balance", "reweight-to", "json")


def train(
    *words: Words,
    task: str | None = None,
    recipe: Path | None = None,
    out: Path | None = None,
    resume: Path | None = None,
    precision: str | None = None,
    balance: str | None = None,
    reweight_to: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Learn from pictures with labels, numbers or boxes; any setting as --section.key value.

    Parameters
    ----------
    words
        DATA (class folders, CSV, idx pair or .npz, for detect boxes as COCO, VOC, YOLO or CSV has
        them; its part train, if divided) and settings; with --resume, DATA only if it moved.
    task
        What is learned: embed, classify, regress or detect.
    recipe
        TOML file of settings: docs/reference/settings.md.
    out
        Run folder to make; else the next free one below runs/.
    resume
        Run folder to go on with, in its own settings.
    precision
        train.precision: auto (the faster), float32, bfloat16.
    balance
        Of classes of unequal size: weights, batches or none.
    reweight_to
        data.reweight_to: pictures like those it will meet.
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
    training = Training(data, task=task, recipe=recipe, out=out, settings=values, resume=resume)
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
            counts = training.data
            told["background"] = background._asdict()
            told |= {"left_out": counts.left_out, "changed": counts.changed}
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
        print_part(training.data.source, training.data.part)
        for count in (*training.data.left_out, *training.data.changed):
            say(line_of_count(count))
        for line in lines_of_broken(training.data.broken):
            say(line)
        if training.data.note:
            say(shown(training.data.note))
    if training.weights is not None and not quiet:
        weights = training.weights
        say(f"weights: {shown(weights.place)}; licence: {shown(weights.licence)}")
    if training.reweighting is not None and not quiet:
        say(shown(training.reweighting.sentence()))
    if training.resumed and not quiet:
        say(f"{training.first_epoch} of {epochs} epochs are done")
    if background is not None and not quiet:
        say(
            f"background with remedy {training.recipe.detect.remedy}: {background.counted:.1%} of "
            f"the anchors that count, {background.all:.1%} of all"
        )
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


def predict(
    run: Path,
    /,
    *pictures: Path,
    out: Path | None = None,
    at_least: float | None = None,
    neighbours: Path | None = None,
    painted: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say which class, numbers or objects pictures show; exit code 1 when nothing is sure.

    Parameters
    ----------
    run
        Run folder of a classifier, a regressor or a detector.
    pictures
        Picture files, or folders that are searched at any depth.
    out
        CSV file to write: path, label, probability; of a regressor path and each target; of a
        detector a box a line, or COCO results where the name ends in .json.
    at_least
        Probability, 0 to 1, below which the answer is unsure; of a detector the least score of a
        box, 0.5 unless named.
    neighbours
        HTML file to write: the training pictures nearest to each, of a model with model.name knn.
    painted
        Folder to write the pictures of a detector to, as PNG with their boxes and classes.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.predict import predict as answer

    found = answer(
        run, pictures, at_least=at_least, out=out, neighbours=neighbours, painted=painted
    )
    if json:
        say_json([_answer(one) for one in found])
    else:
        for one in found:
            say(_line(one))
        for file in filter(None, (out, neighbours, painted)):
            say(f"written: {shown(str(file))}")
    broken = [one.reason for one in found if one.reason]
    if broken:
        raise InputError(f"{len(broken)} of {len(found)} pictures have no answer: {broken[0]}")
    return 0 if any(_sure(one) for one in found) else 1


def _sure(one: "Prediction | Estimate | Detection") -> bool:
    from saccade.values import Detection, Estimate  # Loads NumPy.

    return bool(one.labels) if isinstance(one, Detection) else isinstance(one, Estimate) or one.sure


def _answer(one: "Prediction | Estimate | Detection") -> dict[str, Any]:
    from saccade.values import Detection, Estimate

    if isinstance(one, Detection):
        each = zip(one.labels, one.scores.tolist(), one.xywh.tolist(), strict=True)
        boxes = [{"label": label, "score": score, "box": box} for label, score, box in each]
        return {
            "picture": one.picture,
            "size_hw": None if one.reason else one.size_hw,
            "boxes": None if one.reason else boxes,
            "error": one.reason or None,
        }

    if isinstance(one, Estimate):
        return {"picture": one.picture, "values": one.values or None, "error": one.reason or None}
    if one.reason:
        return {"picture": one.picture, "answer": None, "error": one.reason, "sure": False}
    entries = asdict(one)
    del entries["reason"]
    return {**entries, "answer": one.answer, "error": None, "sure": one.sure}


def _line(one: "Prediction | Estimate | Detection") -> str:
    from saccade.values import Detection, Estimate

    if one.reason:
        return f"{shown(one.picture)}: {shown(one.reason)}"
    if isinstance(one, Estimate):
        numbers = (f"{shown(name)} {number:.6g}" for name, number in one.values.items())
        return f"{shown(one.picture)}: {'   '.join(numbers)}"
    if isinstance(one, Detection):
        counts = (f"{many} {shown(label)}" for label, many in Counter(one.labels).most_common())
        return f"{shown(one.picture)}: {', '.join(counts) or 'nothing found'}"
    label = "" if one.sure else f"{shown(one.label)} "
    second = f"then {shown(one.runner_up)} {one.runner_up_probability:.4f}"
    return f"{shown(one.picture)}: {shown(one.answer)}   {label}{one.probability:.4f}   {second}"


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


COMMANDS = {"train": train, "predict": predict}
