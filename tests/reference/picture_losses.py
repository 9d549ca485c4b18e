"""Losses of masks and pictures as loops over float64 arrays, from the papers' equations."""

import numpy as np


def dice(logits, masks):
    """(n, c, H, W) logits, c > 1; (n, H, W) classes."""
    found = []
    for scores, mask in zip(np.asarray(logits, np.float64), masks, strict=True):
        powers = np.exp(scores - scores.max(0))
        shares = powers / powers.sum(0)
        for number, share in enumerate(shares):
            there = (mask == number).astype(np.float64)
            each = (share**2).sum() + (there**2).sum()
            found.append(1 - 2 * (share * there).sum() / each if each else 0.0)
    return np.mean(found)


def content(features, wanted):
    return np.mean([((f - w) ** 2).sum() / 2 for f, w in zip(features, wanted, strict=True)])


def style_of_layer(features, wanted):
    """Gatys et al., eq. 3 and 4, for (n, c, h, w) of one size."""
    found = []
    for mine, theirs in zip(features, wanted, strict=True):
        channels, places = len(mine), mine[0].size
        total = 0.0
        for i in range(channels):
            for j in range(channels):
                gram, other = (mine[i] * mine[j]).sum(), (theirs[i] * theirs[j]).sum()
                total += (gram - other) ** 2
        found.append(total / (4 * channels**2 * places**2))
    return np.mean(found)


def total_variation(pictures, beta=2.0):
    total = 0.0
    for plane in pictures.reshape(-1, *pictures.shape[2:]):
        for y, row in enumerate(plane):
            for x, value in enumerate(row):
                across = row[x + 1] - value if x + 1 < len(row) else 0.0
                down = plane[y + 1, x] - value if y + 1 < len(plane) else 0.0
                total += (across**2 + down**2) ** (beta / 2)
    return total / len(pictures)
