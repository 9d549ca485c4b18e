"""A process that works on a gallery and may be killed at any moment; tells what it has done.

    python gallery_victim.py enrol GALLERY PICTURES    label = the name of the sub-folder
    python gallery_victim.py forget GALLERY WAIT_S     every identity, by name
    python gallery_victim.py read GALLERY              holds a snapshot until a line comes in
    python gallery_victim.py find GALLERY PICTURES N   searches N times
    python gallery_victim.py bulk GALLERY              enrols blocks of vectors
    python gallery_victim.py correct GALLERY A B N     corrects two people, N times
    python gallery_victim.py die FOLDER PLAN           dies as told, a line a death: see ``die``

Also holds what the tests share with it: a cheap embedder, and pictures to enrol.
"""

import functools
import hashlib
import os
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from saccade.gallery import Gallery, code_wipe, debts, enrol, forget, log, receipts, rows, slots
from saccade.gallery.database import Database
from saccade.values import Sample
from saccade.vectors.scan_file import CodeFile, CodeFileWriter

DIMENSION = 32
SMALL_BATCH = 4
BULK_ROWS = 700

# Where something is written: the owner and the name of what is called.
POINTS = {
    "copy of the truth": (rows, "after"),
    "codes": (CodeFileWriter, "finish"),
    "rename": (Path, "replace"),
    "fsync": (os, "fsync"),
    "log entry": (log, "append"),
    "slots": (slots, "put"),
    "removal": (forget, "_remove"),
    "wipe": (code_wipe, "wipe_file"),
    "zeros": (code_wipe, "wipe_codes"),
    "flush": (CodeFile, "flush"),
    "checksum": (CodeFile, "rehash"),
    "write-ahead log": (Database, "truncate_log"),
    "receipt": (receipts, "write"),
    "debt": (debts, "strike"),
}
STEPS = [
    ("forget", "person 0"),
    ("merge", "person 2", "person 3"),
    ("reject", "person 3"),
    ("index",),
    ("forget", "person 1"),
    ("enrol", "newcomer"),
    ("reject", "newcomer"),
    ("unreject", "person 2"),
    ("rename", "person 4", "person of another name"),
    ("merge", "loose", "newcomer"),
    ("index",),
    ("unmerge", "person 3"),
    ("forget", "newcomer"),
]
# Of pictures: move, by how many, from whom, to whom; remove, how many, of whom.
PICTURE_STEPS = [
    ("move", 2, "person 0", "person 1"),
    ("remove", 3, "person 1"),
    ("forget", "person 2"),
    ("move", 1, "loose", "person 3"),
    ("index",),
    ("move", 2, "person 3", "newcomer"),
    ("remove", 1, "loose"),
    ("forget", "newcomer"),
]
PLANS = {"people": STEPS, "pictures": PICTURE_STEPS}


class TinyEmbedder:
    """Projects an 8 × 8 grey version of a picture on fixed random directions."""

    def __init__(self, seed=0, dimension=DIMENSION):
        self.dimension = dimension
        self.fingerprint = hashlib.sha256(f"tiny {seed} {dimension}".encode()).hexdigest()
        self._directions = np.random.default_rng(seed).standard_normal((64, dimension))

    def __call__(self, pictures):
        small = [
            np.asarray(Image.fromarray(picture).convert("L").resize((8, 8)), dtype=np.float64)
            for picture in pictures
        ]
        rows = (np.stack(small).reshape(-1, 64) - 127.5) @ self._directions
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def new_gallery(folder, embedder=None, **choices):
    """A gallery of what ``embedder`` makes, a new ``TinyEmbedder`` where none is given."""
    embedder = embedder or TinyEmbedder()
    return Gallery.create(
        folder,
        fingerprint=embedder.fingerprint,
        dimension=embedder.dimension,
        embedder=embedder,
        **choices,
    )


def make_pictures(root, *, identities, each, seed=0, prefix="person"):
    """Write noise pictures in one sub-folder an identity; returns the samples, in order.

    The names of identities and files are long random words, so that a search for their bytes can
    find nothing else.
    """
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(identities):
        label = f"{prefix}-{rng.bytes(8).hex()}"
        (root / label).mkdir(parents=True)
        for _ in range(each):
            path = root / label / f"file-{rng.bytes(8).hex()}.png"
            Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)
            samples.append(Sample(path, label))
    return samples


def read_samples(root):
    return [Sample(path, path.parent.name) for path in sorted(Path(root).glob("*/*.png"))]


def bulk_blocks(count):
    """Blocks of vectors, each drawn from its own seed, with four a name."""
    for number in range(count):
        names = [f"person {number} {row // 4}" for row in range(BULK_ROWS)]
        draw = np.random.default_rng(number)
        yield draw.standard_normal((BULK_ROWS, DIMENSION), dtype=np.float32), names, None


