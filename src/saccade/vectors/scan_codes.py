"""Codes for the scan: vectors brought to their principal components, and few bits for each.

Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", PAMI 2011, showed that
few bits a vector find most neighbours. We differ: each component of a principal component analysis
(Pearson 1901; Hotelling 1933) gets a uniform quantiser of the best step for a normal variable (Max,
"Quantizing for minimum distortion", IRE 1960, table II), so that a score is a sum of products.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saccade.values import Float32Array, UInt8Array

SAMPLE_ROWS = 100_000
LANES = 16  # vectors of a block
CHUNK_ROWS = 4096  # a multiple of 16; so few that a chunk's components stay near the processor
# Bits to (step in standard deviations, share of the variance that is lost): Max 1960, table II.
QUANTISERS = {1: (1.5958, 0.3634), 2: (0.9957, 0.1188), 4: (0.3352, 0.01154)}
FULL_LEVELS = 256
FULL_MARGIN = 1.3  # the 8-bit range, as a factor on the largest value of the sample

HalfArray = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Fit:
    """How vectors become codes.

    ``mean`` (d,); ``rotation`` (d, d), a column a component, the strongest first; ``deviation``
    (d,) of the components that the head holds; ``bits`` of the head's codes and ``head_step`` (m,)
    of its m components; ``full_step`` (d,) of the 8-bit codes.
    """

    mean: Float32Array
    rotation: Float32Array
    deviation: Float32Array
    bits: int
    head_step: Float32Array
    full_step: Float32Array

    @property
    def groups(self) -> int:
        """Groups of 4 bytes that the head takes a vector."""
        return -(-len(self.head_step) * self.bits // 32)

    @property
    def unexplained(self) -> float:
        """Share of the variance that the head does not hold, 0 to 1."""
        return unexplained(self.deviation, len(self.head_step), self.bits)

    def components(self, rows: Float32Array | HalfArray) -> Float32Array:
        """(n, d) vectors → (n, d) components."""
        centred = rows.astype(np.float32) - self.mean
        found: Float32Array = np.matmul(centred, self.rotation, dtype=np.float32)
        return found


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


def lane_bits(marked: NDArray[np.bool_]) -> UInt8Array:
    """Return a bit for each of n positions, in whole blocks of 16; those that fill up are 0."""
    padded = np.zeros(-(-len(marked) // LANES) * LANES, np.bool_)
    padded[: len(marked)] = marked
    return np.packbits(padded, bitorder="little")


def fit(truth: HalfArray, *, head_bytes: int) -> Fit:
    """Fit the codes to vectors (n, d), by at most SAMPLE_ROWS of them."""
    mean, centred = centred_sample(truth, SAMPLE_ROWS)
    return fitted_to(mean, centred, centred, head_bytes=head_bytes)


def centred_sample(truth: HalfArray, most: int) -> tuple[Float32Array, Float32Array]:
    """Return the mean (d,) of at most ``most`` of the vectors (n, d), and those without it."""
    sample = spread(truth, most)
    mean = sample.mean(axis=0, dtype=np.float64) if len(sample) else np.zeros(truth.shape[1])
    sample -= mean.astype(np.float32)
    return mean.astype(np.float32), sample


def full_steps(values: Float32Array) -> Float32Array:
    """Return the steps (d,) of 8-bit codes that hold values such as these (n, d)."""
    largest = np.maximum(values.max(axis=0, initial=0), -values.min(axis=0, initial=0))
    steps: Float32Array = (largest * FULL_MARGIN * 2 / FULL_LEVELS).astype(np.float32)
    return steps


def fitted_to(
    mean: Float32Array, centred: Float32Array, left: Float32Array, *, head_bytes: int
) -> Fit:
    """Fit the codes to a sample of vectors (n, d) without their mean.

    ``left`` (n, d) is what the head has to hold of each: all of it, or what is left without the
    centre of its cell.
    """
    variance, columns = np.linalg.eigh(_products(left) / max(1, len(left)))
    rotation = np.ascontiguousarray(columns[:, ::-1], dtype=np.float32)
    deviation = np.sqrt(np.clip(variance[::-1], 0, None)).astype(np.float32)
    m, bits = best_head(deviation, head_bytes)
    return Fit(
        mean=mean,
        rotation=rotation,
        deviation=deviation,
        bits=bits,
        head_step=deviation[:m] * np.float32(QUANTISERS[bits][0]),
        full_step=full_steps(centred @ rotation),
    )


def _products(rows: Float32Array) -> NDArray[np.float64]:
    """Sums of the products of all pairs of components, (d, d)."""
    sums = np.zeros((rows.shape[1], rows.shape[1]))
    for start in range(0, len(rows), CHUNK_ROWS):
        some = rows[start : start + CHUNK_ROWS].astype(np.float64)
        sums += some.T @ some
    return sums
