"""``Gallery``: the gallery of layer 3, with its embedder kept in it and loaded again on opening."""

import os
import shutil
from pathlib import Path
from typing import Self

import numpy as np

from saccade import gallery
from saccade.api.evaluate import PIXELS, find_threshold, load
from saccade.api.sealed import judged_part
from saccade.config import DataSettings, Recipe, override
from saccade.data.broken import part_broken, require_few
from saccade.data.pictures import read_picture
from saccade.data.readers import read_data
from saccade.errors import GalleryError, InputError, PictureError, SettingError
from saccade.exchange import load_embedder
from saccade.exchange.embedder import KEPT, OnnxEmbedder
from saccade.exchange.trust import ENDING
from saccade.files import existing_folder
from saccade.gallery import centring, drafts, re_embedding
from saccade.gallery.centring import Centre
from saccade.gallery.choices import NO, YES
from saccade.gallery.mirrored import Mirrored
from saccade.judge.choices import Tried, judge_choices
from saccade.tasks.model import Model
from saccade.values import Broken, Embedder, Float32Array

EMBEDDER_FOLDER = "embedder"
BATCH = 64


class Gallery(gallery.Gallery):
    """A gallery that carries a copy of its embedder, so that it can move to another machine.

    ``left_out``: the pictures that could not be read when its threshold was sought.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        embedder: Embedder | Path | str | None = None,
        background: bool = False,
    ) -> None:
        """Open a gallery; without ``embedder`` the copy that it carries is used.

        ``background``: a new index is made in a thread beside the searches whenever one is due.
        Raises GalleryError when the gallery or its copy of the embedder is damaged, or its vectors
        come from another embedder than the one given.
        """
        root = existing_folder(folder, "gallery")
        found = _kept(root) if embedder is None else _loaded(embedder)
        super().__init__(root, embedder=found, background=background)
        self.left_out: tuple[Broken, ...] = ()

    @classmethod
    def open(cls, folder: Path | str, *, embedder: Embedder | Path | str | None = None) -> Self:
        """Open a gallery, as ``Gallery(folder)`` does."""
        return cls(folder, embedder=embedder)

    @classmethod
    def create(  # type: ignore[override]  # one level up it takes the embedder's numbers
        cls,
        folder: Path | str,
        *,
        embedder: Embedder | Path | str = PIXELS,
        threshold: float | None = None,
        threshold_from: Path | str | None = None,
        broken: float = DataSettings().broken,
        keep_originals: bool = False,
        mirrored: bool = False,
    ) -> Self:
        """Make a gallery for the vectors of ``embedder``.

        It is a run folder, an ONNX file with its card, "pixels", or an object. A Model or an ONNX
        file is copied into the gallery; an object of another kind must be given again to ``open``.
        The threshold, a cosine, is the one given, else found on the data of
        ``threshold_from``, as by ``threshold_on``, else the embedder's own. Without any, ``find``
        never says unknown. ``keep_originals``: the files of enrolled pictures are kept in it.
        ``mirrored``: pictures are embedded with their mirror images, always; the embedder's own
        threshold is not for these vectors, and not taken.
        Raises GalleryError when something stands at ``folder``; nothing is written then.
        """
        place = Path(folder)
        if place.exists():
            raise GalleryError(f"{place} exists already; name a new folder, or open that gallery")
        existing_folder(place.absolute().parent, "folder")
        chosen_embedder = _loaded(embedder)
        answering = Mirrored(chosen_embedder) if mirrored else chosen_embedder
        limit, left_out = _threshold(answering, threshold, threshold_from, broken)
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
                keep_originals=keep_originals,
                mirrored=mirrored,
            ).close()
            _keep(chosen_embedder, fresh / EMBEDDER_FOLDER)
            fresh.rename(place)
        except OSError as error:
            raise GalleryError(f"gallery {place} cannot be made: {error.strerror}") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        made = cls(place, embedder=chosen_embedder)
        made.left_out = left_out
        return made

    def re_embed(
        self,
        out: Path | str,
        embedder: Embedder | Path | str,
        *,
        threshold: float | None = None,
        mirrored: bool | None = None,
    ) -> re_embedding.ReEmbedded:
        """Make the gallery ``out``, its pictures embedded by another embedder from their files.

        This one stays as it is. ``threshold`` and ``mirrored`` as in ``create``, by default the new
        embedder's own (none where templates are means), and as in this one. Raises GalleryError,
        and makes nothing, when files are not kept or something stands at ``out``.
        """
        place = Path(out)
        re_embedding.require_originals(self._database)
        with (
            drafts.making(place, "gallery", outside=self.folder) as draft,
            Gallery.create(
                draft,
                embedder=embedder,
                threshold=threshold,
                keep_originals=True,
                mirrored=self.stats().mirrored == YES if mirrored is None else mirrored,
            ) as made,
        ):
            return re_embedding.re_embed(
                self._database,
                made._database,
                made._need_embedder(),
                threshold_stated=threshold is not None,
            )

    def threshold_on(self, data: Path | str, *, broken: float = DataSettings().broken) -> float:
        """Return the threshold that suits the pairs of pictures in class folders; sets nothing.

        In a gallery that is centred, they are compared without its mean, as ``find`` does. Pictures
        that cannot be read are ``left_out``; above the share ``broken`` of them InputError is
        raised.
        """
        with self._database.reading() as connection:
            centre = centring.read(connection)
        found, self.left_out = _threshold_on(self._need_embedder(), data, broken, centre)
        return found

    def try_choices(
        self, data: Path | str, *, broken: float = DataSettings().broken
    ) -> tuple[Tried, ...]:
        """Judge each choice, with and without it, on class folders; chooses and enrols nothing.

        Every picture is searched among the others, so that there must be two classes with several
        pictures or more. The rate of false alarms is that of the gallery's threshold on these
        pictures. Unreadable pictures as in ``threshold_on``.
        """
        embedder = self._need_embedder()
        plain = embedder.embedder if isinstance(embedder, Mirrored) else embedder
        vectors = {}
        for name, one in ((NO, plain), (YES, Mirrored(plain))):
            vectors[name], labels, self.left_out = _embedded(one, data, broken)
        now = self.stats()
        return judge_choices(
            vectors,
            labels,
            templates=now.templates,
            centred=now.centred,
            mirrored=now.mirrored,
            threshold=now.threshold,
        )


def _kept(root: Path) -> Embedder | None:
    folder = root / EMBEDDER_FOLDER
    if not folder.is_dir():
        return None
    graph = folder / KEPT
    try:
        return load_embedder(graph) if graph.exists() else Model.load(folder)
    except InputError as error:
        raise GalleryError(f"the embedder of gallery {root} is damaged: {error}") from error


def _keep(embedder: Embedder, folder: Path) -> None:
    """Write a copy of an embedder that can be written into a new folder."""
    if isinstance(embedder, Model):
        folder.mkdir()
        _without_names(embedder).save(folder)
    elif isinstance(embedder, OnnxEmbedder):
        folder.mkdir()
        embedder.save(folder)


def _loaded(embedder: Embedder | Path | str) -> Embedder:
    if isinstance(embedder, str | Path) and Path(embedder).suffix.lower() == ENDING:
        return load_embedder(embedder)
    found = load(embedder) if isinstance(embedder, str | Path) else embedder
    if isinstance(found, Model) and not found.dimension:
        what = embedder if isinstance(embedder, str | Path) else "the model"
        raise GalleryError(
            f"{what} is {found.called}, which makes no vectors; train with --task embed"
        )
    return found


def _without_names(model: Model) -> Model:
    """The same embedder, its card without the classes it learned from: they may be people."""
    card = {key: value for key, value in model.card.items() if key != "classes"}
    return Model(card, model.network)


def _described(embedder: Embedder) -> str:
    if isinstance(embedder, OnnxEmbedder):
        return embedder.file.name
    if not isinstance(embedder, Model):
        return "given in Python"
    return f"{embedder.card.get('backbone', embedder.card['kind'])}"


def _threshold(
    embedder: Embedder,
    threshold: float | None,
    threshold_from: Path | str | None,
    broken: float,
) -> tuple[float | None, tuple[Broken, ...]]:
    if threshold is not None and threshold_from is not None:
        raise SettingError("give a threshold or the folder to find it from, not both")
    if threshold is not None:
        return threshold, ()
    if threshold_from is None:
        return (embedder.threshold if isinstance(embedder, Model) else None), ()
    return _threshold_on(embedder, threshold_from, broken)


def _threshold_on(
    embedder: Embedder, data: Path | str, broken: float, centre: Centre | None = None
) -> tuple[float, tuple[Broken, ...]]:
    vectors, labels, left_out = _embedded(embedder, data, broken)
    if centre is not None:
        vectors = centre.of(vectors)
    return float(find_threshold(vectors, labels)["similarity"]), left_out


def _embedded(
    embedder: Embedder, data: Path | str, broken: float
) -> tuple[Float32Array, list[str], tuple[Broken, ...]]:
    """Return vectors (n, d) and labels of the pictures of ``data`` that can be read."""
    allowed = override(Recipe(), [("data.broken", broken)], where="threshold").data.broken
    samples = read_data(judged_part(data, open_test=None))
    vectors, reasons = [], {}
    for start in range(0, len(samples), BATCH):
        pictures = []
        for row, sample in enumerate(samples[start : start + BATCH], start):
            try:
                pictures.append(read_picture(sample))
            except PictureError as error:
                reasons[row] = str(error)
        if pictures:
            vectors.append(embedder(pictures))
    read, left_out = part_broken(samples, reasons)
    require_few(left_out, of=len(samples), allowed=allowed)
    return np.concatenate(vectors), [sample.label for sample in read], tuple(left_out)
