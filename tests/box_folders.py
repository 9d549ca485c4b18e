"""Small data with boxes for the tests, in each format as other tools write them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from saccade.data.box_sets import BoxColumns, BoxPicture, BoxSet


def picture(path, width=64, height=48):
    """Write a grey picture; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height), 90).save(
        path, format="PNG" if path.suffix != ".jpg" else "JPEG"
    )
    return path


def box_set(root, pictures, rows, categories):
    """Return a set of ``pictures`` {name: (width, height)}, which are written below ``root``.

    ``rows``: (picture, category, [x, y, w, h], area or None, crowd, difficult, ignored).
    """
    made = [
        BoxPicture(picture(root / name, *size), (size[1], size[0]))
        for name, size in pictures.items()
    ]
    rows = sorted(rows, key=lambda row: row[0])
    own = [row[2][2] * row[2][3] if row[3] is None else row[3] for row in rows]
    columns = BoxColumns(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        np.array(own, np.float64),
        *(np.array([row[n] for row in rows], bool) for n in (4, 5, 6)),
    )
    return BoxSet(Path(root), tuple(made), tuple(categories), columns)


def rows_of(one, *, flags=True):
    """Return what a set says, box by box, so that sets can be compared whatever their order."""
    boxes, names = one.boxes, one.names()
    kept = (boxes.crowd, boxes.difficult, boxes.ignored) if flags else ()
    return sorted(
        (
            names[boxes.picture[n]],
            one.categories[boxes.category[n]],
            tuple(boxes.xywh[n].tolist()),
            float(boxes.area[n]),
            *(bool(flag[n]) for flag in kept),
        )
        for n in range(len(boxes.picture))
    )


def coco(folder, *, annotations=None, **changes):
    """Write two pictures, a.jpg and b.jpg, 64 x 48, with COCO's annotations; returns the .json."""
    for name in ("a.jpg", "b.jpg"):
        picture(folder / name)
    first = {"id": 1, "image_id": 7, "category_id": 90, "bbox": [1, 2, 30, 40], "area": 600}
    document = {
        "info": {"year": 2014},
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 64, "height": 48, "license": 3},
            {"id": 3, "file_name": "b.jpg", "width": 64, "height": 48},
        ],
        "categories": [{"id": 90, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [first] if annotations is None else annotations,
    }
    file = folder / "instances.json"
    file.write_text(json.dumps(document | changes))
    return file


def voc(folder, objects, *, name="a", size=(64, 48), head=""):
    """Write a picture and its .xml; an object is (name, xmin, ymin, xmax, ymax, more XML)."""
    picture(folder / "JPEGImages" / f"{name}.jpg")
    things = "".join(
        f"<object><name>{label}</name>{more}<bndbox><xmin>{a}</xmin><ymin>{b}</ymin>"
        f"<xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for label, a, b, c, d, more in objects
    )
    sides = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    file = folder / "Annotations" / f"{name}.xml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        f"{head}<annotation>\n<filename>{name}.jpg</filename>{sides}{things}</annotation>"
    )
    return file


def yolo(folder, lines, *, names="names: [cat, dog]\n"):
    """Write a picture a.jpg, 64 x 48, with its labels."""
    picture(folder / "images" / "a.jpg")
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / "a.txt").write_text(lines)
    (folder / "data.yaml").write_text(names)
    return folder


def table(folder, text):
    """Write a picture a.jpg, 64 x 48, and a table beside it; returns the table."""
    picture(folder / "a.jpg")
    file = folder / "boxes.csv"
    file.write_text(text)
    return file
