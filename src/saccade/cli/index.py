"""``saccade index GALLERY``: makes the index that finds fast among very many pictures."""

import contextlib
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import GalleryFolder, Json
from saccade.cli.output import say, tell
from saccade.errors import GalleryError

if TYPE_CHECKING:
    from saccade.gallery import Gallery

GIB, MIB = 1 << 30, 1 << 20


def index(
    gallery: GalleryFolder,
    /,
    *,
    recall: float | None = None,
    memory: Annotated[float | None, Parameter(help="GiB that the codes may take.")] = None,
    latency: Annotated[float | None, Parameter(help="Milliseconds a search may take.")] = None,
    threads: int = 1,
    json: Json = False,
) -> int:
    """Make the index of a gallery anew; exit code 1 when a wish cannot be kept.

    Parameters
    ----------
    recall
        Share of searches whose best hit shall be that of exact search; else as before, or 0.99.
    threads
        Threads a search uses.
    """
    from saccade.gallery import Gallery
    from saccade.vectors.tuned import RECALL, Wish

    given = (recall, memory, latency) != (None, None, None) or threads != 1
    wish = Wish(
        recall=RECALL if recall is None else recall,
        memory=None if memory is None else int(memory * GIB),
        latency_ms=latency,
        threads=threads,
    )
    with Gallery.open(gallery) as opened:
        made = opened.index(wish if given else None)
    lines = [f"{made.kind}: {made.reason}"]
    if made.kind == "scan":
        lines += [
            f"recall {made.recall:.4f}, at least {made.recall_low:.4f} (wanted {made.target}), "
            f"by {made.queries:,} searches",
            f"{made.components} components in {made.bits} bits, {made.survivors:,} survivors"
            + (f", {made.probes:,} of {made.cells:,} cells" if made.cells else ""),
            f"codes {made.code_bytes / MIB:,.1f} MiB, {made.bytes_read / MIB:,.1f} MiB a search",
        ]
    tell(made.to_dict(), lines, json=json)
    return 0 if made.kept else 1


def bring_up(gallery: "Gallery", *, quiet: bool) -> None:
    """Make the index of a gallery when one is due, and say so."""
    why = gallery.index_due()
    if why:
        if not quiet:
            say(f"making the index, for {why}")
        with contextlib.suppress(GalleryError):  # another process makes it
            gallery.index()


COMMANDS = {"index": index}
