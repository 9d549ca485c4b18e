"""People of Penn-Fudan: a segmenter learns from half of the pictures and is judged on the others.

Five random halvings, by the seeds 0 to 4. ``recipes/pennfudan.toml`` says how it learns, from the
weights of SqueezeNet 1.1; its settings were chosen on another halving. Told of each is the
intersection over union of the people in all pictures that were not learned from, and of all the
mean, with Student's interval over the halvings, which share pictures and so are not independent.

--only SEEDS does some of the halvings, as 0,3; --small learns for two epochs of the first.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _shared import arguments, data_folder, keep
from scipy.stats import t

import saccade

RECIPE = Path(__file__).parents[1] / "recipes" / "pennfudan.toml"
PICTURES, MASKS = "PNGImages", "PedMasks"
SEEDS = (0, 1, 2, 3, 4)
WANTED, LONGEST_S = 0.70, 20 * 60  # mean overlap of people; seconds to learn from one half


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(map(str, SEEDS)), help="seeds, as 0,3")
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0 uses all")
    return parser.parse_args()


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Learn and judge each halving; print and return the figures."""
    data = data_folder("pennfudan")
    seeds = [int(one) for one in given.only.split(",")][: 1 if given.small else None]
    more: dict[str, Any] = {"train.threads": given.threads}
    if given.small:
        more["train.epochs"] = 2
    rows = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as temporary:
            rows.append(halved(data, seed, Path(temporary), more))
    overlaps = np.array([row["iou"] for row in rows])
    figures: dict[str, Any] = {"halvings": rows, "mean": overlaps.mean()}
    if len(rows) > 1:
        reach = t.ppf(0.975, len(rows) - 1) * overlaps.std(ddof=1) / np.sqrt(len(rows))
        figures["interval"] = [overlaps.mean() - reach, overlaps.mean() + reach]
        low, high = figures["interval"]
        print(f"IoU of people, mean of {len(rows)}: {figures['mean']:.3f} [{low:.3f}, {high:.3f}]")
    return figures


def halved(data: Path, seed: int, folder: Path, more: dict[str, Any]) -> dict[str, Any]:
    """Learn from the half that ``seed`` draws, and judge on the other."""
    pictures = sorted((data / PICTURES).glob("*.png"))
    order = np.random.default_rng(seed).permutation(len(pictures)).tolist()
    half = len(order) // 2
    for part, places in (("learned", order[:half]), ("judged", order[half:])):
        link(data, folder / part, [pictures[place] for place in places])
    weights = data_folder("weights") / "squeezenet1_1" / "squeezenet1_1.safetensors"
    settings = {"model.weights": str(weights), "data.validation": 0.0, "train.seed": seed} | more
    begun, used = time.perf_counter(), time.process_time()
    run = saccade.train(folder / "learned", recipe=RECIPE, out=folder / "run", settings=settings)
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    scores = saccade.evaluate(run.model, folder / "judged")
    people = scores.per_class[1]
    print(
        f"seed {seed}: IoU of people {people.values['IoU']:.3f}, mean IoU "
        f"{scores.figures['mean IoU']}, boundary F {people.values['boundary F']:.3f}; learned in "
        f"{seconds:.0f} s, {processor:.0f} of the processor",
        flush=True,
    )
    return {
        "seed": seed,
        "iou": people.values["IoU"],
        "mean_iou": scores.figures["mean IoU"].value,
        "boundary_f": people.values["boundary F"],
        "train_s": seconds,
        "processor_s": processor,
    }


def link(data: Path, place: Path, pictures: list[Path]) -> None:
    """Copy pictures and their masks into folders of their own."""
    for name in (PICTURES, MASKS):
        (place / name).mkdir(parents=True)
    for picture in pictures:
        mask = data / MASKS / f"{picture.stem}_mask.png"
        shutil.copy(picture, place / PICTURES)
        shutil.copy(mask, place / MASKS)


def within_limits(figures: dict[str, Any]) -> bool:
    """Say whether people are marked as well, and learned as fast, as is promised."""
    slowest = max(row["train_s"] for row in figures["halvings"])
    reached = figures["mean"] >= WANTED and slowest <= LONGEST_S
    print(f"mean of at least {WANTED}, each within {LONGEST_S} s: {'yes' if reached else 'NO'}")
    return reached


if __name__ == "__main__":
    chosen = options()
    told = main(chosen)
    keep(told, chosen)
    raise SystemExit(0 if chosen.small or within_limits(told) else 1)
