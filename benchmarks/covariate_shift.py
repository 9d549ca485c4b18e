"""A model learned from pictures that are unlike those that it meets: with and without weights.

scikit-learn's 1,797 digits of 8x8 pixels, some turned by a quarter, as by a camera that stands on
its side: of the 900 pictures with labels one in ten is turned; of the 300 without labels that
`--reweight-to` is shown, and of the 597 others that are judged on, nine in ten are. As a control,
the same with one in ten turned everywhere. The two trainings of a seed have the same pictures,
first weights and length; nothing is held out, so no epoch is chosen. A linear classifier of pixels,
which cannot learn both ways up, and the usual network, narrow, which can. Figure: accuracy;
interval: Student's, over the seeds, of the paired difference.

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

LEARNED, SHOWN, SEEDS = 900, 300, 6
TURNED = {"shifted": (0.1, 0.9), "not shifted": (0.1, 0.1)}  # learned from, and met
MODELS: dict[str, dict[str, Any]] = {
    "linear": {"model.name": "linear", "train.epochs": 20},
    "network": {"model.width": 16, "train.epochs": 10},
}
SETTINGS = {
    "train.precision": "float32",
    "train.threads": 1,
    "data.validation": 0.0,
    "data.cache": 0.0,
}
Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def main(small: bool) -> dict[str, Any]:
    """Train both ways from every seed, for every model and shift, and compare."""
    figures: dict[str, Any] = {}
    for model, own in MODELS.items():
        for shift in TURNED:
            found = np.zeros((1 if small else SEEDS, 2))
            for seed in range(len(found)):
                settings = SETTINGS | own | {"train.seed": seed}
                settings |= {"train.epochs": 2} if small else {}
                found[seed] = both(draw(seed, *TURNED[shift]), settings)
                told = " and ".join(f"{accuracy:.3f}" for accuracy in found[seed])
                print(f"{model}, {shift}, seed {seed}: without and with {told}", flush=True)
            figures[f"{model}, {shift}"] = {"accuracies": found.tolist()}
            if not small:
                figures[f"{model}, {shift}"] |= compared(found, f"{model}, {shift}")
    return figures


def draw(seed: int, learned: float, met: float) -> tuple[Part, Part, Part]:
    """What is learned from, shown without labels, and judged on, with these shares turned."""
    whole, rows = load_digits(), np.random.default_rng(seed)
    pixels = np.round(whole.images * (255 / 16)).astype(np.uint8)
    order = rows.permutation(len(pixels))
    share = np.where(np.arange(len(order)) < LEARNED, learned, met)
    turned = rows.random(len(order)) < share
    pixels, labels = pixels[order], whole.target[order]
    pixels[turned] = np.rot90(pixels[turned], axes=(1, 2))
    ends = np.split(np.arange(len(order)), [LEARNED, LEARNED + SHOWN])
    first, second, third = ((pixels[part], labels[part]) for part in ends)
    return first, second, third


def both(parts: tuple[Part, Part, Part], settings: dict[str, Any]) -> tuple[float, float]:
    """Accuracy without and with weights towards the second part."""
    learned, shown, judged = parts
    accuracies = []
    with tempfile.TemporaryDirectory() as folder:
        data, target = Path(folder) / "learned.npz", Path(folder) / "shown.npz"
        np.savez(data, pictures=learned[0], labels=learned[1])
        np.savez(target, pictures=shown[0], labels=np.zeros(len(shown[0]), np.int64))
        for towards in ("", str(target)):
            given = settings | {"data.reweight_to": towards}
            training = saccade.Training(
                data, task="classify", out=Path(folder) / f"run{len(accuracies)}", settings=given
            )
            for _ in training.records():
                pass
            if training.reweighting is not None:
                print(training.reweighting.sentence())
            model = training.complete()
            answers = model.classify_prepared(torch.from_numpy(judged[0])[:, None]).argmax(axis=1)
            right = np.array(model.classes)[answers] == judged[1].astype(str)
            accuracies.append(float(right.mean()))
    return accuracies[0], accuracies[1]


def compared(found: NDArray[np.float64], name: str) -> dict[str, float]:
    """Print the means, and the interval of their paired difference."""
    gain = found[:, 1] - found[:, 0]
    half = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
    low, high = 100 * (gain.mean() - half), 100 * (gain.mean() + half)
    print(
        f"{name}: without {found[:, 0].mean():.3f}, with {found[:, 1].mean():.3f}; difference "
        f"{100 * gain.mean():+.1f} points [{low:.1f}, {high:.1f}]",
        flush=True,
    )
    return {"without": found[:, 0].mean(), "with": found[:, 1].mean(), "low": low, "high": high}


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
