"""What every index kind keeps while rows come and go, in memory and in files."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from saccade.errors import InputError, SettingError
from saccade.vectors import INDEXES, ivf
from saccade.vectors.index_file import write_index
from saccade.vectors.ivf import IvfIndex

NO_ANNOY = pytest.mark.skipif(not find_spec("annoy"), reason="needs annoy")
KINDS = [pytest.param(kind, marks=NO_ANNOY if kind == "trees" else ()) for kind in INDEXES]
every_kind = pytest.mark.parametrize("kind", KINDS)
LEAST_RECALL = {"exact": 1.0, "scan": 0.97, "lsh": 0.95, "graph": 0.97, "ivf": 0.9, "trees": 0.9}


def unit_rows(rng, n, d):
    rows = rng.standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute_force(kept, queries, k):
    """The k best similarities to each query of the rows in ``kept``, a dict by row number."""
    if not kept:
        return np.empty((len(queries), 0))
    scores = queries.astype(np.float64) @ np.array([*kept.values()], dtype=np.float64).T
    return -np.sort(-scores, axis=1)[:, :k]


def check_answers(index, kept, queries, k):
    """Everything that is answered is true and in order; returns the recall."""
    similarities, rows = index.find(queries, k)
    assert len(index) == len(kept)
    assert similarities.shape == rows.shape == (len(queries), min(k, len(kept)))
    assert (similarities.dtype, rows.dtype) == (np.float32, np.int64)
    for query, scores, numbers in zip(queries, similarities, rows.tolist(), strict=True):
        assert len(set(numbers)) == len(numbers)
        assert set(numbers) <= set(kept)
        true = [float(kept[row].astype(np.float64) @ query.astype(np.float64)) for row in numbers]
        np.testing.assert_allclose(scores, true, atol=1e-6)
        order = list(zip(-scores, numbers, strict=True))
        assert order == sorted(order)
    best = brute_force(kept, queries, k)
    return float((similarities >= best[:, -1:] - 1e-6).mean()) if best.size else 1.0


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 25)),
        st.tuples(st.just("remove"), st.integers(0, 25)),
        st.tuples(st.just("fit"), st.integers(0, 25)),
    ),
    max_size=8,
)


@every_kind
@settings(deadline=None, max_examples=25)
@given(
    operations=OPERATIONS,
    n=st.integers(0, 40),
    d=st.integers(1, 6),
    k=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
)
def test_rows_come_and_go(kind, operations, n, d, k, seed):
    rng = np.random.default_rng(seed)
    vectors, queries = unit_rows(rng, n, d), unit_rows(rng, 3, d)
    index, kept, after = INDEXES[kind](vectors), dict(enumerate(vectors)), n
    for name, count in operations:
        fresh = unit_rows(rng, count, d)
        if name == "fit":
            index.fit(fresh)
            kept, after = dict(enumerate(fresh)), count
        elif name == "add":
            index.add(fresh)
            kept |= dict(enumerate(fresh, after))
            after += count
        else:
            gone = rng.permutation([*kept])[:count].astype(np.int64)
            index.remove(gone)
            kept = {row: vector for row, vector in kept.items() if row not in gone}
        assert check_answers(index, kept, queries, k) >= 0.9


@every_kind
def test_a_larger_set_is_found_before_and_after_changes(kind):
    rng = np.random.default_rng(3)
    centres = unit_rows(rng, 60, 24)
    vectors = centres[rng.integers(0, 60, 2_500)] + 0.15 * rng.standard_normal((2_500, 24))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    queries = vectors[rng.permutation(2_500)[:60]]
    index, kept, after = INDEXES[kind](vectors[:1_000]), dict(enumerate(vectors[:1_000])), 1_000
    assert check_answers(index, kept, queries, 10) >= LEAST_RECALL[kind]
    for count in (1, 600, 31, 800):
        index.add(vectors[after : after + count])
        kept |= dict(enumerate(vectors[after : after + count], after))
        after += count
        gone = rng.permutation([*kept])[:150]
        index.remove(gone)
        kept = {row: vector for row, vector in kept.items() if row not in gone}
        assert check_answers(index, kept, queries, 10) >= LEAST_RECALL[kind]
    index.remove(sorted(kept)[40:])
    kept = {row: kept[row] for row in sorted(kept)[:40]}
    assert check_answers(index, kept, queries, 50) == 1.0


@every_kind
def test_more_effort_finds_everything(kind):
    rng = np.random.default_rng(4)
    vectors, queries = unit_rows(rng, 1_500, 16), unit_rows(rng, 30, 16)
    index = INDEXES[kind](vectors)
    index.effort = 10_000
    assert check_answers(index, dict(enumerate(vectors)), queries, 10) > 0.99


@every_kind
@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 2, 700])
def test_few_rows_and_few_components(kind, n, d):
    rng = np.random.default_rng(n + d)
    vectors, queries = unit_rows(rng, n, d), unit_rows(rng, 4, d)
    index = INDEXES[kind](vectors)
    assert (len(index), index.dimension) == (n, d)
    assert check_answers(index, dict(enumerate(vectors)), queries, 5) >= 0.9
    index.remove(np.arange(n))
    assert check_answers(index, {}, queries, 5) == 1.0
    index.add(vectors)
    assert check_answers(index, dict(enumerate(vectors, n)), queries, 5) >= 0.9


@every_kind
def test_equal_rows_are_all_answered(kind):
    vectors = np.tile(unit_rows(np.random.default_rng(0), 1, 8), (1_000, 1))
    index = INDEXES[kind](vectors)
    similarities, rows = index.find(vectors[:2], 6)
    np.testing.assert_allclose(similarities, 1.0, atol=1e-6)
    assert all(len(set(answer)) == 6 and answer == sorted(answer) for answer in rows.tolist())


@every_kind
def test_no_query_no_answer(kind):
    index = INDEXES[kind](unit_rows(np.random.default_rng(0), 700, 4))
    similarities, rows = index.find(np.empty((0, 4), np.float32), 3)
    assert similarities.shape == rows.shape == (0, 3)


@every_kind
def test_the_vectors_that_were_given_stay_as_they_are(kind):
    vectors = unit_rows(np.random.default_rng(1), 20, 4)
    before = vectors.copy()
    vectors.setflags(write=False)
    index = INDEXES[kind](vectors)
    index.remove([3])
    index.add(vectors[:2])
    assert (vectors == before).all()
    assert index.memory >= 21 * 4 * 4


@every_kind
def test_a_refusal_leaves_the_index_as_it_was(kind):
    vectors = unit_rows(np.random.default_rng(2), 30, 4)
    index, kept = INDEXES[kind](vectors), dict(enumerate(vectors))
    index.remove([7])
    del kept[7]
    bad = np.full((1, 4), np.nan)
    for act, words in [
        (lambda: index.add(bad), "vectors row 0 holds NaN"),
        (lambda: index.add(np.ones((1, 3))), "vectors have 3 columns"),
        (lambda: index.fit(bad), "vectors row 0 holds NaN"),
        (lambda: index.remove([0, 30]), "row 30 is not in the index: 30 rows were added and 1"),
        (lambda: index.remove([0, 7]), "row 7 is not in the index"),
        (lambda: index.remove([-1]), "row -1 is not in the index"),
        (lambda: index.remove([0.5]), "rows must be a list of row numbers"),
        (lambda: index.remove(3), "rows must be a list of row numbers"),
        (lambda: index.find(vectors, 0), "k must be 1 or more"),
        (lambda: index.find(vectors[:, :3], 1), "queries have 3 columns"),
    ]:
        with pytest.raises(InputError, match=words) as refusal:
            act()
        assert "\n" not in str(refusal.value)
        assert check_answers(index, kept, vectors[:3], 5) == 1.0
    index.remove([4, 4])
    index.remove([])
    assert len(index) == 28


@every_kind
@pytest.mark.parametrize("n", [0, 1, 50, 900])
def test_what_was_saved_is_loaded(kind, n, tmp_path):
    rng = np.random.default_rng(n)
    vectors, queries = unit_rows(rng, n, 12), unit_rows(rng, 8, 12)
    index = INDEXES[kind](vectors)
    gone = np.arange(0, n, 4)[::-1]
    index.remove(gone)
    index.save(tmp_path / "index")
    again = INDEXES[kind].load(str(tmp_path / "index"))
    assert (len(again), again.dimension, again.memory) == (len(index), 12, index.memory)
    for before, after in zip(index.find(queries, 9), again.find(queries, 9), strict=True):
        np.testing.assert_array_equal(before, after)
    kept = {row: vector for row, vector in enumerate(vectors) if row % 4}
    again.add(queries)
    assert check_answers(again, kept | dict(enumerate(queries, n)), queries, 3) > 0.9
    if n > 1:
        again.remove([1])
        del kept[1]
        assert check_answers(again, kept | dict(enumerate(queries, n)), queries, 3) > 0.9
    assert [item.name for item in tmp_path.iterdir()] == ["index"]


@every_kind
def test_removed_vectors_are_in_no_file(kind, tmp_path):
    vectors = unit_rows(np.random.default_rng(6), 800, 16)
    index = INDEXES[kind](vectors)
    index.remove([5])
    index.save(tmp_path / "index")
    content = (tmp_path / "index").read_bytes()
    assert vectors[6].tobytes() in content
    assert vectors[5].tobytes() not in content
    assert vectors[5].astype(np.float16).tobytes() not in content


@every_kind
def test_a_broken_file_is_refused_in_one_line(kind, tmp_path):
    path = tmp_path / "index"
    INDEXES[kind](unit_rows(np.random.default_rng(7), 700, 4)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(8)
    cuts = [whole[:size] for size in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1)]
    flips = []
    for place in [0, 7, 9, 60, *rng.integers(0, len(whole), 60).tolist()]:
        flips.append(
            whole[:place] + bytes([whole[place] ^ (1 << (place % 8))]) + whole[place + 1 :]
        )
    for content in [*cuts, *flips, whole + b"\0", b"not an index", b"\xff" * 64]:
        path.write_bytes(content)
        with pytest.raises(InputError, match=str(path)) as refusal:
            INDEXES[kind].load(path)
        assert "\n" not in str(refusal.value)


@every_kind
def test_a_structure_that_the_library_cannot_read_is_made_anew(kind, tmp_path, monkeypatch):
    vectors = unit_rows(np.random.default_rng(5), 700, 4)
    index = INDEXES[kind](vectors)
    if kind != "exact":
        monkeypatch.setattr(index, "_packed", lambda: np.arange(101, dtype=np.uint8))
    index.save(tmp_path / "index")
    again = INDEXES[kind].load(tmp_path / "index")
    assert check_answers(again, dict(enumerate(vectors)), vectors[:20], 5) > 0.9


def test_files_that_hold_something_else_are_refused(tmp_path):
    path = tmp_path / "index"
    index = INDEXES["exact"](np.eye(3, dtype=np.float32))
    index.save(path)
    with pytest.raises(InputError, match="holds an index of kind 'exact', not 'lsh'"):
        INDEXES["lsh"].load(path)
    save_file({"vectors": np.eye(3)}, path)
    with pytest.raises(InputError, match="is no index file"):
        INDEXES["exact"].load(path)
    for missing in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            INDEXES["exact"].load(missing)


def test_a_newer_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.vectors.index_file.VERSION", 2)
    write_index(tmp_path / "index", kind="exact", settings={}, arrays={})
    monkeypatch.undo()
    with pytest.raises(InputError, match="is of version 2; this is version 1: update saccade"):
        INDEXES["exact"].load(tmp_path / "index")


def test_a_failed_save_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    index = INDEXES["exact"](np.eye(3, dtype=np.float32))
    index.save(tmp_path / "index")
    before = (tmp_path / "index").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("saccade.vectors.index_file.save_file", full)
    with pytest.raises(OSError, match="No space"):
        index.save(tmp_path / "index")
    assert (tmp_path / "index").read_bytes() == before


@pytest.mark.parametrize(
    ("kind", "library", "remedy"),
    [
        ("trees", "annoy", r"pip install 'saccade\[trees\]'"),
        ("graph", "faiss", "pip install faiss-cpu"),
    ],
)
def test_a_missing_library_is_named_with_its_remedy(kind, library, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(SettingError, match=f"index kind '{kind}' needs {library}.*{remedy}"):
        INDEXES[kind](np.eye(2, dtype=np.float32))


@pytest.mark.parametrize("setting", ["effort", "threads"])
def test_settings_below_one_are_refused(setting):
    with pytest.raises(SettingError, match=f"{setting} must be 1 or more, got 0"):
        INDEXES["lsh"](np.eye(2, dtype=np.float32), **{setting: 0})


def test_the_table_loads_no_library():
    code = (
        "import sys, saccade.vectors\n"
        "print([name for name in ('faiss', 'annoy', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_threads_of_faiss_stay_as_they_were():
    faiss = pytest.importorskip("faiss")
    before = faiss.omp_get_max_threads()
    INDEXES["graph"](np.eye(4, dtype=np.float32), threads=before + 3).find(np.eye(4), 2)
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize("kind", ["graph", pytest.param("trees", marks=NO_ANNOY)])
def test_what_changes_nothing_rebuilds_nothing(kind):
    index = INDEXES[kind](np.eye(4, dtype=np.float32))
    before = index._structure
    index.remove([])
    index.add(np.empty((0, 4)))
    assert index._structure is before
    index.remove([2])
    assert index._structure is not before


def test_lists_are_made_anew_when_rows_have_come():
    rng = np.random.default_rng(9)
    vectors = unit_rows(rng, 2_400, 6)
    index = IvfIndex(vectors[:800])
    few = index._structure.nlist
    index.add(vectors[800:850])
    assert index._structure.nlist == few
    index.add(vectors[850:])
    assert index._structure.nlist == ivf._lists(2_400) > few
    assert check_answers(index, dict(enumerate(vectors)), vectors[:40], 10) > 0.9
