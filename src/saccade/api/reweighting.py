"""``train --reweight-to``: training pictures count by how likely they are among target pictures.

Shimodaira, "Improving predictive inference under covariate shift by weighting the log-likelihood
function", 2000, eq. 3.1; the weights are those of ``models/density_ratio``. Also what is held out
is weighted, where it chooses the epoch: Sugiyama, Krauledat, Müller, "Covariate Shift Adaptation by
Importance Weighted Cross Validation", JMLR 8, 2007, eq. 5.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from saccade.api.data import TrainingData
from saccade.api.judging import numbers_of
from saccade.config import Recipe
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.pictures import find_pictures
from saccade.data.readers import is_data_file, read_data
from saccade.data.stored import Pictures
from saccade.errors import InputError, SettingError
from saccade.files import write_atomic
from saccade.models.density_ratio import density_ratio
from saccade.nn import make_backbone
from saccade.tasks.model import Model
from saccade.tasks.network import BackboneNetwork
from saccade.tasks.networks import Network
from saccade.values import Float32Array, Sample

WEIGHTS_FILE = "reweighting.safetensors"
LONGEST_SIDE = 16  # of pictures whose pixels are the features
BLOCK = 256  # pictures at a time
FEW = 0.1  # the share of the pictures below which an effective sample size is told as small


@dataclass(frozen=True, slots=True, eq=False)
class Reweighting:
    """Weights (n,) float32 of what is learned from, mean 1; ``held`` (m,): of what is held out.

    ``told`` is what the card keeps: the folder's name ``to``, how many ``pictures`` it gave,
    ``effective_sample_size``, how many weights were ``cut``, the largest of all, ``most``, and how
    well the two sides were ``told_apart``, as ``DensityRatio``.
    """

    weights: Tensor
    held: Tensor
    told: Mapping[str, Any]

    def sentence(self) -> str:
        """What came of it, in one line."""
        told, count = self.told, len(self.weights)
        size = told["effective_sample_size"]
        few = "; a few pictures carry most of the weight" if size < FEW * count else ""
        cut = f"{told['cut']:,} cut at {told['most']:g}"
        return (
            f"weighted towards {told['pictures']:,} pictures of {told['to']}: effective sample "
            f"size {size:,.0f} of {count:,}, {cut}, told apart with AUC {told['told_apart']:.3f}"
            f"{few}"
        )

    def enter(self, card: dict[str, Any]) -> None:
        """Say it in a model's card, and in its provenance, which the report shows."""
        card["reweighting"] = dict(self.told)
        card["provenance"] = f"{card['provenance']}; {self.sentence()}"

    def write(self, run: Path) -> dict[str, Any]:
        """Write the weights into a run folder; returns what its checkpoint notes of them."""
        content = save({"weights": self.weights, "held": self.held})
        write_atomic(run / WEIGHTS_FILE, content)
        return {"sha256": hashlib.sha256(content).hexdigest(), "told": dict(self.told)}

    @classmethod
    def read(cls, run: Path, notes: Mapping[str, Any]) -> Self:
        """Return what ``write`` wrote; raises InputError when it is missing or another."""
        file = run / WEIGHTS_FILE
        try:
            content = file.read_bytes()
            if hashlib.sha256(content).hexdigest() != notes["sha256"]:
                raise ValueError
            found = load(content)
            return cls(found["weights"], found["held"], notes["told"])
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise InputError(
                f"{file} does not hold the weights that the run began with; start the run anew"
            ) from error


def require_reweighable(recipe: Recipe) -> None:
    """Raise SettingError for a recipe that asks for weights which its training cannot take."""
    if not recipe.data.reweight_to:
        return
    if recipe.task not in WATCHED:
        raise SettingError(
            f"data.reweight_to weights each picture by itself, and task {recipe.task} learns from "
            f"several together; it is for {' and '.join(WATCHED)}, so leave it out"
        )
    refused = {
        "train.batches balanced": recipe.train.batches == "balanced",
        "augment.mixup": recipe.augment.mixup > 0,
        "augment.cutmix": recipe.augment.cutmix > 0,
        f"model.name {recipe.model.name}, which does not learn by descent": not recipe.train.epochs,
    }
    for name, given in refused.items():
        if given:
            raise SettingError(
                f"data.reweight_to lets each picture count by itself, which does not go with {name}"
                "; leave one of them out"
            )
    if not Path(recipe.data.reweight_to).exists():
        raise InputError(f"data.reweight_to {recipe.data.reweight_to} does not exist; check it")


