"""Decoding and augmenting JPEG files, beside torchvision's ImageFolder and DataLoader.

Both sides bring whole batches of 64 pictures, 64x64 RGB, changed at random: turned, scaled, moved,
light, erasing, as in the recipe. Nothing learns.

- saccade: every file hashed and decoded once into the cache, then batches from there; the first
  epoch begins with an empty cache and ends with the cache written.
- again: saccade in another run on the same files, so that the cache is found: hashed and checked.
- torchvision: ImageFolder, Resize, RandomAffine, ColorJitter, ToTensor, RandomErasing; a DataLoader
  with two workers that are kept; the first epoch begins with starting them.

The files: pictures of $SACCADE_DATA/bccd (JPEG, 640x480) and $SACCADE_DATA/hymenoptera, six crops
of three quarters of the sides from each, saved as JPEG of quality 90 to a temporary folder until
there are 2,000 (256 in the small version). The sides take turns, each turn from the start; figures
are medians over the turns. Files are in the system's own cache of the disk on both sides.
"""

import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from _shared import data_folder, run
from _tutorial import AUGMENT, random_changes
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from saccade.augment import Augment
from saccade.data.batches import ShuffledBatches
from saccade.data.cache import FOLDER_VARIABLE, clear_cache
from saccade.data.decode_once import decode_once
from saccade.data.readers import read_data
from saccade.data.stored import StoredPictures
from saccade.training.step import make_batch

BATCH, WORKERS, SIDE, CLASSES = 64, 2, 64, 4
FILES, SMALL_FILES = 2000, 256
TURNS, SMALL_TURNS = 5, 1
LATER_EPOCHS = 3
PLACES = list(itertools.product((0.0, 0.5, 1.0), (0.0, 1.0)))  # of a crop: left to right, top down

Epochs = Callable[[], Iterator[int]]


def main(small: bool) -> dict[str, Any]:
    """Time each side's first and later epochs; print and return pictures per second and ratios."""
    files, turns = (SMALL_FILES, SMALL_TURNS) if small else (FILES, TURNS)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "data"
        write_crops(data, files)
        os.environ[FOLDER_VARIABLE] = str(Path(temporary) / "cache")
        rates = measure(data, turns)
    figures = {
        "files": files,
        "turns": turns,
        "pictures_per_s": rates,
        "first_epoch_ratio": rates["saccade first"] / rates["torchvision first"],
        "again_ratio": rates["again first"] / rates["torchvision first"],
        "later_epoch_ratio": rates["saccade later"] / rates["torchvision later"],
    }
    tell(figures)
    return figures


def write_crops(root: Path, count: int) -> None:
    """Write ``count`` JPEG files into CLASSES folders: six crops of each source picture."""
    sources = [
        *sorted(data_folder("bccd").rglob("*.jpg")),
        *sorted(data_folder("hymenoptera").rglob("*.jpg")),
    ]
    crops = ((source, place) for source in sources for place in PLACES)
    for number, (source, (right, down)) in enumerate(itertools.islice(crops, count)):
        with Image.open(source) as image:
            width, height = (3 * side // 4 for side in image.size)
            left = round(right * (image.size[0] - width))
            top = round(down * (image.size[1] - height))
            crop = image.convert("RGB").crop((left, top, left + width, top + height))
        folder = root / f"{number % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        crop.save(folder / f"{number:05}.jpg", quality=90)


def measure(data: Path, turns: int) -> dict[str, float]:
    """Return the medians over the turns, pictures per second, by side and epoch."""
    sides: dict[str, Epochs] = {
        "saccade": lambda: ours(data),
        "torchvision": lambda: theirs(data),
        "again": lambda: ours(data),
    }
    rates: dict[str, list[float]] = {}
    for _ in range(turns):
        clear_cache()
        for name, side in sides.items():
            later = []
            epochs = side()
            for epoch in range(1 + LATER_EPOCHS):
                begun = time.perf_counter()
                rate = next(epochs) / (time.perf_counter() - begun)
                if epoch == 0:
                    rates.setdefault(f"{name} first", []).append(rate)
                else:
                    later.append(rate)
            epochs.close()
            rates.setdefault(f"{name} later", []).append(statistics.median(later))
    return {name: statistics.median(values) for name, values in rates.items()}


def ours(data: Path) -> Iterator[int]:
    """Yield the number of pictures after each epoch; the first finds or makes the cache."""
    samples = read_data(data)
    decoded = decode_once(samples, size_hw=(SIDE, SIDE), channels=3, budget_bytes=1 << 30)
    if decoded.note or decoded.broken:
        raise SystemExit(decoded.note or f"{len(decoded.broken)} files are broken")
    batches = ShuffledBatches(len(samples), batch_size=BATCH, seed=0)
    pictures = StoredPictures(decoded.pixels, torch.arange(len(samples)).numpy())
    augment, generator = Augment(**vars(AUGMENT)), torch.Generator().manual_seed(0)
    for epoch in itertools.count():
        done = 0
        for rows in batches.epoch(epoch):
            done += len(make_batch(pictures, torch.from_numpy(rows), augment, generator))
        yield done


def theirs(data: Path) -> Iterator[int]:
    """Yield the number of pictures after each epoch; the first starts the workers."""
    change = [transforms.Resize((SIDE, SIDE)), *random_changes()]
    loader = DataLoader(
        ImageFolder(data, transforms.Compose(change)),
        batch_size=BATCH,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    while True:
        yield sum(len(pictures) for pictures, _ in loader)


def tell(figures: dict[str, Any]) -> None:
    """Print the figures."""
    print(f"{figures['files']} JPEG files, {figures['turns']} turns, medians, pictures per second")
    for name, rate in figures["pictures_per_s"].items():
        print(f"  {name:<18} {rate:8.0f}")
    print(f"  first epoch, saccade to torchvision {figures['first_epoch_ratio']:.2f}")
    print(f"  first epoch with the cache found    {figures['again_ratio']:.2f}")
    print(f"  later epochs                        {figures['later_epoch_ratio']:.2f}", flush=True)


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
