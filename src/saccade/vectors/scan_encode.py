"""From vectors to codes: the head's blocks and the 8-bit rows."""

from dataclasses import dataclass

import numpy as np

from saccade import scan
from saccade.values import Float32Array, IntArray, UInt8Array, UInt32Array
from saccade.vectors.scan_cells import Cells
from saccade.vectors.scan_codes import CHUNK_ROWS, LANES, Fit, HalfArray

GROUP_BYTES = 64


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of n positions: head blocks, 8-bit rows (n, d), positions out of that range."""

    head: UInt8Array
    full: UInt8Array
    escaped: UInt32Array


def wipe(codes: Codes, positions: IntArray) -> None:
    """Overwrite the codes of some positions with zeros."""
    blocks = codes.head.reshape(-(-len(codes.full) // LANES), -1, LANES, GROUP_BYTES // LANES)
    blocks[positions // LANES, :, positions % LANES] = 0
    codes.full[positions] = 0


def head_size(fitted: Fit, n: int) -> int:
    """Bytes of the head of n positions: whole blocks of 16, whole groups of components."""
    return -(-n // LANES) * GROUP_BYTES * fitted.groups


def encode(
    fitted: Fit,
    truth: HalfArray,
    cells: Cells | None = None,
    *,
    head: UInt8Array | None = None,
    full: UInt8Array | None = None,
) -> Codes:
    """Return the codes of vectors (n, d): in their order, or cell by cell.

    With cells the head holds what is left of a vector without its cell's centre, and the positions
    that fill up a cell's last block hold zeros. ``head`` (``head_size``,) and ``full`` (n, d) are
    filled where they are given, such as maps of a file.
    """
    n, d = len(truth) if cells is None else len(cells.order), truth.shape[1]
    head = np.zeros(head_size(fitted, n), np.uint8) if head is None else head
    full = np.empty((n, d), np.uint8) if full is None else full
    outside = np.zeros(n, np.uint8)
    for start in range(0, n, CHUNK_ROWS):
        part = slice(start, min(start + CHUNK_ROWS, n))
        rows, centres, filled = _part(truth, cells, part)
        components = fitted.components(rows)
        packed = _head(fitted, components if centres is None else components - centres, filled)
        first = start // LANES * GROUP_BYTES * fitted.groups
        head[first : first + len(packed)] = packed
        full[part], outside[part] = scan.quantise(components, fitted.full_step, 8)
        full[part][~filled], outside[part][~filled] = 0, 0
    return Codes(head, full, np.flatnonzero(outside).astype(np.uint32))


def _part(
    truth: HalfArray, cells: Cells | None, part: slice
) -> tuple[HalfArray, Float32Array | None, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The rows at some positions, their centres, and which positions are filled."""
    if cells is None:
        return truth[part], None, np.ones(part.stop - part.start, np.bool_)
    order = cells.order[part]
    centres = cells.centres[cells.of(np.arange(part.start, part.stop))]
    return truth[np.maximum(order, 0)], centres, order >= 0


def _head(
    fitted: Fit,
    components: Float32Array,
    filled: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> UInt8Array:
    m, per_group = len(fitted.head_step), 32 // fitted.bits
    codes = np.zeros((len(components), fitted.groups * per_group), np.uint8)
    leading = np.ascontiguousarray(components[:, :m])
    codes[:, :m] = scan.quantise(leading, fitted.head_step, fitted.bits)[0]
    codes[~filled] = 0
    return scan.pack(codes, fitted.bits)
