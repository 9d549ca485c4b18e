"""What the tests of a gallery's codes share: a tuner that always scans, an oracle, what is left."""

import contextlib
import dataclasses

import numpy as np

from saccade.gallery import indexing
from saccade.vectors.drift import losses
from saccade.vectors.scan_codes import LANES, best_head, fit
from saccade.vectors.scan_encode import GROUP_BYTES
from saccade.vectors.scan_file import CodeFile
from saccade.vectors.tuned import Tuned
from saccade.vectors.tuning_answer import exact
from saccade.vectors.tuning_cost import Layout
from tests.reference.gallery import as_stored, without

CLOSE = 1e-5
TELLING_VALUES = 5  # different bytes in a row of codes that says something


def scanning(*, cells=0, head_bytes=8, probes=0, finalists=None):
    """A stand-in for the tuner: a scan in which every row is looked at again, so that it is exact.

    Fewer ``probes`` than cells, or fewer ``finalists``, leave rows out.
    """

    def tune(truth, wish, build, **_):
        n, d = truth.shape
        if not n:
            return exact(truth.shape, wish, "there is nobody")
        layout = Layout(head_bytes, *best_head(fit(truth, head_bytes=head_bytes).deviation, 8))
        layout = Layout(head_bytes, layout.components, layout.bits, min(cells, n))
        index = build(layout)
        return Tuned(
            kind="scan",
            rows=n,
            dimension=d,
            target=wish.recall,
            bytes_read=0,
            code_bytes=index.code_bytes,
            kept=True,
            reason="a stand-in",
            head_bytes=head_bytes,
            components=layout.components,
            bits=layout.bits,
            cells=layout.cells,
            probes=probes,
            survivors=n + LANES * cells,
            finalists=finalists or n + LANES * cells,
        )

    return tune


@contextlib.contextmanager
def tuner(stand_in):
    """Let galleries be indexed by a stand-in inside of this."""
    before, indexing.tune = indexing.tune, stand_in
    try:
        yield
    finally:
        indexing.tune = before


def assert_right(found, enrolled, query, k, mean=None):
    """Compare one answer with brute force over ``enrolled``: picture id -> (identity, vector).

    Equal similarities may come in any order, since sums are rounded. ``mean``: what is subtracted.
    """
    query = np.asarray(query, np.float64) / np.linalg.norm(query)
    numbers = sorted(enrolled)
    stored = [as_stored(enrolled[number][1]) for number in numbers]
    if mean is not None:
        query, stored = without(mean, query), [without(mean, vector) for vector in stored]
    true = dict(zip(numbers, np.array(stored) @ query if stored else [], strict=True))
    best = {}
    for number, similarity in true.items():
        name = enrolled[number][0]
        best[name] = max(best.get(name, -2.0), similarity)
    expected = sorted(best.values(), reverse=True)[:k]
    assert len({hit.identity for hit in found.hits}) == len(found.hits) == len(expected)
    for hit, similarity in zip(found.hits, expected, strict=True):
        assert hit.picture_id in enrolled, "a picture that is not enrolled"
        assert hit.identity == enrolled[hit.picture_id][0]
        assert abs(hit.similarity - true[hit.picture_id]) < CLOSE
        assert abs(hit.similarity - similarity) < CLOSE


def assert_nothing_left(folder, alive):
    """The file of codes is whole, holds zeros but for ``alive`` pictures; no part lies about."""
    assert not list((folder / "codes").glob("*.part"))
    path = folder / "codes" / "scan"
    if not path.exists():
        return
    file = CodeFile(path)
    file.check(file.arrays)
    arrays = file.arrays
    numbers = arrays["numbers"]
    free = np.flatnonzero(numbers == 0)
    assert set(numbers[numbers != 0].tolist()) <= set(alive)
    assert not arrays["identities"][free].any()
    assert (arrays["identities"][numbers != 0] != 0).all()
    assert not arrays["full"][free].any()
    if len(free):
        groups = arrays["head"].reshape(-(-len(numbers) // LANES), -1, LANES, GROUP_BYTES // LANES)
        assert not groups[free // LANES, :, free % LANES].any()
    escaped = np.unpackbits(arrays["escaped"], count=len(numbers), bitorder="little")
    assert not escaped[free].any()


def traces(folder, vectors, pictures):
    """Bytes that tell of these pictures: their half floats, and their rows of 8-bit codes.

    Rows of codes that another picture has too, or of hardly any different bytes, tell nothing.
    """
    units = [vector / np.linalg.norm(vector) for vector in np.asarray(vectors, np.float32)]
    found = {unit.astype("<f2").tobytes() for unit in units}
    path = folder / "codes" / "scan"
    if path.exists():
        arrays = CodeFile(path).arrays
        mine = np.isin(arrays["numbers"], list(pictures))
        others = {row.tobytes() for row in arrays["full"][~mine]}
        rows = {row.tobytes() for row in arrays["full"][mine]} - others
        found |= {row for row in rows if len(set(row)) >= TELLING_VALUES}
    return found


def files_with(folder, needles):
    """The files that hold any of these bytes; only while no connection is open in this process."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in paths if any(n in path.read_bytes() for n in needles)]


def with_losses(tuned, build, truth):
    """The same, with what its codes lose of all rows."""
    index = build(Layout(tuned.head_bytes, tuned.components, tuned.bits, tuned.cells))
    lost = losses(index.fitted, truth, index.cells)
    return dataclasses.replace(tuned, unexplained=lost.unexplained, outside=lost.outside)
