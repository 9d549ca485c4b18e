"""One picture each: people never seen in training, beside nearest neighbour on raw pixels.

ORL faces (40 people, 10 pictures each). Five splits of people, seeds 0 to 4: the class folders in
the reader's order are shuffled by ``numpy.random.default_rng(seed)``; train on the first 30, and
search the other 10: each of the ten pictures takes its turn as the only enrolled one, 900 searches
a split. The recipe was chosen on training people only (see its head). The peer is the nearest
neighbour in L2 distance on raw pixels at full size. Both sides search the same pictures; the
interval of the difference is a paired bootstrap over people.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import data_folder, run

import saccade
from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture
from saccade.judge.intervals import bootstrap_over_identities, paired_bootstrap
from saccade.judge.protocol import one_shot

RECIPE = Path(__file__).parents[1] / "recipes" / "faces.toml"
SPLITS, TRAIN_PEOPLE = 5, 30


def main(small: bool) -> dict[str, Any]:
    """Train and search each split; print the table and return the figures."""
    root = data_folder("faces_orl")
    splits = 1 if small else SPLITS
    changes = {"train.epochs": 12} if small else {}
    learned: dict[str, list[np.ndarray]] = {}
    pixels: dict[str, list[np.ndarray]] = {}
    rows = []
    for seed in range(splits):
        train_people, test_people = split(root, seed)
        model, seconds = train(root, train_people, seed, changes)
        ours = search(root, test_people, model.embed, "cosine", learned)
        peer = search(root, test_people, raw_pixels, "negative_l2", pixels)
        rows.append({"seed": seed, "learned": ours, "pixels": peer, "train_s": seconds})
        print(
            f"split {seed}: learned {ours:.4f}   pixels {peer:.4f}   "
            f"+{100 * (ours - peer):.1f} points   trained in {seconds:.0f} s",
            flush=True,
        )
    return summary(rows, learned, pixels)


def split(root: Path, seed: int) -> tuple[list[str], list[str]]:
    """Return the names of the people to train on and to search."""
    people = sorted({sample.label for sample in read_class_folders(root)})
    order = np.random.default_rng(seed).permutation(len(people))
    names = [people[place] for place in order]
    return names[:TRAIN_PEOPLE], names[TRAIN_PEOPLE:]


def train(
    root: Path, people: list[str], seed: int, changes: dict[str, Any]
) -> tuple[saccade.Model, float]:
    """Train on links to these people's folders; returns the model and the seconds it took."""
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "people"
        data.mkdir()
        for name in people:
            (data / name).symlink_to((root / name).resolve())
        begun = time.perf_counter()
        settings = {"data.validation": 0.0, "train.seed": seed, **changes}
        out = Path(temporary) / "run"
        model = saccade.train(data, recipe=RECIPE, out=out, settings=settings).model
        return model, time.perf_counter() - begun


def search(
    root: Path, people: list[str], embed: Any, similarity: str, into: dict[str, list[np.ndarray]]
) -> float:
    """Search every picture of ``people`` in turn; returns rank-1, adds the hits by person."""
    samples = [sample for sample in read_class_folders(root) if sample.label in people]
    labels = [sample.label for sample in samples]
    result = one_shot(embed([sample.path for sample in samples]), labels, similarity=similarity)
    hits = result.per_identity((result.rank == 1).astype(float))
    for place, scores in zip(result.searched, hits, strict=True):
        into.setdefault(result.names[place], []).append(scores)
    return float(np.mean(np.concatenate(hits)))


def raw_pixels(paths: list[Path]) -> np.ndarray:
    """Return the grey values of every pixel, (n, 10304) float32."""
    return np.stack([read_picture(path)[:, :, 0].ravel() for path in paths]).astype(np.float32)


def summary(
    rows: list[dict[str, Any]],
    learned: dict[str, list[np.ndarray]],
    pixels: dict[str, list[np.ndarray]],
) -> dict[str, Any]:
    """Print and return the means over the splits and the paired interval over people."""
    people = sorted(learned)
    ours = [np.concatenate(learned[name]) for name in people]
    peer = [np.concatenate(pixels[name]) for name in people]
    difference = paired_bootstrap(ours, peer)
    searches = sum(map(len, ours))
    errors = (1 - np.mean(np.concatenate(peer))) / max(1e-9, 1 - np.mean(np.concatenate(ours)))
    print(f"rank-1 learned     {bootstrap_over_identities(ours)}")
    print(f"rank-1 raw pixels  {bootstrap_over_identities(peer)}")
    print(f"difference         {difference}   pixels make {errors:.1f} times as many errors")
    print(f"n: {searches} searches, {len(people)} people, {len(rows)} splits")
    return {
        "splits": rows,
        "learned": float(np.mean([row["learned"] for row in rows])),
        "pixels": float(np.mean([row["pixels"] for row in rows])),
        "difference": [difference.value, difference.low, difference.high],
        "error_ratio": float(errors),
        "searches": searches,
        "people": len(people),
        "slowest_train_s": max(row["train_s"] for row in rows),
    }


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
