"""The names of the classes of YOLO's data, and the folders of its parts: data.yaml, classes.txt."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from saccade.data.folders import PARTS
from saccade.errors import InputError
from saccade.files import safe_join

NAMES = ("data.yaml", "data.yml", "dataset.yaml")
CLASSES = ("classes.txt", "labels/classes.txt", "obj.names")
MOST_BYTES, MOST_YAML_BYTES = 16 << 20, 1 << 20  # of one file


def names_file(place: Path) -> Path | None:
    """Return the file with the names of the classes in a folder; None if there is none."""
    if place.is_file():
        return place if place.suffix.lower() in (".yaml", ".yml") else None
    return next((place / name for name in (*NAMES, *CLASSES) if (place / name).is_file()), None)


def read_yaml(file: Path) -> Mapping[str, Any]:
    """Return what a small YAML file says, every scalar as text: no objects, no numbers, no "no"."""
    try:
        whole = yaml.load(read_text(file, MOST_YAML_BYTES), Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{file} line {line} is no YAML: {error.problem}; mend it") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{file} is no YAML that can be read; write it again") from error
    if not isinstance(whole, dict):
        raise InputError(f"{file} must have the names of the classes, as names: [cat, dog]")
    return whole


def classes(file: Path, whole: Mapping[str, Any]) -> dict[int, str]:
    """Return the names of the classes by their numbers, in order; InputError if there are none."""
    names = whole.get("names")
    if isinstance(names, list):
        names = {str(n): name for n, name in enumerate(names)}
    if not isinstance(names, dict) or not names:
        raise InputError(f"{file} has no names of classes; add them, as names: [cat, dog]")
    found = {}
    for key, name in names.items():
        if not str(key).isdecimal() or len(key) > 9 or not isinstance(name, str):
            raise InputError(f"{file}: names must be numbers from 0 with a text each; mend {key!r}")
        found[int(key)] = name
    stated = whole.get("nc", str(len(found)))
    if stated != str(len(found)):
        raise InputError(f"{file} has {len(found)} names, but nc says {stated!r:.30}; mend one")
    return dict(sorted(found.items()))


def told_folders(file: Path, whole: Mapping[str, Any]) -> dict[str, Path]:
    """Return the folders of the parts that the file names; "../" before them is passed over.

    Raises InputError for one that is not there or lies outside, or is named twice.
    """
    folders: dict[str, Path] = {}
    base = file.parent
    for part in PARTS:
        text = whole.get(part)
        if not text:
            continue
        if not isinstance(text, str):
            raise InputError(f"{file}: {part} must name one folder; a list of them is not read")
        wanted = re.sub(r"^(\.\.?/)+", "", text)
        tried = (wanted, f"{whole.get('path', '.')}/{wanted}")
        found = [safe_join(base, one) for one in tried if _stays(base, one)]
        folder = next((one for one in found if one.is_dir()), None)
        if folder is None:
            raise InputError(
                f"{file}: {part} names {text!r:.80}, which is no folder below that of the file; "
                "mend or remove the line"
            )
        if folder in folders.values():
            raise InputError(f"{file}: two parts name {text!r:.80}; a picture must be in one part")
        folders[part] = folder
    return folders


def _stays(base: Path, name: str) -> bool:
    try:
        safe_join(base, name)
    except InputError:
        return False
    return True


def lines(file: Path) -> list[str]:
    """Return the lines of a text without the spaces around them, also blank ones."""
    return [line.strip() for line in read_text(file).split("\n")]


def read_text(file: Path, most: int = MOST_BYTES) -> str:
    """Return a text in UTF-8 of at most so many bytes; InputError when it cannot be read."""
    try:
        if file.stat().st_size > most:
            raise InputError(f"{file} is larger than {most >> 20} MiB; make it smaller")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text; save it again") from error
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
