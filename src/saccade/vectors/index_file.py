"""The file of an index: a safetensors file, its kind and version named, its content hashed.

Nothing is handed to a library before the SHA-256 of all of it is right: readers of foreign index
formats may crash on a broken file. The hash finds damage; it does not say who wrote the file.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from saccade.errors import InputError
from saccade.files import replacing

FORMAT, VERSION = "saccade-index", 1

Arrays = Mapping[str, NDArray[Any]]


def write_index(
    path: Path | str, *, kind: str, settings: Mapping[str, int], arrays: Arrays
) -> None:
    """Write an index of ``kind``: all of the file, or nothing."""
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": kind,
        "settings": json.dumps(settings, sort_keys=True),
    }
    with replacing(Path(path)) as temporary:
        save_file(dict(arrays), temporary, {**about, "sha256": _digest(about, arrays)})


def read_index(path: Path | str, *, kind: str) -> tuple[dict[str, int], Arrays]:
    """Return the settings and the arrays of an index of ``kind``.

    Raises InputError when the file is missing, none of ours, of another kind, of a newer version,
    or not what was written.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"index file {file} does not exist; check the path")
    try:
        with safe_open(file, framework="numpy") as opened:
            about = dict(opened.metadata() or {})
            _require(file, about, kind)
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{file} is no index file, or broken; save the index again") from error
    if about.pop("sha256", "") != _digest(about, arrays):
        raise InputError(f"{file} is broken, its checksum differs; save the index again")
    settings: dict[str, int] = json.loads(about["settings"])
    return settings, arrays


def _require(file: Path, about: Mapping[str, str], kind: str) -> None:
    if about.get("format") != FORMAT:
        raise InputError(f"{file} is no index file; save one with the method save of an index")
    if about.get("version") != str(VERSION):
        raise InputError(
            f"{file} is of version {about.get('version')}; this is version {VERSION}: "
            f"update saccade, or save the index again"
        )
    if about.get("kind") != kind:
        raise InputError(f"{file} holds an index of kind '{about.get('kind')}', not '{kind}'")


def _digest(about: Mapping[str, str], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(dict(about), sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()
