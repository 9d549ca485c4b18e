"""Checkpoints: the task, the optimiser and the place in the run, as safetensors and JSON.

``checkpoint/`` holds ``task.safetensors``, ``optimiser.safetensors``, with an average of the
weights ``average.safetensors``, with a best epoch its weights in ``best.safetensors``, and
``state.json``: the next epoch, the optimiser's groups and plain values, and the caller's notes. An
empty file ``finished`` is added when the run has written all that it writes.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.optim import Optimizer

from saccade.errors import InputError
from saccade.files import sync, write_atomic
from saccade.training.average import WeightAverage

FOLDER = "checkpoint"
PLACES = (FOLDER, f"{FOLDER}.old")  # where a checkpoint may stand, the newer one first
FINISHED = "finished"


def save_checkpoint(
    run: Path,
    *,
    task: nn.Module,
    optimiser: Optimizer,
    next_epoch: int,
    average: WeightAverage | None = None,
    best: Mapping[str, Tensor] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Write ``run/checkpoint`` whole; a crash leaves the former one, or this one.

    The folder is written beside its place and takes it by rename; for the moment between the two
    renames of a replacement the former one stands as ``checkpoint.old``, and is found there.
    ``best`` are weights that ``load_best`` gives back, ``notes`` plain values for ``read_notes``.
    Raises OSError when the disk is full; the former checkpoint then stands, and the part that was
    written is removed.
    """
    place, fresh, old = run / FOLDER, run / f"{FOLDER}.new", run / f"{FOLDER}.old"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        fresh.mkdir()
        _write(fresh / "task.safetensors", task.state_dict())
        if average is not None:
            _write(fresh / "average.safetensors", average.state_dict())
        if best is not None:
            _write(fresh / "best.safetensors", best)
        tensors, state = _flatten(optimiser)
        _write(fresh / "optimiser.safetensors", tensors)
        state |= {"next_epoch": next_epoch, "notes": dict(notes or {})}
        (fresh / "state.json").write_text(json.dumps(state))
        for item in (*fresh.iterdir(), fresh):
            sync(item)
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    # After a crash between the renames only the old one stands; it stays until the new one does.
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    fresh.rename(place)
    sync(run)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(
    run: Path, *, task: nn.Module, optimiser: Optimizer, average: WeightAverage | None = None
) -> int:
    """Restore ``task``, ``optimiser`` and ``average`` in place; returns the epoch to go on with.

    Raises InputError when there is no checkpoint, or a file of it is damaged or missing.
    """
    folder, state = _standing(run), _read_state(run)
    try:
        task.load_state_dict(load_file(folder / "task.safetensors"))
        if average is not None:
            average.load_state_dict(load_file(folder / "average.safetensors"))
        _restore(optimiser, load_file(folder / "optimiser.safetensors"), state)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{folder} is damaged; start the run anew") from error
    return int(state["next_epoch"])


def load_best(run: Path, *, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the best epoch's weights, of the names and shapes of ``like``.

    Raises InputError when they are damaged or missing.
    """
    folder = _standing(run)
    try:
        found: dict[str, Tensor] = load_file(folder / "best.safetensors")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder} is damaged; start the run anew") from error
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in like.items()}:
        raise InputError(f"{folder} is damaged; start the run anew")
    return found


def read_notes(run: Path) -> dict[str, Any]:
    """Return the notes of the run's checkpoint; InputError when it holds none."""
    notes: dict[str, Any] = _read_state(run).get("notes", {})
    return notes


def has_checkpoint(run: Path) -> bool:
    """Return True when the run can be resumed from a checkpoint."""
    return any((run / name).is_dir() for name in PLACES)


def mark_finished(run: Path) -> None:
    """Note in the checkpoint, if there is one, that the run has written its model."""
    if (run / FOLDER).is_dir():
        write_atomic(run / FOLDER / FINISHED, "")


def is_finished(run: Path) -> bool:
    """Return True when ``mark_finished`` was called."""
    return (_standing(run) / FINISHED).exists()


def _standing(run: Path) -> Path:
    found = [run / name for name in PLACES if (run / name).is_dir()]
    if not found:
        raise InputError(f"run {run} holds no checkpoint; start it anew")
    return found[0]


def _read_state(run: Path) -> dict[str, Any]:
    file = _standing(run) / "state.json"
    try:
        state: dict[str, Any] = json.loads(file.read_text())
        int(state["next_epoch"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is not the state of a checkpoint; start the run anew") from error
    return state


def _write(file: Path, tensors: Mapping[str, Tensor]) -> None:
    # By way of memory: a write of our own says that the disk is full as an OSError.
    # Copies, because safetensors refuses tensors that two parts of a network share.
    file.write_bytes(save({key: value.contiguous().clone() for key, value in tensors.items()}))


def _flatten(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Its tensors by "number.key", those of lists by "number.key.place"; the rest is plain."""
    whole = optimiser.state_dict()
    tensors: dict[str, Tensor] = {}
    plain: dict[str, Any] = {}
    for number, entry in whole["state"].items():
        for key, value in entry.items():
            name = f"{number}.{key}"
            if isinstance(value, list):
                tensors |= {f"{name}.{place}": item for place, item in enumerate(value)}
                plain[name] = [None] * len(value)
            elif torch.is_tensor(value):
                tensors[name] = value
            elif value is not None:
                plain[name] = value
    return tensors, {"param_groups": whole["param_groups"], "optimiser": plain}


def _restore(optimiser: Optimizer, flat: dict[str, Tensor], state: dict[str, Any]) -> None:
    entries: dict[int, dict[str, Any]] = {}
    # Copies begin at an even address; those of a file need not, and sums differ in the last bit.
    copies = {name: tensor.clone() for name, tensor in flat.items()}
    for name, value in (state.get("optimiser", {}) | copies).items():
        number, key, *place = name.split(".")
        entry = entries.setdefault(int(number), {})
        if place:
            entry[key][int(place[0])] = value
        else:
            entry[key] = value
    optimiser.load_state_dict({"state": entries, "param_groups": state["param_groups"]})
    for parameter, entry in optimiser.state.items():
        # In memory as before, channels last with its parameter: as fast, and the same to the bit.
        for key, value in entry.items():
            if torch.is_tensor(value) and value.shape == parameter.shape:
                entry[key] = torch.empty_like(parameter).detach().copy_(value)
