"""What a gallery does to forget, and to keep what stays: copies, exports, receipts."""

from collections.abc import Sequence
from pathlib import Path

from saccade.gallery import backup as backing
from saccade.gallery import (
    compacting,
    moving,
    receipt_check,
    receipts,
    terms,
)
from saccade.gallery import export as exporting
from saccade.gallery import forget as forgetting
from saccade.gallery.answers import (
    Forgotten,
)
from saccade.gallery.gallery_open import OpenGallery


class GalleryForgets(OpenGallery):
    """Forgetting and keeping; see ``Gallery``."""

    def forget(
        self, name: str, *, wait_s: float = forgetting.WAIT_S, search_all: bool = False
    ) -> Forgotten:
        """Remove an identity and every trace of it, and write the receipt.

        All that is merged with it goes too, whichever of the names is given.

        A process that reads an older state keeps the bytes on the disk: after ``wait_s`` the answer
        is "pending", and the next write or open finishes. Every zeroed place is read back; the
        search for further copies stops after a stated time, or with ``search_all`` at the end of
        the files. Raises UnknownNameError.
        """
        return self.forget_many([name], wait_s=wait_s, search_all=search_all)[0]

    def forget_many(
        self, names: Sequence[str], *, wait_s: float = forgetting.WAIT_S, search_all: bool = False
    ) -> list[Forgotten]:
        """Forget identities as ``forget`` does, all or none, in far less time than one by one."""
        return forgetting.forget(self._database, names, wait_s=wait_s, search_all=search_all)

    def forget_expired(
        self,
        on: str | None = None,
        *,
        wait_s: float = forgetting.WAIT_S,
        search_all: bool = False,
    ) -> list[Forgotten]:
        """Forget whoever has expired on a day (ISO 8601), by default today in UTC."""
        day = terms.day(on, "the day") if on is not None else terms.today()
        return forgetting.forget_expired(self._database, day, wait_s=wait_s, search_all=search_all)

    def remove(
        self, pictures: Sequence[int], *, wait_s: float = forgetting.WAIT_S
    ) -> list[Forgotten]:
        """Forget single pictures, by number, all or none, with receipts; an answer an identity.

        Raises InputError when that would leave an identity without a picture: forget it then.
        """
        return moving.remove(self._database, pictures, wait_s=wait_s)

    def verify_receipt(self, receipt: Path | str) -> list[str]:
        """Return what contradicts a receipt of this gallery, in sentences; none when it is true.

        Raises InputError when the file is no receipt.
        """
        found = receipts.read(Path(receipt))
        with self._database.reading() as connection:
            return receipt_check.problems(connection, self.folder, found)

    def compact(self, *, wait_s: float = forgetting.WAIT_S) -> compacting.Compacted:
        """Free the zeroed places of the forgotten, which later enrolments would fill."""
        return compacting.compact(self._database, wait_s=wait_s)

    def backup(self, out: Path | str) -> backing.Backup:
        """Copy the gallery, without its codes, to a new folder, while others use it.

        The copy is a gallery: to restore it, move it. Raises GalleryError when ``out`` exists.
        """
        return backing.backup(self.folder, Path(out))

    def export(
        self, out: Path | str, *, name: str | None = None, where: str | None = None
    ) -> exporting.Exported:
        """Write all, one identity or the pictures that fit to a new folder or .zip: ``archive``."""
        return exporting.export(self._database, Path(out), name=name, where=where)
