"""Boxes of Pascal VOC and YOLO by the plainest means, to compare the readers with."""

import xml.etree.ElementTree as ElementTree


def voc_boxes(file):
    """Return (name, [x, y, width, height]) of each object, as the development kit counts them."""
    found = []
    for one in ElementTree.parse(file).getroot().findall("object"):
        left, top, right, bottom = (
            float(one.find(f"bndbox/{key}").text) for key in ("xmin", "ymin", "xmax", "ymax")
        )
        found.append(
            (one.find("name").text, [left - 1, top - 1, right - left + 1, bottom - top + 1])
        )
    return found


def yolo_boxes(file, width, height):
    """Return (class, [x, y, width, height]) of each line."""
    found = []
    for line in file.read_text().splitlines():
        number, across, down, wide, high = line.split()
        w, h = float(wide) * width, float(high) * height
        found.append(
            (int(number), [float(across) * width - w / 2, float(down) * height - h / 2, w, h])
        )
    return found
