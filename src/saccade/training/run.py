"""The folder that a run leaves behind: recipe, environment, history."""

import contextlib
import json
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

import torch

from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.training.loop import Record

HISTORY_FILE = "history.jsonl"


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


def write_environment(folder: Path, *, seed: int, precision: str) -> None:
    """Write ``environment.json``: versions, processor, threads, seed and precision."""
    content = {
        "saccade": version("saccade"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "precision": precision,
    }
    write_atomic(folder / "environment.json", json.dumps(content, indent=1) + "\n")


def append_record(
    stream: TextIO, record: Record, figures: Mapping[str, float] | None = None
) -> None:
    """Write one line of ``history.jsonl``; what is written is on its way to the disk at once.

    ``figures``, such as a validation accuracy, stand in the line beside the record.
    """
    stream.write(json.dumps({**record.to_json(), **(figures or {})}) + "\n")
    stream.flush()


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
