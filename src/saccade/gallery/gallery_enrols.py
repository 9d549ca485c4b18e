"""What a gallery does to enrol pictures and vectors."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from saccade.gallery import (
    bulk,
    enrol,
    importing,
    inputs,
    terms,
    unnamed,
)
from saccade.gallery.answers import (
    BulkEnrolled,
    Enrolled,
)
from saccade.gallery.gallery_open import OpenGallery
from saccade.values import Sample


class GalleryEnrols(OpenGallery):
    """Enrolling; see ``Gallery``."""

    def enrol(self, samples: Iterable[Sample], *, expires: str | None = None) -> list[Enrolled]:
        """Enrol pictures under their labels; returns what became of each, in order."""
        return list(self.enrolling(samples, expires=expires))

    def enrolling(
        self, samples: Iterable[Sample], *, expires: str | None = None
    ) -> Iterator[Enrolled]:
        """Enrol pictures; yields what became of each, in order, once it is on the disk.

        A picture that cannot be read, a name that cannot be used, and a content that another
        identity has already are "skipped" with the reason; the rest goes on. Metadata become facts
        of the pictures. Identities of new pictures are no hits from the day ``expires`` on.
        """
        last_day = terms.last_day(expires)
        for outcomes in enrol.enrol_pictures(
            self._database, self._need_embedder(), samples, expires=last_day
        ):
            self._settle_after_write()
            yield from outcomes

    def enrolling_unnamed(self, samples: Iterable[Sample]) -> Iterator[Enrolled]:
        """Enrol pictures of whom nobody knows, each as an identity of its own: see ``unnamed``.

        The same picture again changes nothing.
        """
        return self.enrolling(unnamed.with_made_up_names(samples))

    def enrol_vectors(
        self,
        vectors: ArrayLike,
        identities: Sequence[str],
        names: Sequence[str] | None = None,
        *,
        expires: str | None = None,
    ) -> list[Enrolled]:
        """Enrol vectors (n, d) of any length but zero; rows are scaled to length 1.

        ``names`` are shown as the pictures' file names ("row 0", … when None). The source hash is
        SHA-256 of a row's float32 bytes. Raises InputError, and writes nothing, when a vector or an
        identity cannot be used. Written in batches: a crash leaves whole ones, enrol again then.
        ``expires`` as in ``enrolling``.
        """
        given = inputs.as_float32(vectors, dimension=self.dimension)
        shown = inputs.row_names(len(given), names)
        labels = inputs.row_identities(len(given), identities)
        enrolled: list[Enrolled] = []
        last_day = terms.last_day(expires)
        for outcomes in bulk.enrol_rows(self._database, given, labels, shown, expires=last_day):
            self._settle_after_write()
            enrolled += outcomes
        return enrolled

    def enrol_bulk(
        self, blocks: Iterable[bulk.VectorBlock], *, expires: str | None = None
    ) -> Iterator[BulkEnrolled]:
        """Enrol blocks (vectors (b, d), identities, names or None); yields the counts so far.

        For any number of vectors, in memory for two blocks: each is on the disk when its counts are
        told, and the next is read before that. Blocks of about 32,768 rows are fastest. Rows are
        counted over all blocks. Raises InputError at a vector or identity that cannot be used;
        what came before stays enrolled. ``expires`` as in ``enrolling``.
        """
        last_day = terms.last_day(expires)
        for counts in bulk.enrol_blocks(
            self._database, blocks, dimension=self.dimension, expires=last_day
        ):
            self._settle_after_write()
            yield counts

    def import_(self, archive: Path | str) -> importing.Imported:
        """Enrol what an export of a gallery with the same embedder holds, all of it or nothing."""
        done = importing.import_archive(self._database, Path(archive))
        self._settle_after_write()
        return done
