"""The folder that a run leaves behind: recipe, environment, history."""

import contextlib
import json
import platform
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import torch

from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.training.loop import Record

HISTORY_FILE, RECIPE_FILE, ENVIRONMENT_FILE = "history.jsonl", "recipe.toml", "environment.json"
TAIL_BYTES = 1 << 16  # of a history; many records


def new_run_folder(out: Path | None, *, data: Path, task: str) -> Path:
    """Make and return the run's folder: ``out``, or the next free ``runs/<data>-<task>-<number>``.

    Raises InputError when ``out`` holds something already or cannot be written.
    """
    try:
        if out is not None:
            require_free(out)
            out.mkdir(parents=True, exist_ok=True)
            return out
        stem = re.sub(r"[^\w.-]+", "-", data.resolve().name) or "data"
        number = 1
        while (folder := Path("runs") / f"{stem}-{task}-{number}").exists():
            number += 1
        folder.mkdir(parents=True)
        return folder
    except OSError as error:
        raise InputError(
            f"run folder {out or 'runs'} cannot be written: {error.strerror}"
        ) from error


def require_free(out: Path | None) -> None:
    """Raise InputError when ``out`` is a file or holds something; writes nothing."""
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        what = "not empty" if out.is_dir() else "a file"
        raise InputError(f"run folder {out} is {what}; name another with --out")


def write_environment(folder: Path, *, seed: int, precision: str, data: Path) -> None:
    """Write ``environment.json``: versions, processor, threads, seed, precision, data, time.

    ``data`` is recorded as an absolute path, so that a resumed run finds its pictures.
    """
    content = {
        "saccade": version("saccade"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "precision": precision,
        "data": str(data.resolve()),
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    _write_json(folder / ENVIRONMENT_FILE, content)


def recorded_data(folder: Path) -> Path:
    """Return the data folder that ``environment.json`` names; InputError when it names none."""
    try:
        return Path(json.loads((folder / ENVIRONMENT_FILE).read_text())["data"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"run {folder} does not say where its pictures are; "
            f"name them: saccade train DATA --resume {folder}"
        ) from error


def record_data(folder: Path, data: Path) -> None:
    """Note in ``environment.json`` that the pictures are in another place now."""
    file = folder / ENVIRONMENT_FILE
    try:
        content = json.loads(file.read_text())
    except (OSError, ValueError):
        content = {}
    _write_json(file, {**content, "data": str(data.resolve())})


def _write_json(file: Path, content: dict[str, Any]) -> None:
    write_atomic(file, json.dumps(content, indent=1) + "\n")


def append_record(
    stream: TextIO, record: Record, figures: Mapping[str, float] | None = None
) -> None:
    """Write one line of ``history.jsonl``; what is written is on its way to the disk at once.

    ``figures``, such as a validation accuracy, stand in the line beside the record.
    """
    stream.write(json.dumps({**record.to_json(), **(figures or {})}) + "\n")
    stream.flush()


def clear_parts(folder: Path) -> None:
    """Remove the files that a killed process was about to write."""
    for part in folder.rglob(".*.part"):
        part.unlink(missing_ok=True)


def keep_history(folder: Path, *, epochs: int) -> None:
    """Drop the records after epoch ``epochs``, and a line that a crash cut short."""
    file = folder / HISTORY_FILE
    kept = []
    for line in file.read_text().splitlines() if file.is_file() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record["epoch"] <= epochs:
            kept.append(line + "\n")
    write_atomic(file, "".join(kept))


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return the records of a run, oldest first; none when it has no history."""
    file = folder / HISTORY_FILE
    if not file.is_file():
        return []
    records = []
    for line in file.read_text(errors="replace").splitlines():
        with contextlib.suppress(ValueError):  # A crash can cut the last line.
            records.append(json.loads(line))
    return [record for record in records if isinstance(record, dict)]


def last_epoch(folder: Path) -> int | None:
    """Return the epoch of a run's last record, from 1 on, without reading the whole history.

    None when there is no record.
    """
    file = folder / HISTORY_FILE
    if not file.is_file():
        return None
    with file.open("rb") as stream:
        stream.seek(max(0, file.stat().st_size - TAIL_BYTES))
        lines = stream.read(TAIL_BYTES).splitlines()
    for line in reversed(lines):  # A crash can cut the last line, and the tail the first.
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return int(json.loads(line)["epoch"])
    return None
