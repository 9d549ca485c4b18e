"""A gallery: enrolled pictures and identities in one folder, searched, verified, forgotten."""

import contextlib
import functools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from saccade.data.pictures import read_picture, several
from saccade.errors import GalleryError, InputError
from saccade.gallery import backup as backing
from saccade.gallery import (
    bulk,
    centring,
    check,
    choices,
    compacting,
    correct,
    crops,
    enrol,
    figures,
    finding,
    history,
    importing,
    indexing,
    inputs,
    log,
    moving,
    narrowing,
    originals,
    people,
    receipt_check,
    receipts,
    rejecting,
    rows,
    searching,
    settling,
    store,
    templates,
    terms,
    unnamed,
    upkeep,
    who,
)
from saccade.gallery import export as exporting
from saccade.gallery import forget as forgetting
from saccade.gallery import mirrored as mirroring
from saccade.gallery.answers import (
    AuditLog,
    BulkEnrolled,
    Enrolled,
    Forgotten,
    GalleryStats,
    IdentityDetails,
    IdentityInfo,
    Moved,
    Rejected,
    Verified,
)
from saccade.gallery.code_place import stamp
from saccade.gallery.database import Database
from saccade.gallery.decisions import Decisions
from saccade.gallery.memory import Memory, current, outline
from saccade.gallery.schema import create_database
from saccade.gallery.where import condition
from saccade.values import Embedder, Float32Array, Found, Sample
from saccade.vectors.tuned import Tuned, Wish

Answer = TypeVar("Answer")

OPEN_WAIT_S = 0.25
FIND_ATTEMPTS = 4
SHORT_HASH_DIGITS = 8
PLAIN_VECTORS = "vectors"  # the fingerprint of a gallery that no embedder made


class Gallery:
    """One open gallery. Use it as a context manager, or call ``close``.

    Threads may share it; each process opens its own. Other processes may read and write the same
    folder meanwhile. In this process, open ``gallery.db`` in no other way: see ``rawfile``.
    """

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

    def examples(self, name: str, count: int = 3) -> list[bytes]:
        """Return the JPEGs of the first pictures of an identity that have one."""
        with self._database.reading() as connection:
            return store.examples(connection, who.number_of(connection, self.folder, name), count)

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

    def remove(
        self, pictures: Sequence[int], *, wait_s: float = forgetting.WAIT_S
    ) -> list[Forgotten]:
        """Forget single pictures, by number, all or none, with receipts; an answer an identity.

        Raises InputError when that would leave an identity without a picture: forget it then.
        """
        return moving.remove(self._database, pictures, wait_s=wait_s)

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

    def import_(self, archive: Path | str) -> importing.Imported:
        """Enrol what an export of a gallery with the same embedder holds, all of it or nothing."""
        done = importing.import_archive(self._database, Path(archive))
        self._settle_after_write()
        return done

    def compact(self, *, wait_s: float = forgetting.WAIT_S) -> compacting.Compacted:
        """Free the zeroed places of the forgotten, which later enrolments would fill."""
        return compacting.compact(self._database, wait_s=wait_s)

    def verify_receipt(self, receipt: Path | str) -> list[str]:
        """Return what contradicts a receipt of this gallery, in sentences; none when it is true.

        Raises InputError when the file is no receipt.
        """
        found = receipts.read(Path(receipt))
        with self._database.reading() as connection:
            return receipt_check.problems(connection, self.folder, found)

    def identities(self, where: str | None = None) -> list[IdentityInfo]:
        """Return every identity, sorted by name; with a condition those with pictures that fit."""
        return people.listed(self._database, where)

    def show(self, name: str) -> IdentityDetails:
        """Return what is stored of an identity. Raises UnknownNameError."""
        return people.details(self._database, name)

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

    def thumbnail(self, picture_id: int) -> bytes:
        """Return the JPEG, at most 96 × 96, of an enrolled picture."""
        with self._database.reading() as connection:
            return store.read_thumbnail(connection, picture_id)

    @property
    def detector(self) -> str | None:
        """Fingerprint of the detector that found the first enrolled crop; None without any."""
        with self._database.reading() as connection:
            return crops.detector_of(connection)

    @property
    def input_size_hw(self) -> tuple[int, int] | None:
        """Height and width in pixels that the embedder looks at; None where it states none."""
        size: tuple[int, int] | None = getattr(self._need_embedder(), "size_hw", None)
        return size

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
