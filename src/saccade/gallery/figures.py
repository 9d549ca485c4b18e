"""How large a gallery is, and how it was made."""

from typing import Any

from saccade.files import bytes_below
from saccade.gallery import centring, choices, store, upkeep
from saccade.gallery.answers import GalleryStats
from saccade.gallery.database import Database
from saccade.gallery.memory import outline


def stats(database: Database) -> GalleryStats:
    """Return counts and settings."""
    with database.reading() as connection:
        meta = store.read_meta(connection)
        counts: dict[str, Any] = store.counts(connection) | {}
        chosen = choices.read(connection)
        centre = centring.read(connection)
    return GalleryStats(
        **counts,
        dimension=meta.dimension,
        format_version=database.version,
        bytes_on_disk=bytes_below(database.folder),
        threshold=meta.threshold,
        fingerprint=meta.fingerprint,
        embedder=meta.embedder,
        generation=meta.generation,
        templates=chosen[choices.TEMPLATES],
        centred=chosen[choices.CENTRED],
        mirrored=chosen[choices.MIRRORED],
        mean_version=None if centre is None else centre.version,
        **_of_index(database),
    )


def _of_index(database: Database) -> dict[str, Any]:
    base, loose = outline(database)
    scanned = base is not None and base.tuned.kind == "scan"
    return {
        "index": "scan" if scanned else "exact",
        "indexed": 0 if base is None else base.alive_rows,
        "recall": None if base is None else base.tuned.recall,
        "recall_low": None if base is None else base.tuned.recall_low,
        "recall_wanted": None if base is None else base.tuned.target,
        "index_due": upkeep.due(base, loose),
    }
