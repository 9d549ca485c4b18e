"""``Gallery``: the gallery of layer 3, with its embedder kept in it and loaded again on opening."""

import os
import shutil
from pathlib import Path
from typing import Self

import numpy as np

from saccade import gallery
from saccade.api.evaluate import PIXELS, find_threshold, load
from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, SettingError
from saccade.files import existing_folder
from saccade.tasks.model import Model
from saccade.values import Embedder

EMBEDDER_FOLDER = "embedder"
BATCH = 64


class Gallery(gallery.Gallery):
    """A gallery that carries a copy of its embedder, so that it can move to another machine."""

    @classmethod
    def create(  # type: ignore[override]  # one level up it takes the embedder's numbers
        cls,
        folder: Path | str,
        *,
        embedder: Embedder | Path | str = PIXELS,
        threshold: float | None = None,
        threshold_from: Path | str | None = None,
    ) -> Self:
        """Make a gallery for the vectors of ``embedder``: a run folder, "pixels", or an object.

        A Model is copied into the gallery; an embedder of another kind must be given again to
        ``open``.
        The threshold, a cosine, is the one given, else found on the class folders of
        ``threshold_from``, else the embedder's own. Without any, ``find`` never says unknown.
        Raises GalleryError when something stands at ``folder``; nothing is written then.
        """
        place = Path(folder)
        if place.exists():
            raise GalleryError(f"{place} exists already; name a new folder, or open that gallery")
        existing_folder(place.absolute().parent, "folder")
        chosen_embedder = _loaded(embedder)
        limit = _threshold(chosen_embedder, threshold, threshold_from)
        # Made beside its place and renamed, so that a crash leaves no gallery without an embedder.
        fresh = place.with_name(f".{place.name}.{os.getpid()}.part")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            super().create(
                fresh,
                fingerprint=chosen_embedder.fingerprint,
                dimension=chosen_embedder.dimension,
                threshold=limit,
                description=_described(chosen_embedder),
            ).close()
            if isinstance(chosen_embedder, Model):
                (fresh / EMBEDDER_FOLDER).mkdir()
                _without_names(chosen_embedder).save(fresh / EMBEDDER_FOLDER)
            fresh.rename(place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return cls.open(place, embedder=chosen_embedder)

    @classmethod
    def open(cls, folder: Path | str, *, embedder: Embedder | Path | str | None = None) -> Self:
        """Open a gallery; without ``embedder`` the copy that it carries is used.

        Raises GalleryError when there is none, it is damaged, or its vectors come from another
        embedder than the one given.
        """
        if embedder is None:
            kept = existing_folder(folder, "gallery") / EMBEDDER_FOLDER
            return super().open(folder, embedder=Model.load(kept) if kept.is_dir() else None)
        return super().open(folder, embedder=_loaded(embedder))


def _loaded(embedder: Embedder | Path | str) -> Embedder:
    found = load(embedder) if isinstance(embedder, str | Path) else embedder
    if isinstance(found, Model) and found.classes is not None:
        what = embedder if isinstance(embedder, str | Path) else "the model"
        raise GalleryError(
            f"{what} is a classifier, which makes no vectors; train with --task embed"
        )
    return found


def _without_names(model: Model) -> Model:
    """The same embedder, its card without the classes it learned from: they may be people."""
    card = {key: value for key, value in model.card.items() if key != "classes"}
    return Model(card, model.network)


def _described(embedder: Embedder) -> str:
    if not isinstance(embedder, Model):
        return "given in Python"
    return f"{embedder.card.get('backbone', embedder.card['kind'])}"


def _threshold(
    embedder: Embedder, threshold: float | None, threshold_from: Path | str | None
) -> float | None:
    if threshold is not None and threshold_from is not None:
        raise SettingError("give a threshold or the folder to find it from, not both")
    if threshold is not None:
        return threshold
    if threshold_from is None:
        return embedder.threshold if isinstance(embedder, Model) else None
    samples = read_class_folders(threshold_from)
    blocks = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    vectors = [embedder([read_picture(sample.path) for sample in block]) for block in blocks]
    found = find_threshold(np.concatenate(vectors), [sample.label for sample in samples])
    return float(found["similarity"])
