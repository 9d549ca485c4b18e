"""Atomic writes, hashes, and the safe join."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saccade import files
from saccade.errors import InputError
from saccade.files import (
    bytes_below,
    existing_folder,
    replacing,
    safe_join,
    sha256_file,
    write_atomic,
)


def names_in(folder):
    return sorted(item.name for item in folder.iterdir())


@pytest.mark.parametrize("content", ["", "text ü\n", b"", b"\x00\xff\r\n"])
def test_content_arrives_whole_over_old_content(tmp_path, content):
    file = tmp_path / "file"
    for _ in range(2):
        write_atomic(file, content)
        assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
        file.write_bytes(b"something longer that was there before")
    assert names_in(tmp_path) == ["file"]


def test_an_exception_leaves_the_old_content(tmp_path):
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(KeyError), replacing(file) as temporary:
        temporary.write_text("half of the n")
        raise KeyError
    assert file.read_text() == "old"
    assert names_in(tmp_path) == ["file"]


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
def test_a_failing_disk_leaves_the_old_content(tmp_path, monkeypatch, failing):
    file = tmp_path / "file"
    file.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, failing, fail)
    with pytest.raises(OSError, match="No space"):
        write_atomic(file, "new")
    monkeypatch.undo()
    assert file.read_text() == "old"
    assert names_in(tmp_path) == ["file"]


def test_the_content_is_synced_before_it_takes_the_name(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("old")
    seen = []
    monkeypatch.setattr(files, "sync", lambda path: seen.append((path.name, file.read_text())))
    write_atomic(file, "new")
    assert [content for _, content in seen] == ["old", "new"]
    assert seen[0][0].endswith(".part")
    assert seen[1][0] == tmp_path.name


@pytest.mark.parametrize("size", [0, 1, 4, 9])
def test_hash_equals_hashlib(tmp_path, monkeypatch, size):
    monkeypatch.setattr(files, "HASH_BLOCK_BYTES", 4)
    file = tmp_path / "file"
    file.write_bytes(bytes(range(size)))
    assert sha256_file(file) == hashlib.sha256(bytes(range(size))).hexdigest()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A folder with links that lead outside, inside, and round in a circle."""
    top = tmp_path_factory.mktemp("guarded")
    root = top / "root"
    (root / "sub").mkdir(parents=True)
    (top / "root-twin").mkdir()
    (root / "out").symlink_to(top)
    (root / "twin").symlink_to(top / "root-twin")
    (root / "in").symlink_to(root / "sub")
    (root / "circle").symlink_to(root / "circle")
    return root


PARTS = [
    "sub",
    "file",
    "out",
    "twin",
    "in",
    "circle",
    "..",
    ".",
    "",
    "root",
    "~",
    "\x00",
    "/",
    "ü",
    "\\",
]


@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=6))
def test_a_joined_path_never_leaves_the_folder(guarded, parts):
    try:
        joined = safe_join(guarded, "/".join(parts))
    except InputError:
        return
    assert joined.is_relative_to(guarded.resolve())
    assert ".." not in joined.parts


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../root-twin",
        "sub/../..",
        "/etc/passwd",
        "out",
        "out/file",
        "twin",
        "a\x00b",
        "in/../..",
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(guarded, name):
    with pytest.raises(InputError, match="use a name inside it"):
        safe_join(guarded, name)


@pytest.mark.parametrize(
    ("name", "inside"),
    [("file", "file"), ("sub/x.png", "sub/x.png"), ("sub/../file", "file"), ("in/x", "sub/x")],
)
def test_a_name_inside_is_joined(guarded, name, inside):
    assert safe_join(guarded, name) == guarded.resolve() / inside


def test_an_existing_folder_is_asked_for(tmp_path):
    (tmp_path / "file").write_text("")
    assert existing_folder(str(tmp_path), "data folder") == tmp_path
    with pytest.raises(InputError, match=r"data folder .* does not exist"):
        existing_folder(tmp_path / "none", "data folder")
    with pytest.raises(InputError, match=r"data folder .* is a file; a folder is needed"):
        existing_folder(tmp_path / "file", "data folder")


def test_bytes_are_counted_while_others_remove_files(tmp_path, monkeypatch):
    for name in ("a/b/one", "gone/two", "a/three", "four"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(bytes(len(name)))
    assert bytes_below(tmp_path) == len("a/b/one") + len("gone/two") + len("a/three") + len("four")
    scandir, stat = os.scandir, Path.stat

    def vanishing(folder):
        if str(folder).endswith("gone"):
            shutil.rmtree(folder)
        return scandir(folder)

    def unlinked(file, **more):
        if file.name == "three":
            file.unlink()
        return stat(file, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", vanishing)
        patch.setattr(Path, "stat", unlinked)
        assert bytes_below(tmp_path) == len("a/b/one") + len("four")
