"""The cache of decoded pictures: read as it was decoded, bounded, safe, and never believed."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import saccade
from saccade.cli.app import main
from saccade.data import cache, decode_once
from saccade.data.cache import cache_folder, cache_size, clear_cache, drop_sources
from saccade.data.cache_file import file_bytes
from saccade.data.pictures import read_picture, resize
from saccade.errors import InputError
from saccade.files import sha256_file
from saccade.training.checkpoint import read_notes
from saccade.values import Sample
from tests.conftest import CLASSES, shape_picture

ROOMY = 1 << 30
SETTINGS = {
    "train.epochs": 2,
    "train.threads": 1,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "train.precision": "float32",
    "model.width": 8,
    "model.dimension": 8,
}
FLAGS = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch):
    """A cache for one test, that does not exist yet."""
    place = tmp_path_factory.mktemp("one") / "cache"
    monkeypatch.setenv("SACCADE_CACHE", str(place))
    return place


def write(folder, *, count=5, seed=0, side=12):
    """Write pictures of noise, and return them as samples."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        pixels = draw.integers(0, 256, (side, side, 3), dtype=np.uint8)
        file = folder / f"{number:03}.png"
        Image.fromarray(pixels).save(file)
        samples.append(Sample(file, "any"))
    return samples


def load(samples, *, size_hw=(8, 8), channels=3, budget_bytes=ROOMY):
    return decode_once.decode_once(
        samples, size_hw=size_hw, channels=channels, budget_bytes=budget_bytes
    )


def wanted(samples, *, size_hw=(8, 8), channels=3):
    return np.stack([resize(read_picture(sample), size_hw, channels) for sample in samples])


def files(folder):
    return sorted(path for path in folder.iterdir() if path.name != "lock")


def forbid_decoding(monkeypatch):
    monkeypatch.setattr(decode_once, "decode", lambda *given: 1 / 0)


# What is read is what was decoded


@given(
    count=st.integers(1, 9),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.sampled_from([1, 3]),
    broken=st.sets(st.integers(0, 8)),
    seed=st.integers(0, 999),
)
def test_what_was_written_is_read(tmp_path_factory, count, size, channels, broken, seed):
    samples = write(tmp_path_factory.mktemp("pictures"), count=count, seed=seed)
    broken = {row for row in broken if row < count}
    for row in broken:
        samples[row].path.write_bytes(f"no picture {seed}".encode())
    first, again, plain = (
        load(samples, size_hw=size, channels=channels, budget_bytes=budget)
        for budget in (ROOMY, ROOMY, 0)
    )
    good = [row for row in range(count) if row not in broken]
    expected = [resize(read_picture(samples[row]), size, channels) for row in good]
    for found in (first, again, plain):
        assert found.pixels.shape == (count, channels, *size) and found.note == ""
        assert all(map(np.array_equal, found.pixels[good], expected))
        assert found.broken == plain.broken and set(found.broken) == broken
        hashes = [sha256_file(sample.path) for sample in samples]
        assert [bytes(source).hex() for source in found.sources] == hashes
    assert not first.pixels.flags.writeable and not again.pixels.flags.writeable


def test_the_second_time_nothing_is_decoded(tmp_path, folder, monkeypatch):
    samples = write(tmp_path)
    samples[3].path.write_bytes(b"broken")
    expected = load(samples)
    forbid_decoding(monkeypatch)
    found = load(samples)
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.broken == expected.broken == {3: f"{samples[3].path} {decode_once.REASONS[2]}"}
    assert len(files(folder)) == 1


@pytest.mark.parametrize("how", ["moved", "linked", "renamed"])
def test_content_decides_and_not_its_place(tmp_path, monkeypatch, how):
    samples = write(tmp_path / "before")
    samples[0].path.write_bytes(b"broken")
    expected = load(samples)
    forbid_decoding(monkeypatch)
    there = []
    (tmp_path / "after").mkdir()
    for number, sample in enumerate(samples):
        name = f"{number}.jpg" if how == "renamed" else sample.path.name
        place = tmp_path / "after" / name
        place.symlink_to(sample.path) if how == "linked" else sample.path.rename(place)
        there.append(Sample(place, "other"))
    found = load(there)
    assert np.array_equal(found.pixels, expected.pixels)
    assert found.broken[0].startswith(str(there[0].path))