def people(name):
    """The vectors of a name, (6, DIMENSION)."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return np.random.default_rng(seed).standard_normal((6, DIMENSION)).astype(np.float32)


def die(folder, take, points):
    """``take`` the steps in a gallery until killed; for each line "NAME NUMBER WHEN POINT" read.

    A process of its own works on ``folder / NAME``, and kills itself before or after (WHEN) call
    NUMBER of POINT; 0 for never. What it has done stands in NAME.told, the calls that it made, when
    it lived to the end, in NAME.calls.
    """
    for line in sys.stdin:
        name, number, when, point = line.rstrip("\n").split(" ", 3)
        child = os.fork()
        if not child:
            calls = watched(point, int(number), when, points)
            with (folder / f"{name}.told").open("w", buffering=1) as told:
                take(folder / name, told)
            (folder / f"{name}.calls").write_text(repr(dict(calls)))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def watched(deadly, number, when, points):
    """Count the calls of all points; call ``number`` of the deadly one ends the process."""
    calls = Counter()

    def watch(point, owner, attribute):
        call = getattr(owner, attribute)

        def watched_call(*arguments, **named):
            calls[point] += 1
            doomed = point == deadly and calls[point] == number
            if doomed and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            answer = call(*arguments, **named)
            if doomed:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        setattr(owner, attribute, watched_call)

    for point, (owner, attribute) in points.items():
        watch(point, owner, attribute)
    return calls


def take_steps(folder, told, steps):
    from tests.coded import scanning, tuner  # the other works need no path to the tests

    with tuner(scanning(cells=2)), Gallery.open(folder) as gallery:
        for action, *names in steps:
            gallery.find_vectors(people("anybody")[:1])
            if action == "enrol":
                gallery.enrol_vectors(people(names[0]), names * 6)
            elif action == "forget":
                assert gallery.forget(names[0]).status == "forgotten"
            elif action in ("reject", "unreject"):
                gallery.reject(people("stranger")[0], names[0], undo=action == "unreject")
            elif action in ("move", "remove"):
                count, owner, *to = names
                mine = [one.picture_id for one in gallery.show(owner).pictures[:count]]
                new = {"new": True} if to == ["newcomer"] else {}
                getattr(gallery, action)(mine, *to, **new)
            else:
                getattr(gallery, action)(*names)
            told.write(f"{action} {names}\n")


def main(work, folder, *arguments):
    """Do the work; one line on standard output for each acknowledgement."""
    if work == "die":
        plan = arguments[0] if arguments else "people"
        die(Path(folder), functools.partial(take_steps, steps=PLANS[plan]), POINTS)
        return
    if work == "read":
        hold_snapshot(Path(folder))
        return
    if work == "bulk":
        with Gallery.open(folder) as gallery:
            print("open", flush=True)
            for counts in gallery.enrol_bulk(bulk_blocks(400)):
                print("enrolled", counts.rows, flush=True)
        return
    with Gallery.open(folder, embedder=TinyEmbedder()) as gallery:
        print("open", flush=True)
        if work == "enrol":
            enrol.BATCH_PICTURES = SMALL_BATCH
            for outcome in gallery.enrolling(read_samples(arguments[0])):
                print(outcome.status, outcome.picture_id, outcome.picture, flush=True)
        elif work == "forget":
            for info in gallery.identities():
                outcome = gallery.forget(info.name, wait_s=float(arguments[0]))
                print(outcome.status, outcome.number, info.name, flush=True)
        elif work == "correct":
            correct(gallery, arguments[0], arguments[1], int(arguments[2]))
        elif work == "find":
            paths = [sample.path for sample in read_samples(arguments[0])][:5]
            for _ in range(int(arguments[1])):
                gallery.find(paths, k=3)
                gallery.identities()
    print("done", flush=True)


def correct(gallery, one, other, rounds):
    """Change what there is to change about two people; it ends as it began."""
    for number in range(rounds):
        vector = np.random.default_rng(number).standard_normal(DIMENSION)
        gallery.merge(one, other)
        gallery.rename(other, f"{other} {number}")
        gallery.reject(vector, one)
        hits = gallery.find_vectors([vector], 3)[0].hits
        assert not {hit.identity for hit in hits} & {one, other, f"{other} {number}"}
        gallery.unmerge(f"{other} {number}")
        gallery.rename(f"{other} {number}", other)
        gallery.reject(vector, one, undo=True)


def hold_snapshot(folder):
    connection = sqlite3.connect(folder / "gallery.db", isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM pictures").fetchall()
    print("reading", flush=True)
    sys.stdin.readline()
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
