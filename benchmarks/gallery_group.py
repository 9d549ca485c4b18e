"""How well unnamed pictures are grouped: pairwise precision, recall, F1 and adjusted Rand.

- digits: scikit-learn's, 8 × 8. Five splits, seeds 0 to 4: five of the ten classes, drawn, teach an
  embedder by the default recipe for 15 epochs; the pictures of the other five are grouped, at the
  threshold that the run found on its own classes. Beside it HDBSCAN and average linkage at the same
  threshold, of scikit-learn, on the same vectors.
- people: 10,000 vectors like those of face embeddings (``_vectors.Real``: families of look-alikes),
  1 to 9 pictures of each of 2,000; at the threshold that a stranger's picture reaches in one of a
  hundred thousand pairs of as many other people.

No truth of what is grouped is used before it is judged: thresholds come from other classes and
other people. Two intervals of 95 %: "pictures", drawn with replacement 1,000 times, groups as they
are, of the digits the mean over the splits, each drawn by itself: for these classes and models. And
"splits", Student's over the five of the digits: for other classes, another training; a little too
narrow, for the splits share classes. With --small one split and 2,000 vectors.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import run
from _vectors import Real
from PIL import Image
from scipy import stats
from sklearn.cluster import HDBSCAN, AgglomerativeClustering
from sklearn.datasets import load_digits

import saccade
from saccade.data.pictures import read_picture
from saccade.data.readers import read_data
from saccade.judge.resampling import resampled_counts
from saccade.metrics.grouping import adjusted_rand, cells, pairwise
from saccade.review.grouping import group_pictures

SPLITS, EPOCHS, SIDE, DRAWS = 5, 15, 32, 1000
PEOPLE, MOST_EACH, FALSE_PAIRS = 2000, 9, 1e-5


def main(small: bool) -> dict[str, Any]:
    """Group both; print each split and the means."""
    digits = [split(seed) for seed in range(1 if small else SPLITS)]
    figures: dict[str, Any] = {"digits": [one["figures"] for one in digits]}
    for name in ("ours", "HDBSCAN", "average linkage"):
        value = np.mean([one["figures"][name]["f1"] for one in digits])
        draws = np.mean([one["draws"][name] for one in digits], axis=0)
        low, high = np.nanquantile(draws, (0.025, 0.975))
        figures[f"digits {name}"] = {"f1": value, "pictures": [low, high]}
        print(f"digits, {name}: mean F1 {value:.3f}, pictures [{low:.3f}, {high:.3f}]")
        if len(digits) > 1:
            ends = over_splits([one["figures"][name]["f1"] for one in digits])
            figures[f"digits {name}"]["splits"] = ends
            print(f"  splits [{ends[0]:.3f}, {ends[1]:.3f}]")
    return figures | {"people": people(PEOPLE // 5 if small else PEOPLE)}


def split(seed: int) -> dict[str, Any]:
    """Learn five classes of digits, and group the others."""
    digits = load_digits()
    order = np.random.default_rng(seed).permutation(10)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            folder = root / ("known" if label in order[:5] else "new") / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray((pixels * 15.9).astype(np.uint8))
            picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
        settings = {"train.epochs": EPOCHS, "train.seed": seed, "train.precision": "float32"}
        model = saccade.train(root / "known", out=root / "run", settings=settings).model
        samples = read_data(root / "new")
        vectors = np.concatenate(
            [
                model([read_picture(sample) for sample in samples[start : start + 64]])
                for start in range(0, len(samples), 64)
            ]
        )
    whose = [sample.label for sample in samples]
    level = float(model.threshold)
    linkage = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=1 - level
    )
    answers = {
        "ours": group_pictures(vectors, at_least=level),
        "HDBSCAN": alone(HDBSCAN(min_cluster_size=5, copy=True).fit_predict(vectors)),
        "average linkage": linkage.fit_predict(vectors),
    }
    found = {name: judged(groups, whose) for name, groups in answers.items()}
    told = ", ".join(
        f"{name} {one['f1']:.3f} in {one['groups']}" for name, (one, _) in found.items()
    )
    print(f"digits {sorted(order[5:].tolist())}: {len(whose)} pictures, F1 and groups: {told}")
    return {
        "figures": {name: one for name, (one, _) in found.items()},
        "draws": {name: draws for name, (_, draws) in found.items()},
    }


def people(count: int) -> dict[str, Any]:
    """Group vectors of many people."""
    draw, corpus = np.random.default_rng(0), Real()
    whose = np.repeat(np.arange(count), draw.integers(1, MOST_EACH + 1, count))
    vectors = corpus.pictures(draw, corpus.identities(draw, count)[whose])
    level = level_of_strangers(corpus, whose)
    begun = time.perf_counter()
    groups = group_pictures(vectors, at_least=level)
    seconds = time.perf_counter() - begun
    figures, draws = judged(groups, whose)
    low, high = np.quantile(draws, (0.025, 0.975))
    told = ", ".join(f"{name} {figures[name]:.3f}" for name in ("precision", "recall"))
    print(
        f"people: {len(whose):,} vectors of {count:,} people, threshold {level:.3f}: {told}, "
        f"F1 {figures['f1']:.3f} [{low:.3f}, {high:.3f}], "
        f"adjusted Rand {figures['adjusted_rand']:.3f}, "
        f"{figures['groups']:,} groups, {seconds:.1f} s"
    )
    return figures | {"low": low, "high": high, "seconds": seconds, "threshold": level}


def level_of_strangers(corpus: Real, whose: np.ndarray) -> float:
    """The cosine that FALSE_PAIRS of the pairs of two people reach, of others than are grouped."""
    draw = np.random.default_rng(1)
    vectors = corpus.pictures(draw, corpus.identities(draw, whose.max() + 1)[whose])
    one, other = draw.integers(0, len(whose), (2, 4_000_000))
    strangers = whose[one] != whose[other]
    cosines = np.einsum("nd,nd->n", vectors[one[strangers]], vectors[other[strangers]])
    return float(np.quantile(cosines, 1 - FALSE_PAIRS))


def over_splits(values: list[float]) -> list[float]:
    """Student's 95 % interval of the mean."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return [float(np.mean(values) - half), float(np.mean(values) + half)]


def judged(groups: np.ndarray, whose: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The figures of one grouping, and its F1 of each draw of pictures."""
    table = cells(groups, whose)
    precision, recall, f1 = (float(value) for value in pairwise(table))
    counts = resampled_counts(len(groups), seed=0, resamples=DRAWS)
    draws = np.concatenate([pairwise(table, block)[2] for block in counts])
    figures = {"precision": precision, "recall": recall, "f1": f1}
    more = {"adjusted_rand": adjusted_rand(groups, whose), "groups": len(np.unique(groups))}
    return figures | more, draws


def alone(groups: np.ndarray) -> np.ndarray:
    """What HDBSCAN leaves out (-1): each picture a group of its own."""
    left = groups < 0
    found = groups.copy()
    found[left] = groups.max() + 1 + np.arange(left.sum())
    return found


if __name__ == "__main__":
    run(main, __doc__)
