"""Boxes as Pascal VOC has them: an .xml beside or apart from each picture.

M. Everingham and others, "The Pascal Visual Object Classes (VOC) Challenge", 2010, and its
development kit: ``Annotations``, ``JPEGImages`` and, for the parts, lists in ``ImageSets/Main``.
Corners are pixels inside the box, counted from 1 (see ``box_sets.from_corners``).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from saccade.data.annotation_xml import read_xml
from saccade.data.box_collector import Collector, inside
from saccade.data.box_sets import (
    CONTROL,
    BoxSet,
    Losses,
    from_corners,
    number_text,
    to_corners,
)
from saccade.data.pictures import PICTURE_ENDINGS
from saccade.data.targets import read_number
from saccade.data.voc_parts import ANNOTATIONS, LISTS, PICTURES, VocPart, stem
from saccade.errors import InputError
from saccade.files import safe_join, write_atomic

CORNERS = ("xmin", "ymin", "xmax", "ymax")
AS_DIFFICULT = "crowds and ignored boxes written as difficult, which VOC has alone"
ONE_PIXEL = "boxes of a single pixel, which are read as slips of the mouse"
YES, NO = ("1", "true", "yes"), ("0", "false", "no", "", "unspecified")


def read(parts: Mapping[str, VocPart], collector: Collector) -> dict[str, BoxSet]:
    """Read the .xml of each picture; categories are in the order of their names."""
    for part, one in parts.items():
        collector.part(part, one.pictures)
        for what, where in one.other:
            collector.leave_out(part, what, where)
        for name, file in one.files.items():
            _take(file, name, part, one.pictures, collector)
    return collector.sets(by_name=True)


def write(sets: Mapping[str, BoxSet], folder: Path, names: Mapping[str, list[str]]) -> Losses:
    """Write an .xml for each picture, and a list for each part.

    Crowds and ignored boxes become difficult. Raises InputError for names that XML cannot hold, and
    for two pictures whose names differ by their ending alone.
    """
    losses = Losses()
    for part, one in sets.items():
        one.tell_areas(losses)
        for n, root in enumerate(_documents(one, names[part], losses)):
            name = names[part][n]
            file = safe_join(folder, f"{ANNOTATIONS}/{stem(name)}.xml")
            if file.exists():
                raise InputError(
                    f"two pictures would share the annotations {stem(name)}.xml; rename {name!r}"
                )
            file.parent.mkdir(parents=True, exist_ok=True)
            indent(root, "\t")
            file.write_bytes(tostring(root, encoding="utf-8"))
        if part:
            lists = folder / LISTS
            lists.mkdir(parents=True, exist_ok=True)
            write_atomic(lists / f"{part}.txt", "".join(f"{stem(n)}\n" for n in names[part]))
    return losses


def picture_place(part: str, name: str) -> str:
    """Return where a picture lies in the folder that is written."""
    return f"{PICTURES}/{name}"


def _take(file: Path, name: str, part: str, root: Path, collector: Collector) -> None:
    annotation = read_xml(file)
    if annotation.tag != "annotation":
        raise InputError(f"{file} begins with <{annotation.tag:.50}>, not with <annotation>")
    picture = collector.picture(
        part, _picture(annotation, name, root, file), str(file), _size(annotation, file)
    )
    for n, one in enumerate(annotation.findall("object"), 1):
        where = f"{file} object {n}"
        category = collector.category(one.findtext("name") or "", where)
        frame = one.find("bndbox")
        if frame is None:
            raise InputError(f"{where} has no bndbox; add one with {', '.join(CORNERS)}")
        corners = [read_number(frame.findtext(key) or "", f"{where}: {key}") for key in CORNERS]
        difficult = _flag(one.findtext("difficult") or "", where)
        xywh = from_corners(corners, collector.first_pixel)
        collector.box(part, picture, category, xywh, where, difficult=difficult)


def _picture(annotation: Element, name: str, root: Path, file: Path) -> str:
    """The picture of the file's own name, as in the development kit, else the one it names."""
    said = annotation.findtext("filename") or ""
    endings = dict.fromkeys([Path(said).suffix, *sorted(PICTURE_ENDINGS)])
    for ending in (*endings, *(one.upper() for one in endings)):
        if ending and inside(root, name + ending, str(file)).is_file():
            return name + ending
    return said or f"{name}.jpg"


def _size(annotation: Element, file: Path) -> tuple[int, int] | None:
    """Height and width, where they are said: many files say 0."""
    texts = [(annotation.findtext(f"size/{side}") or "").strip() for side in ("height", "width")]
    if not all(texts):
        return None
    height, width = (int(read_number(text, f"{file}: size")) for text in texts)
    return (height, width) if height > 0 and width > 0 else None


def _flag(text: str, where: str) -> bool:
    plain = text.strip().lower()
    if plain not in (*YES, *NO):
        raise InputError(f"{where}: difficult must be 0 or 1. Got {text!r:.50} instead")
    return plain in YES


def _documents(one: BoxSet, names: list[str], losses: Losses) -> Iterator[Element]:
    """Yield the annotation of each picture."""
    boxes = one.boxes
    places = boxes.picture.searchsorted(range(len(names) + 1))
    for n, (name, picture) in enumerate(zip(names, one.pictures, strict=True)):
        root = Element("annotation")
        SubElement(root, "filename").text = _text(name)
        size = SubElement(root, "size")
        for key, value in zip(("height", "width", "depth"), (*picture.size_hw, 3), strict=True):
            SubElement(size, key).text = str(value)
        for row in range(places[n], places[n + 1]):
            thing = SubElement(root, "object")
            SubElement(thing, "name").text = one.categories[boxes.category[row]]
            hidden = boxes.crowd[row] or boxes.ignored[row]
            SubElement(thing, "difficult").text = str(int(boxes.difficult[row] or hidden))
            frame = SubElement(thing, "bndbox")
            xywh = boxes.xywh[row].tolist()
            for key, corner in zip(CORNERS, to_corners(xywh, 1), strict=True):
                SubElement(frame, key).text = number_text(corner)
            if hidden:
                losses.changed.add(AS_DIFFICULT, name)
            if xywh[2:] == [1, 1]:
                losses.left_out.add(ONE_PIXEL, name)
        yield root


def _text(name: str) -> str:
    if CONTROL.search(name):
        raise InputError(f"picture {name!r:.80} has a character that VOC's files cannot hold")
    return name
