"""An open gallery: its folder, its database, its embedder, and what it knows in memory."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

from saccade.data.pictures import read_picture
from saccade.errors import GalleryError, InputError
from saccade.gallery import (
    choices,
    enrol,
    inputs,
    narrowing,
    originals,
    settling,
    store,
    templates,
    upkeep,
)
from saccade.gallery import mirrored as mirroring
from saccade.gallery.code_place import stamp
from saccade.gallery.database import Database
from saccade.gallery.memory import Memory, current
from saccade.gallery.schema import create_database
from saccade.values import Embedder, Float32Array, Sample

Answer = TypeVar("Answer")
OPEN_WAIT_S = 0.25
SHORT_HASH_DIGITS = 8
PLAIN_VECTORS = "vectors"  # the fingerprint of a gallery that no embedder made


class OpenGallery:
    """What all parts of ``Gallery`` stand on: opening, closing, and what they share."""

    def __init__(
        self, folder: Path | str, *, embedder: Embedder | None = None, background: bool = False
    ) -> None:
        """Open the gallery in ``folder``, as ``Gallery.open`` does.

        ``background``: a new index is made in a thread beside the searches whenever one is due.
        """
        self.folder = Path(folder)
        self._embedder = embedder
        self._memory: Memory | None = None
        self._loading = threading.Lock()
        self._checks = upkeep.Checks(self.folder)
        self._upkeep = upkeep.Upkeep(self.folder) if background else None
        self._database = Database(self.folder)
        self._narrowing = narrowing.Narrowing(self._database)
        self._templates = templates.Templates()
        try:
            with self._database.reading() as connection:
                meta = store.read_meta(connection)
                mirrored = choices.read(connection)[choices.MIRRORED] == choices.YES
            self.dimension = meta.dimension
            if mirrored and embedder is not None:
                self._embedder = mirroring.Mirrored(embedder)
            self._require_same_embedder(meta)
            settling.settle(self._database, wait_s=OPEN_WAIT_S)
        except BaseException:
            self._database.close()
            raise

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        fingerprint: str,
        dimension: int,
        threshold: float | None = None,
        description: str = "",
        embedder: Embedder | None = None,
        keep_originals: bool = False,
        mirrored: bool = False,
    ) -> Self:
        """Make an empty gallery, all of it or nothing, and open it.

        ``fingerprint`` and ``dimension`` are the embedder's, ``description`` says in words which it
        is. ``keep_originals``: the files of its pictures are kept in it. ``mirrored``: its pictures
        are embedded with their mirror images (see ``mirrored.py``), here and in every search.
        Raises GalleryError when ``folder`` exists and is not an empty folder.
        """
        if not fingerprint or dimension < 1:
            raise InputError(
                f"a gallery needs an embedder's fingerprint and a dimension of 1 or more, got "
                f"'{fingerprint}' and {dimension}"
            )
        create_database(
            Path(folder),
            dimension=dimension,
            fingerprint=mirroring.fingerprint(fingerprint) if mirrored else fingerprint,
            embedder=description,
            threshold=inputs.threshold_value(threshold),
            choices={
                **({originals.KEEP: originals.YES} if keep_originals else {}),
                **({choices.MIRRORED: choices.YES} if mirrored else {}),
            },
        )
        return cls(folder, embedder=embedder)

    @classmethod
    def open(cls, folder: Path | str, *, embedder: Embedder | None = None) -> Self:
        """Open a gallery, finish pending forgets, and take ``embedder`` for its pictures.

        Without an embedder everything works that needs none. Raises GalleryError when there is no
        gallery, it is damaged or of a newer format, or it was made by another embedder.
        """
        return cls(folder, embedder=embedder)

    @property
    def database(self) -> Database:
        """The open database, for whoever builds on the gallery."""
        return self._database

    def close(self) -> None:
        """Close the gallery; doing it twice is harmless."""
        self._memory = None
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def input_size_hw(self) -> tuple[int, int] | None:
        """Height and width in pixels that the embedder looks at; None where it states none."""
        size: tuple[int, int] | None = getattr(self._need_embedder(), "size_hw", None)
        return size

    def _current_memory(self) -> Memory:
        """Return what this process knows of the gallery, brought up to date."""
        with self._loading, self._database.translated():
            if self._memory is None or self._memory.codes != stamp(self.folder):
                upkeep.index_if_vast(self._database, self.dimension)
            self._memory = known = current(self._database, self._memory)
            self._checks.after(known)
            if self._upkeep is not None:
                self._upkeep.after(known)
            return known

    def _embed(self, paths: Sequence[Path | Sample]) -> Float32Array:
        embedder = self._need_embedder()
        return enrol.embedded(embedder, [read_picture(path) for path in paths])

    def _settled(self, answer: Answer) -> Answer:
        """Pay what is owed to the forgotten after a write, and pass its answer on."""
        self._settle_after_write()
        return answer

    def _settle_after_write(self) -> None:
        settling.settle(self._database, wait_s=0.0)

    def _need_embedder(self) -> Embedder:
        if self._embedder is None:
            with self._database.reading() as connection:
                if store.read_meta(connection).fingerprint == PLAIN_VECTORS:
                    raise GalleryError(
                        f"gallery {self.folder} is for vectors and knows no embedder; give vectors "
                        "(--vectors FILE), or make a gallery with an embedder for pictures"
                    )
            raise GalleryError(
                f"gallery {self.folder} was opened without an embedder, which pictures need; open "
                "it with the model that made it"
            )
        return self._embedder

    def _require_same_embedder(self, meta: store.Meta) -> None:
        embedder = self._embedder
        if embedder is None:
            return
        if (embedder.fingerprint, embedder.dimension) != (meta.fingerprint, meta.dimension):
            raise GalleryError(
                f"gallery {self.folder} was made by embedder "
                f"{meta.fingerprint[:SHORT_HASH_DIGITS]} ({meta.dimension} numbers a vector), not "
                f"by {embedder.fingerprint[:SHORT_HASH_DIGITS]} ({embedder.dimension}); open it "
                "with the model that made it, or enrol the pictures into a new gallery"
            )
