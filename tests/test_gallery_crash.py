"""Killed at any moment: nothing acknowledged is lost, nothing is half, the forgotten is gone."""

import contextlib
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from saccade.data.pictures import read_picture
from saccade.files import sha256_file
from saccade.gallery import Gallery
from tests import gallery_victim
from tests.gallery_victim import TinyEmbedder, make_pictures, new_gallery

VICTIM = Path(gallery_victim.__file__)
EMBEDDER = TinyEmbedder()
START_LINES = 1  # "open"
MAX_DELAY_S = 0.012  # about the time of two transactions

KILLS = [
    pytest.param(3, id="3 kills"),
    pytest.param(20, id="20 kills", marks=pytest.mark.slow),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Forty identities of three pictures, as files and as a gallery that was closed."""
    root = tmp_path_factory.mktemp("crash")
    samples = make_pictures(root / "pictures", identities=40, each=3)
    with new_gallery(root / "full") as gallery:
        gallery.enrol(samples)
    new_gallery(root / "empty").close()
    return root, samples, read_traces(root / "full")


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, VICTIM, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_and_kill(moment, delay_s, *arguments):
    """Kill the victim ``delay_s`` after its line number ``moment``; returns all lines it wrote."""
    victim = start(*arguments)
    lines = [victim.stdout.readline() for _ in range(moment)]
    time.sleep(delay_s)
    victim.kill()
    # Not communicate(): it would pass over what readline has buffered.
    with victim:
        rest, errors = victim.stdout.read(), victim.stderr.read()
    assert errors == ""
    # A last line without its end was not acknowledged.
    lines += [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return [line.split() for line in lines]


def moments(kills, acknowledgements, seed):
    """Distinct seeded moments over the whole work: (line to wait for, seconds to wait after it)."""
    draw = random.Random(seed)
    lines = draw.sample(range(START_LINES, START_LINES + acknowledgements), kills)
    return [(line, draw.uniform(0, MAX_DELAY_S)) for line in lines]


@contextlib.contextmanager
def reader_of(folder):
    """Another process that holds a snapshot of now."""
    reader = start("read", folder)
    try:
        assert reader.stdout.readline() == "reading\n"
        yield
    finally:
        reader.communicate("leave\n")


def read_traces(folder):
    """For each (identity, file name): bytes that only its enrolment could have put into a file."""
    connection = sqlite3.connect(folder / "gallery.db")
    rows = connection.execute(
        "SELECT v.content, t.content, l.content, n.content FROM pictures p "
        "JOIN vectors v ON v.slot = p.vector JOIN thumbnails t ON t.slot = p.thumbnail "
        "JOIN labels l ON l.slot = p.label JOIN identities i ON i.number = p.identity "
        "JOIN names n ON n.slot = i.name"
    ).fetchall()
    connection.close()
    traces = {}
    for vector, thumbnail, label, name in rows:
        jpeg, name, label = (blob.rstrip(b"\0") for blob in (thumbnail, name, label))
        traces[name.decode(), label[32:].decode()] = {
            "vector": vector,
            "thumbnail": jpeg[-80:-16],
            "source": label[:32],
            "file name": label[32:],
            "identity": name,
        }
    return traces


def all_bytes(folder):
    """Every byte of every file; only while this process has no connection to the gallery."""
    return b"\0\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def traces_left(folder, traces, samples):
    content = all_bytes(folder)
    return [
        (sample.label, what)
        for sample in samples
        for what, needle in traces[sample.label, sample.path.name].items()
        if needle in content
    ]


def test_traces_are_seen_while_enrolled(world):
    """The search can fail: every trace stands in the files of a full gallery."""
    root, samples, traces = world
    assert len(traces_left(root / "full", traces, samples)) == len(samples) * 5
    for sample in samples:
        kept = traces[sample.label, sample.path.name]
        assert kept["source"].hex() == sha256_file(sample.path)
        vector = np.frombuffer(kept["vector"], dtype="<f2").astype(np.float32)
        np.testing.assert_allclose(vector, EMBEDDER([read_picture(sample.path)])[0], atol=1e-3)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_enrolling(world, tmp_path, kills):
    root, samples, _ = world
    by_path = {str(sample.path): sample for sample in samples}
    told = []
    for number, (line, delay) in enumerate(moments(kills, len(samples), seed=kills)):
        folder = tmp_path / str(number)
        shutil.copytree(root / "empty", folder)
        acknowledged = run_and_kill(line, delay, "enrol", folder, root / "pictures")
        acknowledged = [words for words in acknowledged if words[0] not in ("open", "done")]
        told.append(len(acknowledged))
        with Gallery.open(folder, embedder=EMBEDDER) as gallery:
            gallery.check()
            for status, picture_id, path in acknowledged:
                assert status == "enrolled"
                hit = gallery.find([Path(path)], k=1)[0].hits[0]
                assert (hit.identity, hit.picture_id) == (by_path[path].label, int(picture_id))
                assert gallery.thumbnail(hit.picture_id).startswith(b"\xff\xd8")
            # Enrolling again completes what the crash cut off.
            again = gallery.enrol(samples)
            unchanged = [outcome for outcome in again if outcome.status == "unchanged"]
            assert len(unchanged) >= len(acknowledged)
            assert gallery.stats().pictures == len(samples)
            gallery.check()
    print("acknowledged before each kill:", told)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_forgetting(world, tmp_path, kills):
    root, samples, traces = world
    told = []
    for number, (line, delay) in enumerate(moments(kills, 40, seed=kills + 1)):
        folder = tmp_path / str(number)
        shutil.copytree(root / "full", folder)
        acknowledged = run_and_kill(line, delay, "forget", folder, 5.0)
        forgotten = {words[2] for words in acknowledged if words[0] == "forgotten"}
        told.append(len(forgotten))
        assert not any(words[0] == "pending" for words in acknowledged)
        # What was acknowledged is gone already, before anybody opens the gallery again.
        gone = [sample for sample in samples if sample.label in forgotten]
        assert traces_left(folder, traces, gone) == []
        check_after_reopening(folder, traces, samples, forgotten)
    print("acknowledged before each kill:", told)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_while_forgetting_beside_a_reader(world, tmp_path, kills):
    root, samples, traces = world
    for number, (line, delay) in enumerate(moments(kills, 40, seed=kills + 2)):
        folder = tmp_path / str(number)
        shutil.copytree(root / "full", folder)
        with reader_of(folder):
            acknowledged = run_and_kill(line, delay, "forget", folder, 0.01)
            pending = {words[2] for words in acknowledged if words[0] == "pending"}
            assert not any(words[0] == "forgotten" for words in acknowledged)
            with Gallery.open(folder) as gallery:
                assert gallery.stats().pending_forgets >= len(pending)
                assert pending.isdisjoint(info.name for info in gallery.identities())
                gallery.check()
        check_after_reopening(folder, traces, samples, pending)


def check_after_reopening(folder, traces, samples, forgotten):
    with Gallery.open(folder) as gallery:
        gallery.check()
        stats = gallery.stats()
        left = {info.name: info.pictures for info in gallery.identities()}
    assert forgotten.isdisjoint(left)
    assert set(left.values()) <= {3}, "no identity is half forgotten"
    assert stats.pending_forgets == 0
    assert len(list((folder / "receipts").glob("*.json"))) == 40 - len(left)
    assert (
        traces_left(folder, traces, [sample for sample in samples if sample.label not in left])
        == []
    )
    kept = [sample for sample in samples if sample.label in left]
    assert len(traces_left(folder, traces, kept)) == len(kept) * 5


def test_pending_while_a_reader_holds_a_snapshot(world, tmp_path):
    root, samples, traces = world
    folder = tmp_path / "gallery"
    shutil.copytree(root / "full", folder)
    label = samples[0].label
    gone = [sample for sample in samples if sample.label == label]
    with reader_of(folder):
        with Gallery.open(folder) as gallery:
            outcome = gallery.forget(label, wait_s=0.05)
            assert (outcome.status, outcome.pictures, outcome.receipt) == ("pending", 3, None)
            assert "reader" in outcome.reason
            assert gallery.stats().pending_forgets == 1
        assert traces_left(folder, traces, gone), "the reader keeps the old bytes on the disk"
        assert not list((folder / "receipts").glob("*.json"))
    with Gallery.open(folder) as gallery:
        assert gallery.stats().pending_forgets == 0
        gallery.check()
    assert traces_left(folder, traces, gone) == []
    assert len(list((folder / "receipts").glob("*.json"))) == 1


def test_the_next_write_finishes_a_pending_forget(world, tmp_path):
    root, samples, traces = world
    folder = tmp_path / "gallery"
    shutil.copytree(root / "full", folder)
    with Gallery.open(folder) as gallery:
        with reader_of(folder):
            assert gallery.forget(samples[0].label, wait_s=0.0).status == "pending"
            gallery.enrol_vectors(np.eye(1, EMBEDDER.dimension), ["somebody"])
            assert gallery.stats().pending_forgets == 1
        gallery.enrol_vectors(np.eye(2, EMBEDDER.dimension)[1:], ["somebody"])
        assert gallery.stats().pending_forgets == 0
        gallery.check()
    assert traces_left(folder, traces, samples[:3]) == []


def test_two_writers_and_a_reader_at_once(tmp_path):
    folder = tmp_path / "gallery"
    new_gallery(folder).close()
    first = make_pictures(tmp_path / "first", identities=10, each=4, seed=1)
    second = make_pictures(tmp_path / "second", identities=10, each=4, seed=2)
    jobs = [
        start("enrol", folder, tmp_path / "first"),
        start("enrol", folder, tmp_path / "first"),  # the same pictures, by two at once
        start("enrol", folder, tmp_path / "second"),
        start("find", folder, tmp_path / "first", 30),
    ]
    outputs = [job.communicate() for job in jobs]
    assert [errors for _, errors in outputs] == [""] * len(jobs)
    assert [job.returncode for job in jobs] == [0] * len(jobs)
    lines = [line.split() for output, _ in outputs[:3] for line in output.splitlines()]
    statuses = [words[0] for words in lines if len(words) == 3]
    assert statuses.count("enrolled") == len(first) + len(second)
    assert statuses.count("unchanged") == len(first)
    with Gallery.open(folder) as gallery:
        gallery.check()
        assert gallery.stats().pictures == len(first) + len(second)
        assert {info.name for info in gallery.identities()} == {
            sample.label for sample in first + second
        }


@pytest.mark.slow
def test_two_who_correct_and_one_who_finds_at_once(world, tmp_path):
    root, samples, _ = world
    folder = tmp_path / "gallery"
    shutil.copytree(root / "full", folder)
    a, b, c, d = sorted({sample.label for sample in samples})[:4]
    with Gallery.open(folder) as gallery:
        before = gallery.identities(), gallery.stats().generation
    jobs = [
        start("correct", folder, a, b, 20),
        start("correct", folder, c, d, 20),
        start("find", folder, root / "pictures", 30),
    ]
    outputs = [job.communicate() for job in jobs]
    assert [errors for _, errors in outputs] == [""] * len(jobs)
    with Gallery.open(folder) as gallery:
        gallery.check()
        # Two entries for a merge and its end, one for each other correction.
        assert (gallery.identities(), gallery.stats().generation) == (
            before[0],
            before[1] + 2 * 160,
        )
        told = [entry.action for entry in gallery.log().entries]
        assert [told.count(one) for one in ("merge", "rename", "reject", "unreject")] == [
            *(40, 80, 40, 40)
        ]
