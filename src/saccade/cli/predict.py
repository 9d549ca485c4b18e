"""The command that answers for pictures: predict."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saccade.cli.output import say, say_json, shown
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.values import Detection, Estimate, Forecast, Prediction, Segmentation

    Answer = Prediction | Estimate | Detection | Segmentation | Forecast


def predict(
    run: Path,
    /,
    *pictures: Path,
    out: Path | None = None,
    at_least: float | None = None,
    neighbours: Path | None = None,
    painted: Path | None = None,
    frames: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what pictures show, or which frames come next; exit code 1 when nothing is sure.

    Parameters
    ----------
    run
        Run folder of a model that is no embedder.
    pictures
        Files, or folders searched at any depth; of a forecaster, of frames.
    out
        What to write: a CSV of classes, numbers or boxes; COCO results if it ends in .json; a
        folder for masks, PNG of class numbers, or for the next frames.
    at_least
        Probability below which an answer is unsure; of boxes the least score, else 0.5.
    neighbours
        HTML file to write: training pictures nearest to each, of knn.
    painted
        Folder to write pictures with their boxes or masks to.
    frames
        How many frames a forecaster says; else as it has learned.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.predict import predict as answer

    found = answer(
        run,
        pictures,
        at_least=at_least,
        out=out,
        neighbours=neighbours,
        painted=painted,
        frames=frames,
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


def _sure(one: "Answer") -> bool:
    from saccade.values import Detection, Prediction  # Loads NumPy.

    if isinstance(one, Detection):
        return bool(one.labels)
    return one.sure if isinstance(one, Prediction) else True


def _answer(one: "Answer") -> dict[str, Any]:
    from saccade.values import Detection, Estimate, Forecast, Segmentation

    if isinstance(one, Forecast):
        return {"sequence": one.sequence, "last": one.last, "files": one.files}
    if isinstance(one, Detection):
        each = zip(one.labels, one.scores.tolist(), one.xywh.tolist(), strict=True)
        boxes = [{"label": label, "score": score, "box": box} for label, score, box in each]
        return {
            "picture": one.picture,
            "size_hw": None if one.reason else one.size_hw,
            "boxes": None if one.reason else boxes,
            "error": one.reason or None,
        }

    if isinstance(one, Segmentation):
        return {
            "picture": one.picture,
            "size_hw": None if one.reason else one.mask.shape,
            "pixels": None if one.reason else one.pixels,
            "error": one.reason or None,
        }
    if isinstance(one, Estimate):
        return {"picture": one.picture, "values": one.values or None, "error": one.reason or None}
    if one.reason:
        return {"picture": one.picture, "answer": None, "error": one.reason, "sure": False}
    entries = asdict(one)
    del entries["reason"]
    return {**entries, "answer": one.answer, "error": None, "sure": one.sure}


def _line(one: "Answer") -> str:
    from saccade.values import Detection, Estimate, Forecast, Segmentation

    if isinstance(one, Forecast):
        many = f"{len(one.files)} frame{'s' if len(one.files) > 1 else ''}"
        return f"{shown(one.sequence)}: {many} after {shown(Path(one.last).name)}"
    if one.reason:
        return f"{shown(one.picture)}: {shown(one.reason)}"
    if isinstance(one, Estimate):
        numbers = (f"{shown(name)} {number:.6g}" for name, number in one.values.items())
        return f"{shown(one.picture)}: {'   '.join(numbers)}"
    if isinstance(one, Detection):
        counts = (f"{many} {shown(label)}" for label, many in Counter(one.labels).most_common())
        return f"{shown(one.picture)}: {', '.join(counts) or 'nothing found'}"
    if isinstance(one, Segmentation):
        shares = (
            f"{shown(label)} {many / one.mask.size:.1%}"
            for label, many in one.pixels.items()
            if many
        )
        return f"{shown(one.picture)}: {', '.join(shares)}"
    label = "" if one.sure else f"{shown(one.label)} "
    second = f"then {shown(one.runner_up)} {one.runner_up_probability:.4f}"
    return f"{shown(one.picture)}: {shown(one.answer)}   {label}{one.probability:.4f}   {second}"


COMMANDS = {"predict": predict}
