"""What ``inspect`` finds of what was planted: wrong labels, copies across parts, blurred pictures.

scikit-learn's digits as files, divided into train and test; then 3 % of the labels changed, 25
exact and 25 near copies of test pictures (JPEG, brightness, a pixel cut or moved, another size)
written into train, and 20 pictures blurred. Then Fashion-MNIST, its test pictures divided likewise,
and where there are photographs (hymenoptera, bccd) near copies of them; faces, of which none is a
copy. Last the time and the memory on Fashion-MNIST as it is.

With --small the digits alone.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _shared import run
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits

import saccade
from saccade.data.pictures import pictures_below, read_picture

Pixels = NDArray[np.uint8]
FLIPPED, EXACT, NEAR, BLURRED = 0.03, 25, 25, 20
FASHION, TIMED = 10_000, (10_000, 60_000)


def jpeg(picture: Pixels, quality: int = 90) -> Pixels:
    """Written as JPEG and read again."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.array(Image.open(stream))


def brighter(picture: Pixels, factor: float) -> Pixels:
    """All values times ``factor``."""
    return np.clip(np.round(picture * factor), 0, 255).astype(np.uint8)


def moved(picture: Pixels) -> Pixels:
    """A pixel to the left; the last column twice."""
    return np.concatenate([picture[:, 1:], picture[:, -1:]], axis=1)


def resized(picture: Pixels, factor: float) -> Pixels:
    """Brought to ``factor`` times its sides."""
    height, width = (round(factor * side) for side in picture.shape[:2])
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))


NEAR_KINDS: dict[str, Callable[[Pixels], Pixels]] = {
    "jpeg": jpeg,
    "brighter": lambda picture: brighter(picture, 1.05),
    "darker": lambda picture: brighter(picture, 0.95),
    "cut": lambda picture: picture[1:, :-1],
    "moved": moved,
    "larger": lambda picture: resized(picture, 1.5),
    "smaller": lambda picture: resized(picture, 0.75),
}


def plant(
    pictures: list[Pixels], labels: list[str], root: Path, *, seed: int = 0
) -> dict[str, Any]:
    """Write pictures as PNG files below ``root``, planted; returns the truth, by file."""
    draw = np.random.default_rng(seed)
    names, count = sorted(set(labels)), len(pictures)
    order = draw.permutation(count)
    test = set(order[: count // 4].tolist())
    changed = {}
    for row in draw.permutation(count)[: round(FLIPPED * count)].tolist():
        others = [name for name in names if name != labels[row]]
        changed[row] = others[int(draw.integers(len(others)))]
    train = [row for row in draw.permutation(count).tolist() if row not in test]
    soft = set(train[:BLURRED])

    def write(picture: Pixels, part: str, label: str, name: str) -> str:
        file = root / part / label / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)
        return str(file)

    files = {}
    for row, picture in enumerate(pictures):
        if row in soft:
            picture = np.array(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1.2)))
        part = "test" if row in test else "train"
        files[row] = write(picture, part, changed.get(row, labels[row]), f"{row:05}")
    copies = {}
    for number, row in enumerate(order[: EXACT + NEAR].tolist()):
        kinds = list(NEAR_KINDS)
        kind = "exact" if number < EXACT else kinds[number % len(kinds)]
        copy = pictures[row] if kind == "exact" else NEAR_KINDS[kind](pictures[row])
        place = write(copy, "train", changed.get(row, labels[row]), f"copy{number:03}")
        copies[place] = (files[row], kind)
    return {
        "flipped": {files[row]: labels[row] for row in changed},
        "copies": copies,
        "blurred": {files[row] for row in soft},
    }