def reweigh(recipe: Recipe, data: TrainingData, network: Network) -> Reweighting | None:
    """Return the weights that the recipe asks for, or None where it asks for none.

    ``network`` has its first weights. Raises InputError for target pictures that cannot be used.
    """
    if not recipe.data.reweight_to:
        return None
    place = Path(recipe.data.reweight_to)
    target = _target_pictures(place, recipe, data)
    # A task that can be reweighted sees by a backbone.
    see = _features(recipe, data, cast(BackboneNetwork, network))
    source, goal = _seen(data.pictures, see), _seen(target, see)
    held = _seen(data.held_pictures, see) if data.held else None
    most = recipe.data.reweight_most
    ratio = density_ratio(source, goal, most=most, others=held, seed=recipe.train.seed)
    told = {
        "to": place.resolve().name,
        "pictures": len(target),
        "effective_sample_size": round(ratio.effective, 2),
        "cut": ratio.cut,
        "most": most,
        "told_apart": round(ratio.told_apart, 4),
    }
    weights, beside = (torch.from_numpy(one).float() for one in (ratio.weights, ratio.others))
    return Reweighting(weights, beside, told)


def _target_pictures(place: Path, recipe: Recipe, data: TrainingData) -> Tensor:
    """(k, c, H, W) uint8 as those of the training data; broken ones count as in those."""
    samples = (
        read_data(place)
        if is_data_file(place)
        else [Sample(path, "") for path in find_pictures(place)]
    )
    _, channels, *size_hw = data.pictures.shape
    height, width = size_hw
    pictures, reasons = load_readable(samples, size_hw=(height, width), channels=channels)
    _, broken = part_broken(samples, reasons)
    require_few(broken, of=len(samples), allowed=recipe.data.broken)
    return pictures


def _features(
    recipe: Recipe, data: TrainingData, network: BackboneNetwork
) -> Callable[[Tensor], Tensor]:
    """Return what makes features (b, d) of pictures (b, c, H, W) float in [0, 1]."""
    chosen = recipe.data.reweight_by
    if chosen == "auto":
        chosen = "network" if recipe.model.weights else "pixels"
    if chosen == "network":
        return network.features
    channels, height, width = data.pictures.shape[1:]
    if chosen == "hog":
        return make_backbone("hog", channels=channels, width=0, size_hw=(height, width))
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    small = (max(1, round(height * scale)), max(1, round(width * scale)))

    def pixels(pictures: Tensor) -> Tensor:
        """Of what the network sees, so that what it cannot see weighs nothing."""
        seen = torch.nn.functional.adaptive_avg_pool2d(network.seen(pictures), small)
        return seen.flatten(1)

    return pixels


@torch.inference_mode()
def _seen(pictures: Pictures, see: Callable[[Tensor], Tensor]) -> Float32Array:
    """(n, c, H, W) uint8 → (n, d) float32 features."""
    rows = torch.arange(len(pictures))
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    return torch.cat([see(pictures[own].float() / 255).float() for own in blocks]).numpy()


def watched(
    name: str, model: Model, held: Sequence[Sample], pictures: Pictures, weights: Tensor
) -> float | None:
    """Return the figure that task ``name`` watches, of held-out pictures with these weights."""
    if not float(weights.sum()) > 0:
        return None
    return WATCHED[name](model, held, pictures, weights.double().numpy())


def _accuracy(
    model: Model, held: Sequence[Sample], pictures: Pictures, weights: np.ndarray[Any, Any]
) -> float:
    names = np.array(model.classes)
    answers = names[model.classify_prepared(pictures).argmax(axis=1)]
    right = answers == np.array([sample.label for sample in held])
    return float(np.average(right, weights=weights))


def _r2(
    model: Model, held: Sequence[Sample], pictures: Pictures, weights: np.ndarray[Any, Any]
) -> float | None:
    """R² with weights, averaged over the targets; None when one does not vary."""
    truth = numbers_of(held)
    off = np.average((truth - model.estimate_prepared(pictures)) ** 2, axis=0, weights=weights)
    mean = np.average(truth, axis=0, weights=weights)
    spread = np.average((truth - mean) ** 2, axis=0, weights=weights)
    return float(np.mean(1 - off / spread)) if (spread > 0).all() else None


WATCHED: dict[str, Callable[..., float | None]] = {"classify": _accuracy, "regress": _r2}
