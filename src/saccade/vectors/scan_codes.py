"""Codes for the scan: vectors brought to their principal components, and few bits for each.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", PAMI 2011, showed that
few bits a vector find most neighbours. We differ: each component of a principal component analysis
(Pearson 1901; Hotelling 1933) gets a uniform quantiser of the best step for a normal variable (Max,
"Quantizing for minimum distortion", IRE 1960, table II), so that a score is a sum of products.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade import scan
from saccade.values import Float32Array, IntArray, UInt8Array, UInt32Array

SAMPLE_ROWS = 100_000
CHUNK_ROWS = 65_536  # a multiple of 16, the rows of a block
# Bits to (step in standard deviations, share of the variance that is lost): Max 1960, table II.
QUANTISERS = {1: (1.5958, 0.3634), 2: (0.9957, 0.1188), 4: (0.3352, 0.01154)}
FULL_LEVELS = 256
FULL_MARGIN = 1.05  # the 8-bit range, as a factor on the largest value of the sample

HalfArray = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Fit:
    """How vectors become codes.

    ``mean`` (d,); ``rotation`` (d, d), a column a component, the strongest first; ``deviation``
    (d,) of the components; ``bits`` of the head's codes and ``head_step`` (m,) of its m components;
    ``full_step`` (d,) of the 8-bit codes.
    """

    mean: Float32Array
    rotation: Float32Array
    deviation: Float32Array
    bits: int
    head_step: Float32Array
    full_step: Float32Array

    @property
    def unexplained(self) -> float:
        """Share of the variance that the head does not hold, 0 to 1."""
        return unexplained(self.deviation, len(self.head_step), self.bits)

    def components(self, rows: Float32Array | HalfArray) -> Float32Array:
        """(n, d) vectors → (n, d) components."""
        centred = rows.astype(np.float32) - self.mean
        found: Float32Array = np.matmul(centred, self.rotation, dtype=np.float32)
        return found


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of n vectors: head blocks, 8-bit rows (n, d), positions out of the 8-bit range."""

    head: UInt8Array
    full: UInt8Array
    escaped: UInt32Array


def unexplained(deviation: Float32Array, m: int, bits: int) -> float:
    """Share of the variance that ``bits`` bits for each of the first ``m`` components lose."""
    variance = deviation.astype(np.float64) ** 2
    total = float(variance.sum())
    lost = QUANTISERS[bits][1] * float(variance[:m].sum()) + float(variance[m:].sum())
    return lost / total if total > 0 else 0.0


def best_head(deviation: Float32Array, head_bytes: int) -> tuple[int, int]:
    """Return the (components, bits) that lose least of the variance in ``head_bytes`` a vector.

    Equal losses go to the fewer components. Never more components than there are.
    """
    d = len(deviation)
    options = [(min(d, head_bytes * 8 // bits), bits) for bits in QUANTISERS]
    return min(options, key=lambda option: (unexplained(deviation, *option), option[0]))


def spread(rows: HalfArray, most: int) -> Float32Array:
    """Return at most ``most`` of the rows (n, d), evenly spread, as float32."""
    return rows[:: max(1, -(-len(rows) // most))].astype(np.float32)


def fit(truth: HalfArray, *, head_bytes: int) -> Fit:
    """Fit the codes to vectors (n, d), by at most SAMPLE_ROWS of them."""
    n, d = truth.shape
    sample = spread(truth, SAMPLE_ROWS).astype(np.float64)
    mean = sample.mean(axis=0) if n else np.zeros(d)
    centred = sample - mean
    variance, columns = np.linalg.eigh(centred.T @ centred / max(1, len(sample)))
    rotation = np.ascontiguousarray(columns[:, ::-1], dtype=np.float32)
    deviation = np.sqrt(np.clip(variance[::-1], 0, None)).astype(np.float32)
    m, bits = best_head(deviation, head_bytes)
    largest = np.abs(centred @ rotation).max(axis=0, initial=0) * FULL_MARGIN
    return Fit(
        mean=mean.astype(np.float32),
        rotation=rotation,
        deviation=deviation,
        bits=bits,
        head_step=deviation[:m] * np.float32(QUANTISERS[bits][0]),
        full_step=(largest * 2 / FULL_LEVELS).astype(np.float32),
    )


def encode(fitted: Fit, truth: HalfArray, order: UInt32Array | IntArray | None = None) -> Codes:
    """Return the codes of vectors (n, d): position p holds row ``order[p]``, else row p."""
    n, d = truth.shape
    m, per_group = len(fitted.head_step), 32 // fitted.bits
    groups = math.ceil(m / per_group)
    head = np.zeros(math.ceil(n / 16) * 64 * groups, np.uint8)
    full, outside = np.empty((n, d), np.uint8), np.zeros(n, np.uint8)
    for start in range(0, n, CHUNK_ROWS):
        part = slice(start, min(start + CHUNK_ROWS, n))
        components = fitted.components(truth[part] if order is None else truth[order[part]])
        codes = np.zeros((len(components), groups * per_group), np.uint8)
        leading = np.ascontiguousarray(components[:, :m])
        codes[:, :m] = scan.quantise(leading, fitted.head_step, fitted.bits)[0]
        packed = scan.pack(codes, fitted.bits)
        first = start // 16 * 64 * groups
        head[first : first + len(packed)] = packed
        full[part], outside[part] = scan.quantise(components, fitted.full_step, 8)
    return Codes(head, full, np.flatnonzero(outside).astype(np.uint32))
