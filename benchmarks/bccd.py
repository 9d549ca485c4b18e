"""Blood cells (BCCD, its own parts): detectors of both families, and the remedies side by side.

``recipes/bccd_one_stage.toml`` and ``bccd_two_stage.toml`` learn from the part train and are judged
on the part test, with intervals over its pictures. Their settings were chosen on the part val.

The remedies against too many background anchors: the recipe of one stage with each remedy by name,
a quarter of its epochs, seeds 0 and 1, judged on val; beside each the share of background among
the anchors that count in the objectness loss. The anchors' overlaps at which the recipe calls an
anchor an object or background go to the two remedies that have such.

--only FAMILIES or REMEDIES does one of the two; --small trains one epoch of each.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from _shared import arguments, data_folder, keep

import saccade
from saccade.api.train import Training

RECIPES = Path(__file__).parents[1] / "recipes"
FAMILIES = ("one_stage", "two_stage")
REMEDIES = (
    "none",
    "focal",
    "extra_positives",
    "ignore_band",
    "background_weight",
    "hard_negative_mining",
)
SEEDS, QUARTER = (0, 1), 4
WANTED = (0.85, 0.80)  # AP50 on test of the better family, and of the other


def options() -> argparse.Namespace:
    """The benchmark's own options beside those that all have."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("families", "remedies"))
    parser.add_argument("--threads", type=int, default=0, help="of the processor; 0 uses all")
    return parser.parse_args()


def main(given: argparse.Namespace) -> dict[str, Any]:
    """Train and judge what is asked for; print and return the figures."""
    data = data_folder("bccd")
    more: dict[str, Any] = {"train.threads": given.threads}
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        out = Path(temporary)
        if given.only != "remedies":
            epochs = {"train.epochs": 1} if given.small else {}
            figures["families"] = {
                name: judged(data, name, out / name, more | epochs, open_test=True)
                for name in FAMILIES
            }
        if given.only != "families":
            figures["remedies"] = remedies(data, out, more, small=given.small)
    return figures


def remedies(data: Path, out: Path, more: dict[str, Any], *, small: bool) -> list[dict[str, Any]]:
    """Train and judge each remedy with each seed, at a quarter of the schedule."""
    whole = saccade.read_recipe(RECIPES / "bccd_one_stage.toml").train.epochs
    epochs = 1 if small else whole // QUARTER
    rows = []
    for remedy in REMEDIES:
        for seed in SEEDS[:1] if small else SEEDS:
            settings = {"detect.remedy": remedy, "train.seed": seed, "train.epochs": epochs}
            row = judged(data, "one_stage", out / f"{remedy}{seed}", more | settings)
            rows.append({"remedy": remedy, "seed": seed, "epochs": epochs} | row)
    return rows


def judged(
    data: Path, family: str, run: Path, settings: dict[str, Any], *, open_test: bool = False
) -> dict[str, Any]:
    """Train with a family's recipe; returns the figures on val, or on test."""
    recipe = RECIPES / f"bccd_{family}.toml"
    begun = time.perf_counter()
    weights = data_folder("weights") / "squeezenet1_1" / "squeezenet1_1.safetensors"
    settings = {"model.weights": str(weights)} | settings
    training = Training(data, recipe=recipe, out=run, settings=settings)
    background = training.background()
    for _ in training.records():
        pass
    training.finish()
    seconds = time.perf_counter() - begun
    scores = saccade.evaluate(run, data, open_test=open_test)
    whole, half = scores.figure("AP"), scores.figure("AP50")
    classes = {one.label: one.values["AP50"] for one in scores.per_class}
    print(
        f"{family} {settings.get('detect.remedy', '')} seed {settings.get('train.seed', 0)}: "
        f"AP50 {half}, AP {whole} on {'test' if open_test else 'val'}; "
        f"background {background.counted:.2%} of what counts; {seconds:.0f} s to train"
    )
    each = ", ".join(f"{name} {value:.3f}" for name, value in classes.items())
    print(f"  AP50 {each}", flush=True)
    return {
        "ap50": [half.value, half.low, half.high],
        "ap": [whole.value, whole.low, whole.high],
        "classes": classes,
        "background": background.counted,
        "train_s": seconds,
    }


def within_limits(figures: dict[str, Any]) -> bool:
    """Say whether both families find as much as is promised."""
    found = sorted((one["ap50"][0] for one in figures["families"].values()), reverse=True)
    reached = all(value >= wanted for value, wanted in zip(found, WANTED, strict=True))
    print(f"AP50 at least {WANTED[0]} and {WANTED[1]}: {'yes' if reached else 'NO'}")
    return reached


if __name__ == "__main__":
    chosen = options()
    told = main(chosen)
    keep(told, chosen)
    raise SystemExit(0 if "families" not in told or chosen.small or within_limits(told) else 1)
