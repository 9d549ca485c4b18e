"""``look_inside``: what a model has learned, its weights as pictures."""

from pathlib import Path

from saccade.api.evaluate import load
from saccade.api.explain import PAGE
from saccade.api.predict import writable
from saccade.files import write_atomic
from saccade.judge.weight_pictures import Inside, weight_pictures
from saccade.tasks.model import Model


def look_inside(run: Path | str | Model, *, out: Path | str | None = None) -> Inside:
    """Return a linear model's templates, or the filters of a network's first layer, as pictures.

    ``out`` is an HTML page to write. Raises InputError where the weights make no pictures.
    """
    model = run if isinstance(run, Model) else load(run)
    found = weight_pictures(model)
    place = None if out is None else writable(Path(out), PAGE)
    if place is not None:
        from saccade.judge.inside_report import inside_report  # Loads the charts.

        about = f"{model.called} ({model.card['backbone']})"
        write_atomic(place, inside_report(found, about=about))
    return found
