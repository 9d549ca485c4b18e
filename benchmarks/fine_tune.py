"""Ants and bees (hymenoptera, all 44 pictures): SqueezeNet 1.1 fine-tuned, and from scratch.

Random halvings, 11 ants and 11 bees to learn from and the others to judge on, numbers 0 to 19. Both
sides train by ``recipes/ant_or_bee.toml``; from scratch nothing is frozen, the backbone takes the
whole rate, and that rate is SCRATCH_LR, the best of three. The rates of both sides were chosen on
other halvings, numbers 100 to 105. No epoch is preferred: the weights of the last one
answer. Beside them ridge regression of scikit-learn on what the network makes of the pictures as it
came, which nothing was chosen for.

The intervals are of the mean difference of accuracy, halving by halving: ``plain`` is the t
interval, as if halvings were independent. They share their pictures; ``corrected`` takes the
variance as C. Nadeau and Y. Bengio, Machine Learning 52, 2003, section 3, do for random splits,
(1 / n + test / training) s², here 1 / n + 1.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared import arguments, data_folder, keep
from scipy.stats import t
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import saccade
from saccade.data.batches import load_pictures
from saccade.tasks.model import Model

RECIPE = Path(__file__).parents[1] / "recipes" / "ant_or_bee.toml"
HALVINGS, LEARNED, PENALTY = 20, 11, 100.0
BACKBONE = "torchvision/squeezenet1_1"
SCRATCH_LR = 0.0005
SCRATCH = {
    "model.backbone": BACKBONE,
    "optim.lr": SCRATCH_LR,
    "optim.backbone_lr": 1,
    "optim.frozen": 0,
}
WANTED = 0.10  # of the mean difference


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="number of the first halving")
    parser.add_argument("--halvings", type=int, default=HALVINGS)
    parser.add_argument("--threads", type=int, default=1, help="of the processor; 0 uses all")
    return parser.parse_args()


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Train and judge both on every halving; print and return the figures."""
    files = sorted(data_folder("hymenoptera").rglob("*.jpg"))
    weights = data_folder("weights") / "squeezenet1_1" / "squeezenet1_1.safetensors"
    more: dict[str, Any] = {"data.validation": 0, "train.threads": given.threads}
    more |= {"train.epochs": 1, "data.size": "64x64"} if given.small else {}
    torch.set_num_threads(given.threads or torch.get_num_threads())
    rows = []
    for number in range(given.first, given.first + (2 if given.small else given.halvings)):
        more["train.seed"] = number
        with tempfile.TemporaryDirectory() as temporary:
            row = halving(files, number, Path(temporary), weights, more)
        rows.append({"halving": number} | row)
        told = ", ".join(f"{name} {value:.3f}" for name, value in row.items())
        print(f"halving {number}: {told}", flush=True)
    return summed(rows)


def halving(
    files: list[Path], number: int, folder: Path, weights: Path, more: dict[str, Any]
) -> dict[str, float]:
    """Deal the pictures by ``number``; the accuracy of each side on those it never saw."""
    draw = np.random.default_rng(number)
    learned: set[Path] = set()
    for label in sorted({file.parent.name for file in files}):
        own = [file for file in files if file.parent.name == label]
        learned |= {own[place] for place in draw.permutation(len(own))[:LEARNED]}
    for file in files:
        place = folder / ("learned" if file in learned else "judged") / file.parent.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    told: dict[str, float] = {}
    for side, start, changes in (("tuned", weights, {}), ("scratch", None, SCRATCH)):
        begun = time.perf_counter()
        run = saccade.train(
            folder / "learned",
            recipe=RECIPE,
            start=start,
            out=folder / side,
            settings={**changes, **more},
        )
        told[side] = accuracy(run.model, folder / "judged")
        told[f"{side}_s"] = time.perf_counter() - begun
    told["ridge"] = ridge(folder, weights, more)
    return told


def accuracy(model: Model, folder: Path) -> float:
    """The share of the pictures below ``folder`` that the model names rightly."""
    files = sorted(folder.rglob("*.jpg"))
    answers = model.predict(files)
    right = [one.label == file.parent.name for one, file in zip(answers, files, strict=True)]
    return float(np.mean(right))


def ridge(folder: Path, weights: Path, more: dict[str, Any]) -> float:
    """The same of ridge regression on the features of the network as it came."""
    training = saccade.Training(
        folder / "learned", recipe=RECIPE, start=weights, out=folder / "asked", settings=more
    )
    card, network = training.data.card, training.learner.network.eval()
    seen: list[Any] = []
    for part in ("learned", "judged"):
        files = sorted((folder / part).rglob("*.jpg"))
        pictures = load_pictures(files, size_hw=tuple(card["size_hw"]), channels=card["channels"])
        with torch.no_grad():
            features = network.features(pictures.float() / 255)
        seen.append((features.numpy(), [file.parent.name for file in files]))
    model = make_pipeline(StandardScaler(), RidgeClassifier(PENALTY)).fit(*seen[0])
    return float(model.score(*seen[1]))


def summed(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Means, and the two intervals of the difference."""
    means = {side: float(np.mean([row[side] for row in rows])) for side in rows[0]}
    gains = np.array([row["tuned"] - row["scratch"] for row in rows])
    count = len(gains)
    reach = t.ppf(0.975, count - 1) * gains.std(ddof=1)
    halves = {"plain": reach / count**0.5, "corrected": reach * (1 / count + 1) ** 0.5}
    mean = float(gains.mean())
    intervals = {name: [mean - half, mean + half] for name, half in halves.items()}
    print(
        f"{count} halvings: accuracy tuned {means['tuned']:.3f}, from scratch "
        f"{means['scratch']:.3f}, ridge {means['ridge']:.3f}; difference {100 * mean:+.1f} points"
    )
    for name, (low, high) in intervals.items():
        print(f"  95 % interval, {name}: {100 * low:+.1f} to {100 * high:+.1f}")
    print(f"  tuned is better on {(gains > 0).sum()}, worse on {(gains < 0).sum()}")
    return {"rows": rows, "means": means, "difference": mean, **intervals}


def within_limits(figures: dict[str, Any]) -> bool:
    """Say whether the start is worth as much as is promised."""
    reached = figures["difference"] >= WANTED and figures["plain"][0] > 0
    print(f"at least {100 * WANTED:.0f} points, interval above 0: {'yes' if reached else 'NO'}")
    return bool(reached)


if __name__ == "__main__":
    chosen = options()
    found = main(chosen)
    keep(found, chosen)
    raise SystemExit(0 if chosen.small or within_limits(found) else 1)
