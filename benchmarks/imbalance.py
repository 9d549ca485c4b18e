"""A rare class among handwritten digits: plain training, class weights, balanced batches.

scikit-learn's 1,797 digits of 8x8 pixels. From each seed half of every class is drawn to learn
from, but of one digit, another for each seed, only so many that they are 1 % of what is learned
from. The other half is answered once. The three trainings of a seed have the same pictures, first
weights and length, and differ by `--balance` alone; nothing is held out, so no epoch is chosen. A
short schedule and a long one, as plain training learns a rare class too, only later. Figures: the
recall of the rare class, and the balanced accuracy of the nine others, which is the mean of their
recalls. Interval: Student's, over the seeds, of the paired difference to plain.

With --small one seed and a few epochs, to see that it runs.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared import run
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.datasets import load_digits

import saccade
from saccade.api.balance import BALANCES

SHARE, SEEDS, EPOCHS = 0.01, 5, (10, 40)
SETTINGS = {
    "model.width": 16,
    "train.precision": "float32",
    "train.threads": 1,
    "data.validation": 0.0,
    "data.cache": 0.0,
}
FIGURES = ("recall of the rare class", "balanced accuracy of the others")


def main(small: bool) -> dict[str, Any]:
    """Train each way from every seed, short and long, and compare."""
    figures = {}
    for epochs in (3,) if small else EPOCHS:
        found = {way: np.zeros((1 if small else SEEDS, 2)) for way in BALANCES}
        for seed in range(1 if small else SEEDS):
            trained(found, seed=seed, epochs=epochs)
        whole = {way: one.tolist() for way, one in found.items()}
        figures[f"{epochs} epochs"] = whole if small else whole | compared(found, epochs)
    return figures


def trained(found: dict[str, NDArray[np.float64]], *, seed: int, epochs: int) -> None:
    """Train from one seed in every way; sets its row of both figures."""
    pixels, labels, learned = draw(seed)
    rare = int(np.bincount(labels[learned]).argmin())
    for way, rows in found.items():
        recalls = judged(pixels, labels, learned, way=way, seed=seed, epochs=epochs)
        rows[seed] = recalls[rare], np.delete(recalls, rare).mean()
        print(
            f"{epochs} epochs, seed {seed}, rare {rare} ({(labels[learned] == rare).sum()} of "
            f"{learned.sum()}), {way}: rare {rows[seed, 0]:.3f}, others {rows[seed, 1]:.4f}",
            flush=True,
        )


def draw(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Pictures (n, 8, 8), labels (n,), and which are learned from; all others are judged on."""
    whole = load_digits()
    pixels = np.round(whole.images * (255 / 16)).astype(np.uint8)
    rows, rare = np.random.default_rng(seed), (8, 3, 5, 9, 1)[seed]
    learned, judged = [], []
    for label in range(10):
        own = rows.permutation(np.flatnonzero(whole.target == label))
        half = len(own) // 2
        learned.append(own[:half])
        judged.append(own[half:])
    common = sum(map(len, learned)) - len(learned[rare])
    learned[rare] = learned[rare][: round(common * SHARE / (1 - SHARE))]
    order = np.concatenate(learned + judged)
    taken = np.arange(len(order)) < sum(map(len, learned))
    return pixels[order], whole.target[order], taken


def judged(
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    learned: NDArray[np.bool_],
    *,
    way: str,
    seed: int,
    epochs: int,
) -> NDArray[np.float64]:
    """The recall of each class on what was not learned from, after one training."""
    settings = SETTINGS | BALANCES[way] | {"train.seed": seed, "train.epochs": epochs}
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "digits.npz"
        np.savez(archive, pictures=pixels[learned], labels=labels[learned])
        made = saccade.train(archive, task="classify", out=Path(folder) / "run", settings=settings)
    asked = torch.from_numpy(pixels[~learned])[:, None]
    answers = made.model.classify_prepared(asked).argmax(axis=1)
    right = np.array(made.model.classes)[answers] == labels[~learned].astype(str)
    return np.array([right[labels[~learned] == label].mean() for label in range(10)])


def compared(found: dict[str, NDArray[np.float64]], epochs: int) -> dict[str, Any]:
    """Print the means of every way, and the intervals of their paired differences to plain."""
    figures: dict[str, Any] = {}
    for way, one in found.items():
        for column, name in enumerate(FIGURES):
            gain = one[:, column] - found["none"][:, column]
            half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            low, high = 100 * (gain.mean() - half), 100 * (gain.mean() + half)
            figures[f"{way}, {name}"] = {"mean": one[:, column].mean(), "low": low, "high": high}
            told = f"; to plain {100 * gain.mean():+.1f} points [{low:.1f}, {high:.1f}]"
            print(
                f"{epochs} epochs, {way}: {name} {one[:, column].mean():.3f}"
                f"{told if way != 'none' else ''}",
                flush=True,
            )
    return figures


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
