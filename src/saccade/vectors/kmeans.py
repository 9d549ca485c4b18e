"""k-means on 8-bit codes: rows meet the centres as whole numbers, in the compiled scan.

Lloyd, "Least squares quantization in PCM", 1982. We differ: rows are the codes of ``scan.quantise``
and a centre becomes d weights of 8 bits, so that an assignment may go to a centre that is further
off by what the rounding costs; the means are exact. The same seed gives the same centres with every
kernel and any number of threads.
"""

import numpy as np
from numpy.typing import NDArray

from saccade import scan
from saccade.errors import InputError
from saccade.values import Float32Array, Int8Array, Int32Array, IntArray, UInt8Array
from saccade.vectors.inputs import matrix

MIDDLE = 127.5  # what stands for code c is the middle of its interval, (c + 0.5 - 128) * step
LARGEST_WEIGHT = 127
LARGEST_BIAS = 2**30


def kmeans_codes(
    codes: UInt8Array,
    steps: Float32Array,
    k: int,
    draw: np.random.Generator,
    *,
    rounds: int = 8,
    threads: int = 1,
) -> Float32Array:
    """Return ``k`` centres (k, d) of coded rows (n, d), n ≥ k, after rounds from random rows.

    ``steps`` (d,) of the codes. A centre that lost all its rows starts again from a random one.
    Raises InputError when k is not 1 to n, and as ``nearest_codes``.
    """
    if not 1 <= k <= len(codes):
        raise InputError(f"k must be 1 to the number of rows, {len(codes)}; got {k}")
    centres = decoded(codes[draw.choice(len(codes), k, replace=False)], steps)
    for _ in range(rounds):
        belongs = nearest_codes(codes, steps, centres, threads=threads)
        means, counts = _means(codes, belongs, k)
        centres = decoded(means, steps)
        empty = counts == 0
        centres[empty] = decoded(codes[draw.choice(len(codes), int(empty.sum()))], steps)
    return centres


def nearest_codes(
    codes: UInt8Array, steps: Float32Array, centres: Float32Array, *, threads: int = 1
) -> IntArray:
    """Return the number of the centre (c, d) nearest to each coded row (n, d), (n,) int64.

    By Euclidean distance, right up to the rounding of a centre's products to 8 bits; of equal
    ones the lowest. ``steps`` (d,) of the codes; a component with a step of 0, where all rows are
    alike, does not count. Raises InputError when shapes do not fit together,
    for a step that is negative or not finite, and for a centre that is not finite or far out of the
    codes' range.
    """
    centres = matrix(centres, "centres")
    steps = np.asarray(steps, np.float32)
    if codes.dtype != np.uint8 or codes.ndim != 2 or not len(centres):
        raise InputError(
            f"codes must be (n, d) uint8 and there must be a centre, got {codes.dtype} "
            f"{codes.shape} and {len(centres)} centres"
        )
    if not codes.shape[1:] == steps.shape == centres.shape[1:]:
        raise InputError(
            f"codes {codes.shape}, steps {steps.shape} and centres {centres.shape} must have the "
            "same number of components"
        )
    if not (steps >= 0).all() or not np.isfinite(steps).all():
        raise InputError("steps must be finite and 0 or more; make the codes again")
    weights, bias = _whole(centres.astype(np.float64), steps.astype(np.float64))
    rows = np.ascontiguousarray(codes)
    return scan.nearest(scan.kernel(), rows, weights, bias, threads).astype(np.int64)


def decoded(codes: UInt8Array | NDArray[np.float64], steps: Float32Array) -> Float32Array:
    """Return what codes (n, d) stand for, (n, d); ``steps`` (d,). Codes may be means of codes."""
    return ((codes - MIDDLE) * steps).astype(np.float32)


def _means(codes: UInt8Array, belongs: IntArray, k: int) -> tuple[NDArray[np.float64], IntArray]:
    """Mean codes (k, d) and number of rows (k,) of each cell; 0 where a cell has none."""
    counts = np.bincount(belongs, minlength=k)
    cells = np.split(np.argsort(belongs, kind="stable"), np.cumsum(counts)[:-1])
    sums = np.stack([codes[mine].sum(axis=0, dtype=np.int64) for mine in cells])
    return sums / np.maximum(counts, 1)[:, None], counts


def _whole(
    centres: NDArray[np.float64], steps: NDArray[np.float64]
) -> tuple[Int8Array, Int32Array]:
    """Weights (c, d) and biases (c,): weights · code + bias is largest for the nearest centre.

    The nearest centre c of a row x has the largest (x - m) · v - |v|² / 2, where v = c - m and m is
    the mean of the centres; that is (x - c) · v + |v|² / 2. With x = (code - MIDDLE) * step, and u
    the code where the centre itself lies, the product is the sum of (code - u) * step * v. So the
    rounding of factor * step * v to a weight is multiplied by the distance from the centre alone.
    """
    coded = steps > 0
    away = np.where(coded, centres - centres.mean(axis=0), 0)
    products = away * steps
    largest = np.abs(products).max()
    factor = LARGEST_WEIGHT / largest if largest > 0 else 0.0
    weights = np.rint(products * factor)
    place = np.divide(centres, steps, out=np.zeros_like(centres), where=coded) + MIDDLE
    bias = np.rint(factor * (away**2).sum(axis=1) / 2 - (weights * place).sum(axis=1))
    if np.abs(bias).max() > LARGEST_BIAS:
        raise InputError(
            f"centre {int(np.abs(bias).argmax())} lies far outside of what the codes can hold; "
            "make the codes with larger steps"
        )
    return weights.astype(np.int8), bias.astype(np.int32)
