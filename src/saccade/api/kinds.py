"""What data are about, by what lies on disk: boxes, masks, or classes."""

from pathlib import Path

from saccade.data.box_formats import BOX_FORMATS
from saccade.data.box_readers import part_at
from saccade.data.mask_readers import holds_masks


def task_of(data: Path) -> str:
    """Boxes where there are any in a format that is known, else masks, else classes."""
    if part_at(data) is not None or any(one.find(data) for one in BOX_FORMATS.values()):
        return "detect"
    return "segment" if holds_masks(data) else "classify"
