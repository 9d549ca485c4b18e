"""A process that keeps a gallery and kills itself at a write, as told: see ``gallery_victim.die``.

python gallery_keep_victim.py FOLDER
"""

import os
import shutil
import sys
from pathlib import Path

from saccade.api.gallery import Gallery
from saccade.data.vector_parquet import pyarrow
from saccade.gallery import compacting, debts, log, re_embedding, receipts, slots
from saccade.gallery.database import Database
from tests.gallery_victim import TinyEmbedder, die

EMBEDDER, OTHER = TinyEmbedder(), TinyEmbedder(1)
INSTRUCTIONS = 500  # of SQLite's machine, from one moment to the next: inside of VACUUM too


class Moments:
    """What connections call: before each statement, and again and again while one runs."""

    @staticmethod
    def statement():
        return None

    @staticmethod
    def running():
        return None


# Where something is written: the owner and the name of what is called.
POINTS = {
    "statement": (Moments, "statement"),
    "running": (Moments, "running"),
    "log entry": (log, "append"),
    "slots": (slots, "put"),
    "wipe": (slots, "wipe"),
    "vacuum": (Database, "vacuum"),
    "compacting": (compacting, "finish"),
    "copy": (Database, "copy_to"),
    "tree": (shutil, "copytree"),
    "file": (Path, "write_bytes"),
    "rename": (Path, "rename"),
    "replace": (Path, "replace"),
    "fsync": (os, "fsync"),
    "batch": (re_embedding, "_enrol"),
    "write-ahead log": (Database, "truncate_log"),
    "receipt": (receipts, "write"),
    "debt": (debts, "strike"),
}
# Of "p0" … "p5", and "q0" … in the archive; the files are beside the gallery.
STEPS = [
    ("describe", "p0", {"note": "first-secret-3b1f"}),
    ("merge", "p1", "p2"),
    ("describe", "p0", {"note": "second-secret-9c02"}),
    ("reject", "p0", "stranger.png"),
    ("forget", "p3"),
    ("compact",),
    ("import_", "archive.zip"),
    ("backup", "copy"),
    ("export", "out.zip"),
    ("merge", "p4", "q0"),
    ("forget", "p1"),
    ("describe", "q0", {"note": "third-secret-77aa"}),
    ("re_embed", "again"),
    ("compact",),
    ("unreject", "p0", "stranger.png"),
    ("unmerge", "q0"),
    ("forget", "q0"),
]


def take_steps(folder, told):
    for step in STEPS:
        with opened(folder) as gallery:
            take(gallery, folder, step)
        told.write(f"{step[0]}\n")


def take(gallery, folder, step):
    """Take one step; whatever it makes outside of the gallery is called as that, with a word."""
    action, *given = step
    beside = folder.parent
    if action in ("reject", "unreject"):
        gallery.reject(beside / given[1], given[0], undo=action == "unreject")
    elif action == "import_":
        gallery.import_(beside / given[0])
    elif action in ("backup", "export"):
        getattr(gallery, action)(folder.with_name(f"{folder.name}-{given[0]}"))
    elif action == "re_embed":
        gallery.re_embed(folder.with_name(f"{folder.name}-{given[0]}"), OTHER)
    else:
        getattr(gallery, action)(*given)


def opened(folder):
    return Gallery.open(folder, embedder=EMBEDDER)


def watch_connections():
    """Let every connection call the moments."""
    plain = Database._opened

    def watched(self, mode):
        connection = plain(self, mode)
        connection.set_trace_callback(lambda _: Moments.statement())
        connection.set_progress_handler(lambda: Moments.running(), INSTRUCTIONS)
        return connection

    Database._opened = watched


if __name__ == "__main__":
    pyarrow()
    watch_connections()
    die(Path(sys.argv[1]), take_steps, POINTS)
