"""The command that says why a model answers as it does: explain."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import BROKEN, BrokenShare, Flag, Json
from saccade.cli.output import lines_of_broken, progress_bar, say, say_json, shown
from saccade.errors import InputError, SettingError

if TYPE_CHECKING:
    from saccade.api.mistakes import Mistakes
    from saccade.judge.explanation import Explanation


def explain(
    run: Path,
    /,
    *pictures: Path,
    label: Annotated[str | None, Parameter(name="--class")] = None,
    mistakes: int | None = None,
    inside: Flag = False,
    out: Path | None = None,
    broken: Annotated[
        BrokenShare,
        Parameter(help="Share of the pictures that may be unreadable, with --mistakes."),
    ] = BROKEN,
    json: Json = False,
) -> int:
    """Show which places of a picture made the answer, as maps over the picture on a page.

    Parameters
    ----------
    run
        Run folder.
    pictures
        Picture files or folders; two pictures for an embedder; with --mistakes data with labels.
    label
        Class to explain, of a classifier, in place of the one it answers.
    mistakes
        Explain so many wrong answers on data with labels, those it was surest of first.
    inside
        Show the model's own weights as pictures: first filters, or a linear model's templates.
    out
        HTML file to write; else explanation.html, mistakes.html or inside.html in the run folder.
    """
    if inside:
        if pictures or label is not None or mistakes is not None:
            raise SettingError("--inside looks at the model alone; leave out pictures and the rest")
        return _inside(run, out or run / "inside.html", json=json)
    if mistakes is not None:
        if len(pictures) != 1 or label is not None:
            raise SettingError("--mistakes needs one place of data with labels, and no --class")
        place = out or run / "mistakes.html"
        return _mistakes(run, pictures[0], mistakes, place, broken=broken, json=json)
    from saccade.api.explain import explain as find

    place = out or run / "explanation.html"
    found = find(run, pictures, label=label, out=place)
    if json:
        say_json({"explanations": [one.to_dict() for one in found], "page": place})
    else:
        for one in found:
            _print(one)
        say(f"page: {shown(str(place))}")
    left_out = [one.reason for one in found if one.reason]
    if left_out:
        raise InputError(f"{len(left_out)} pictures have no explanation: {left_out[0]}")
    return 0


def _inside(run: Path, place: Path, *, json: bool) -> int:
    from saccade.api.inside import look_inside

    found = look_inside(run, out=place)
    if json:
        names = [{"name": one.name, "largest": one.largest} for one in found.pictures]
        say_json({"kind": found.kind, "layer": found.layer, "pictures": names, "page": place})
        return 0
    say(f"{found.total} {found.kind}, layer {shown(found.layer)}")
    say(f"page: {shown(str(place))}")
    return 0


def _mistakes(run: Path, data: Path, count: int, place: Path, *, broken: float, json: bool) -> int:
    from saccade.api.mistakes import explain_mistakes

    progress = progress_bar("judging", quiet=json)
    found = explain_mistakes(run, data, count=count, out=place, broken=broken, progress=progress)
    if json:
        say_json({**found.to_dict(), "page": place})
        return 0
    for line in lines_of_broken(found.broken):
        say(line)
    _print_mistakes(found)
    say(f"page: {shown(str(place))}")
    return 0


def _print_mistakes(found: "Mistakes") -> None:
    from saccade.judge.explanation import places_told

    say(f"{found.wrong} of {found.judged} pictures were given a wrong class")
    for one in found.mistakes:
        answer = f"{shown(one.for_answer.explained)} {one.probability:.4f}"
        say(f"{shown(one.for_answer.picture)}: {answer}, is {shown(one.truth)}")
        for side in (one.for_answer, one.for_truth):
            say(f"   for {shown(side.explained)}: {places_told(side)}")
        for near in one.neighbours:
            say(f"   near {shown(near.picture)}: {shown(near.label)} {near.similarity:.3f}")
    if found.note and found.mistakes:
        say(f"the nearest training pictures are not shown: {shown(found.note)}")


def _print(one: "Explanation") -> None:
    from saccade.judge.explanation import against, share, spread, sum_told

    found = one.attribution
    if found is None:
        say(f"{shown(one.picture)}: {shown(one.reason)}")
        return
    say(f"{shown(one.picture)}: {shown(one.answer)}; explained: {shown(one.explained)}")
    cam = found.no_grad_cam if found.grad_cam is None else spread(found.grad_cam)
    say(f"   Grad-CAM              {cam}")
    say(f"   integrated gradients  {spread(found.gradients)}; {share(against(found))} against")
    say(f"   {sum_told(found)}")


COMMANDS = {"explain": explain}
