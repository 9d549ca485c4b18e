"""A disk that fills up in the middle of a command: one line says so, the truth stays whole."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.cli.app import main
from saccade.gallery import Gallery
from saccade.gallery.schema import SETTINGS
from tests import coded, gallery_full

ROOT = Path(__file__).parents[1]
DIMENSION = 64
PAGE_BYTES = 4096
AMPLE = 1 << 26
MOUNTING = ["unshare", "-Urm"]  # a process that may mount a disk, which nobody else sees
EVERYBODY = ["p0", "p1", "p2", "p3"]
NOTE = " ".join(["told"] * 700)

# The gallery, g of pictures or v of vectors, and what is done to it.
COMMANDS = {
    "enrol": ("g", ["enrol", "g", "new", "--expires", "2990-01-01"]),
    "bulk": ("v", ["enrol", "v", "--vectors", "more.npy", "--identities", "more.txt"]),
    "forget": ("g", ["forget", "g", "p0", "p1"]),
    "merge": ("g", ["merge", "g", "p0", "p1"]),
    "rename": ("g", ["rename", "g", "p0", "someone else"]),
    "reject": ("g", ["reject", "g", "p0", "new/q0/0.png"]),
    "describe": ("g", ["describe", "g", "p0", f"note={NOTE}"]),
    "terms": ("g", ["terms", "g", "p0", "--expires", "2990-01-01"]),
    "compact": ("v", ["compact", "v"]),
    "index": ("v", ["index", "v"]),
    "import": ("g", ["import", "g", "archive.zip"]),
    "backup": ("g", ["backup", "g", "out"]),
    "export": ("g", ["export", "g", "out"]),
    "export a zip": ("g", ["export", "g", "out.zip"]),
    "export one": ("g", ["export", "g", "out", "--name", "p0"]),
    "re-embed": ("g", ["re-embed", "g", "out", "--embedder", "pixels"]),
}
ROOMS = 5  # for each command and kind of disk, spread over all that fail
GROWING = ("enrol", "import")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with two galleries, and what the commands are given."""
    root = tmp_path_factory.mktemp("full")
    draw = np.random.default_rng(0)
    for name in (*(f"people/{one}" for one in EVERYBODY), *(f"new/q{one}" for one in range(9))):
        (root / name).mkdir(parents=True)
        for number in range(3):
            noise = draw.integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(noise).save(root / name / f"{number}.png")
    vectors = draw.standard_normal((300, DIMENSION)).astype(np.float32)
    np.save(root / "more.npy", vectors[200:])
    (root / "more.txt").write_text("".join(f"m{row // 2}\n" for row in range(100)))
    with Gallery.create(root / "v", fingerprint="vectors", dimension=DIMENSION) as made:
        made.enrol_vectors(vectors[:200], [f"n{row // 2}" for row in range(200)])
        with coded.tuner(coded.scanning(cells=2)):
            made.index()
        made.forget_many([f"n{number}" for number in range(50)])
    for gallery in ("g", "other"):
        command = ["create", str(root / gallery), "--embedder", "pixels", "--keep-originals"]
        assert main(command) == 0
    assert main(["enrol", str(root / "other"), str(root / "new")]) == 0
    assert main(["merge", str(root / "other"), "q0", "q1"]) == 0
    assert main(["reject", str(root / "other"), "q0", str(root / "new/q2/0.png")]) == 0
    assert main(["export", str(root / "other"), str(root / "archive.zip")]) == 0
    assert main(["enrol", str(root / "g"), str(root / "people")]) == 0
    shutil.rmtree(root / "other")
    return root


