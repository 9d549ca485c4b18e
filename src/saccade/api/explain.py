"""``explain``: which places of a picture made a model answer as it does."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from saccade.api.evaluate import load
from saccade.api.predict import writable
from saccade.data.batches import load_readable
from saccade.data.pictures import find_pictures
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.attribution import attribute, explainable, vector_of
from saccade.judge.explanation import Explanation
from saccade.names import suggest
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.model import Model

MOST = 100  # pictures on one page
PAGE = "an HTML file with --out"


def explain(
    run: Path | str | Model,
    pictures: Sequence[Path | str],
    *,
    label: str | None = None,
    out: Path | str | None = None,
) -> list[Explanation]:
    """Say of each picture which places made the answer; folders are searched at any depth.

    Of a classifier the class it answers is explained, or the class ``label``; of a regressor each
    target, and what moves it away from the mean that was learned; of an embedder, given two
    pictures, what of each makes it like the other. ``out`` is an HTML page to write, with the maps
    over the pictures. One that cannot be read has a ``reason`` and no ``attribution``. Raises
    InputError, with nothing written, when none can be read, for more than MOST of them, and for a
    model that cannot be explained so, naming what can.
    """
    model = run if isinstance(run, Model) else load(run)
    explainable(model)
    place = None if out is None else writable(Path(out), PAGE)
    if not pictures:
        raise InputError("no picture is named; give files or folders")
    paths = list(dict.fromkeys(one for item in pictures for one in find_pictures(Path(item))))
    if len(paths) > MOST:
        raise InputError(f"{len(paths):,} pictures are too many for one page; name {MOST} at most")
    explanations = list(_explained(model, paths, label))
    readable = {one.picture for one in explanations if not one.reason}
    if not readable:
        raise InputError(f"no picture can be explained: {explanations[0].reason}")
    if place is not None:
        from saccade.judge.explanation_report import explanation_report  # Loads the charts.

        about = f"{model.called} ({model.card['backbone']})"
        left_out = len(paths) - len(readable)
        write_atomic(place, explanation_report(explanations, about=about, left_out=left_out))
    return explanations


def explain_class(model: Model, name: str, picture: Tensor, label: str) -> Explanation:
    """Say what of ``picture`` (1, c, H, W) uint8, called ``name``, speaks for the class ``label``.

    Raises InputError for a class that the model has not learned.
    """
    classes = model.classes or ()
    if label not in classes:
        raise InputError(f"the model knows no class '{label}'; {suggest(label, classes)}")
    shares = model.classify_prepared(picture)[0]
    best = int(shares.argmax())
    found = attribute(
        explainable(model),
        picture,
        output=classes.index(label),
        mirror=bool(model.card.get("mirror")),
    )
    return Explanation(name, f"{classes[best]} {shares[best]:.4f}", label, found)


def _explained(model: Model, paths: Sequence[Path], label: str | None) -> Iterator[Explanation]:
    if label is not None and model.classes is None:
        raise SettingError(f"--class is for classifiers, this is {model.called}; leave it out")
    if model.dimension and len(paths) != 2:
        raise InputError(
            "an embedder explains what makes one picture like another; name two pictures, not "
            "one twice. "
            f"Got {len(paths)}"
        )
    prepared, broken = load_readable(paths, size_hw=model.size_hw, channels=model.channels)
    if model.dimension:
        for reason in broken.values():
            raise InputError(reason)
        yield from _pair(model, paths, prepared)
        return
    rows = iter(torch.split(prepared, 1))
    for number, path in enumerate(paths):
        if number in broken:
            yield Explanation(str(path), reason=broken[number])
        elif model.targets is not None:
            yield from _numbers(model, str(path), next(rows))
        else:
            picture = next(rows)
            yield explain_class(model, str(path), picture, label or _answer(model, picture))


def _answer(model: Model, picture: Tensor) -> str:
    return (model.classes or ())[int(model.classify_prepared(picture)[0].argmax())]


def _numbers(model: Model, name: str, picture: Tensor) -> Iterator[Explanation]:
    """One explanation a target: of what raises it above the mean learned, or lowers it below."""
    targets, values = model.targets or (), model.estimate_prepared(picture)[0].tolist()
    answer = ", ".join(f"{one} {value:.6g}" for one, value in zip(targets, values, strict=True))
    for place, (target, value) in enumerate(zip(targets, values, strict=True)):
        centre = float(model.card["centre"][place])
        sign = 1 if value >= centre else -1
        words = "raises it above" if sign > 0 else "lowers it below"
        found = attribute(
            explainable(model),
            picture,
            output=place,
            sign=sign,
            mirror=bool(model.card.get("mirror")),
        )
        yield Explanation(
            name, answer, f"{target}: what {words} {centre:.6g}, the mean learned", found
        )


def _pair(model: Model, paths: Sequence[Path], pictures: Tensor) -> Iterator[Explanation]:
    network, mirror = explainable(model), bool(model.card.get("mirror"))
    assert isinstance(network, EmbeddingNetwork)  # Of all networks it alone has a dimension.
    both = torch.split(pictures, 1)
    vectors = [vector_of(network, picture, mirror=mirror) for picture in both]
    similarity = float((vectors[0] @ vectors[1].T).item())
    for own, other in ((0, 1), (1, 0)):
        found = attribute(network, both[own], output=0, mirror=mirror, towards=vectors[other])
        yield Explanation(
            str(paths[own]),
            f"similarity {similarity:.4f}",
            f"what makes it like {paths[other].name}",
            found,
        )
