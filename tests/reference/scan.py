"""The scan in NumPy, step by step, and random galleries for it."""

import numpy as np

from saccade import scan


def factor_of(component, step):
    largest = np.abs(component * step).max(initial=0)
    return np.float32(127) / largest if largest > 0 else np.float32(0)


def weights_of(component, step):
    """The query's whole numbers, as find.cpp has them."""
    return np.rint(component * step * factor_of(component, step)).astype(np.int64)


def best_of(scores, rows, keep):
    return rows[np.lexsort((rows, -scores[rows]))[:keep]]


def listed_slowly(levels, query, survivors, finalists, allowed=None, inside=None, offset=0):
    """The shortlist in NumPy, step by step; only the head's pass is bound to ``inside``.

    ``offset`` (n,) is added to the scores of the head.
    """
    codes, m = levels["codes"], len(levels["head_step"])
    component = np.zeros(len(query), np.float32)
    for value, row in zip(query, levels["rotation"], strict=True):
        component += value * row
    allowed = np.ones(len(codes), bool) if allowed is None else allowed
    rows = np.flatnonzero(allowed if inside is None else allowed & inside)
    head = codes @ weights_of(component[:m], levels["head_step"])
    factor = factor_of(component[:m], levels["head_step"])
    head = head + np.rint(np.float64(offset) * factor).astype(np.int64)
    rows = best_of(head, rows, survivors)
    full = levels["full"].astype(np.int64) @ weights_of(component, levels["full_step"])
    escaped = [e for e in levels["escaped"] if allowed[e]]
    return np.union1d(best_of(full, rows, finalists), escaped).astype(np.int64)


def found_slowly(levels, query, k, survivors, finalists, allowed=None, inside=None):
    """The search in NumPy: (scores, rows)."""
    effort = (max(survivors, k), max(finalists, k))
    rows = listed_slowly(levels, query, *effort, allowed, inside)
    scores = scan.dots("plain", levels["truth"], query)
    rows = best_of(scores, rows, k)
    return scores[rows], rows


def levels_of(draw, n, d, m, bits, *, spread):
    """A random gallery; with ``spread`` 0 all its rows are equal."""
    vectors = (draw.standard_normal((n, d)) * spread + draw.standard_normal(d)).astype(np.float32)
    rotation = np.linalg.qr(draw.standard_normal((d, d)))[0].astype(np.float32)
    step = np.full(d, 4 / 2**bits, np.float32)
    codes, _ = scan.quantise(np.ascontiguousarray((vectors @ rotation)[:, :m]), step[:m], bits)
    full_step = np.full(d, 6 / 256, np.float32)
    full, outside = scan.quantise(np.ascontiguousarray(vectors @ rotation), full_step, 8)
    return {
        "codes": codes.astype(np.int64),
        "rotation": rotation,
        "head_step": step[:m],
        "full": full,
        "full_step": full_step,
        "truth": vectors.astype(np.float16).view(np.uint16),
        "escaped": np.flatnonzero(outside).astype(np.uint32),
        "bits": bits,
    }


def finder_of(name, levels, **changed):
    levels = levels | changed
    per_group = 32 // levels["bits"]
    codes = levels["codes"].astype(np.uint8)
    padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % per_group)))
    keys = ("full", "truth", "rotation", "head_step", "full_step", "escaped")
    head = scan.pack(padded, levels["bits"])
    return scan.Finder(name, head, levels["bits"], *(levels[key] for key in keys))


def mask_of(allowed):
    """A bit a position, in whole blocks."""
    return np.packbits(np.pad(allowed, (0, -len(allowed) % 16)), bitorder="little")


def people_of(draw, n, d, *, people, pictures=1):
    """(n, d) pictures of people who resemble one another in groups; ``draw`` begins with those."""
    groups = draw.standard_normal((30, d)) * np.linspace(2, 0.2, d)
    faces = groups[draw.integers(0, 30, people)] + draw.standard_normal((people, d)) * 0.6
    later = np.random.default_rng(pictures)
    rows = faces[later.integers(0, people, n)] + later.standard_normal((n, d)) * 0.45
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
