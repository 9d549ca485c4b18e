"""Making the codes of a gallery: copy the truth, fit, choose the effort, encode, publish.

Nothing waits for it: enrolments go on and are searched as loose rows. An identity forgotten
meanwhile is zeroed in the new file before it takes the old one's place, and its receipt waits until
then.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from saccade.errors import GalleryError
from saccade.files import sync
from saccade.gallery import code_place, code_wipe, codes, gone, log, rows, store
from saccade.gallery.database import DamageError, Database
from saccade.values import IntArray
from saccade.vectors.scan_cells import Cells, make_cells
from saccade.vectors.scan_codes import Fit, HalfArray, fit
from saccade.vectors.scan_encode import Codes, encode, head_size
from saccade.vectors.scan_file import Array, CodeFileWriter
from saccade.vectors.scan_truth import CodedTruth
from saccade.vectors.tuned import Tuned, Wish
from saccade.vectors.tuning import tune
from saccade.vectors.tuning_cost import Layout

BUSY_WAIT_S = 1.0
SPOOL, FRESH = "truth.part", "scan.part"


def build(database: Database, wish: Wish) -> Tuned:
    """Make the codes that keep ``wish`` by the gallery as it is, and put them in place.

    Raises GalleryError while another process does the same, or when the disk is full.
    """
    with database.translated(), _building(database.folder) as place:
        copied = _copy_truth(database, place / SPOOL)
        making = _Making(copied, place / FRESH, wish.threads)
        tuned = tune(copied.truth, wish, making, groups=copied.identities)
        file = making.final(tuned)
        file.finish(
            {
                "generation": copied.generation,
                "log": copied.log,
                "last": len(file.arrays["numbers"]) and int(copied.numbers[-1]),
                "bits": making.fitted.bits,
                "effort": {
                    "survivors": max(1, tuned.survivors),
                    "probes": tuned.probes,
                    "finalists": max(1, tuned.finalists),
                    "margin": tuned.margin,
                },
                "wish": dataclasses.asdict(wish),
                "tuned": tuned.to_dict(),
            }
        )
        _publish(database, place / FRESH, copied.generation)
    return tuned


@dataclasses.dataclass(frozen=True, slots=True)
class _Copied:
    """All rows of a gallery as they were: half floats (n, d), picture numbers, identities."""

    truth: HalfArray
    numbers: IntArray
    identities: IntArray
    generation: int
    log: str


def _copy_truth(database: Database, place: Path) -> _Copied:
    """Copy the vectors into a file that is mapped, so that memory stays flat."""
    with database.reading() as connection:
        meta = store.read_meta(connection)
        digest = log.digest(connection, meta.generation)
    numbers, identities = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    with place.open("wb") as stream:
        for chunk in rows.every(database.reading):
            if any(len(content) != 2 * meta.dimension for content in chunk.contents):
                raise DamageError("a vector has the wrong length")
            stream.write(b"".join(chunk.contents))
            numbers.append(chunk.numbers)
            identities.append(chunk.identities)
    shape = (sum(map(len, numbers)), meta.dimension)
    truth = np.memmap(place, np.float16, "r", shape=shape) if shape[0] else np.zeros(shape, "<f2")
    return _Copied(
        truth, np.concatenate(numbers), np.concatenate(identities), meta.generation, digest
    )


@contextmanager
def _building(folder: Path) -> Iterator[Path]:
    """Hold the lock and give the folder for parts, which are removed at the end."""
    with ExitStack() as stack:
        if not stack.enter_context(code_place.locked(folder, wait_s=BUSY_WAIT_S)):
            raise GalleryError(
                f"gallery {folder}: another process is making the index; try again when it is done"
            )
        place = folder / code_place.FOLDER
        try:
            yield place
        except OSError as error:
            raise GalleryError(
                f"gallery {folder}: the index cannot be made: {error.strerror or error}; make "
                "room, and try again"
            ) from error
        finally:
            for part in place.glob(code_place.PARTS):
                part.unlink(missing_ok=True)


class _Making:
    """Makes the index of a layout for the tuner, in the file that the last one becomes."""

    def __init__(self, copied: _Copied, path: Path, threads: int) -> None:
        self.copied, self.path, self.threads = copied, path, threads
        self.layout: Layout | None = None

    def __call__(self, layout: Layout) -> CodedTruth:
        truth = self.copied.truth
        size, cells = layout.head_bytes, None
        if layout.cells:
            self.fitted, cells = make_cells(truth, cells=layout.cells, head_bytes=size)
        else:
            self.fitted = fit(truth, head_bytes=size)
        self.file, made = _write_codes(self.copied, self.path, self.fitted, cells)
        self.layout = layout
        return CodedTruth.of_codes(truth, self.fitted, made, cells, threads=self.threads)

    def final(self, tuned: Tuned) -> CodeFileWriter:
        """Return the file of what was chosen; one without rows where exact search was."""
        if tuned.kind == "exact":
            none = np.zeros(0, np.int64)
            nobody = dataclasses.replace(
                self.copied, truth=self.copied.truth[:0], numbers=none, identities=none
            )
            self.fitted = fit(nobody.truth, head_bytes=1)
            self.file, _ = _write_codes(nobody, self.path, self.fitted, None)
        else:
            made = self.layout and (self.layout.head_bytes, self.layout.cells)
            if made != (tuned.head_bytes, tuned.cells):
                self(Layout(tuned.head_bytes, tuned.components, tuned.bits, tuned.cells))
        return self.file


def _write_codes(
    copied: _Copied, path: Path, fitted: Fit, cells: Cells | None
) -> tuple[CodeFileWriter, Codes]:
    """Encode all rows into a new file, which is whole only after its ``finish``."""
    (n, d), empty = copied.truth.shape, np.zeros((0, 1), np.float32)
    order = np.arange(n) if cells is None else cells.order
    n = len(order)
    small: dict[str, Array] = {
        "mean": fitted.mean,
        "rotation": fitted.rotation,
        "deviation": fitted.deviation,
        "head_step": fitted.head_step,
        "full_step": fitted.full_step,
        "centres": empty if cells is None else cells.centres,
        "radii": np.zeros(0, np.float32) if cells is None else cells.radii,
        "starts": np.zeros(1, np.int64) if cells is None else cells.starts,
    }
    file = CodeFileWriter(
        path,
        {name: (array.dtype.str, array.shape) for name, array in small.items()}
        | {
            "escaped": ("|u1", (len(codes.packed(np.zeros(0, np.int64), n)),)),
            "head": ("|u1", (head_size(fitted, n),)),
            "full": ("|u1", (n, d)),
            "numbers": ("<i8", (n,)),
            "identities": ("<i8", (n,)),
        },
    )
    for name, array in small.items():
        file.arrays[name][:] = array
    made = encode(fitted, copied.truth, cells, head=file.arrays["head"], full=file.arrays["full"])
    file.arrays["escaped"][:] = codes.packed(made.escaped.astype(np.int64), n)
    held = np.flatnonzero(order >= 0)
    file.arrays["numbers"][held] = copied.numbers[order[held]]
    file.arrays["identities"][held] = copied.identities[order[held]]
    return file, made


def _publish(database: Database, fresh: Path, generation: int) -> None:
    """Zero in the new file what is gone since it was begun; put it in the old one's place."""
    with database.writing() as connection:
        went = gone.told_by(log.since(connection, generation))
        code_wipe.wipe_file(fresh, went.identities, lambda _: went.pictures)
        fresh.replace(fresh.parent / code_place.NAME)
    sync(fresh.parent)
