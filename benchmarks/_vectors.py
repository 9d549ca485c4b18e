"""Vectors like those of face embeddings, generated in blocks that depend on the seed alone.

Three corpora, all of length-1 float32 rows; a block is (BLOCK, d) with the identity of each row:

- real: d = 128. The spectra of all and of the scatter within an identity, and the mean's length,
  are those of 13,233 news photographs embedded by a small face network (``face_spectrum.json``).
  An identity is a group's part, a family's part shared with look-alikes, and its own.
- kind: any d. Identities are a smooth map of 96 latent numbers in 64 groups, so that few components
  hold most of the variance; real embeddings are flatter than that.
- flat: any d. No direction is preferred: the worst case for leading components and for cells.

Pictures an identity: 1 + geometric with mean 4, at most 20, in random order within a block.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BLOCK = 65_536
MEAN_PICTURES, MOST_PICTURES = 4, 20
SPECTRUM = Path(__file__).with_name("face_spectrum.json")
Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


class Corpus(Protocol):
    """Identities, and pictures of them."""

    d: int

    def identities(self, draw: np.random.Generator, count: int) -> Floats: ...

    def pictures(self, draw: np.random.Generator, identities: Floats) -> Floats: ...


class Real:
    """Look-alikes in groups and families, with the spectra of real face embeddings."""

    d = 128
    GROUPS, FAMILIES, GROUP_SHARE, ZIPF, SCATTER = 130, 2000, 0.5, 0.7, 0.45

    def __init__(self, d: int = 128) -> None:
        if d != self.d:
            raise SystemExit(f"corpus real has {self.d} dimensions, not {d}")
        spectrum = json.loads(SPECTRUM.read_text())
        draw = np.random.default_rng([7, 1])
        within = np.array(spectrum["within"])
        self.within = np.sqrt(within)
        self.between = np.sqrt(np.clip(np.array(spectrum["total"]) - within, 1e-6, None))
        self.turn = np.linalg.qr(draw.standard_normal((self.d, self.d)))[0].astype(np.float32)
        mean = draw.standard_normal(self.d)
        self.mean = mean * spectrum["mean_norm"] / np.linalg.norm(mean)
        share = np.arange(1, self.GROUPS + 1) ** -self.ZIPF
        share /= share.sum()
        centres = draw.standard_normal((self.GROUPS, self.d)) * self.between
        centres -= share @ centres
        of_family = draw.choice(self.GROUPS, self.FAMILIES, p=share)
        self.group = np.sqrt(self.GROUP_SHARE) * centres[of_family]
        self.family = draw.standard_normal((self.FAMILIES, self.d)) * self.between
        # What comes out has the spectrum that was measured: whitened, then stretched.
        variance, axes = np.linalg.eigh(np.cov(self._drawn(np.random.default_rng(8), 40_000).T))
        whiten = (axes / np.sqrt(np.clip(variance, 1e-9, None))) @ axes.T
        self.stretch = whiten * self.between

    def _drawn(self, draw: np.random.Generator, count: int) -> NDArray[np.float64]:
        family = draw.integers(0, self.FAMILIES, count)
        near = draw.beta(1, 3, (count, 1))
        own = draw.standard_normal((count, self.d)) * self.between
        mixed = np.sqrt(near) * self.family[family] + np.sqrt(1 - near) * own
        found: NDArray[np.float64] = self.group[family] + np.sqrt(1 - self.GROUP_SHARE) * mixed
        return found

    def identities(self, draw: np.random.Generator, count: int) -> Floats:
        return (self._drawn(draw, count) @ self.stretch).astype(np.float32)

    def pictures(self, draw: np.random.Generator, identities: Floats) -> Floats:
        count = len(identities)
        size = np.exp(self.SCATTER * draw.standard_normal((count, 1)) - self.SCATTER**2 / 2)
        scatter = size * draw.standard_normal((count, self.d)) * self.within
        return unit((self.mean + identities + scatter).astype(np.float32) @ self.turn)


class Kind:
    """A smooth map of latent numbers: few components hold most of the variance."""

    LATENT, HIDDEN, GROUPS, EVEN_SHARE = 96, 192, 64, 0.15

    def __init__(self, d: int) -> None:
        self.d = d
        draw = np.random.default_rng([7, 2, d])
        strength = np.arange(1, self.LATENT + 1) ** -0.1
        first = draw.standard_normal((self.LATENT, self.HIDDEN)) * strength[:, None]
        self.first = (first / np.linalg.norm(strength)).astype(np.float32)
        self.group = (0.15 * draw.standard_normal((self.GROUPS, self.HIDDEN))).astype(np.float32)
        second = draw.standard_normal((self.HIDDEN, d)) / np.sqrt(d)
        self.second = (second * np.arange(1, self.HIDDEN + 1)[:, None] ** -0.02).astype(np.float32)
        self.centre = np.zeros(d, np.float32)
        self.centre = self._mapped(draw, 40_000).mean(axis=0)
        known = self.identities(draw, 40_000).astype(np.float64)
        variance, axes = np.linalg.eigh(known.T @ known / len(known))
        kept = variance > 1e-7 * variance.max()
        self.noise = (axes * np.sqrt(np.clip(variance, 0, None)))[:, kept].T.astype(np.float32)

    def _mapped(self, draw: np.random.Generator, count: int) -> Floats:
        latent = draw.standard_normal((count, self.LATENT), dtype=np.float32)
        group = self.group[draw.integers(0, self.GROUPS, count)]
        found: Floats = np.tanh(1.2 * (latent @ self.first) + group) @ self.second - self.centre
        return found

    def identities(self, draw: np.random.Generator, count: int) -> Floats:
        return unit(self._mapped(draw, count))

    def pictures(self, draw: np.random.Generator, identities: Floats) -> Floats:
        count = len(identities)
        noise = unit(draw.standard_normal((count, len(self.noise)), dtype=np.float32) @ self.noise)
        even = draw.standard_normal((count, self.d), dtype=np.float32) / np.float32(self.d**0.5)
        noise = np.sqrt(1 - self.EVEN_SHARE) * noise + np.sqrt(self.EVEN_SHARE) * even
        return mixed(draw, identities, noise.astype(np.float32))


class Flat:
    """No structure at all."""

    def __init__(self, d: int) -> None:
        self.d = d

    def identities(self, draw: np.random.Generator, count: int) -> Floats:
        return unit(draw.standard_normal((count, self.d), dtype=np.float32))

    def pictures(self, draw: np.random.Generator, identities: Floats) -> Floats:
        return mixed(draw, identities, self.identities(draw, len(identities)))


def unit(rows: Floats) -> Floats:
    """Rows at length 1."""
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


def mixed(draw: np.random.Generator, identities: Floats, noise: Floats) -> Floats:
    """Pictures of good and bad quality: the share of the identity is drawn from Beta(5.3, 3.2)."""
    quality = draw.beta(5.3, 3.2, (len(identities), 1)).astype(np.float32)
    return unit(np.sqrt(quality) * identities + np.sqrt(1 - quality) * noise)


def _people(corpus: Corpus, number: int) -> tuple[np.random.Generator, Floats, Labels]:
    """A block's generator, its identities, and whose each row is."""
    draw = np.random.default_rng([11, number, corpus.d])
    pictures = np.minimum(draw.geometric(1 / MEAN_PICTURES, BLOCK), MOST_PICTURES)
    count = int(np.searchsorted(np.cumsum(pictures), BLOCK)) + 1
    pictures = pictures[:count]
    pictures[-1] -= pictures.sum() - BLOCK
    people = corpus.identities(draw, count)
    return draw, people, np.repeat(np.arange(count), pictures)[draw.permutation(BLOCK)]