def test_other_content_order_size_or_channels_are_another_file(tmp_path, folder):
    samples = write(tmp_path)
    load(samples)
    assert np.array_equal(load(samples[::-1]).pixels, wanted(samples)[::-1])
    assert load(samples, size_hw=(4, 16)).pixels.shape == (5, 3, 4, 16)
    assert load(samples, channels=1).pixels.shape == (5, 1, 8, 8)
    shutil.copy(samples[1].path, samples[0].path)
    assert np.array_equal(load(samples).pixels, wanted(samples))
    assert len(files(folder)) == 5


def test_another_decoder_is_another_file(tmp_path, folder, monkeypatch):
    samples = write(tmp_path)
    load(samples)
    monkeypatch.setattr("saccade.data.cache_file.pillow_version", "0")
    load(samples)
    assert len(files(folder)) == 2


def test_a_file_that_is_missing_is_looked_for_again(tmp_path, folder):
    samples = write(tmp_path)
    content = samples[2].path.read_bytes()
    samples[2].path.unlink()
    for _ in range(2):
        assert load(samples).broken == {2: f"{samples[2].path} does not exist; check the path"}
    samples[2].path.write_bytes(content)
    assert not load(samples).broken and len(files(folder)) == 2


def test_a_picture_that_changes_while_it_is_read_stops_the_run(tmp_path, folder, monkeypatch):
    samples = write(tmp_path)
    whole = decode_once.decode

    def slow(stream, path):
        if path == samples[1].path:
            path.write_bytes(samples[0].path.read_bytes() + b"x")
        return whole(stream, path)

    monkeypatch.setattr(decode_once, "decode", slow)
    with pytest.raises(InputError, match=r"001\.png changed while it was read"):
        load(samples)
    assert files(folder) == []


def test_arrays_are_not_kept(folder):
    samples = [Sample(Path(f"a#{n}"), "x", np.full((8, 8), n, np.uint8)) for n in range(3)]
    found = load(samples, channels=1)
    assert found.pixels[:, 0, 0, 0].tolist() == [0, 1, 2] and found.note == ""
    assert len({bytes(source) for source in found.sources}) == 3
    assert not folder.exists()


# Damage


def damages(content):
    """Every kind of damage: cut short at some places, a bit flipped in some places."""
    places = [0, 5 * 3 * 64 - 1, 5 * 3 * 64, 5 * 3 * 64 + 100, *range(-40, 0, 3)]
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 4
        yield bytes(flipped)
        yield content[:place]
    yield content + b"\0"
    yield b""


def test_a_damaged_file_is_made_anew(tmp_path, folder):
    samples = write(tmp_path)
    load(samples)
    (file,) = files(folder)
    content = file.read_bytes()
    for damaged in damages(content):
        file.write_bytes(damaged)
        assert np.array_equal(load(samples).pixels, wanted(samples))
        assert file.read_bytes() == content


def test_a_whole_file_under_another_name_is_not_believed(tmp_path, folder):
    ours, others = write(tmp_path / "a"), write(tmp_path / "b", seed=1)
    load(ours)
    (file,) = files(folder)
    content = file.read_bytes()
    load(others)
    (other,) = set(files(folder)) - {file}
    other.write_bytes(content)
    assert np.array_equal(load(others).pixels, wanted(others))


# Bounds


def test_the_least_recently_used_file_goes_first(tmp_path, folder):
    sets = [write(tmp_path / str(n), seed=n) for n in range(4)]
    made = {}
    for number, samples in enumerate(sets[:3]):
        before = set(files(folder)) if number else set()
        load(samples, budget_bytes=3 * file_bytes((5, 3, 8, 8)))
        (made[number],) = set(files(folder)) - before
    for age, file in enumerate((made[1], made[2], made[0])):
        os.utime(file, (age, age))
    load(sets[1])  # used again, so the newest
    load(sets[3], budget_bytes=3 * file_bytes((5, 3, 8, 8)))
    left = set(files(folder))
    assert made[2] not in left and {made[0], made[1]} < left and len(left) == 3
    load(sets[3], budget_bytes=file_bytes((5, 3, 8, 8)))
    assert len(files(folder)) == 3, "what is found needs no room"


