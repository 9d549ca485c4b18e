"""Vectors in files: read as they were written, refused in one line, on the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from saccade.cli.app import main
from saccade.data import vector_files, vector_parquet
from saccade.data.vector_files import read_vectors
from saccade.data.vector_parquet import Columns
from saccade.errors import InputError, SettingError
from saccade.gallery import Gallery

D = 8
VECTORS = np.random.default_rng(5).standard_normal((20, D)).astype(np.float32)
NAMES = [f"person {row // 4}" for row in range(20)]
TORCH_FREE = ("torch", "torchvision", "scipy", "sklearn", "matplotlib", "timm")


def write_npy(root, vectors=VECTORS, names=NAMES):
    np.save(root / "v.npy", vectors)
    (root / "n.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return root / "v.npy", root / "n.txt"


def write_table(path, columns, **settings_):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path, **settings_)
    return path


def lists(vectors=VECTORS, kind="float32", size=-1):
    pyarrow = pytest.importorskip("pyarrow")
    rows = [list(row.astype(kind)) for row in vectors]
    return pyarrow.array(rows, pyarrow.list_(getattr(pyarrow, kind)(), size))


def joined(file):
    vectors, identities, names = [], [], []
    for block, people, shown in file:
        assert len(block) == len(people) <= vector_files.BLOCK_ROWS
        vectors.append(block)
        identities += people
        names += shown or []
    return np.concatenate([np.empty((0, file.dimension)), *vectors]), identities, names


@settings(max_examples=40, deadline=None)
@given(
    vectors=arrays.arrays(
        st.sampled_from(["<f2", "<f4", "<f8", ">f4"]),
        st.tuples(st.integers(0, 9), st.integers(1, 5)),
        elements=st.floats(-8, 8, width=16),
    ),
    fortran=st.booleans(),
    block_rows=st.integers(1, 4),
)
def test_an_array_is_read_as_it_was_written(tmp_path_factory, vectors, fortran, block_rows):
    root = tmp_path_factory.mktemp("npy")
    names = [f"Zoë {row}" for row in range(len(vectors))]
    written = np.asfortranarray(vectors) if fortran else vectors
    path, text = write_npy(root, written, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vector_files, "BLOCK_ROWS", block_rows)
        file = read_vectors(path, identities=text)
        assert (file.rows, file.dimension) == vectors.shape
        found, identities, _ = joined(file)
    np.testing.assert_array_equal(found, vectors)
    assert identities == names


@pytest.mark.parametrize("size", [-1, D], ids=["variable", "fixed"])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("group", [3, 100])
def test_a_table_is_read_as_it_was_written(tmp_path, monkeypatch, kind, size, group):
    monkeypatch.setattr(vector_parquet, "BLOCK_ROWS", 7)
    shown = [f"{row}.jpg" for row in range(20)]
    columns = {"who": NAMES, "v": lists(kind=kind, size=size), "other": range(20), "name": shown}
    path = write_table(tmp_path / "t.parquet", columns, row_group_size=group)
    file = read_vectors(path, columns=Columns(vector="v", identity="who"))
    assert (file.rows, file.dimension) == VECTORS.shape
    found, identities, names = joined(file)
    np.testing.assert_array_equal(found, VECTORS.astype(kind))
    assert (identities, names) == (NAMES, shown)
    np.testing.assert_array_equal(np.concatenate(list(file.vectors())), VECTORS.astype(kind))


def test_an_empty_table(tmp_path):
    columns = {"vector": lists(VECTORS[:0]), "identity": np.array([], dtype=str)}
    file = read_vectors(write_table(tmp_path / "t.parquet", columns))
    assert file.rows == 0 and list(file) == []


BAD_ARRAYS = {
    "objects": (np.array([[None]]), "holds Python objects, which are never read"),
    "one vector": (VECTORS[0], r"must hold an array \(n, d\).*Got shape \(8,\)"),
    "whole numbers": (np.ones((3, D), dtype=int), "Got shape .* of int64"),
    "complex": (np.ones((3, D), dtype=complex), "of complex128"),
}


@pytest.mark.parametrize(("array", "said"), BAD_ARRAYS.values(), ids=BAD_ARRAYS)
def test_a_bad_array_is_refused(tmp_path, array, said):
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(InputError, match=f"v.npy .*{said}"):
        read_vectors(tmp_path / "v.npy")


@pytest.mark.parametrize("length", [0, 5, 50, 127, 128, 700])
def test_a_cut_array_is_refused(tmp_path, length):
    path, _ = write_npy(tmp_path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"v\.npy is (not a \.npy file|cut short)"):
        read_vectors(path)


BAD_TEXTS = {
    "more names": ("a\n" * 21, "n.txt names 21 rows, .*v.npy has 20"),
    "fewer names": ("a\n" * 19, "n.txt names 19 rows, .*v.npy has 20"),
    "empty line": ("a\n" * 3 + "\n" + "a\n" * 16, "n.txt line 4 is empty"),
    "not UTF-8": (b"\xff\n" * 20, "n.txt is not UTF-8 text"),
}


@pytest.mark.parametrize(("text", "said"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_a_bad_list_of_names_is_refused(tmp_path, text, said):
    path, names = write_npy(tmp_path)
    names.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=said):
        read_vectors(path, identities=names)


def test_names_that_are_no_file(tmp_path):
    path, _ = write_npy(tmp_path)
    for wrong, said in ((tmp_path, "is a folder"), (tmp_path / "no.txt", "does not exist")):
        with pytest.raises(InputError, match=said):
            read_vectors(path, identities=wrong)
    with pytest.raises(InputError, match=r"whom the rows of .* show is not said"):
        list(read_vectors(path))
    for wrong, said in ((tmp_path, "is not a file"), (tmp_path / "n.txt", "no file of vectors")):
        with pytest.raises(InputError, match=said):
            read_vectors(wrong)


def bad_tables():
    ragged = [list(row) for row in VECTORS]
    ragged[6] = ragged[6][:3]
    holed = [*ragged[:2], None, *ragged[7:], *ragged[:4]]
    return {
        "missing column": ({"vektor": lists(), "identity": NAMES}, "no column 'vector'; did you"),
        "no identities": ({"vector": lists(), "ident": NAMES}, "no column 'identity'; did you"),
        "lengths": ({"vector": ragged, "identity": NAMES}, "row 6 has a vector of length 3"),
        "no vector": ({"vector": holed, "identity": NAMES}, "row 2 has no vector"),
        "not lists": ({"vector": NAMES, "identity": NAMES}, "must hold lists of float16"),
        "no text": ({"vector": lists(), "identity": list(range(20))}, "row 0: 'identity' is 0"),
        "null": ({"vector": lists(), "identity": [*NAMES[:9], None, *NAMES[10:]]}, "row 9: 'iden"),
    }


@pytest.mark.parametrize("case", range(7))
def test_a_bad_table_is_refused(tmp_path, case):
    pytest.importorskip("pyarrow")
    columns, said = list(bad_tables().values())[case]
    if "vector" in columns and isinstance(columns["vector"][0], list):
        pyarrow = pytest.importorskip("pyarrow")
        columns["vector"] = pyarrow.array(columns["vector"][:20], pyarrow.list_(pyarrow.float32()))
        columns["identity"] = columns["identity"][: len(columns["vector"])]
    path = write_table(tmp_path / "t.parquet", columns)
    with pytest.raises(InputError, match=f"t.parquet .*{said}"):
        list(read_vectors(path))


@pytest.mark.parametrize("length", [0, 3, 200, -1])
def test_a_broken_table_is_refused(tmp_path, length):
    path = write_table(tmp_path / "t.parquet", {"vector": lists(), "identity": NAMES})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"t\.parquet is not a Parquet table"):
        list(read_vectors(path))


def test_without_pyarrow_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(SettingError, match=r"pip install 'saccade\[parquet\]'"):
        read_vectors(tmp_path / "t.parquet")


def run(capsys, *words):
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_vectors_on_the_command_line(tmp_path, capsys):
    folder = tmp_path / "g"
    path, names = write_npy(tmp_path)
    code, out, _ = run(capsys, "create", folder, "--dimension", D, "--threshold", 0.9)
    assert code == 0 and "dimension: 8" in out
    enrol = ("enrol", folder, "--vectors", path, "--identities", names)
    assert run(capsys, *enrol) == (0, "20 enrolled, 0 unchanged, 0 skipped\n", "")
    code, out, _ = run(capsys, *enrol, "--json")
    assert json.loads(out) == {"enrolled": 0, "unchanged": 20, "skipped": 0, "reasons": []}
    code, out, _ = run(capsys, "find", folder, "--vectors", path, "--top", 2, "--json")
    answers = json.loads(out)
    assert code == 0 and [found["identity"] for found in answers] == NAMES
    assert answers[3]["query"] == "row 3" and len(answers[3]["hits"]) == 2
    np.save(tmp_path / "stranger.npy", -VECTORS[:1])
    assert run(capsys, "find", folder, "--vectors", tmp_path / "stranger.npy")[0] == 1
    with Gallery.open(folder) as gallery:
        gallery.check()


def test_a_table_on_the_command_line(tmp_path, capsys):
    folder = tmp_path / "g"
    columns = {"v": lists(), "who": NAMES, "file": [f"{row}.jpg" for row in range(20)]}
    path = write_table(tmp_path / "t.parquet", columns)
    run(capsys, "create", folder, "--dimension", D)
    assert run(capsys, "enrol", folder, "--vectors", path, "--columns", "v,who,file")[0] == 0
    code, out, _ = run(capsys, "find", folder, "--vectors", path, "--columns", "v")
    assert code == 0 and "(picture 7.jpg)" in out


def test_skipped_rows_are_counted_and_told(tmp_path, capsys):
    folder = tmp_path / "g"
    path, names = write_npy(tmp_path)
    run(capsys, "create", folder, "--dimension", D)
    run(capsys, "enrol", folder, "--vectors", path, "--identities", names)
    np.save(tmp_path / "w.npy", np.concatenate([VECTORS, -VECTORS]))
    names.write_text("other\n" * 40)
    enrol = ("enrol", folder, "--vectors", tmp_path / "w.npy", "--identities", names)
    code, out, _ = run(capsys, *enrol)
    assert code == 1 and "20 enrolled, 0 unchanged, 20 skipped" in out
    assert out.count("is enrolled under 'person") == 5


REFUSED = {
    "dimension": (["enrol", "G", "--vectors", "short.npy", "--identities", "n.txt"], "length 4"),
    "nan": (
        ["enrol", "G", "--vectors", "nan.npy", "--identities", "n.txt"],
        "nan.npy: vectors row",
    ),
    "find nan": (["find", "G", "--vectors", "nan.npy"], "nan.npy: vectors row 7 holds NaN"),
    "pictures too": (["enrol", "G", "a.png", "--vectors", "v.npy"], "--vectors stands alone"),
    "embedder": (["find", "G", "--vectors", "v.npy", "--embedder", "r"], "needs no --embedder"),
    "no vectors": (["enrol", "G", "a.png", "--identities", "n.txt"], "--vectors FILE"),
    "find column": (["find", "G", "--columns", "v"], "--vectors FILE"),
    "columns": (["find", "G", "--vectors", "v.npy", "--columns", "v"], "has no columns"),
    "names": (["find", "G", "--vectors", "v.npy", "--columns", "v,"], "up to three names"),
    "pictures": (["enrol", "G", "a.png", "--as", "x"], "is for vectors and knows no embedder"),
    "both": (["create", "H", "--dimension", "3", "--embedder", "pixels"], "either --embedder"),
    "neither": (["create", "H"], "either --embedder"),
    "no dimension": (["create", "H", "--dimension", "0"], "at least 1"),
    "from": (["create", "H", "--dimension", "3", "--threshold-from", "d"], "needs an --embedder"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_wrong_use_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    write_npy(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    np.save("short.npy", VECTORS[:, :4])
    np.save("nan.npy", np.where(np.arange(20)[:, None] == 7, np.nan, VECTORS))
    run(capsys, "create", "G", "--dimension", D)
    code, out, err = run(capsys, *words)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1
    with Gallery.open("G") as gallery:
        assert gallery.stats().pictures == 0


def test_no_vectors_no_torch(tmp_path):
    """What works on vectors must not wait for the networks' libraries."""
    path, names = write_npy(tmp_path)
    folder = tmp_path / "g"
    commands = [
        ["create", folder, "--dimension", D],
        ["enrol", folder, "--vectors", path, "--identities", names],
        ["find", folder, "--vectors", path],
        ["list", folder],
        ["stats", folder],
        ["forget", folder, NAMES[0]],
    ]
    source = (
        "import sys\nfrom saccade.cli.app import main\n"
        f"for words in {[list(map(str, words)) for words in commands]}: assert main(words) == 0\n"
        f"print('LOADED', *[n for n in {TORCH_FREE} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"
