"""Vectors of a foreign ONNX embedder, from decoded pictures, beside onnxruntime on batches at hand.

- saccade: ``OnnxEmbedder`` called with pictures, 480x360 RGB: fitted, normalised, run, scaled to
  length 1.
- onnxruntime: its session alone, as it comes, on the same pictures prepared beforehand, in batches
  of as many as saccade runs at once. Left out of its time: resizing, cropping, normalising, the
  check of what is answered, scaling to length 1. It is a bound, not a peer.
- pillow: the same work in the usual way, before the same session: each picture cropped and resized
  by Pillow, bilinear, normalised by NumPy, stacked, run, scaled to length 1.

Decoding is in nobody's time: pictures are arrays.

Networks, with weights that are drawn: ResNet-18 (K. He and others, 2016) and SqueezeNet 1.1 (F.
Iandola and others, 2016) of torchvision, at 224x224. The sides take turns, either goes first every
second time; figures are medians over the turns, the ratio that of the pairs. That saccade's vectors
are those of onnxruntime is checked before.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from _shared import run
from PIL import Image
from torchvision import models

from saccade.exchange import load_embedder
from saccade.exchange.session import PIECE

SIDE = 224
PICTURES, SMALL_PICTURES = 64, 32
TURNS, SMALL_TURNS = 31, 3
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
STD = np.array([58.395, 57.12, 57.375], np.float32)
NETWORKS = {"resnet18": models.resnet18, "squeezenet1_1": models.squeezenet1_1}
CARD = """kind = "embedder"
licence = "none: weights are drawn"
source = "torchvision"
[input]
size = [224, 224]
layout = "nchw"
colours = "rgb"
mean = [123.675, 116.28, 103.53]
std = [58.395, 57.12, 57.375]
fit = "crop"
[outputs]
vector = "vector"
[embedder]
dimension = 1000
"""


def main(small: bool) -> dict[str, Any]:
    """Time both sides on each network; print and return pictures per second and ratios."""
    count, turns = (SMALL_PICTURES, SMALL_TURNS) if small else (PICTURES, TURNS)
    draw = np.random.default_rng(0)
    pictures = [draw.integers(0, 256, (360, 480, 3), dtype=np.uint8) for _ in range(count)]
    figures: dict[str, Any] = {"pictures": count, "turns": turns, "side": SIDE}
    with tempfile.TemporaryDirectory() as temporary:
        for name, build in NETWORKS.items():
            file = Path(temporary) / f"{name}.onnx"
            export(build, file)
            figures[name] = measure(file, pictures, turns)
            tell(name, figures[name])
    return figures


def export(build: Callable[[], torch.nn.Module], file: Path) -> None:
    """Write a network with drawn weights, for any number of pictures, and its card."""
    torch.manual_seed(0)
    sides = {"input": {0: "pictures"}, "vector": {0: "pictures"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch has a newer exporter, which needs another package.
        torch.onnx.export(
            build().eval(),
            (torch.zeros(1, 3, SIDE, SIDE),),
            file,
            dynamo=False,
            input_names=["input"],
            output_names=["vector"],
            dynamic_axes=sides,
        )
    file.with_suffix(".toml").write_text(CARD, encoding="utf-8")


def measure(file: Path, pictures: list[np.ndarray], turns: int) -> dict[str, float]:
    """Return pictures per second of both sides, and their ratio, median and range."""
    embedder = load_embedder(file)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    blocks = [pictures[start : start + PIECE] for start in range(0, len(pictures), PIECE)]
    batches = [embedder._session.prepared(block).batch for block in blocks]

    def ours() -> np.ndarray:
        return embedder(pictures)

    def theirs() -> np.ndarray:
        return np.concatenate([session.run(["vector"], {"input": batch})[0] for batch in batches])

    def usual() -> np.ndarray:
        rows = [session.run(["vector"], {"input": by_pillow(block)})[0] for block in blocks]
        raw = np.concatenate(rows)
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)

    require_equal(ours(), theirs())
    sides = (ours, theirs, usual)
    rates: dict[Callable[[], np.ndarray], list[float]] = {side: [] for side in sides}
    for turn in range(turns):
        for side in sides if turn % 2 else sides[::-1]:
            begun = time.perf_counter()
            side()
            rates[side].append(len(pictures) / (time.perf_counter() - begun))
    ratios = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
    return {
        "saccade_per_s": statistics.median(rates[ours]),
        "onnxruntime_per_s": statistics.median(rates[theirs]),
        "ratio": statistics.median(ratios),
        "ratio_low": min(ratios),
        "ratio_high": max(ratios),
        "pillow_per_s": statistics.median(rates[usual]),
        "ratio_pillow": statistics.median(
            a / b for a, b in zip(rates[ours], rates[usual], strict=True)
        ),
    }


def by_pillow(pictures: list[np.ndarray]) -> np.ndarray:
    """Return a batch (n, 3, SIDE, SIDE) float32 of the pictures' middle, as the card asks."""
    batch = []
    for picture in pictures:
        image = Image.fromarray(picture)
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        part = image.resize(
            (SIDE, SIDE), Image.Resampling.BILINEAR, (left, top, left + side, top + side)
        )
        batch.append((np.asarray(part, np.float32) - MEAN) / STD)
    return np.ascontiguousarray(np.stack(batch).transpose(0, 3, 1, 2))


def require_equal(vectors: np.ndarray, raw: np.ndarray) -> None:
    """Leave when the two sides do not answer the same."""
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    apart = float(np.abs(vectors - unit).max())
    if not apart < 1e-5:
        raise SystemExit(f"the two sides differ by {apart:.2g}")


def tell(name: str, found: dict[str, float]) -> None:
    """Print the figures of one network."""
    print(
        f"{name:<14} saccade {found['saccade_per_s']:7.1f}/s   onnxruntime "
        f"{found['onnxruntime_per_s']:7.1f}/s   ratio {found['ratio']:.3f} "
        f"({found['ratio_low']:.3f} to {found['ratio_high']:.3f})   pillow "
        f"{found['pillow_per_s']:7.1f}/s   ratio {found['ratio_pillow']:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
