"""What users decided about people, as a search heeds it.

It is held in memory and read again when the log says that it changed. Nothing here is as long as
the gallery: it costs as much as was decided.
"""

import sqlite3
from dataclasses import dataclass

from saccade.gallery import centring, choices, store
from saccade.gallery.centring import Centre
from saccade.gallery.merges import Merges
from saccade.gallery.rejections import Rejections
from saccade.values import Float32Array, IntArray

# The actions of the log that change it. "merge" and "unmerge" name the merged one; the entry behind
# says which other it was, for an entry names one identity.
MERGE, INTO, UNMERGE, FROM = "merge", "merge into", "unmerge", "unmerge from"
REJECT, UNREJECT, NEARNESS = "reject", "unreject", "reject near"
DECISIONS = (
    *(MERGE, INTO, UNMERGE, FROM, REJECT, UNREJECT, NEARNESS),
    *(choices.CHOOSE, centring.RENEWED),
)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Merges and rejections at one generation; ``means``: templates are means.

    ``centre``: what is subtracted before vectors are compared, if anything is.
    """

    merges: Merges
    rejections: Rejections
    means: bool
    centre: Centre | None

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> "Decisions":
        """Read them from the gallery."""
        dimension = store.read_meta(connection).dimension
        means = choices.read(connection)[choices.TEMPLATES] == choices.MEAN
        rejections = Rejections.read(connection, dimension)
        return cls(Merges.read(connection), rejections, means, centring.read(connection))

    def rejected(self, queries: Float32Array) -> list[IntArray]:
        """Return for each query (q, d) of length 1 whom it must not be offered, after merges."""
        return self.rejections.of(queries, self.merges)

    def compared(self, vectors: Float32Array) -> Float32Array:
        """Return vectors (n, d) of length 1, of rows or queries, as they are compared."""
        return vectors if self.centre is None else self.centre.of(vectors)
