"""What a gallery does with decisions about people: who is who, and what is said of them."""

from collections.abc import Mapping, Sequence

from saccade.gallery import (
    correct,
    history,
    moving,
    people,
    rejecting,
    store,
    terms,
    who,
)
from saccade.gallery.answers import (
    AuditLog,
    IdentityDetails,
    IdentityInfo,
    Moved,
    Rejected,
)
from saccade.gallery.gallery_open import OpenGallery


class GalleryCorrects(OpenGallery):
    """Deciding about people; see ``Gallery``."""

    def rename(self, old: str, new: str) -> IdentityInfo:
        """Call an identity otherwise; returns it. Raises InputError when the new name is taken."""
        return self._settled(correct.rename(self._database, old, new))

    def merge(self, kept: str, merged: str) -> IdentityInfo:
        """Say that two identities are one, which ``kept`` names; returns it.

        Pictures stay under the name that they were enrolled under, so ``unmerge`` undoes exactly.
        Raises InputError when both are one already, ``merged`` is merged into another, or a picture
        of one was rejected as the other.
        """
        return self._settled(correct.merge(self._database, kept, merged))

    def unmerge(self, merged: str) -> IdentityInfo:
        """Take a merge back; returns the identity that stands for itself again."""
        return self._settled(correct.unmerge(self._database, merged))

    def reject(self, picture: rejecting.Pointed, name: str, *, undo: bool = False) -> Rejected:
        """Say that a picture does not show an identity; ``find`` never offers it for it again.

        ``picture`` is a file or Sample, enrolled or not, the number of an enrolled picture, or a
        vector (d,). It holds for near copies too: whatever is as alike as ``set_near`` says.
        ``undo`` takes back what keeps the identity from this picture. Raises InputError when the
        picture is enrolled under the identity itself, or when there is nothing to undo.
        """
        self._database.require_writable()
        change = rejecting.unreject if undo else rejecting.reject
        subject = rejecting.subject(self._database, picture, self._embed, dimension=self.dimension)
        return self._settled(change(self._database, subject, name))

    def move(self, pictures: Sequence[int], to: str, *, new: bool = False) -> Moved:
        """Let pictures, by number, be of the identity ``to``, all or none; they get new numbers.

        ``new`` makes an identity of that name. Raises InputError when that would leave an identity
        without a picture, or one was rejected as ``to``; UnknownNameError.
        """
        return self._settled(moving.move(self._database, pictures, to, new=new))

    def set_near(self, near: float) -> None:
        """Set the cosine, 0.5 to 0.999, from which a picture is a copy of a rejected one."""
        rejecting.set_near(self._database, near)
        self._settle_after_write()

    def log(self, name: str | None = None) -> AuditLog:
        """Return the audit log in words, or what of it concerns a name; and what is wrong with it.

        Raises UnknownNameError.
        """
        with self._database.reading() as connection:
            return history.read(connection, self.folder, name)

    def describe(
        self, name: str, facts: Mapping[str, object] | None = None, *, remove: Sequence[str] = ()
    ) -> dict[str, str]:
        """Add facts (texts or numbers by key) to an identity's; returns those that it has now."""
        now = people.describe(self._database, name, facts or {}, remove)
        self._settle_after_write()
        return now

    def set_terms(
        self, name: str, *, consent: str | None = None, expires: str | None = None
    ) -> terms.Terms:
        """Set days (ISO 8601) of an identity, "none" takes one away; returns the terms now.

        It is no hit from the day on which it expires.
        """
        now = people.set_terms(self._database, name, consent=consent, expires=expires)
        self._settle_after_write()
        return now

    def identities(self, where: str | None = None) -> list[IdentityInfo]:
        """Return every identity, sorted by name; with a condition those with pictures that fit."""
        return people.listed(self._database, where)

    def show(self, name: str) -> IdentityDetails:
        """Return what is stored of an identity. Raises UnknownNameError."""
        return people.details(self._database, name)

    def examples(self, name: str, count: int = 3) -> list[bytes]:
        """Return the JPEGs of the first pictures of an identity that have one."""
        with self._database.reading() as connection:
            return store.examples(connection, who.number_of(connection, self.folder, name), count)

    def thumbnail(self, picture_id: int) -> bytes:
        """Return the JPEG, at most 96 × 96, of an enrolled picture."""
        with self._database.reading() as connection:
            return store.read_thumbnail(connection, picture_id)
