"""From vectors to codes: the head's blocks and the 8-bit rows."""

from dataclasses import dataclass

import numpy as np

from saccade import scan
from saccade.values import IntArray, UInt8Array, UInt32Array
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
    head = np.empty(head_size(fitted, n), np.uint8) if head is None else head
    full = np.empty((n, d), np.uint8) if full is None else full
    outside = np.zeros(n, np.uint8)
    m, block_bytes = len(fitted.head_step), GROUP_BYTES * fitted.groups
    centres = np.zeros((1, m), np.float32) if cells is None else cells.centres[:, :m].copy()
    for start in range(0, n, CHUNK_ROWS):
        part = slice(start, min(start + CHUNK_ROWS, n))
        firsts = np.arange(part.start, part.stop, LANES)  # of the blocks
        order = np.arange(part.start, part.stop) if cells is None else cells.order[part]
        outside[part] = scan.encode(
            scan.centred(truth.view(np.uint16), fitted.mean, order) @ fitted.rotation,
            order >= 0,
            centres,
            np.zeros_like(firsts) if cells is None else cells.of(firsts),
            fitted.head_step,
            fitted.bits,
            fitted.full_step,
            head[start // LANES * block_bytes : -(-part.stop // LANES) * block_bytes],
            full[part],
        )
    return Codes(head, full, np.flatnonzero(outside).astype(np.uint32))
