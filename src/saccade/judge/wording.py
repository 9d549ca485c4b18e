"""How every report writes a figure with its interval, and names and shows a picture."""

from collections.abc import Callable
from pathlib import Path

from saccade.data.pictures import read_picture
from saccade.report import Tile, data_uri
from saccade.values import Interval, Sample, UInt8Array

SPACE = "\N{NO-BREAK SPACE}"
UNDEFINED = "–"


def limits(found: Interval, write: Callable[[float], str]) -> str:
    """Write "64.8 to 76.2 %": the sign once."""
    low, high = write(found.low), write(found.high)
    return f"{low.removesuffix(f'{SPACE}%')} to {high}"


def with_limits(found: Interval | None, write: Callable[[float], str] | None = None) -> str:
    """Write "70.5 % (64.8 to 76.2 %)", or UNDEFINED for none; by percent unless told."""
    how = percent if write is None else write
    return UNDEFINED if found is None else f"{how(found.value)} ({limits(found, how)})"


def figure_of_class(value: float | None, found: Interval | None) -> str:
    """Write a share of one class: with its interval, "too few" for none; UNDEFINED without both."""
    if value is None:
        return UNDEFINED
    bounds = "too few" if found is None else limits(found, percent)
    return f"{percent(value)} ({bounds})"


def none_last(value: float | None) -> float:
    """A key that sorts shares, lowest first, and what is not defined behind them."""
    return 2.0 if value is None else value


def share_of_100(share: float) -> str:
    """Say a share as so many of 100, without rounding a mistake away."""
    of_100 = 100 * share
    if share in (0.0, 1.0):
        return f"{of_100:.0f}"
    if of_100 < 1:
        return "fewer than 1"
    return "more than 99" if of_100 > 99 else f"about {of_100:.0f}"


def percent(share: float, digits: int = 1) -> str:
    """Write a share; one that is neither 0 nor 1 is never rounded to it."""
    while digits < 4 and share not in (0.0, 1.0) and float(f"{share:.{digits + 2}f}") in (0.0, 1.0):
        digits += 1
    return f"{100 * share:.{digits}f}{SPACE}%"


def decimal(share: float) -> str:
    """Write a figure with three digits, or more where these would round to 1."""
    digits = 3
    while digits < 6 and share != 1.0 and float(f"{share:.{digits}f}") == 1.0:
        digits += 1
    return f"{share:.{digits}f}"


def tile(
    label: str, found: Interval, write: Callable[[float], str] = percent, *, drawn: bool = True
) -> Tile:
    """Return a tile with a figure, and its interval below; ``drawn`` as a bar, if it is a share."""
    detail = f"{percent(found.level, 0)} interval: {limits(found, write)}"
    if not drawn:
        return Tile(label, write(found.value), detail)
    return Tile(label, write(found.value), detail, low=found.low, at=found.value, high=found.high)


def file_name(source: UInt8Array | Path | Sample, number: int) -> str:
    """Return the name of a picture's file; where there is none, its ``number``."""
    place = source.path if isinstance(source, Sample) else source
    return place.name if isinstance(place, Path) else f"picture {number}"


def picture_uri(source: UInt8Array | Path | Sample) -> str:
    """Return a picture, (H, W, 3) uint8 or a file or sample to read, as a data URI."""
    return data_uri(read_picture(source) if isinstance(source, Path | Sample) else source)
