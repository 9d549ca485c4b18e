"""``label_next``: which unlabelled pictures teach a model most when they are labelled next."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saccade.api.evaluate import load
from saccade.api.judged import require_pictures
from saccade.api.predict import writable
from saccade.data.batches import load_readable
from saccade.data.pictures import find_pictures
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.judge.labelling import UNSURE, choose_next, unsure
from saccade.names import suggest
from saccade.tasks.closed_form import features_of
from saccade.tasks.embed import EmbeddingNetwork
from saccade.tasks.model import Model
from saccade.values import Broken, Float32Array

BLOCK = 1024  # pictures decoded at a time
CSV_HEAD = ("path", "label", "guess", "probability", "doubt")


@dataclass(frozen=True, slots=True)
class ToLabel:
    """A picture to label. Of a classifier: its ``guess``, that one's probability, its ``doubt``.

    ``doubt``: 0 for sure, 1 for no idea. Other models guess nothing: empty and None.
    """

    picture: str
    guess: str = ""
    probability: float | None = None
    doubt: float | None = None


@dataclass(frozen=True, slots=True)
class LabelNext:
    """``pictures`` to label, in this order, of ``seen`` that were looked at; ``by``: how chosen.

    ``broken``: could not be read.
    """

    pictures: tuple[ToLabel, ...]
    seen: int
    by: str
    broken: tuple[Broken, ...] = ()


def label_next(
    run: Path | str | Model,
    pictures: Sequence[Path | str],
    *,
    count: int = 20,
    by: str = "margin",
    out: Path | str | None = None,
    progress: Callable[[range], Iterable[int]] = iter,
) -> LabelNext:
    """Choose pictures to label next; folders are searched at any depth, their names mean nothing.

    Of a classifier those that it is least sure of, ``by`` "margin" or "entropy", and that differ
    from each other; of an embedder or a regressor, which have no doubts, those that each stand for
    a group of all. ``out`` is a CSV file to write, whose column label is left for you. ``progress``
    as for ``evaluate``. Raises InputError, with nothing written, when no picture can be read.
    """
    if count < 1:
        raise SettingError(f"--count must be 1 or more. Got {count} instead")
    if by not in UNSURE:
        raise SettingError(f"--by must not be '{by}'; {suggest(by, UNSURE)}")
    place = None if out is None else writable(Path(out), "a CSV file with --out")
    model = run if isinstance(run, Model) else load(run)
    require_pictures(model, "label-next")
    if not pictures:
        raise InputError("no picture is named; give files or folders")
    paths = list(dict.fromkeys(one for item in pictures for one in find_pictures(Path(item))))
    read, features, shares, broken = _looked_at(model, paths, progress)
    if not read:
        raise InputError(f"no picture can be read: {broken[0].reason}")
    doubts = None if shares is None else unsure(shares, by=by)
    rows = choose_next(features, doubts, count=count)
    chosen = []
    for row in rows.tolist():
        if shares is None or doubts is None:
            chosen.append(ToLabel(str(read[row])))
            continue
        best = int(shares[row].argmax())
        guess = (model.classes or ())[best]
        chosen.append(ToLabel(str(read[row]), guess, float(shares[row, best]), float(doubts[row])))
    how = "what differs" if doubts is None else f"{by}, and what differs"
    found = LabelNext(tuple(chosen), len(read), how, tuple(broken))
    if place is not None:
        write_atomic(place, _csv(found))
    return found


def _looked_at(
    model: Model, paths: Sequence[Path], progress: Callable[[range], Iterable[int]]
) -> tuple[list[Path], Float32Array, Float32Array | None, list[Broken]]:
    """What can be read: paths, features (n, d), a classifier's probabilities; and what cannot."""
    read: list[Path] = []
    features, shares = [], []
    broken: list[Broken] = []
    for start in progress(range(0, len(paths), BLOCK)):
        block = paths[start : start + BLOCK]
        pictures, reasons = load_readable(block, size_hw=model.size_hw, channels=model.channels)
        read += [path for row, path in enumerate(block) if row not in reasons]
        broken += [Broken(str(block[row]), reason) for row, reason in sorted(reasons.items())]
        if not len(pictures):
            continue
        features.append(_features(model, pictures))
        if model.classes is not None:
            shares.append(model.classify_prepared(pictures))
    rows = np.concatenate(features) if features else np.zeros((0, 1), np.float32)
    return read, rows, np.concatenate(shares) if shares else None, broken


def _features(model: Model, pictures: torch.Tensor) -> Float32Array:
    network: Any = model.network
    if network is None or isinstance(network, EmbeddingNetwork):
        return model.embed_prepared(pictures)
    return np.asarray(features_of(network, pictures), np.float32)


def _csv(found: LabelNext) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for one in found.pictures:
        figures = (
            "" if value is None else f"{value:.6f}" for value in (one.probability, one.doubt)
        )
        writer.writerow([one.picture, "", one.guess, *figures])
    return stream.getvalue()
