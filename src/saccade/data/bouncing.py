"""Drawn sequences of shapes that fly straight and bounce off the edges, over ground that is still.

All is drawn from a seed, so the same frames can be made anywhere; what is drawn is ours. Edges are
smooth, so that a shape can move by parts of a pixel.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from saccade.data.shapes import COLOURS, SHAPES
from saccade.values import Float64Array, UInt8Array

PARTS = {"train": 60, "val": 12, "test": 20}  # sequences of each
FRAMES = 16
SIZE_HW = (32, 32)
MOST = 2  # shapes of a sequence; at least one
RADII = (4.0, 6.0)  # pixels from a shape's middle to where it bounces
SPEEDS = (1.0, 2.5)  # pixels a frame
# Of each shape, the directions in which it is cut off, as angles; a circle has none.
SIDES = {"square": (0.0, 0.5, 1.0, 1.5), "triangle": (0.5, 7 / 6, 11 / 6)}


def draw_bouncing(
    draw: np.random.Generator, *, frames: int = FRAMES, size_hw: tuple[int, int] = SIZE_HW
) -> UInt8Array:
    """Draw one sequence: (frames, H, W, 3) uint8."""
    picture = np.broadcast_to(_ground(draw, size_hw), (frames, *size_hw, 3)).copy()
    for _ in range(int(draw.integers(1, MOST + 1))):
        name = SHAPES[draw.integers(len(SHAPES))]
        radius = draw.uniform(*RADII)
        colour = COLOURS[draw.integers(len(COLOURS))].astype(np.float64)
        for number, place in enumerate(_path(draw, frames, radius, size_hw)):
            share = covered(name, place, radius, size_hw)[..., None]
            picture[number] += share * (colour - picture[number])
    drawn: UInt8Array = np.rint(picture.clip(0, 255)).astype(np.uint8)
    return drawn


def write_bouncing(
    root: Path,
    *,
    seed: int = 0,
    parts: Mapping[str, int] = PARTS,
    frames: int = FRAMES,
    size_hw: tuple[int, int] = SIZE_HW,
) -> None:
    """Write so many sequences of each part as root/PART/SEQUENCE/frame_NNN.png."""
    draw = np.random.default_rng(seed)
    for part, count in parts.items():
        for number in range(count):
            folder = root / part / f"sequence_{number:03}"
            folder.mkdir(parents=True, exist_ok=True)
            for place, frame in enumerate(draw_bouncing(draw, frames=frames, size_hw=size_hw)):
                Image.fromarray(frame).save(folder / f"frame_{place:03}.png")


def covered(
    name: str, middle: Float64Array, radius: float, size_hw: tuple[int, int]
) -> Float64Array:
    """Return how much of each pixel a shape covers, (H, W) float64 in [0, 1].

    ``middle``: row and column in pixels, the first pixel reaching from 0 to 1. A pixel through
    which an edge goes is covered by its distance from it.
    """
    row, column = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5 - middle[:, None, None]
    if name not in SIDES:
        within: Float64Array = np.clip(radius - np.hypot(row, column) + 0.5, 0, 1)
        return within
    reach = radius * (0.85 if name == "square" else 0.55)
    angles = np.pi * np.array(SIDES[name])
    beyond = [row * np.sin(angle) + column * np.cos(angle) - reach for angle in angles]
    inside: Float64Array = np.clip(0.5 - np.max(beyond, axis=0), 0, 1)
    return inside


def _path(
    draw: np.random.Generator, frames: int, radius: float, size_hw: tuple[int, int]
) -> Float64Array:
    """(frames, 2) float64: row and column of a shape's middle, never nearer than ``radius``."""
    room = np.array(size_hw) - 2 * radius
    angle, speed = draw.uniform(0, 2 * np.pi), draw.uniform(*SPEEDS)
    step = speed * np.array([np.sin(angle), np.cos(angle)])
    gone = draw.uniform(0, room) + step * np.arange(frames)[:, None]
    # A path that bounces is a straight one, folded at the edges.
    folded: Float64Array = radius + np.abs((gone - room) % (2 * room) - room)
    return folded


def _ground(draw: np.random.Generator, size_hw: tuple[int, int]) -> Float64Array:
    """A slope of one colour with grain, (H, W, 3) float64."""
    row, column = np.mgrid[: size_hw[0], : size_hw[1]]
    angle = draw.uniform(0, 2 * np.pi)
    slope = draw.uniform(-1.0, 1.0) * (row * np.sin(angle) + column * np.cos(angle))
    ground: Float64Array = draw.uniform(60, 150) + slope[..., None] + draw.normal(0, 8, 3)
    return ground + draw.normal(0, 4, (*size_hw, 3))
