"""``stylize``: a picture in the style of others."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from saccade.api.picture_file import new_picture, read_colours, to_pixels, write_picture
from saccade.api.style_features import style_features
from saccade.data.pictures import MAX_PIXELS
from saccade.errors import InputError, SettingError
from saccade.names import look_up
from saccade.pictures.style_losses import StyleRecord, Weights
from saccade.pictures.stylize import COLOURS, DESCENTS, STARTS, level_sizes, stylizing
from saccade.values import UInt8Array

USUAL_SIZE = 512  # pixels of the longer side: no more unless asked for
LEAST_STYLE = 32  # pixels of the shorter side: a smaller picture holds no texture
MOST_LEVELS = 16
Place = Path | str


@dataclass(frozen=True, slots=True)
class Stylized:
    """A picture (H, W, 3) uint8, where it is, and its losses from before the first step on.

    ``features``: which network it was seen with; ``warning``: what speaks against that, or "";
    ``on_the_way``: pictures written meanwhile.
    """

    picture: UInt8Array = field(repr=False)
    records: list[StyleRecord] = field(repr=False)
    features: str
    warning: str
    out: Path | None
    on_the_way: list[Path]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "out": None if self.out is None else str(self.out),
            "size_hw": self.picture.shape[:2],
            "features": self.features,
            "warning": self.warning or None,
            "on_the_way": list(map(str, self.on_the_way)),
            "records": [asdict(one) for one in self.records],
        }


def stylize(
    content: Place,
    style: Place | Sequence[Place],
    *,
    out: Place | None = None,
    size: int | None = None,
    steps: int = 200,
    levels: int | None = None,
    content_weight: float = 1.0,
    style_weight: float = 5.0,
    smooth_weight: float = 2.0,
    mix: Sequence[float] = (),
    style_scale: float = 1.0,
    colours: str = "style",
    start: str = "noise",
    optimiser: str = "lbfgs",
    backbone: str | None = None,
    weights: Place = "",
    strides: Sequence[int] = (),
    content_stride: int | None = None,
    every: int = 0,
    seed: int = 0,
    force: bool = False,
    progress: Callable[[range], Iterator[int]] = iter,
) -> Stylized:
    """Return what ``content`` shows as ``style`` would paint it; several styles are mixed.

    ``size``: pixels of the longer side; else the content's own, at most USUAL_SIZE. ``steps``: in
    all ``levels``, each of double the size of the one before; else as many as make sense. ``mix``:
    how much of each style. ``colours``: "style" takes its colours too, "matched" turns them to the
    content's, "luminance" takes none. ``start``: "noise" or "content". ``weights``: a run's folder,
    or a file or "hub" with ``backbone``; without, features are untrained. ``strides`` name the maps
    for the style, ``content_stride`` that for the content. ``out``: a picture to write; with
    ``every``, beside it those after every so many steps. Raises InputError, SettingError before the
    first step, also for a file that is there, unless ``force``.
    """
    styles = [style] if isinstance(style, str | Path) else list(style)
    counts = Weights(content_weight, style_weight, smooth_weight)
    _require_numbers(counts, style_scale=style_scale)
    _require_counts(size=size, steps=steps, levels=levels, every=every or None)
    if levels is not None and levels > MOST_LEVELS:
        raise SettingError(f"--levels must be at most {MOST_LEVELS}. Got {levels} instead")
    if not 0 <= seed < 2**63:
        raise SettingError(f"--seed must be 0 or more, below 2**63. Got {seed} instead")
    for known, name, kind in (
        (COLOURS, colours, "choice of colours"),
        (STARTS, start, "start"),
        (DESCENTS, optimiser, "optimiser of pictures"),
    ):
        look_up(dict.fromkeys(known), name, kind)
    shares = _shares(mix, len(styles))
    place, marks = _places(out, [content, *styles], steps, every, force=force)
    shown, examples = read_colours(content), [_read_style(one) for one in styles]
    seen = style_features(
        backbone, str(weights), strides=strides, content_stride=content_stride, seed=seed
    )
    going = stylizing(
        shown,
        examples,
        seen.features,
        sizes=level_sizes(_size_hw(shown, size), levels)[-steps:],
        steps=steps,
        weights=counts,
        shares=shares,
        style_scale=style_scale,
        colours=colours,
        start=start,
        optimiser=optimiser,
        seed=seed,
    )
    record, picture = next(going)
    records = [record]
    for _ in progress(range(steps)):
        record, picture = next(going)
        records.append(record)
        if record.step in marks:
            write_picture(to_pixels(picture), marks[record.step])
    pixels = to_pixels(picture)
    if place is not None:
        write_picture(pixels, place)
    return Stylized(pixels, records, seen.told, seen.warning, place, list(marks.values()))


def _require_numbers(weights: Weights, *, style_scale: float) -> None:
    for name, value in asdict(weights).items():
        if not 0 <= value < math.inf:
            raise SettingError(f"--{name}-weight must be 0 or more. Got {value} instead")
    if not 0.1 <= style_scale <= 10:
        raise SettingError(f"--style-scale must be 0.1 to 10. Got {style_scale} instead")


def _require_counts(**counts: int | None) -> None:
    for name, value in counts.items():
        if value is not None and value < 1:
            raise SettingError(f"--{name} must be at least 1. Got {value} instead")


def _shares(mix: Sequence[float], styles: int) -> list[float]:
    """Return the share of each style, their sum 1; without ``mix`` all are alike."""
    if not styles:
        raise InputError("no style is named; name one picture or several")
    amounts = list(mix) or [1.0] * styles
    if len(amounts) != styles:
        raise SettingError(f"--mix needs a number for each of {styles} styles. Got {len(amounts)}")
    if not all(0 <= amount < math.inf for amount in amounts) or not sum(amounts):
        raise SettingError(f"--mix needs numbers of 0 or more, one above 0. Got {amounts} instead")
    return [amount / sum(amounts) for amount in amounts]


def _places(
    out: Place | None, sources: Sequence[Place], steps: int, every: int, *, force: bool
) -> tuple[Path | None, dict[int, Path]]:
    """Return where the picture is to be written, and by their steps those on the way."""
    if out is None:
        if every:
            raise SettingError("pictures on the way lie beside that of --out; name it, too")
        return None, {}
    place = new_picture(out, sources, force=force)
    marks = {
        step: place.with_name(f"{place.stem}-{step:0{len(str(steps))}}{place.suffix}")
        for step in (range(every, steps, every) if every else ())
    }
    for mark in marks.values():
        new_picture(mark, sources, force=force)
    return place, marks


def _read_style(file: Place) -> Tensor:
    found = read_colours(file)
    height, width = found.shape[2:]
    if min(height, width) < LEAST_STYLE:
        raise InputError(
            f"style {file} is {height}x{width}; it needs {LEAST_STYLE} pixels or more a side"
        )
    return found


def _size_hw(content: Tensor, longest: int | None) -> tuple[int, int]:
    """The size of the picture to be made: that of the content, its longer side ``longest``."""
    height, width = content.shape[2:]
    factor = (longest or min(USUAL_SIZE, max(height, width))) / max(height, width)
    size_hw = max(1, round(height * factor)), max(1, round(width * factor))
    if size_hw[0] * size_hw[1] > MAX_PIXELS:
        raise SettingError(f"--size {longest} is over the limit of {MAX_PIXELS:,} pixels in all")
    return size_hw
