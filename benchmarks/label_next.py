"""Labels chosen by `saccade label-next`, beside labels of pictures drawn at random.

Fashion-MNIST: a pool of 4,000 pictures without labels. A linear
classifier of pixels, which learns quickly and is not sure of all, is trained on START of them;
then, ROUNDS times, STEP more are labelled and it is trained anew: once chosen, once drawn, from the
same start and with the same settings. Judged on 2,000 test pictures; how `label-next` chooses was
settled with seeds 0 to 2 on a sample of the same pictures, so look at seeds 3 to 9 as well.
Figure: the accuracy after each round, and its mean over the rounds; the interval is Student's, over
the seeds, of the paired difference.

With --small two seeds and one round, to see that it runs.
"""

import csv
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _shared import data_folder, run
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import t

import saccade
from saccade.data.readers import find_parts

POOL, TEST, START, STEP, ROUNDS, SEEDS = 4_000, 2_000, 100, 50, 4, 10
SETTINGS = {
    "train.epochs": 40,
    "train.batch_size": 32,
    "train.precision": "float32",
    "train.threads": 1,
    "model.name": "linear",
    "data.size": "28x28",
    "data.validation": 0.0,
    "data.cache": 0.0,
    "augment.rotate": 0,
    "augment.erase": 0,
}


def main(small: bool) -> dict[str, Any]:
    """Label in both ways from every seed, and compare."""
    seeds, rounds = (2, 1) if small else (SEEDS, ROUNDS)
    parts = find_parts(data_folder("fashion_mnist"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        labels = write(parts["train"], root / "pool", POOL)
        judged = write(parts["test"], root / "judged", TEST)
        curves = {way: np.zeros((seeds, rounds + 1)) for way in ("chosen", "drawn")}
        for seed in range(seeds):
            for way, found in curves.items():
                found[seed] = curve(labels, judged, way=way, seed=seed, rounds=rounds)
                print(f"seed {seed} {way}: {' '.join(f'{v:.3f}' for v in found[seed])}", flush=True)
    return compared(curves)


def write(part: Path, folder: Path, count: int) -> dict[Path, str]:
    """Write pictures, drawn once for all, as PNG files with a table; returns their labels."""
    samples = saccade.read_data(part)
    folder.mkdir()
    rows = np.random.default_rng(0).choice(len(samples), count, replace=False)
    labels = {folder / f"{number:05}.png": samples[row].label for number, row in enumerate(rows)}
    for file, row in zip(labels, rows, strict=True):
        Image.fromarray(samples[row].array).save(file)
    return labels


def table(file: Path, paths: Sequence[Path], labels: dict[Path, str]) -> None:
    """Write a table that `saccade train` reads."""
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label"))
        writer.writerows((path, labels[path]) for path in paths)


def curve(
    labels: dict[Path, str], judged: dict[Path, str], *, way: str, seed: int, rounds: int
) -> NDArray[np.float64]:
    """Accuracy at the start and after each round; both ways begin with the same pictures."""
    draw = np.random.default_rng(seed)
    order = [list(labels)[row] for row in draw.permutation(len(labels))]
    known, rest = order[:START], order[START:]
    accuracies = []
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            table(out / "known.csv", known, labels)
            settings = SETTINGS | {"train.seed": seed}
            made = saccade.train(
                out / "known.csv", task="classify", out=out / "run", settings=settings
            )
            answers = saccade.predict(made.model, list(judged))
            right = [one.label == judged[Path(one.picture)] for one in answers]
            accuracies.append(float(np.mean(right)))
            if number == rounds:
                break
            picked = rest[:STEP]
            if way == "chosen":
                found = saccade.label_next(made.model, rest, count=STEP)
                picked = [Path(one.picture) for one in found.pictures]
        known = known + picked
        rest = [path for path in rest if path not in set(picked)]
    return np.array(accuracies)


def compared(curves: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
    """Print the means of both, and the intervals of their paired difference."""
    figures: dict[str, Any] = {way: found.tolist() for way, found in curves.items()}
    for name, chosen in (("mean of the rounds", np.s_[:, 1:]), ("last round", np.s_[:, -1:])):
        ours, drawn = (curves[way][chosen].mean(axis=1) for way in ("chosen", "drawn"))
        gain = ours - drawn
        half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
        ends = [gain.mean() - half, gain.mean() + half]
        print(
            f"{name}: chosen {ours.mean():.4f}, drawn {drawn.mean():.4f}; difference "
            f"{100 * gain.mean():+.2f} points [{100 * ends[0]:.2f}, {100 * ends[1]:.2f}], "
            f"{(gain > 0).sum()} of {len(gain)} seeds"
        )
        figures[name] = {"difference": float(gain.mean()), "low": ends[0], "high": ends[1]}
    return figures


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
