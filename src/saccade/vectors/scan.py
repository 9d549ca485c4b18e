"""The scan as an index kind: codes that are read once a query, and their best rows compared.

Rows that were added stand beside the codes, and are compared with every query, until they are many;
then all is coded anew. A removed row's codes are overwritten with zeros.
"""

import io
from dataclasses import dataclass
from typing import Any, ClassVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, IntArray, UInt8Array
from saccade.vectors.scan_coded import Coded, Effort
from saccade.vectors.scan_codes import Fit, fit, lane_bits
from saccade.vectors.scan_encode import Codes, encode, wipe
from saccade.vectors.scan_truth import HEAD_BYTES
from saccade.vectors.shortlist import ShortlistIndex

LOOSE_LEAST, LOOSE_SHARE = 256, 50  # rows beside the codes: a fiftieth of the others


@dataclass(slots=True)
class _Structure:
    """Codes, the row at each position (n,), which are left, and the rows beside the codes."""

    fitted: Fit
    codes: Codes
    rows: IntArray
    left: NDArray[np.bool_]
    loose: IntArray

    def __post_init__(self) -> None:
        self.coded = Coded(self.fitted, self.codes, None)

    coded: Coded = None  # type: ignore[assignment]  # made of the others


class ScanIndex(ShortlistIndex):
    """Reads the codes of all rows; ``effort`` of them pass the head, at least."""

    kind: ClassVar[str] = "scan"
    rebuilds: ClassVar[tuple[str, ...]] = ()
    library: ClassVar[str] = "saccade.scan"
    default_effort: ClassVar[int] = 2_000

    def _made(self, rows: IntArray) -> Any:
        truth = self._vectors[rows].astype(np.float16)
        fitted = fit(truth, head_bytes=HEAD_BYTES)
        none = np.empty(0, np.int64)
        return _Structure(fitted, encode(fitted, truth), rows, np.ones(len(rows), np.bool_), none)

    def _ask(self, queries: Float32Array, k: int) -> IntArray:
        made: _Structure = self._structure
        effort = Effort(max(self.effort, k), finalists=max(Effort(1).finalists, k))
        allowed = lane_bits(made.left)
        places = made.coded.shortlist(queries, k, effort, allowed=allowed, threads=self.threads)
        found = np.where(places < 0, -1, made.rows[places] if len(made.rows) else -1)
        loose = np.broadcast_to(made.loose, (len(queries), len(made.loose)))
        return np.hstack([found, loose])

    def _extend(self, rows: IntArray) -> None:
        made: _Structure = self._structure
        made.loose = np.concatenate([made.loose, rows])
        if len(made.loose) > max(LOOSE_LEAST, len(made.rows) // LOOSE_SHARE):
            self._rebuild()

    def _drop(self, rows: IntArray) -> None:
        made: _Structure = self._structure
        made.loose = np.setdiff1d(made.loose, rows)
        places = np.flatnonzero(np.isin(made.rows, rows))
        made.left[places] = False
        wipe(made.codes, places)

    def _packed(self) -> UInt8Array:
        made: _Structure = self._structure
        fitted, codes = made.fitted, made.codes
        stream = io.BytesIO()
        np.savez(
            stream,
            bits=np.array(fitted.bits),
            **{name: getattr(fitted, name) for name in FITTED},
            **{name: getattr(codes, name) for name in CODED},
            **{name: getattr(made, name) for name in PLACED},
        )
        return np.frombuffer(stream.getvalue(), np.uint8)

    def _unpacked(self, content: UInt8Array) -> Any:
        try:
            found = dict(np.load(io.BytesIO(content.tobytes()), allow_pickle=False))
            fitted = Fit(**{name: found[name] for name in FITTED}, bits=int(found["bits"]))
            codes = Codes(**{name: found[name] for name in CODED})
            return _Structure(fitted, codes, **{name: found[name] for name in PLACED})
        except (ValueError, TypeError, KeyError, BadZipFile) as error:
            raise RuntimeError("the codes cannot be read") from error


FITTED = ("mean", "rotation", "deviation", "head_step", "full_step")
CODED = ("head", "full", "escaped")
PLACED = ("rows", "left", "loose")