@pytest.fixture(scope="module", params=["limit", "tmpfs"])
def disk(request, tmp_path_factory):
    """What runs commands on a disk with so much room, see ``gallery_full``; and its folder."""
    words = [sys.executable, gallery_full.__file__, request.param]
    if request.param == "tmpfs":
        may = [*MOUNTING, "mount", "-t", "tmpfs", "none", str(tmp_path_factory.mktemp("mount"))]
        if shutil.which("unshare") is None or subprocess.run(may, capture_output=True).returncode:
            pytest.skip("this system lets no user mount a small disk")
        words = [*MOUNTING, *words]
    folder = tmp_path_factory.mktemp(request.param)
    server = subprocess.Popen(
        [*words, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    numbers = itertools.count()

    def run(world, words, room):
        place = folder / str(next(numbers))
        shutil.copytree(world, place)
        print(json.dumps({"name": place.name, "room": room, "words": words}), file=server.stdin)
        server.stdin.flush()
        answer = json.loads(server.stdout.readline())
        return place, answer["code"], answer["said"], answer["largest"]

    yield run
    server.communicate()


@pytest.mark.parametrize("what", GROWING)
def test_a_database_that_may_not_grow(world, what, tmp_path, monkeypatch, capsys):
    """SQLite says that the disk is full as soon as it needs one more page."""
    gallery, words = COMMANDS[what]
    place = tmp_path / "world"
    shutil.copytree(world, place)
    before = state(place / gallery)
    pages = (place / gallery / "gallery.db").stat().st_size // PAGE_BYTES
    with monkeypatch.context() as patch:
        patch.chdir(place)
        limit = f"PRAGMA max_page_count = {pages}"
        patch.setattr("saccade.gallery.database.SETTINGS", (*SETTINGS, limit))
        code = main(words)
        said = capsys.readouterr().err
    assert (code, said.count("\n"), "the disk is full" in said) == (2, 1, True), said
    assert state(place / gallery) == before
    assert again(place, words) == 0


@pytest.mark.slow
@pytest.mark.parametrize("what", COMMANDS)
def test_a_full_disk(world, disk, what):
    gallery, words = COMMANDS[what]
    place, code, said, largest = disk(world, words, AMPLE)
    assert (code, said) == (0, "")
    before, after = state(world / gallery), state(place / gallery)
    made = sorted(item.name for item in place.iterdir())
    shutil.rmtree(place)
    rooms = np.arange(0, largest + PAGE_BYTES, PAGE_BYTES)
    draw = np.random.default_rng(len(what))
    for room in sorted(draw.choice(rooms, min(ROOMS, len(rooms)), replace=False).tolist()):
        place, code, said, _ = disk(world, words, room)
        context = f"{what} with room for {room} bytes: {code} {said}"
        assert code in ((0, 1, 2) if what == "forget" else (0, 2)), context
        lines = [line for line in said.splitlines() if not line.startswith("saccade: left out")]
        assert len(lines) == (code == 2), context
        there = sorted(item.name for item in place.iterdir())
        assert there == (made if code == 0 else sorted([*before_names(world), "scratch"])), context
        assert not list((place / "scratch").iterdir()), context
        now = state(place / gallery)
        if what == "bulk" and now[:4] == after[:4]:
            now = after  # the rows are there, only the index, which follows from them, is older
        assert now == after or (code == 2 and now == before), context
        if now != before and what == "forget":
            gone = [(world / "people" / name / "0.png").read_bytes()[-40:] for name in ("p0", "p1")]
            assert coded.files_with(place / "g", gone) == [], context
        if code == 2 and now == before:
            assert again(place, words) == 0, context
            assert state(place / gallery) == after, context
        shutil.rmtree(place)


def before_names(world):
    return [item.name for item in world.iterdir()]


def again(place, words):
    """The exit code of the command once there is room."""
    with pytest.MonkeyPatch.context() as patch, coded.tuner(coded.scanning(cells=2)):
        patch.chdir(place)
        return main(words)


def state(folder):
    """Everything that a user sees of a gallery, which is whole."""
    with Gallery.open(folder) as gallery:
        gallery.check()
        stats = gallery.stats()
        assert stats.pending_forgets == 0
        infos = gallery.identities()
        names = sorted(name for info in infos for name in (info.name, *info.also))
        shown = [gallery.show(name) for name in names]
        actions = [entry.action for entry in gallery.log().entries]
        codes = [path.name for path in folder.glob("codes/*.part")]
    plain = [(one.name, one.facts, one.expires, one.pictures) for one in shown]
    merged = [(info.name, info.also) for info in infos]
    return plain, merged, actions, stats.free_slots, stats.index, stats.indexed, codes
