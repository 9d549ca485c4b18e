"""Paintings of 256 pixels in 200 steps: seconds, and the losses before and after; denoising.

Three photographs in the style of three paintings, seen with SqueezeNet 1.1, from coarse to fine,
and the first also at one size. Peer of denoising: scikit-image's ``denoise_tv_chambolle``, by the
objective that both make small, |u - f|² / 2 + weight TV(u), on the first photograph with noise.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _shared import data_folder, run
from skimage.restoration import denoise_tv_chambolle

import saccade
from saccade.api.picture_file import read_colours
from saccade.losses.pictures import TotalVariation
from saccade.pictures.denoise import smoothed

PAIRS = (
    ("chelsea.png", "starry_night_google.jpg", None),
    ("coffee.png", "wave.jpg", None),
    ("astronaut.png", "the_scream.jpg", None),
    ("chelsea.png", "starry_night_google.jpg", 1),
)
LOSSES = ("content", "style", "smooth", "total")
NOISE, WEIGHT = 0.1, 0.1  # of values in [0, 1]


def main(small: bool) -> dict[str, Any]:
    """Paint and denoise; print a line for each, and return the figures."""
    folder = data_folder("style_pictures")
    weights = data_folder("weights") / "squeezenet1_1" / "squeezenet1_1.safetensors"
    size, steps = (96, 20) if small else (256, 200)
    print(f"{size} pixels, {steps} steps, {torch.get_num_threads()} threads")
    painted = []
    for content, style, levels in PAIRS[:1] if small else PAIRS:
        with tempfile.TemporaryDirectory() as place:
            begun = time.perf_counter()
            done = saccade.stylize(
                folder / "content" / content,
                folder / "style" / style,
                out=Path(place) / "painted.png",
                weights=weights,
                size=size,
                steps=steps,
                levels=levels,
            )
        seconds = time.perf_counter() - begun
        first, last = (
            {name: round(getattr(one, name), 4) for name in LOSSES}
            for one in (done.records[0], done.records[-1])
        )
        told = ", ".join(f"{name} {first[name]:g} to {last[name]:g}" for name in LOSSES)
        print(f"  {content} + {style}, {levels or 'usual'} levels: {seconds:.1f} s; {told}")
        painted.append(
            {"content": content, "style": style, "levels": levels, "seconds": seconds}
            | {"first": first, "last": last}
        )
    return {"size": size, "steps": steps, "painted": painted} | denoised(folder)


def denoised(folder: Path) -> dict[str, Any]:
    """Denoise one picture with both programs."""
    clean = read_colours(folder / "content" / PAIRS[0][0])
    draw = torch.Generator().manual_seed(0)
    noisy = clean + NOISE * torch.randn(clean.shape, generator=draw)
    figures = {}
    for name, program in (("ours", ours), ("scikit-image", peers)):
        begun = time.perf_counter()
        found = program(noisy)
        seconds = time.perf_counter() - begun
        away = float((found - noisy).square().sum()) / 2
        value = away + WEIGHT * float(TotalVariation(beta=1.0)(found))
        error = float((found - clean).square().mean().sqrt())
        print(f"  denoise, {name}: {seconds:.2f} s, objective {value:.1f}, error {error:.4f}")
        figures[name] = {"seconds": seconds, "objective": value, "error": error}
    return {"denoised": figures}


def ours(noisy: torch.Tensor) -> torch.Tensor:
    """Denoise as ``saccade stylize --denoise`` does."""
    return smoothed(noisy, weight=WEIGHT).picture


def peers(noisy: torch.Tensor) -> torch.Tensor:
    """Denoise with scikit-image, as it does unless told otherwise."""
    found = denoise_tv_chambolle(noisy[0].numpy(), weight=WEIGHT, channel_axis=0)
    return torch.from_numpy(np.asarray(found, np.float32))[None]


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
