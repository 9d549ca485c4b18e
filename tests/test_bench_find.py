"""``bench find``: its recalls against plain loops, and what it says when it cannot measure."""

import json
import sys

import numpy as np
import pytest

from saccade.api.bench import compare, read_vectors
from saccade.cli.app import main
from saccade.errors import GalleryError, InputError, SettingError, UnknownNameError
from saccade.gallery import Gallery
from saccade.judge.search import judge_kinds
from saccade.judge.search_report import search_report
from saccade.vectors import INDEXES
from tests.test_vectors_kinds import unit_rows

INSTALLED = [kind for kind in INDEXES if kind != "trees"]


def gallery_of(folder, vectors):
    with Gallery.create(folder, fingerprint="f", dimension=vectors.shape[1]) as gallery:
        if len(vectors):
            gallery.enrol_vectors(vectors, [f"person {row % 7}" for row in range(len(vectors))])
    return folder


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    vectors = unit_rows(np.random.default_rng(0), 60, 8)
    return gallery_of(tmp_path_factory.mktemp("bench") / "gallery", vectors)


def recalls(vectors, index, top):
    """Recall at 1 and at ``top``, each row searched for among the others, by plain loops."""
    first, shares = [], []
    for own, query in enumerate(vectors):
        cosines = vectors.astype(np.float64) @ query.astype(np.float64)
        order = [row for row in np.argsort(-cosines, kind="stable") if row != own]
        found = [row for row in index.find(query[None], top + 1)[1][0] if row != own][:top]
        first.append(found[0] == order[0])
        shares.append(len(set(found) & set(order[:top])) / top)
    return np.mean(first), np.mean(shares)


@pytest.mark.parametrize("kind", ["exact", "lsh", "ivf"])
def test_recalls_equal_the_plain_loops(kind, monkeypatch):
    vectors = unit_rows(np.random.default_rng(1), 900, 32)
    if kind != "exact":
        monkeypatch.setattr(INDEXES[kind], "default_effort", 8)
    scores = judge_kinds(vectors, [kind], queries=900, top=6)
    [found] = scores.kinds
    first, share = recalls(vectors, INDEXES[kind](vectors), 6)
    # Batches may round equal cosines otherwise.
    assert found.recall_1.value == pytest.approx(first, abs=2e-3)
    assert found.recall_top.value == pytest.approx(share, abs=2e-3)
    assert (share < 0.99) == (kind != "exact")
    assert found.recall_top.low <= found.recall_top.value <= found.recall_top.high
    assert found.recall_1.n == 900
    factors = [point.factor for point in found.efforts]
    assert factors == ([1.0] if kind == "exact" else [0.25, 0.5, 1.0, 2.0, 4.0])
    if kind != "exact":
        assert found.efforts[0].recall_top < share < found.efforts[-1].recall_top


def test_equal_rows_are_no_mistakes():
    vectors = np.repeat(unit_rows(np.random.default_rng(2), 40, 8), 15, axis=0)
    for found in judge_kinds(vectors, ["exact", "lsh"], queries=100, top=10).kinds:
        assert found.recall_1.value == found.recall_top.value == 1.0


def test_what_is_asked_for_is_clipped_to_what_there_is():
    scores = judge_kinds(unit_rows(np.random.default_rng(3), 4, 3), INSTALLED)
    assert (scores.rows, scores.queries, scores.top) == (4, 4, 3)
    assert [found.kind for found in scores.kinds] == INSTALLED
    assert all(found.recall_top.value == 1.0 for found in scores.kinds)
    assert all(found.p99_ms >= found.p50_ms > 0 for found in scores.kinds)
    assert {found.kind: (found.add, found.remove) for found in scores.kinds} == {
        "exact": ("own", "own"),
        "scan": ("own", "own"),
        "lsh": ("own", "own"),
        "graph": ("own", "rebuilt"),
        "ivf": ("own", "own"),
    }


def test_two_rows_are_enough_for_a_page():
    scores = judge_kinds(np.eye(2, dtype=np.float32), ["exact"])
    page = search_report(scores, gallery="<script>")
    assert page.count("<svg") == 1 and "<script" not in page


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"kinds": ["grph"]}, UnknownNameError, "no index kind 'grph'; did you mean 'graph'"),
        ({"kinds": ["exact"], "queries": 0}, SettingError, "queries and top must be 1 or more"),
        ({"kinds": ["exact"], "top": 0}, SettingError, "queries and top must be 1 or more"),
    ],
)
def test_wrong_settings_are_refused(given, error, words):
    with pytest.raises(error, match=words):
        judge_kinds(np.eye(3, dtype=np.float32), **given)


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pictures_are_refused(n, tmp_path):
    folder = gallery_of(tmp_path / "gallery", unit_rows(np.random.default_rng(0), n, 4))
    with pytest.raises(GalleryError, match=f"holds {n} pictures; a comparison needs 2 or more"):
        compare(folder)
    with pytest.raises(InputError, match="needs 2 vectors or more"):
        judge_kinds(np.empty((n, 4), np.float32), ["exact"])


def test_the_vectors_are_those_of_the_pictures_left(tmp_path):
    vectors = unit_rows(np.random.default_rng(4), 30, 5)
    folder = gallery_of(tmp_path / "gallery", vectors)
    with Gallery.open(folder) as opened:
        opened.forget("person 2")
    kept = [row for row in range(30) if row % 7 != 2]
    np.testing.assert_allclose(read_vectors(folder), vectors[kept], atol=2e-3)


def test_the_command_prints_and_writes(gallery, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "find", str(gallery), "--kinds", "exact", "graph", "--top", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("60 vectors of length 8, 60 queries, one thread")
    assert [line.split()[0] for line in lines[1:]] == ["kind", "exact", "graph", "report:"]
    assert "recall at 3" in lines[1] and lines[3].endswith("rebuilt")
    page = (tmp_path / "bench-find.html").read_text()
    assert page.count("<svg") == 2 and "mathdefault" not in page


def test_the_command_prints_json(gallery, tmp_path, capsys):
    words = ["--queries", "20", "--kinds", "lsh", "--report", str(tmp_path / "a.html"), "--json"]
    assert main(["bench", "find", str(gallery), *words]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["queries"], printed["top"], printed["missing"]) == (20, 10, {})
    assert printed["kinds"][0]["recall_top"]["value"] == 1.0
    assert printed["report"] == str(tmp_path / "a.html") and (tmp_path / "a.html").is_file()


def test_a_kind_without_its_library_is_listed_with_the_reason(
    gallery, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "annoy", None)
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "find", str(gallery), "--kinds", "trees", "exact"]) == 0
    printed = capsys.readouterr().out
    assert "trees: not measured: index kind 'trees' needs annoy" in printed
    assert "pip install &#39;saccade[trees]&#39;" in (tmp_path / "bench-find.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("missing", "gallery missing does not exist"),
        (". --report nowhere/a.html", "report nowhere/a.html must be a file in a folder"),
        (". --report gallery.db", "report gallery.db would be an HTML page"),
        (". --kinds exact scam", "no index kind 'scam'"),
        (". --report .", "report . must be a file in a folder"),
        ("", "GALLERY"),
    ],
)
def test_wrong_use_is_one_line(words, said, gallery, monkeypatch, capsys):
    monkeypatch.chdir(gallery)
    assert main(["bench", "find", *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
