"""A process that runs commands on disks that fill up; tells the exit code and what was said.

    python gallery_full.py limit FOLDER             no file may grow beyond a size
    unshare -Urm python gallery_full.py tmpfs FOLDER     a small disk of its own

For each line of the input, JSON of {"name", "room", "words"}, ``saccade WORDS`` runs in the folder
FOLDER/NAME. Its files may grow up to ``room`` bytes (limit), or the disk that they are moved to has
``room`` free bytes (tmpfs). One line of JSON is answered: {"code", "said", "largest"}; the code is
negative for a signal, and ``largest`` the size of its largest file afterwards.
"""

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import saccade.api.gallery  # here once, not in each process  # noqa: F401
from saccade.cli.app import main
from saccade.data.vector_parquet import pyarrow
from tests.coded import scanning, tuner

SCRATCH = "scratch"  # for temporary files, on the same disk
LARGE_BYTES = 1 << 28


def command(folder, words, limit):
    """Run a command in a process of its own; returns its exit code and its standard error."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        code = 99
        with contextlib.suppress(Exception):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(into, 2)
            os.chdir(folder)
            os.environ["SQLITE_TMPDIR"] = os.environ["TMPDIR"] = str(folder / SCRATCH)
            tempfile.tempdir = None
            if limit is not None:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            with tuner(scanning(cells=2)):
                code = main(words)
        os._exit(code)
    os.close(into)
    with os.fdopen(out, encoding="utf-8") as stream:
        said = stream.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


def on_a_small_disk(folder, words, room):
    """Run a command with the files on a disk that has ``room`` bytes more, then bring them back."""
    disk = folder.with_name("disk")
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={LARGE_BYTES}", "none", disk], check=True)
    try:
        place = disk / folder.name
        shutil.copytree(folder, place)
        about = os.statvfs(disk)
        size = (about.f_blocks - about.f_bfree) * about.f_frsize + room
        subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
        answer = command(place, words, None)
        shutil.rmtree(folder)
        shutil.copytree(place, folder)
    finally:
        subprocess.run(["umount", disk], check=True)
    return answer


def serve(kind, folder):
    pyarrow()
    for line in sys.stdin:
        task = json.loads(line)
        place = folder / task["name"]
        (place / SCRATCH).mkdir()
        run = command if kind == "limit" else on_a_small_disk
        code, said = run(place, task["words"], task["room"])
        largest = max(path.stat().st_size for path in place.rglob("*") if path.is_file())
        print(json.dumps({"code": code, "said": said, "largest": largest}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
