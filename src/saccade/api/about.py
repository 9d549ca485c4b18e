"""What a report says of the model that it judges, and of the pictures."""

from collections.abc import Sequence
from typing import Any

from saccade.data.box_sets import Counted
from saccade.tasks.model import Model
from saccade.values import Broken, Sample

CHOSE_THE_EPOCH = (
    "These pictures were held out from learning, but the best epoch was chosen on them, which "
    "flatters a little. Judge on further pictures before you rely on it: saccade evaluate."
)


def about(
    model: Model,
    samples: Sequence[Sample],
    broken: Sequence[Broken],
    counted: Sequence[Counted] = (),
) -> dict[str, str]:
    """Return the rows of the report's last table.

    ``broken`` are the pictures left out, ``counted`` what of true boxes was.
    """
    card = model.card
    size = f"{model.size_hw[0]}x{model.size_hw[1]}, {'grey' if model.channels == 1 else 'colour'}"
    return {
        "model": f"{_built(card)}, {_answers(model)}",
        "pictures are seen at": size,
        "licence": str(card.get("licence", "not stated")),
        "provenance": str(card.get("provenance", "not stated")),
        **_of_embedder(model, samples),
        "judged on": _judged_on(model, samples),
        **({"left out, unreadable": f"{len(broken)} pictures"} if broken else {}),
        **{one.what: f"{one.n:,}; the first: {one.first}" for one in counted},
        "fingerprint": model.fingerprint[:16],
    }


def _built(card: dict[str, Any]) -> str:
    seen = str(card.get("backbone", card["kind"]))
    if card.get("model") == "knn":
        return f"{card['k']} nearest neighbours by {card['distance']} on {seen}"
    return f"{card['model']} on {seen}" if "model" in card else seen


def _answers(model: Model) -> str:
    if model.targets is not None:
        return f"numbers for {', '.join(model.targets)}"
    if model.classes is not None:
        return f"{len(model.classes)} classes"
    if model.window is not None:
        seen, ahead = model.window
        return f"{ahead} frames after {seen}"
    if model.objects is not None:
        return f"objects of {len(model.objects)} classes"
    if model.surfaces is not None:
        return f"pixels of {len(model.surfaces)} classes"
    return f"{model.dimension} dimensions"


def _judged_on(model: Model, samples: Sequence[Sample]) -> str:
    if (model.targets, model.objects, model.surfaces) != (None, None, None):
        return f"{len(samples)} pictures"
    if model.window is not None:
        return f"{len(samples)} frames of {len({sample.label for sample in samples})} sequences"
    units = "identities" if model.classes is None else "classes"
    return f"{len(samples)} pictures of {len({sample.label for sample in samples})} {units}"


def _of_embedder(model: Model, samples: Sequence[Sample]) -> dict[str, str]:
    """The rows that only an embedder has; nothing for the others."""
    if not model.dimension:
        return {}
    seen = {sample.label for sample in samples}.intersection(model.card.get("classes", ()))
    return {
        "threshold": _threshold_text(model.card.get("threshold")),
        "seen in training": f"{len(seen)} of them; the figures flatter" if seen else "none of them",
    }


def _threshold_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    where = f"found on {found.get('identities')} identities held out from training"
    return f"{found['similarity']:.4f}, {found.get('criterion')}, {where}"
