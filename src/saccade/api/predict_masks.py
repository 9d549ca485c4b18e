"""``predict`` of a segmenter: the class of every pixel, as files that others read."""

from collections.abc import Sequence
from pathlib import Path

from saccade.data.pictures import read_picture
from saccade.errors import InputError
from saccade.pictures.paint import painted_places, write_painted
from saccade.pictures.paint_masks import painted_mask, write_mask
from saccade.tasks.model import Model
from saccade.values import Segmentation


def mark_pixels(
    model: Model, pictures: Sequence[Path], *, out: Path | None, painted: Path | None
) -> list[Segmentation]:
    """Return the mask of each picture; ``out``: a folder for them as PNG, of the pictures' names.

    ``painted``: a folder for the pictures with their masks over them. A picture that cannot be read
    has a ``reason``. Raises InputError, with nothing written, where a file of those names is there.
    """
    if out is not None and painted is not None and out.absolute() == painted.absolute():
        raise InputError(f"--out and --painted are one folder, {out}; name two")
    masks = [] if out is None else painted_places(pictures, out, option="--out")
    views = [] if painted is None else painted_places(pictures, painted)
    found = []
    for number, picture in enumerate(pictures):
        (one,) = model.segment([picture])
        if masks and not one.reason:
            write_mask(one, masks[number])
        if views and not one.reason:
            write_painted(painted_mask(read_picture(picture), one), views[number])
        found.append(one)
    return found
