"""What is made beside its place: all of it or nothing, and nothing stays of the killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saccade.errors import GalleryError
from saccade.gallery import Gallery, drafts
from saccade.gallery.database import Database

ROOT = Path(__file__).parents[1]
# Makes a draft, says so, and waits to be killed.
HOLDER = """
import sys, time
from pathlib import Path
from saccade.gallery import drafts
with drafts.making(Path(sys.argv[1]), "copy", outside=Path(sys.argv[2])) as draft:
    draft.mkdir()
    (draft / "gallery.db").write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def gallery(tmp_path):
    with Gallery.create(tmp_path / "g", fingerprint="f" * 64, dimension=8) as made:
        made.enrol_vectors(np.eye(8, dtype=np.float32), [f"p{row}" for row in range(8)])
        yield made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_killed_is_removed_and_what_lives_is_not(gallery, tmp_path):
    out = tmp_path / "out [1]"
    command = [sys.executable, "-c", HOLDER, str(out), str(gallery.folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert holder.stdout.readline() == "ready\n"
        (held,) = tmp_path.glob(".out*.part")
        gallery.backup(out)
        assert names(tmp_path) == sorted([held.name, "g", out.name]), "another makes it still"
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    assert held.exists()
    with pytest.raises(GalleryError, match="exists already"):
        gallery.backup(out)
    out.rename(tmp_path / "elsewhere")
    gallery.backup(out)
    assert names(tmp_path) == ["elsewhere", "g", out.name], "nothing is left of the killed one"


def test_files_of_others_with_such_names_stay(gallery, tmp_path):
    (tmp_path / ".b.12345678.part").write_text("a file")
    (tmp_path / ".b.87654321.part").symlink_to(gallery.folder)
    (tmp_path / ".b.notes.part").mkdir()
    before = names(tmp_path)
    gallery.backup(tmp_path / "b")
    assert names(tmp_path) == sorted([*before, "b"])
    gallery.check()


@pytest.mark.parametrize("until", ["copy_to", "copytree"])
def test_a_half_backup_is_no_gallery(gallery, tmp_path, monkeypatch, until):
    """At the moment of the crash no folder that is left can be opened as a gallery."""
    seen = []

    def crash(*_, **__):
        seen.extend(path.parent for path in tmp_path.rglob("gallery.db"))
        seen.extend(path.parent for path in tmp_path.rglob("gallery.db.unfinished"))
        raise KeyboardInterrupt

    if until == "copy_to":
        plain = Database.copy_to
        monkeypatch.setattr(Database, "copy_to", lambda *args: (plain(*args), crash()))
    else:
        monkeypatch.setattr("saccade.gallery.backup.shutil.copytree", crash)
    with pytest.raises(KeyboardInterrupt):
        gallery.backup(tmp_path / "b")
    assert len(seen) == 2 and seen[0] == gallery.folder and seen[1] != gallery.folder
    assert names(tmp_path) == ["g"]


def test_a_backup_beside_a_forget_that_writes_receipts(gallery, tmp_path):
    """Half-written receipts vanish while they are copied; they are left out."""
    (gallery.folder / "receipts" / ".abc.part").mkdir(parents=True)
    (gallery.folder / "receipts" / ".abc.part" / "x").symlink_to("nowhere")
    made = gallery.backup(tmp_path / "b")
    assert names(made.folder / "receipts") == []


def test_a_place_that_may_not_be_written(gallery, monkeypatch, tmp_path):
    def refuses(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuses)
    for what in ("backup", "export"):
        with pytest.raises(GalleryError, match=f"{what} .* cannot be made: Permission denied"):
            getattr(gallery, what)(tmp_path / "b")


def test_whoever_makes_it_first_has_it(gallery, tmp_path):
    """Two at once: one of them is told that it exists, and nothing is half."""
    out = tmp_path / "b"
    with (
        pytest.raises(GalleryError, match="exists already"),
        drafts.making(out, "copy", outside=gallery.folder) as draft,
    ):
        draft.mkdir()
        gallery.backup(out)
    with Gallery.open(out) as copy:
        copy.check()
    assert names(tmp_path) == ["b", "g"]