def judged(name: str, root: Path, truth: dict[str, Any]) -> dict[str, Any]:
    """Inspect ``root`` and count what was found of the truth, and what else."""
    begun = time.process_time()
    found = saccade.inspect(root).to_dict()
    seconds = time.process_time() - begun
    lists = found["found"]
    flips, copies = truth["flipped"], truth["copies"]
    first = lists["label"][: round(1.5 * len(flips))]
    hits = [one for one in first if one["picture"] in flips]
    right = [one for one in hits if one["suggested"] == flips[one["picture"]]]
    named = {
        one["picture"]: one["copy_of"] for kind in ("leak", "exact", "near") for one in lists[kind]
    }
    # Of two in one part the larger stays, which may be the copy.
    told = {
        file: named.get(file) == original or named.get(original) == file
        for file, (original, _) in copies.items()
    }
    kinds = {file: kind for file, (_, kind) in copies.items()}
    soft = {one["picture"] for one in lists["blurred"]}
    planted = set(copies) | {original for original, _ in copies.values()}
    others = [file for file in named if file not in planted]
    figures = {
        "pictures": found["pictures"],
        "flipped": len(flips),
        "flipped_found": len(hits),
        "within": len(first),
        "labels_suggested_right": len(right),
        "exact": sum(told[file] for file in copies if kinds[file] == "exact"),
        "near": sum(told[file] for file in copies if kinds[file] != "exact"),
        "near_missed": sorted(kinds[file] for file in copies if not told[file]),
        "other_copies": len(others),
        "of_named": len(others) / max(1, len(named)),
        "of_pictures": len(others) / found["pictures"],
        "blurred": len(soft & truth["blurred"]),
        "other_blurred": len(soft - truth["blurred"]),
        "limit": found["copy_limit"],
        "processor_s": round(seconds, 1),
    }
    print(name, figures)
    return figures


def main(small: bool) -> dict[str, Any]:
    """Plant, inspect and count, data set by data set."""
    digits = load_digits()
    pictures = list(np.round(digits.images * 15.9375).astype(np.uint8))
    labels = [str(one) for one in digits.target]
    figures: dict[str, Any] = {"digits": planted("digits", pictures, labels)}
    place = os.environ.get("SACCADE_DATA")
    if small or not place:
        return figures
    root = Path(place)
    samples = saccade.read_data(root / "fashion_mnist" / "t10k-images-idx3-ubyte.gz")[:FASHION]
    arrays = [one.array for one in samples if one.array is not None]
    figures["fashion"] = planted("fashion", arrays, [one.label for one in samples])
    for name in ("hymenoptera", "bccd"):
        files = [file for file in pictures_below(root / name) if file.suffix == ".jpg"][:200]
        photographs = [read_picture(file) for file in files]
        figures[name] = planted(name, photographs, ["ab"[n % 2] for n in range(len(files))])
    faces = saccade.inspect(root / "faces_orl").to_dict()["counts"]
    print("faces_orl", faces)
    figures["faces_orl"] = faces
    for count in TIMED:
        figures[f"time_{count}"] = timed(root / "fashion_mnist", count)
    return figures


def planted(name: str, pictures: list[Pixels], labels: list[str]) -> dict[str, Any]:
    """Plant into a temporary folder, and judge."""
    with tempfile.TemporaryDirectory() as folder:
        return judged(name, Path(folder), plant(pictures, labels, Path(folder)))


def timed(folder: Path, count: int) -> dict[str, Any]:
    """Seconds and the largest memory of a process that inspects ``count`` pictures."""
    code = (
        "import saccade, sys, resource, numpy as np; "
        f"s = saccade.read_data({str(folder / 'train-images-idx3-ubyte.gz')!r})[:{count}]; "
        "np.savez(sys.argv[1], pictures=np.stack([o.array for o in s]), "
        "labels=[o.label for o in s])"
    )
    look = (
        "import saccade, sys, resource, time; t = time.perf_counter(); "
        "f = saccade.inspect(sys.argv[1]); r = resource.getrusage(resource.RUSAGE_SELF); "
        "print(time.perf_counter() - t, r.ru_utime + r.ru_stime, r.ru_maxrss / 2**20, "
        "*(len(o) for o in f.found.values()))"
    )
    with tempfile.TemporaryDirectory() as place:
        file = str(Path(place) / "pictures.npz")
        subprocess.run([sys.executable, "-c", code, file], check=True)
        done = subprocess.run(
            [sys.executable, "-c", look, file], check=True, capture_output=True, text=True
        )
    wall, processor, memory, *counts = (float(word) for word in done.stdout.split())
    figures = {
        "pictures": count,
        "wall_s": round(wall, 1),
        "processor_s": round(processor, 1),
        "memory_gib": round(memory, 2),
        "found": [int(one) for one in counts],
    }
    print(figures)
    return figures


if __name__ == "__main__":
    run(main, __doc__)
