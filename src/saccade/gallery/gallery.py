"""A gallery: enrolled pictures and identities in one folder, searched, verified, forgotten."""

from saccade.gallery import (
    check,
    choices,
    crops,
    figures,
    indexing,
    inputs,
    log,
    store,
    upkeep,
)
from saccade.gallery.answers import (
    GalleryStats,
)
from saccade.gallery.gallery_corrects import GalleryCorrects
from saccade.gallery.gallery_enrols import GalleryEnrols
from saccade.gallery.gallery_finds import GalleryFinds
from saccade.gallery.gallery_forgets import GalleryForgets
from saccade.gallery.memory import outline
from saccade.vectors.tuned import Tuned, Wish


class Gallery(GalleryEnrols, GalleryFinds, GalleryCorrects, GalleryForgets):
    """One open gallery. Use it as a context manager, or call ``close``.

    Threads may share it; each process opens its own. Other processes may read and write the same
    folder meanwhile. In this process, open ``gallery.db`` in no other way: see ``rawfile``.
    """

    @property
    def detector(self) -> str | None:
        """Fingerprint of the detector that found the first enrolled crop; None without any."""
        with self._database.reading() as connection:
            return crops.detector_of(connection)

    def stats(self) -> GalleryStats:
        """Return counts and settings."""
        return figures.stats(self._database)

    def index(self, wish: Wish | None = None) -> Tuned:
        """Make the index that keeps ``wish``, by default that of the last one; returns what it is.

        The recall is measured on enrolled vectors that are searched as if they were not there. Few
        pictures are searched exactly, which needs no index. Other processes find, enrol and forget
        meanwhile. Raises GalleryError while another process makes it.
        """
        self._database.require_writable()
        made = indexing.build(self._database, wish or upkeep.wish_of(outline(self._database)[0]))
        self._settle_after_write()
        return made

    def index_due(self) -> str:
        """Return why a new index is due, in words; empty when none is."""
        base, loose = outline(self._database)
        with self._database.translated():
            return upkeep.due(base, loose) or upkeep.newly_drifted(self._database, base)

    def set_threshold(self, threshold: float | None) -> None:
        """Set the similarity, in [-1, 1], from which a best hit is known; None: any hit is."""
        value = inputs.threshold_value(threshold)
        with self._database.writing() as connection:
            connection.execute("UPDATE meta SET threshold = ?", (value,))
            log.append(connection, "threshold", at=store.now())
        self._settle_after_write()

    def choose(self, **wanted: str) -> choices.Chosen:
        """Choose how similarities are taken, as ``templates="mean"``; returns what is chosen now.

        ``choices.py`` says what there is. A change drops the threshold, which was for other
        similarities. Raises InputError for what cannot be chosen.
        """
        return self._settled(choices.choose(self._database, wanted))

    def check(self) -> None:
        """Check every row; raises GalleryError that names the first thing that is wrong."""
        with self._database.reading() as connection:
            problem = next(check.problems(connection), None)
        if problem is not None:
            raise self._database.damaged(problem)
