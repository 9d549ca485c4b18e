"""Commands that keep a gallery; and forget, where it removes many."""

from pathlib import Path
from typing import TYPE_CHECKING

from saccade.cli.options import GalleryFolder, Json
from saccade.cli.output import say, say_json, shown, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.gallery import Forgotten
    from saccade.gallery.export import Exported
    from saccade.gallery.importing import Imported


def forget(
    gallery: Path,
    names: tuple[str, ...],
    source: Path | None,
    *,
    expired: bool,
    on: str | None,
    search_all: bool,
    json: bool,
) -> int:
    """Forget by name, or whoever has expired; exit code 1 while another reader delays it."""
    from saccade.gallery import Gallery
    from saccade.gallery.inputs import identity_name

    if (bool(names) or source is not None) == expired:
        raise InputError("forget needs names, or --from FILE, or --expired alone")
    if on is not None and not expired:
        raise InputError("--on belongs to --expired, which is missing")
    given = [*names, *(_lines_of(source) if source is not None else [])]
    wanted = list(dict.fromkeys(map(identity_name, given)))
    with Gallery.open(gallery) as opened:
        if expired:
            gone = opened.forget_expired(on, search_all=search_all)
        else:
            gone = opened.forget_many(wanted, search_all=search_all)
    if json:
        say_json(gone[0] if len(names) == len(given) == 1 else gone)
        return _code(gone)
    if not gone:
        say("nobody has expired")
    called = [f"identity {one.number}" for one in gone] if expired else wanted
    for name, one in zip(called, gone, strict=True):
        say(f"{one.status}: {shown(name)}, {one.pictures} pictures")
        later = f"{one.reason}; the next command on this gallery finishes it"
        for receipt in one.receipts:
            say(f"receipt: {receipt}")
        if one.receipt is None:
            say(later)
    return _code(gone)


def verify_receipt(receipt: Path, /, *, gallery: GalleryFolder, json: Json = False) -> int:
    """Say whether what a receipt says is true of a gallery; exit code 1 when it is not.

    Parameters
    ----------
    receipt
        File that forget wrote.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        problems = opened.verify_receipt(receipt)
    true = "true: the log has this forget, and nothing of the receipt is in the gallery"
    lines = [f"not true: {problem}" for problem in problems] or [true]
    tell({"true": not problems, "problems": problems}, lines, json=json)
    return 1 if problems else 0


def backup(gallery: GalleryFolder, out: Path, /, *, json: Json = False) -> int:
    """Copy a gallery while others use it; the copy is a gallery, to restore it, move it.

    Parameters
    ----------
    out
        Folder to make. Whoever is forgotten later stays in it.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        made = opened.backup(out)
    line = f"backup: {shown(str(out))}   {made.identities} identities, {made.pictures} pictures"
    tell(made, [f"{line}, {made.bytes} bytes"], json=json)
    return 0


def export(
    gallery: GalleryFolder,
    out: Path,
    /,
    *,
    name: str | None = None,
    where: str | None = None,
    json: Json = False,
) -> int:
    """Write vectors, names, facts and pictures as Parquet, JSON and files; needs pyarrow.

    Parameters
    ----------
    out
        Folder to make, or a .zip. Whoever is forgotten later stays in it.
    name
        Only this identity, with all that is merged with it: what is stored of one person, without
        rejections, which are about others too.
    where
        Only pictures whose facts fit: "site = A and year >= 2020".
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        made = opened.export(out, name=name, where=where)
    line = f"export: {shown(str(out))}   {made.identities} identities, {made.pictures} pictures"
    line += f", {made.originals} original files, {made.bytes} bytes"
    tell(made, [line, *_decided(made)], json=json)
    return 0 if made.pictures else 1


def import_(gallery: Path, archive: Path, /, *, json: Json = False) -> int:
    """Take in what an export holds, all of it or nothing; exit code 1 when some were skipped.

    Parameters
    ----------
    gallery
        Folder of a gallery of the same embedder.
    archive
        Folder or .zip that export wrote.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        done = opened.import_(archive)
    lines = [f"skipped    {shown(reason)}" for reason in done.reasons]
    counts = f"{done.enrolled} enrolled, {done.unchanged} unchanged, {done.skipped} skipped"
    left_out = [f"{done.left_out} merges and rejections left out"] if done.left_out else []
    tell(done, [*lines, counts, *_decided(done), *left_out], json=json)
    return 1 if done.skipped or done.left_out else 0


def compact(gallery: GalleryFolder, /, *, json: Json = False) -> int:
    """Shrink a gallery by the places of the forgotten; exit code 1 while a reader delays it."""
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        done = opened.compact()
    line = f"{done.bytes_before} bytes before, {done.bytes_after} after, {done.places} places freed"
    tell(done, [line, *([f"not done: {done.reason}"] if done.reason else [])], json=json)
    return 1 if done.reason else 0


def re_embed(
    gallery: Path,
    out: Path,
    /,
    *,
    embedder: str,
    threshold: float | None = None,
    mirrored: bool | None = None,
    json: Json = False,
) -> int:
    """Make a new gallery of another embedder from the files that a gallery keeps.

    Parameters
    ----------
    gallery
        Folder of a gallery that was made with --keep-originals; it stays as it is.
    out
        Folder to make.
    embedder
        Run folder, or the word pixels.
    threshold
        Cosine similarity from which find says yes; else the run's own.
    mirrored
        Average each picture's vector with that of its mirror image, or not; else as in GALLERY.
    """
    from saccade.api.gallery import Gallery
    from saccade.gallery.near_copies import NEAR

    with Gallery.open(gallery) as opened:
        done = opened.re_embed(out, embedder, threshold=threshold, mirrored=mirrored)
    lines = [f"{done.identities} identities, {done.pictures} pictures; the log begins anew"]
    if done.old_threshold is not None:
        now = "has none" if done.threshold is None else f"has {done.threshold:g}"
        lines.append(
            f"the threshold {done.old_threshold:g} was for the old vectors; the new gallery {now} "
            "(saccade threshold)"
        )
    if done.old_near is not None:
        lines.append(
            f"near copies of rejected pictures are told from {NEAR} on again, not {done.old_near:g}"
        )
    if done.rejections_lost:
        lines.append(
            f"{done.rejections_lost} rejections of pictures that are not enrolled are lost; say "
            "them again"
        )
    tell(done, lines, json=json)
    return 0


def _decided(done: "Exported | Imported") -> list[str]:
    """The line of merges and rejections, where there are any."""
    if not (done.merges or done.rejections):
        return []
    return [f"{done.merges} merges, {done.rejections} rejections"]


def _code(gone: "list[Forgotten]") -> int:
    return 0 if all(one.receipt for one in gone) else 1


def _lines_of(source: Path) -> list[str]:
    try:
        lines = source.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(f"{source} cannot be read: {why}; give a name a line") from error
    names = [line for line in lines if line.strip()]
    if not names:
        raise InputError(f"{source} names nobody; give a name a line")
    return names


COMMANDS = {
    "verify-receipt": verify_receipt,
    "backup": backup,
    "export": export,
    "import": import_,
    "compact": compact,
    "re-embed": re_embed,
}
