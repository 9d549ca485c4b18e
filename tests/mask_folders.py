"""Small data with masks for the tests, in each layout as other tools write them."""

import json

import numpy as np
from PIL import Image

from tests.box_folders import picture

PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, *[128] * (3 * 253)]
MASK = np.array([[0, 0, 1, 2], [0, 1, 1, 2], [255, 255, 1, 0]], np.uint8)  # of pictures 4 x 3


def mask_file(path, pixels=MASK, *, palette=False):
    """Write (H, W) numbers or (H, W, 3) colours as a PNG; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(pixels))
    if palette:
        image = image.convert("P")
        image.putdata(np.asarray(pixels).ravel().tolist())
        image.putpalette(PALETTE)
    image.save(path)
    return path


def pair(images, masks, name="a", pixels=MASK, *, ending="", **how):
    """Write a grey picture and its mask; returns the mask's path."""
    height, width = np.asarray(pixels).shape[:2]
    picture(images / f"{name}.png", width, height)
    return mask_file(masks / f"{name}{ending}.png", pixels, **how)


def folders(root, *names, part="", pixels=MASK):
    """Write images and masks of these names; returns ``root``."""
    for name in names or ("a", "b"):
        pair(root / "images" / part, root / "masks" / part, name, pixels)
    return root


def voc(root, lists, *, pixels=MASK):
    """Write VOC's folders with the lists of the parts, {part: names}; returns ``root``."""
    for names in lists.values():
        for name in names:
            pair(root / "JPEGImages", root / "SegmentationClass", name, pixels, palette=True)
    place = root / "ImageSets" / "Segmentation"
    place.mkdir(parents=True)
    for part, names in lists.items():
        (place / f"{part}.txt").write_text("".join(f"{name}\n" for name in names))
    return root


def coco(root, annotations, *, size=(48, 64), **changes):
    """Write a picture a.png and COCO's file of it; returns the file."""
    height, width = size
    picture(root / "a.png", width, height)
    rows = [
        {"id": n, "image_id": 7, "category_id": 90, "bbox": [0, 0, 4, 4]} | row
        for n, row in enumerate(annotations)
    ]
    document = {
        "images": [{"id": 7, "file_name": "a.png", "width": width, "height": height}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 90, "name": "cat"}],
        "annotations": rows,
    }
    file = root / "instances.json"
    file.write_text(json.dumps(document | changes))
    return file
