"""``limits``: does a model hold on a second data set, and does it look at the background?"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from saccade.api.about import about
from saccade.api.evaluate import PIXELS, load, report_place
from saccade.api.hidden import Hidden, hide_objects, object_finder
from saccade.api.judged import (
    ALLOWED,
    Judged,
    as_array,
    judged_samples,
    load_judged,
    note_opening,
    read_judged,
    require_pictures,
)
from saccade.api.scoring import answer, scoring_of
from saccade.api.sealed import has_sealed, judged_part
from saccade.api.trained_on import flattered
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.limits import (
    Background,
    Limits,
    Seen,
    Transfer,
    judge_background,
    judge_transfer,
)
from saccade.tasks.model import Model

SHOWN = 8  # pictures of the report
SEED = 0  # decides which identities are judged where one data set has more


def limits(
    model: Model | Path | str,
    data: Path | str,
    *,
    second: Path | str | None = None,
    boxes: str | None = None,
    masks: Path | str | None = None,
    report: Path | str | None = None,
    open_test: bool = False,
    broken: float = ALLOWED,
    progress: Callable[[range], Iterable[int]] = iter,
) -> Limits:
    """Look for where a model, or that of a run folder, ends.

    ``data`` is what ``read_data`` reads; of divided data the part val is judged, or test with
    ``open_test``, which the run folder records. So is ``second``, other pictures of the same
    classes, which asks whether the score holds on them; ``open_test`` opens what either has.
    Pictures of a run's own training are told in ``notes``: they flatter.
    ``boxes`` (columns of ``data``, a table: "x,y,width,height", pixels of the upright picture) or
    ``masks`` (a folder of PNG files, above 0 is the object) ask what the model looks at: it answers
    again with the object hidden behind grey, of a mask the rectangle around it, and with all but
    the object hidden. Figures as for ``robustness``; ``report``, ``broken``, ``progress`` too.
    Raises SettingError when nothing is asked, or both boxes and masks are given.
    """
    if second is None and boxes is None and masks is None:
        raise SettingError("nothing is asked; name a second data set, boxes or masks")
    loaded = model if isinstance(model, Model) else load(model)
    require_pictures(loaded, "limits")
    place = report_place(report)
    opened = [open_test and has_sealed(one) for one in (data, second) if one is not None]
    part = judged_part(data, open_test=opened[0] or (open_test and not any(opened)))
    other_part = None if second is None else judged_part(second, open_test=opened[1])
    samples = judged_samples(loaded, part)
    finder = object_finder(samples, boxes, masks)
    others = None if other_part is None else read_judged(loaded, other_part)
    judged = load_judged(loaded, samples, allowed=broken)
    other = None if others is None else load_judged(loaded, others, allowed=broken)
    hidden = None if finder is None else hide_objects(judged, finder, progress)
    found = Limits(
        figure=scoring_of(loaded, judged).figure,
        units="identities" if loaded.dimension else "pictures",
        transfer=None if other is None else _transfer(loaded, judged, other),
        background=None if hidden is None else _background(loaded, judged, hidden),
        notes=_notes(loaded, model, judged, other),
        broken=judged.broken + (() if other is None else other.broken),
    )
    if place is not None:
        from saccade.judge.limits_report import limits_report  # Loads the charts.

        rows = about(loaded, judged.samples, found.broken)
        examples = [] if hidden is None else _examples(loaded, judged, hidden)
        write_atomic(place, limits_report(found, examples=examples, about=rows))
    for one, pictures in ((part, judged), (other_part, other)):
        if one is not None and pictures is not None:
            note_opening(model, one, len(pictures.samples), "; ".join(found.sentences))
    return found


def _notes(
    model: Model, named: Model | Path | str, judged: Judged, other: Judged | None
) -> tuple[str, ...]:
    """Say of either data how many of its pictures the model was trained on."""
    run = None if isinstance(named, Model) or str(named) == PIXELS else Path(named)
    notes = [flattered(model, run, judged.samples)]
    if other is not None:
        said = flattered(model, run, other.samples)
        notes.append(said and f"second data: {said}")
    return tuple(note for note in notes if note)


def _transfer(model: Model, judged: Judged, other: Judged) -> Transfer:
    first, second, left_out = _comparable(model, judged, other)
    judges = (scoring_of(model, first), scoring_of(model, second, like=first.samples))
    scores = [
        one.score(answer(model, part.pictures))
        for one, part in zip(judges, (first, second), strict=True)
    ]
    return judge_transfer(
        *scores,
        figure=judges[0].figure,
        groups=(judges[0].groups, judges[1].groups),
        left_out=left_out,
    )


def _comparable(
    model: Model, first: Judged, second: Judged
) -> tuple[Judged, Judged, tuple[str, ...]]:
    """Bring both to the same classes, or as many identities; also what is left out, sorted.

    More identities are harder to search among, so that some, drawn by lot, are left out.
    """
    if model.targets is not None:
        return first, second, ()
    ours, theirs = ({sample.label for sample in part.samples} for part in (first, second))
    if model.classes is not None:
        shared = ours & theirs
        if not shared:
            raise InputError(
                f"the second data have none of the classes of the first: {', '.join(sorted(ours))};"
                " name pictures of the same classes, in folders of the same names"
            )
        kept = shared, shared
    else:
        if len(theirs) < 2:
            raise InputError(
                "the second data hold one identity, and nothing is found among one; add pictures "
                "of others"
            )
        least = min(len(ours), len(theirs))
        draw = np.random.default_rng(SEED)
        drawn = (draw.permutation(sorted(names))[:least] for names in (ours, theirs))
        kept = set(next(drawn).tolist()), set(next(drawn).tolist())
    left_out = tuple(sorted((ours - kept[0]) | (theirs - kept[1])))
    return first.only(kept[0]), second.only(kept[1]), left_out


def _background(model: Model, judged: Judged, hidden: Hidden) -> Background:
    judge = scoring_of(model, judged)
    kinds = (judged.pictures, hidden.without_object, hidden.without_background)
    scores = [judge.score(answer(model, pictures)) for pictures in kinds]
    return judge_background(
        *scores,
        figure=judge.figure,
        groups=judge.groups,
        chance=judge.chance,
        hidden=hidden.share,
    )


def _examples(model: Model, judged: Judged, hidden: Hidden) -> list[tuple[Seen, ...]]:
    """A few pictures in the three ways that they were shown, with the answers of a classifier."""
    rows = np.unique(np.linspace(0, len(judged.samples) - 1, SHOWN).round().astype(int))
    ways = {
        "as it is": judged.pictures[rows],
        "object hidden": hidden.without_object[rows],
        "object alone": hidden.without_background[rows],
    }
    labels = [judged.samples[row].label for row in rows]
    shown = []
    for role, pictures in ways.items():
        said = labels
        if model.classes is not None:
            said = [model.classes[place] for place in answer(model, pictures)]
        shown.append(
            [
                Seen(role, as_array(picture), name, right=name == label)
                for picture, name, label in zip(pictures, said, labels, strict=True)
            ]
        )
    return list(zip(*shown, strict=True))
