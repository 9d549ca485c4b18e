"""The pictures that a model is judged on, decoded, and what could not be read of them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from saccade.api.sealed import is_sealed, record_opening
from saccade.config import DataSettings, Recipe, override
from saccade.data.batches import load_readable
from saccade.data.broken import part_broken, require_few
from saccade.data.readers import read_data
from saccade.errors import InputError
from saccade.judge.classification import numbered
from saccade.tasks.model import Model
from saccade.values import Broken, Sample, UInt8Array

ALLOWED = DataSettings().broken


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Pictures (n, c, H, W) uint8 at the model's size, their samples, and those left out."""

    samples: list[Sample]
    pictures: Tensor
    broken: tuple[Broken, ...]

    def only(self, labels: Collection[str]) -> "Judged":
        """Return those whose label is one of ``labels``."""
        rows = [row for row, sample in enumerate(self.samples) if sample.label in labels]
        return Judged([self.samples[row] for row in rows], self.pictures[rows], self.broken)


def judged_samples(model: Model, part: Path) -> list[Sample]:
    """Return the samples of ``part``, as ``judged_part`` chooses it.

    Raises InputError for a class that a classifier has not learned, and for missing targets.
    """
    samples = read_judged(model, part)
    if model.classes is not None:
        numbered([sample.label for sample in samples], model.classes)
    return samples


def read_judged(model: Model, part: Path) -> list[Sample]:
    """Return the same, of whatever classes; InputError for a model that answers about places."""
    if model.objects is not None or model.surfaces is not None:
        raise InputError(
            f"this is {model.called}, which answers about places in pictures; use evaluate or "
            "compare, or name an embedder, a classifier or a regressor"
        )
    nested = bool(model.card.get("nested"))
    return read_data(part, targets=model.targets or (), nested=nested)


def note_opening(run: Model | Path | str, part: Path, pictures: int, said: str) -> None:
    """Write down in a run's folder that the sealed part test was judged, and what was found."""
    if is_sealed(part) and not isinstance(run, Model) and Path(run).is_dir():
        record_opening(Path(run), part, pictures=pictures, score={"found": said})


def load_judged(model: Model, samples: list[Sample], *, allowed: float) -> Judged:
    """Decode the samples; InputError when more than the share ``allowed`` cannot be read."""
    pictures, reasons = load_readable(samples, size_hw=model.size_hw, channels=model.channels)
    good, bad = part_broken(samples, reasons)
    require_few(bad, of=len(samples), allowed=allowed_share(allowed))
    return Judged(good, pictures, tuple(bad))


def allowed_share(broken: float) -> float:
    """Return the share of pictures that may be unreadable, checked as the setting data.broken."""
    return override(Recipe(), [("data.broken", broken)], where="judging").data.broken


def as_array(picture: Tensor) -> UInt8Array:
    """(c, H, W) uint8 → (H, W, 3), or (H, W) of one channel."""
    found: UInt8Array = picture.movedim(0, -1).squeeze(-1).numpy()
    return found
