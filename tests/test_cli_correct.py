"""rename, merge, unmerge, reject and log: what they print, their JSON and their exit codes."""

import json
import sqlite3

import pytest

from saccade.cli.app import main
from tests.gallery_victim import make_pictures


@pytest.fixture
def world(tmp_path, capsys):
    """A gallery of plain pixels with three people of two pictures, and a stranger's picture."""
    samples = make_pictures(tmp_path / "people", identities=3, each=2)
    (stranger,) = make_pictures(tmp_path / "strangers", identities=1, each=1, seed=5)
    folder = tmp_path / "g"
    assert main(["create", str(folder), "--embedder", "pixels"]) == 0
    assert main(["enrol", str(folder), str(tmp_path / "people")]) == 0
    capsys.readouterr()
    return folder, sorted({sample.label for sample in samples}), stranger.path


def said(capsys, *words):
    """Run a command; returns its exit code, and what it printed on both streams."""
    code = main([str(word) for word in words])
    out, errors = capsys.readouterr()
    return code, out + errors


def answer(capsys, *words):
    code, text = said(capsys, *words, "--json")
    return code, json.loads(text)


def best(capsys, folder, picture):
    return answer(capsys, "find", folder, picture)[1][0]["hits"][0]["identity"]


def test_merge_and_unmerge(world, capsys):
    folder, (a, b, c), _ = world
    assert said(capsys, "merge", folder, a, b) == (
        0,
        f"merged: {b} into {a}\n{a}: 4 pictures, also called {b}\n",
    )
    _, listed = said(capsys, "list", folder)
    assert "also called" in listed and f"Z  {b}\n" in listed
    assert [one["also"] for one in answer(capsys, "list", folder)[1]] == [[b], []]
    assert answer(capsys, "stats", folder)[1]["identities"] == 2
    code, text = said(capsys, "merge", folder, b, a)
    assert code == 2 and "one identity already" in text
    code, info = answer(capsys, "unmerge", folder, b)
    assert (code, info["name"], info["pictures"], info["also"]) == (0, b, 2, [])
    assert "also called" not in said(capsys, "list", folder)[1]
    assert said(capsys, "unmerge", folder, c)[0] == 2


def test_forget_tells_each_receipt(world, capsys):
    folder, (a, b, _), _ = world
    main(["merge", str(folder), a, b])
    code, text = said(capsys, "forget", folder, b)
    assert code == 0
    assert text.count("receipt: ") == len(list((folder / "receipts").iterdir())) == 2


def test_rename(world, capsys):
    folder, (a, b, _), _ = world
    code, text = said(capsys, "rename", folder, a, "Änne\x9b")
    assert code == 2 and "control character" in text
    assert said(capsys, "rename", folder, a, "Änne") == (
        0,
        f"renamed: {a} is Änne now\nÄnne: 2 pictures\n",
    )
    code, text = said(capsys, "rename", folder, "Änne", b)
    assert code == 2 and "already" in text and text.count("\n") == 1
    code, text = said(capsys, "rename", folder, "Anne", "x")
    assert code == 2 and "did you mean 'Änne'" in text


def test_reject(world, capsys):
    folder, _, stranger = world
    wrong = best(capsys, folder, stranger)
    assert said(capsys, "reject", folder, wrong, stranger) == (
        0,
        f"rejected: {stranger} is not {wrong}\n",
    )
    assert best(capsys, folder, stranger) != wrong
    code, told = answer(capsys, "reject", folder, wrong, stranger)
    assert (code, told["status"], told["picture_id"]) == (0, "unchanged", None)
    code, text = said(capsys, "reject", folder, wrong, stranger, "--undo", "--near", "0.9")
    assert (code, text) == (0, f"withdrawn: {stranger} may again be {wrong}\n")
    assert best(capsys, folder, stranger) == wrong
    assert said(capsys, "reject", folder, wrong, stranger, "--undo")[0] == 2


REFUSED = [
    ([], "either a picture file or --picture-id"),
    (["who.png", "--picture-id", "1"], "either a picture file or --picture-id"),
    (["missing.png"], "missing.png"),
    (["--picture-id", "99"], "no picture 99"),
    (["--picture-id", "0"], "no picture 0"),
    (["--picture-id", "1", "--near", "nan"], "between 0.5 and 0.999"),
    (["--picture-id", "1", "--undo"], "was not rejected as"),
    (["--picture-id", "one"], "one"),
    (["--pictre-id", "1"], "--pictre-id"),
]


def test_what_reject_refuses(world, capsys):
    folder, (a, *_), _ = world
    for words, text in REFUSED:
        code, told = said(capsys, "reject", folder, a, *words)
        assert code == 2 and text in told and told.count("\n") == 1, words


def test_log(world, capsys):
    folder, (a, b, _), _ = world
    main(["merge", str(folder), a, b])
    capsys.readouterr()
    code, text = said(capsys, "log", folder)
    *entries, last = text.splitlines()
    assert code == 0 and last.startswith("the log is whole")
    assert f"merged identity 2 ({b})" in entries[1] and f"into identity 1 ({a})" in entries[2]
    code, told = answer(capsys, "log", folder, "--name", a)
    assert (code, told["whole"], told["problem"]) == (0, True, "")
    assert [one["action"] for one in told["entries"]] == ["enrol", "merge", "merge into"]
    assert said(capsys, "log", folder, "--name", "nobody")[0] == 2
    connection = sqlite3.connect(folder / "gallery.db")
    connection.execute("UPDATE log SET at = 'yesterday' WHERE number = 2")
    connection.commit()
    connection.close()
    code, text = said(capsys, "log", folder)
    assert code == 1 and "the log was changed: log entry 2 does not fit its hash" in text
    assert answer(capsys, "log", folder)[1]["whole"] is False
