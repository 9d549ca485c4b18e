"""The page that shows why a model answers as it does: pictures with maps over them."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

from scipy.ndimage import gaussian_filter

from saccade.data.pictures import read_picture
from saccade.judge.explanation import Explanation, Mistake, against, share, spread, sum_told
from saccade.judge.wording import file_name, percent
from saccade.report import (
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Text,
    data_uri,
    heat,
    heat_legend,
    page,
)
from saccade.report.heat import LONGEST_SIDE
from saccade.values import Float32Array, Sample, UInt8Array

CAM, GRADIENTS = "Grad-CAM", "Integrated gradients"
BLUR = 1 / 80  # of the longer side: the deviation of what fine parts are blurred by
METHOD = (
    Text(
        "Grad-CAM (Selvaraju et al., ICCV 2017) asks the network's last maps of features which "
        "places raise what is explained. It is coarse, and shows which part counted."
    ),
    Text(
        "Integrated gradients (Sundararajan, Taly, Yan, ICML 2017) add up what each pixel "
        "contributes on the way from a flat picture to this one. They are fine, and all parts "
        "together make the whole difference; by how much they miss it stands below each. Of large "
        "pictures they are drawn a little blurred, as sums over neighbours."
    ),
    Text(
        "A map says what this model used, not what is right. One that lies beside the subject is "
        "worth a look at the training pictures: there may be something in the background that "
        "gives the class away. One that lies on it proves nothing.",
        tone="note",
    ),
)
READING = Section("How to read the maps", METHOD)


def explanation_report(
    explanations: Sequence[Explanation], *, about: str, left_out: int = 0
) -> str:
    """Return one self-contained HTML page; the pictures are read again from their files.

    ``about`` names the model; ``left_out``: how many pictures could not be read. Explanations of
    one picture stand together.
    """
    found = [one for one in explanations if one.attribution is not None]
    groups = tuple(
        _explained(Path(name), list(group)) for name, group in groupby(found, lambda e: e.picture)
    )
    shown = (_legend(), PictureSheet(groups, large=True))
    sections = [Section("Picture by picture", shown), READING]
    subtitle = f"{_count(len(groups), 'picture')}, by {about}"
    subtitle += f"; {left_out} more could not be read" if left_out else ""
    return page("Why the model says so", sections, subtitle=subtitle)


def mistakes_report(
    mistakes: Sequence[Mistake],
    *,
    pictures: Sequence[Path | Sample],
    about: str,
    judged: int,
    wrong: int,
    note: str,
) -> str:
    """Return one self-contained HTML page of the surest mistakes.

    ``pictures``: those judged, in order; ``note`` says why no training pictures stand beside them.
    """
    intro = (
        f"{wrong:,} of {judged:,} pictures were given a wrong class; shown are the {len(mistakes)} "
        "whose wrong answer was surest. Each stands beside what speaks for the answer, what speaks "
        "for the true class, and the training pictures that look most alike to the model. Look for "
        "a label that is wrong, for evidence beside the subject, and for neighbours of the class "
        "that was answered."
    )
    parts: list[Part] = [Text(intro)] if mistakes else [Text("No picture was given a wrong class.")]
    if note and mistakes:
        parts.append(Text(f"The nearest training pictures are not shown: {note}", tone="warning"))
    groups = tuple(_mistaken(one, pictures[one.row]) for one in mistakes)
    parts += [_legend(), PictureSheet(groups, large=True)] if mistakes else []
    sections = [Section("The surest mistakes", tuple(parts)), READING]
    return page("Why the model was wrong", sections, subtitle=f"By {about}")


def _legend() -> Charts:
    return Charts((heat_legend(),))


def _explained(path: Path, explanations: Sequence[Explanation]) -> tuple[Picture, ...]:
    picture = read_picture(path)
    shown = [Picture(_uri(picture), "The picture", explanations[0].answer, (path.name,))]
    for one in explanations:
        shown += _maps(picture, one)
    return tuple(shown)


def _maps(picture: UInt8Array, one: Explanation) -> list[Picture]:
    found = one.attribution
    assert found is not None  # Left out before.
    maps = []
    if found.grad_cam is None:
        lines: tuple[str, ...] = (f"No Grad-CAM: {found.no_grad_cam}",)
    else:
        lines = ()
        maps.append(_map(picture, found.grad_cam, one.explained))
    lines = (sum_told(found), f"{share(against(found))} of all parts speak against", *lines)
    return [*maps, _fine_map(picture, found.gradients, one.explained, lines)]


def _mistaken(one: Mistake, source: Path | Sample) -> tuple[Picture, ...]:
    picture = read_picture(source)
    answer = f"answered {one.for_answer.explained} {percent(one.probability)}"
    shown = [
        Picture(_uri(picture), "The picture", f"is {one.truth}", (answer, _name(source)), "bad"),
        _best_map(picture, one.for_answer, f"Answered: {one.for_answer.explained}"),
        _best_map(picture, one.for_truth, f"True class: {one.truth}"),
    ]
    for place, near in enumerate(one.neighbours, 1):
        tone: Literal["good", "bad"] = "good" if near.label == one.truth else "bad"
        details = (f"similarity {near.similarity:.3f}", Path(near.picture).name)
        uri = data_uri(near.pixels, kind="png")
        shown.append(Picture(uri, f"Training picture, {_nth(place)}", near.label, details, tone))
    return tuple(shown)


def _best_map(picture: UInt8Array, one: Explanation, name: str) -> Picture:
    """Grad-CAM, or integrated gradients of a model that has none."""
    found = one.attribution
    assert found is not None  # Of a mistake there always is one.
    if found.grad_cam is not None:
        return _map(picture, found.grad_cam, name)
    return _fine_map(picture, found.gradients, name)


def _fine_map(
    picture: UInt8Array, parts: Float32Array, name: str, details: tuple[str, ...] = ()
) -> Picture:
    blurred = gaussian_filter(parts, max(parts.shape) * BLUR)
    return Picture(_uri(heat(picture, blurred)), GRADIENTS, name, (str(spread(parts)), *details))


def _map(picture: UInt8Array, values: Float32Array, name: str) -> Picture:
    return Picture(_uri(heat(picture, values)), CAM, name, (str(spread(values)),))


def _uri(picture: UInt8Array) -> str:
    return data_uri(picture, longest_side=LONGEST_SIDE)


def _name(source: Path | Sample) -> str:
    return file_name(source, 0)


def _nth(place: int) -> str:
    return "nearest" if place == 1 else f"{place}. nearest"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
