"""What a gallery does to find pictures and vectors, and to compare two."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from saccade.data.pictures import several
from saccade.errors import GalleryError
from saccade.gallery import (
    centring,
    finding,
    inputs,
    narrowing,
    rows,
    searching,
    store,
    templates,
    terms,
)
from saccade.gallery.answers import (
    Verified,
)
from saccade.gallery.decisions import Decisions
from saccade.gallery.gallery_open import OpenGallery
from saccade.gallery.where import condition
from saccade.values import Float32Array, Found, Sample

FIND_ATTEMPTS = 4


class GalleryFinds(OpenGallery):
    """Searching; see ``Gallery``."""

    def find(
        self,
        pictures: Sequence[Path | str | Sample],
        k: int = 5,
        *,
        exact: bool = False,
        where: str | None = None,
    ) -> list[Found]:
        """Return for each picture its best k identities; a broken one gets its reason, no hit.

        ``exact`` and ``where`` as in ``find_vectors``.
        """
        return list(self.searching(pictures, k, exact=exact, where=where))

    def searching(
        self,
        pictures: Sequence[Path | str | Sample],
        k: int = 5,
        *,
        exact: bool = False,
        where: str | None = None,
    ) -> Iterator[Found]:
        """Search as ``find`` does; yields each answer, in order, when its block is searched."""
        inputs.number_of_hits(k)
        if where is not None:
            condition(where)
        search = functools.partial(self.find_vectors, k=k, exact=exact, where=where)
        yield from searching.searched(self._need_embedder(), several(pictures), search)

    def find_vectors(
        self,
        vectors: ArrayLike,
        k: int = 5,
        names: Sequence[str] | None = None,
        *,
        exact: bool = False,
        where: str | None = None,
    ) -> list[Found]:
        """Return for each vector (q, d) the k identities whose best picture is nearest, best first.

        With the choice "templates=mean" those whose mean direction is nearest: see ``templates.py``
        for what an index may miss of these. Similarities are cosines to the stored float16 vectors,
        or to their means, with "centred=yes" after the gallery's mean is subtracted from both (see
        ``centring.py``); equal ones go by picture number. Limits of ``reject`` are on plain
        cosines.
        ``exact`` compares with every row, read from the disk, and not only with the index's list.
        Only pictures whose facts fit the condition ``where`` (see ``where.py``) are hits, and none
        of an identity that has expired.
        """
        queries = inputs.as_float32(vectors, dimension=self.dimension)
        shown = inputs.row_names(len(queries), names)
        inputs.number_of_hits(k)
        queries = inputs.unit_rows(queries)
        for _ in range(FIND_ATTEMPTS):
            with contextlib.suppress(finding.ChangedError):
                matches = self._matches(queries, k, exact, where)
                with self._database.reading() as connection:
                    found, complete = finding.with_names(connection, matches, shown)
                if complete:
                    return found
        with self._database.reading() as connection:  # What was found goes again and again.
            snapshot, decisions = contextlib.nullcontext(connection), Decisions.read(connection)
            chosen = narrowing.choose(lambda: snapshot, where, terms.today())
            matches = self._exact_matches(lambda: snapshot, decisions, chosen, queries, k)
            return finding.with_names(connection, matches, shown)[0]

    def _matches(
        self, queries: Float32Array, k: int, exact: bool, where: str | None
    ) -> list[list[finding.Match]]:
        with self._database.translated():
            if exact:
                with self._database.reading() as connection:
                    decisions = Decisions.read(connection)
                chosen = narrowing.choose(self._database.reading, where, terms.today())
                reading = self._database.reading
                return self._exact_matches(reading, decisions, chosen, queries, k)
            memory, chosen = self._narrowing.of(self._current_memory(), where, terms.today())
            if not memory.decisions.means:
                return finding.best_matches(self._database, memory, queries, k)
            likely = templates.likely(self._database, memory, self._templates, queries, k)
            return templates.mean_matches(
                self._database.reading, likely, memory.decisions, chosen, queries, k
            )

    def _exact_matches(
        self,
        reading: rows.Reading,
        decisions: Decisions,
        chosen: narrowing.Chosen,
        queries: Float32Array,
        k: int,
    ) -> list[list[finding.Match]]:
        if not decisions.means:
            return finding.exact_matches(chosen.of_rows(rows.every(reading)), decisions, queries, k)
        surely = templates.surely(chosen.of_rows(rows.by_identity(reading)), decisions, queries, k)
        return templates.mean_matches(reading, surely, decisions, chosen, queries, k)

    def verify(self, a: Path | str, b: Path | str) -> Verified:
        """Compare two pictures, that need not be enrolled, by the gallery's threshold."""
        with self._database.reading() as connection:
            threshold, centre = store.read_meta(connection).threshold, centring.read(connection)
        if threshold is None:
            raise GalleryError(
                f"gallery {self.folder} has no threshold, so nothing says what is the same; set "
                "one: saccade threshold GALLERY VALUE, or Gallery.set_threshold"
            )
        vectors = self._embed(several([a, b]))
        first, second = vectors if centre is None else centre.of(vectors)
        similarity = float(np.clip(first @ second, -1.0, 1.0))
        return Verified(similarity, threshold, similarity >= threshold)