def blocks(corpus: Corpus, rows: int) -> Iterator[tuple[Floats, Labels]]:
    """Yield the first ``rows`` rows block by block, with the number of each row's identity."""
    for start in range(0, rows, BLOCK):
        draw, people, whose = _people(corpus, start // BLOCK)
        found = corpus.pictures(draw, people[whose])
        yield found[: rows - start], (whose + start)[: rows - start]


def queries(
    corpus: Corpus, count: int, rows: int, *, strangers: float = 0.3, seed: int = 0
) -> tuple[Floats, Labels]:
    """Return new pictures of identities among the first ``rows``, and of strangers (label -1)."""
    draw = np.random.default_rng([12, seed, corpus.d])
    known = count - round(strangers * count)
    numbers = draw.integers(0, max(1, rows // BLOCK), known)
    people, labels = [], []
    for number in np.unique(numbers).tolist():
        _, here, whose = _people(corpus, number)
        inside = min(BLOCK, rows - number * BLOCK)
        chosen = whose[draw.integers(0, inside, int((numbers == number).sum()))]
        people.append(here[chosen])
        labels.append(chosen + number * BLOCK)
    people.append(corpus.identities(draw, count - known))
    labels.append(np.full(count - known, -1))
    order = draw.permutation(count)
    found = corpus.pictures(draw, np.concatenate(people))
    return np.ascontiguousarray(found[order]), np.concatenate(labels)[order]


CORPORA: dict[str, Any] = {"real": Real, "kind": Kind, "flat": Flat}