def test_the_bytes_never_exceed_the_budget(tmp_path, folder):
    budget = 2 * file_bytes((5, 3, 8, 8)) + 10
    for number in range(5):
        held = load(write(tmp_path / str(number), seed=number), budget_bytes=budget)
        assert cache_size().bytes <= budget and cache_size().files == min(number + 1, 2)
        assert held.note == ""


def test_pictures_over_the_budget_are_decoded_into_memory(tmp_path, folder):
    samples = write(tmp_path)
    found = load(samples, budget_bytes=file_bytes((5, 3, 8, 8)) - 1)
    assert np.array_equal(found.pixels, wanted(samples)) and not folder.exists()
    assert "decoded into memory at each start" in found.note and "data.cache" in found.note


def test_what_fits_neither_is_refused_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.data.batches.MAX_BYTES", 100)
    with pytest.raises(InputError, match=r"set a smaller data\.size.* raise data\.cache"):
        load(write(tmp_path), budget_bytes=1000)


def test_more_than_memory_takes_is_cached(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.data.batches.MAX_BYTES", 100)
    samples = write(tmp_path)
    assert np.array_equal(load(samples).pixels, wanted(samples))


def test_a_removed_file_stays_readable_for_who_has_it(tmp_path, folder):
    samples = write(tmp_path)
    found = load(samples)
    assert clear_cache().files == 1 and files(folder) == []
    assert np.array_equal(found.pixels, wanted(samples))


def test_a_cache_cleared_while_it_is_written(tmp_path, folder, monkeypatch):
    samples = write(tmp_path)
    whole = decode_once.decode
    monkeypatch.setattr(decode_once, "decode", lambda *given: clear_cache() and whole(*given))
    found = load(samples)
    assert np.array_equal(found.pixels, wanted(samples)) and found.note == ""
    assert files(folder) == []


# Places


def test_the_folder_is_found_as_the_system_has_it(monkeypatch, tmp_path, folder):
    assert cache_folder() == folder
    monkeypatch.delenv("SACCADE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "saccade"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache_folder() == tmp_path / ".cache" / "saccade"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "saccade"


def test_only_the_owner_may_look_into_it(tmp_path, folder):
    load(write(tmp_path))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_place_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SACCADE_CACHE", str(tmp_path / "file" / "cache"))
    samples = write(tmp_path / "pictures")
    found = load(samples)
    assert np.array_equal(found.pixels, wanted(samples))
    assert "cannot be written: Not a directory" in found.note
    assert cache_size().files == clear_cache().files == drop_sources([b"1234"]) == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_still_gives_what_it_holds(tmp_path, folder, monkeypatch):
    samples, others = write(tmp_path / "a"), write(tmp_path / "b", seed=1)
    expected = load(samples).pixels
    folder.chmod(0o500)
    assert "Permission denied" in load(others).note
    forbid_decoding(monkeypatch)
    assert np.array_equal(load(samples).pixels, expected)


def test_clearing_leaves_what_is_not_ours(tmp_path, folder):
    load(write(tmp_path))
    (folder / "letter.u8").write_text("mine")
    (folder / "notes.part").write_text("mine")
    assert clear_cache().files == 1
    assert {path.name for path in folder.iterdir()} == {"letter.u8", "notes.part", "lock"}


# Several processes, and those that die

BUILD = r"""
import os, sys, time
from pathlib import Path
from saccade.data import decode_once
from saccade.values import Sample
folder, pause = Path(sys.argv[1]), float(sys.argv[2])
whole = decode_once.decode
def slow(stream, path):
    os.write(1, b"decoding\n")
    time.sleep(pause)
    return whole(stream, path)
decode_once.decode = slow
samples = [Sample(path, "any") for path in sorted(folder.iterdir())]
found = decode_once.decode_once(samples, size_hw=(8, 8), channels=3, budget_bytes=1 << 30)
print(int(found.pixels.sum(dtype="int64")), found.note, flush=True)
"""


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def start(*words):
    return subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True, env=environment()
    )


def killed_while_building(pictures):
    process = start("-c", BUILD, pictures, 60)
    assert process.stdout.readline() == "decoding\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_what_a_killed_process_left_is_removed(tmp_path, folder):
    samples = write(tmp_path)
    killed_while_building(tmp_path)
    (left,) = files(folder)
    assert left.suffix == ".part" and left.stat().st_size == file_bytes((5, 3, 8, 8))
    assert np.array_equal(load(samples).pixels, wanted(samples))
    assert [path.suffix for path in files(folder)] == [".u8"]


def test_what_a_living_process_is_writing_stays(tmp_path, folder):
    samples = write(tmp_path / "a")
    others = write(tmp_path / "b", seed=1)
    process = start("-c", BUILD, tmp_path / "a", 0.5)
    assert process.stdout.readline() == "decoding\n"
    room = file_bytes((5, 3, 8, 8))
    assert "other runs are filling the cache" in load(others, budget_bytes=2 * room - 1).note
    assert np.array_equal(load(others).pixels, wanted(others))
    said, _ = process.communicate()
    assert process.returncode == 0
    assert said.split("\n")[-2].strip() == str(wanted(samples).sum(dtype=np.int64))
    assert [path.suffix for path in files(folder)] == [".u8", ".u8"]


@pytest.mark.slow
def test_two_processes_that_build_at_once_end_with_one_file(class_folders, folder, tmp_path):
    words = ("-m", "saccade", "train", class_folders, *FLAGS, "--out")
    runs = [tmp_path / name for name in ("one", "two")]
    processes = [start(*words, run) for run in runs]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    (file,) = files(folder)
    assert file.suffix == ".u8"
    plain = saccade.train(
        class_folders, out=tmp_path / "plain", settings=SETTINGS | {"data.cache": 0}
    )
    weights = {sha256_file(run / "model.safetensors") for run in (*runs, plain.folder)}
    assert len(weights) == 1


FULL_DISK = """
import resource, sys
from saccade.cli.app import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def large_pictures(root):
    """Class folders whose pictures take more, decoded, than anything that a small run writes."""
    draw = np.random.default_rng(0)
    for label in CLASSES[:4]:
        (root / label).mkdir(parents=True)
        for number in range(6):
            image = Image.fromarray(shape_picture(label, draw)).resize((128, 128))
            image.save(root / label / f"{number}.png")
    return root


@pytest.mark.parametrize("reserves", [True, False], ids=["reserved", "while writing"])
def test_on_a_full_disk_the_run_goes_on_without(tmp_path, folder, reserves):
    data = large_pictures(tmp_path / "data")
    flags = [*FLAGS, "--data.size", "128x128", "--data.validation", "0", "--train.epochs", "1"]
    code = FULL_DISK if reserves else f"import os; del os.posix_fallocate{FULL_DISK}"
    if not reserves:  # The size can be set, and the writing fails.
        code = code.replace("\nresource", "\nos.ftruncate = lambda *given: None\nresource")
    limit = 24 * 3 * 128 * 128 - 1
    process = start("-c", code, limit, "train", data, *flags, "--out", tmp_path / "run")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert said.count("decoded into memory at each start") == 1 and "File too large" in said
    assert files(folder) == []


# In a run


def test_cached_and_plain_runs_are_the_same(class_folders, tmp_path, folder, monkeypatch):
    changes = {"data.extra_classes": "mirrored"}
    ends = []
    for name, more in (("made", {}), ("found", {}), ("plain", {"data.cache": 0})):
        if name == "found":
            forbid_decoding(monkeypatch)
        run = saccade.train(class_folders, out=tmp_path / name, settings=SETTINGS | changes | more)
        monkeypatch.undo()
        monkeypatch.setenv("SACCADE_CACHE", str(folder))
        digest = read_notes(run.folder)["pictures_sha256"]
        ends.append((sha256_file(run.folder / "model.safetensors"), digest))
    assert ends[0] == ends[1] == ends[2]
    assert len(files(folder)) == 1


def test_who_is_held_out_does_not_matter_to_the_cache(class_folders, tmp_path, folder):
    for seed in (0, 1):
        settings = SETTINGS | {"train.seed": seed}
        saccade.Training(class_folders, out=tmp_path / str(seed), settings=settings)
    saccade.Training(class_folders, task="classify", out=tmp_path / "c", settings=SETTINGS)
    assert len(files(folder)) == 1


def test_broken_pictures_are_named_by_todays_path(class_folders, tmp_path, folder, monkeypatch):
    shutil.copytree(class_folders, tmp_path / "before")
    bad = sorted((tmp_path / "before").rglob("*.png"))[4]
    bad.write_bytes(b"broken")
    settings = SETTINGS | {"data.broken": 0.1}
    first = saccade.Training(tmp_path / "before", out=tmp_path / "one", settings=settings)
    (tmp_path / "before").rename(tmp_path / "after")
    forbid_decoding(monkeypatch)
    again = saccade.Training(tmp_path / "after", out=tmp_path / "two", settings=settings)
    assert len(first.data.broken) == len(again.data.broken) == 1
    assert str(tmp_path / "after") in again.data.broken[0].reason
    assert "before" not in files(folder)[0].read_bytes().decode("latin-1")


def test_a_resumed_run_may_be_given_another_budget(class_folders, tmp_path, folder):
    whole = saccade.train(class_folders, out=tmp_path / "whole", settings=SETTINGS)
    training = saccade.Training(class_folders, out=tmp_path / "run", settings=SETTINGS)
    next(training.records())
    again = saccade.Training(resume=tmp_path / "run", settings={"data.cache": 0})
    assert again.recipe.data.cache == 0
    list(again.records())
    again.finish()
    assert len({sha256_file(r / "model.safetensors") for r in (whole.folder, again.folder)}) == 1


# The commands


def told(capsys, *words):
    capsys.readouterr()
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_info_tells_what_the_cache_holds_and_clears_it(tmp_path, folder, capsys):
    load(write(tmp_path))
    size = file_bytes((5, 3, 8, 8))
    found = json.loads(told(capsys, "info", "--json"))
    assert found["cache"] == {"folder": str(folder), "files": 1, "bytes": size}
    assert found["cache_budget"] == saccade.Recipe().data.cache
    assert f"{folder}, 1 file, 0.0 MiB, of 4 GiB" in told(capsys, "info")
    removed = json.loads(told(capsys, "info", "--clear-cache", "--json"))["removed"]
    assert removed == found["cache"] and files(folder) == []
    assert told(capsys, "info", "--clear-cache") == f"removed: {folder}, 0 files, 0.0 MiB\n"


def test_a_run_says_why_the_cache_was_not_used(class_folders, tmp_path, capsys):
    out = told(
        capsys, "train", str(class_folders), "--out", str(tmp_path / "run"), *FLAGS,
        "--data.cache", "0.00001",
    )  # fmt: skip
    assert out.count("the pictures are decoded into memory at each start: they take") == 1


# Forgetting


def test_forget_removes_every_cache_file_with_a_picture_of_theirs(tmp_path, folder):
    anna, ben = write(tmp_path / "anna"), write(tmp_path / "ben", seed=1)
    load(anna)
    load([*ben, anna[2]], size_hw=(4, 4))
    load(ben)
    assert len(files(folder)) == 3
    (folder / f"{'0' * 64}.u8").write_bytes(b"whose this is nobody can say")
    write(tmp_path / "cy", seed=2)
    killed_while_building(tmp_path / "cy")
    assert len(files(folder)) == 5
    with saccade.Gallery.create(tmp_path / "gallery", embedder="pixels") as gallery:
        gallery.enrol([Sample(anna[2].path, "anna"), Sample(ben[0].path, "ben")])
        assert gallery.forget("anna").status == "forgotten"
    (left,) = files(folder)
    forbidden = pytest.MonkeyPatch()
    forbid_decoding(forbidden)
    assert np.array_equal(load(ben).pixels, wanted(ben))
    forbidden.undo()
    assert files(folder) == [left]


def test_a_cache_that_cannot_be_emptied_leaves_the_forget_pending(tmp_path, monkeypatch):
    anna = write(tmp_path / "anna")
    load(anna)
    refused = OSError(13, "Permission denied")

    def refuse(*given):
        raise refused

    with saccade.Gallery.create(tmp_path / "gallery", embedder="pixels") as gallery:
        gallery.enrol([Sample(anna[0].path, "anna"), Sample(anna[1].path, "ben")])
        monkeypatch.setattr(cache, "holds_any", refuse)
        gone = gallery.forget("anna")
        assert gone.status == "pending" and "Permission denied" in gone.reason
        monkeypatch.undo()
        assert gallery.stats().pending_forgets == 1


def test_times_of_files_do_not_matter(tmp_path, monkeypatch):
    samples = write(tmp_path)
    load(samples)
    forbid_decoding(monkeypatch)
    for sample in samples:
        os.utime(sample.path, (time.time() - 9, time.time() - 9))
    load(samples)
