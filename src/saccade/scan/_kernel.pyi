"""What cpp/scan/module*.cpp give. Arrays are C-contiguous; ValueError when shapes do not fit."""

import numpy as np
from numpy.typing import NDArray

from saccade.values import (
    Float32Array,
    Int8Array,
    Int32Array,
    IntArray,
    UInt8Array,
    UInt16Array,
    UInt32Array,
)

NEAR: int
"""One of so many ranges is near, and read first."""
DENSER: float
"""So many times as many rows of a near block survive."""
OUTER_RADII: float
"""How many radii from the centre of a cell its outer rows are taken to lie."""

def names() -> list[str]:
    """Names of the kernels that this processor can run, the fastest first."""

def pack(codes: UInt8Array, bits: int) -> UInt8Array:
    """(n, m) codes of ``bits`` bits → the head's blocks; m a multiple of 32 / bits."""

def quantise(values: Float32Array, steps: Float32Array, bits: int) -> tuple[UInt8Array, UInt8Array]:
    """(n, d) values, (d,) steps → codes (n, d), and 1 for each row with a value out of range (n,).

    The code is floor(value / step + 2**bits / 2), cut to 0 … 2**bits - 1; with a step of 0 it is
    the middle one.
    """

def centred(half: UInt16Array, mean: Float32Array, order: IntArray) -> Float32Array:
    """(n, d) half floats seen as uint16, (d,), (r,) → rows ``order`` less the mean, (r, d).

    Zeros where ``order`` is negative. ``half`` is never copied and may be a read-only map.
    """

def encode(
    components: Float32Array,
    filled: NDArray[np.bool_],
    centres: Float32Array,
    cell: IntArray,
    head_step: Float32Array,
    bits: int,
    full_step: Float32Array,
    head: UInt8Array,
    full: UInt8Array,
) -> UInt8Array:
    """(n, d) components → codes, into ``head`` and ``full`` (n, d); 1 where out of range, (n,).

    ``full`` gets the 8-bit codes with ``full_step`` (d,). ``head`` gets, as ``pack`` has them, the
    codes of ``bits`` bits with ``head_step`` (m,) of the first m components less a centre: that of
    ``centres`` (c, m) which ``cell`` (ceil(n / 16),) names for the row's block. Rows that are not
    ``filled`` (n,) get zeros. TypeError when ``head`` or ``full`` cannot be filled in place.
    """

def head_scores(
    kernel: str, packed: UInt8Array, rows: int, bits: int, weights: Int8Array
) -> Int32Array:
    """Sum of weight times code of each packed row, (rows,)."""

def row_scores(kernel: str, codes: UInt8Array, weights: Int8Array) -> Int32Array:
    """(n, d) 8-bit codes, (d,) weights → (n,) sums of weight times code."""

def dots(kernel: str, half: UInt16Array, query: Float32Array) -> Float32Array:
    """(n, d) half floats seen as uint16, (d,) → (n,) dot products."""

class Finder:
    """The levels of one gallery: head, 8-bit rows and, for ``find``, half-float truth.

    ``head`` from ``pack``; ``full`` (n, d) 8-bit codes; ``truth`` (≥ n, d) half floats as uint16;
    ``rotation`` (d, d), its columns the components; ``head_step`` (m,), m ≤ d, and ``full_step``
    (d,) steps of the codes; ``escaped`` positions that are always passed on; ``order`` (n,) each
    position's row in the truth. The first three are never copied and may be read-only maps of
    files: TypeError when they are of another type or not contiguous.
    """

    def __init__(
        self,
        kernel: str,
        head: UInt8Array,
        bits: int,
        full: UInt8Array,
        truth: UInt16Array | None,
        rotation: Float32Array,
        head_step: Float32Array,
        full_step: Float32Array,
        escaped: UInt32Array,
        order: UInt32Array | None = None,
    ) -> None: ...
    def find(
        self,
        queries: Float32Array,
        k: int,
        survivors: int,
        finalists: int,
        threads: int = 1,
        allowed: UInt8Array | None = None,
        ranges: IntArray | None = None,
        offsets: Float32Array | None = None,
        reach: Float32Array | None = None,
    ) -> tuple[Float32Array, IntArray]:
        """(q, d) → scores (q, k) and rows of the truth (q, k), best first, of equal ones the lower.

        ``survivors`` rows pass the head, ``finalists`` the 8-bit level. ``allowed`` has a bit a
        position, in whole blocks of 16; ``ranges`` are the blocks to look at, rising: (r, 2) those
        of every query, or (q, r, 2) of each, where a range may be empty; ``offsets`` (q, r) are
        added to the scores of a range's rows, as products of the query and what the head leaves
        out; ``reach`` (q, r) is how large the product of the query and a range's rows may be. With
        it an eighth of the ranges is read first, those that reach furthest, then those of the
        others that reach the k-th best found there. Where fewer than k rows are found, -inf and -1
        fill up; k above n is n. ValueError when there is no truth.
        """

    def shortlist(
        self,
        queries: Float32Array,
        k: int,
        survivors: int,
        finalists: int,
        threads: int = 1,
        allowed: UInt8Array | None = None,
        ranges: IntArray | None = None,
        offsets: Float32Array | None = None,
        reach: Float32Array | None = None,
    ) -> IntArray:
        """(q, d) → positions in the codes (q, f) that ``find`` would compare with the truth.

        Rising; ``finalists`` of each query, and all allowed positions that escaped. f is the length
        of the longest list, and -1 fills up the others. No truth is needed.
        """

def nearest(
    kernel: str, rows: UInt8Array, centres: Int8Array, bias: Int32Array, threads: int = 1
) -> UInt32Array:
    """(n, d), (c, d), (c,) → the centre of each row (n,) with the largest product plus bias.

    The product is the sum over d of row times centre; of equal centres the lowest number. c ≥ 1,
    1 ≤ d ≤ 4096, |bias| ≤ 2**30. ``threads`` share the rows.
    """

def neighbours(
    kernel: str,
    rows: UInt8Array,
    queries: UInt8Array,
    k: int,
    distance: str,
    threads: int = 1,
) -> tuple[UInt32Array, UInt32Array]:
    """(n, d), (q, d) → distances (q, k) and numbers of the nearest rows (q, k), nearest first.

    ``distance``: l1, the sum of absolute differences, or l2, that of squared ones; of equally near
    rows the lower. 1 ≤ k ≤ n, 1 ≤ d ≤ 32768. ``threads`` share the queries.
    """

class Chooser:
    """The cells of one gallery, to choose those that a query looks at.

    ``codes`` (c, d) 8-bit codes of the ``centres`` (c, d), and their ``steps`` (d,); ``radii`` (c,)
    how far a cell's rows lie from its centre in one direction; ``blocks`` (c, 2) the first block of
    a cell, and that behind its last.
    """

    def __init__(
        self,
        kernel: str,
        codes: UInt8Array,
        steps: Float32Array,
        centres: Float32Array,
        radii: Float32Array,
        blocks: IntArray,
    ) -> None: ...
    def choose(
        self, components: Float32Array, probes: int, margin: float
    ) -> tuple[IntArray, Float32Array, Float32Array]:
        """Blocks (q, p, 2), products with the centres and reach, both (q, p), for queries (q, d).

        The cells of the largest products with the centres' codes plus 2 radii, in rising order; of
        equal ones the lower. They reach ``margin`` radii further than their centres.
        """
