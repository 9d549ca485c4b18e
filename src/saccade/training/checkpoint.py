"""Checkpoints: the task, the optimiser and the place in the run, as safetensors and JSON."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from saccade.errors import InputError
from saccade.files import sync

FOLDER = "checkpoint"


def save_checkpoint(run: Path, *, task: nn.Module, optimiser: Optimizer, next_epoch: int) -> None:
    """Write ``run/checkpoint`` whole; a crash leaves the former one, or this one.

    The folder is written beside its place and takes it by rename; for the moment between the two
    renames of a replacement the former one stands as ``checkpoint.old``, and is found there.
    """
    place, fresh, old = run / FOLDER, run / f"{FOLDER}.new", run / f"{FOLDER}.old"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    save_file({k: v.contiguous() for k, v in task.state_dict().items()}, fresh / "task.safetensors")
    tensors, state = _flatten(optimiser)
    save_file(tensors, fresh / "optimiser.safetensors")
    state["next_epoch"] = next_epoch
    (fresh / "state.json").write_text(json.dumps(state))
    for item in (*fresh.iterdir(), fresh):
        sync(item)
    # After a crash between the renames only the old one stands; it stays until the new one does.
    if place.exists():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    fresh.rename(place)
    sync(run)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(run: Path, *, task: nn.Module, optimiser: Optimizer) -> int:
    """Restore ``task`` and ``optimiser`` in place; returns the epoch to go on with."""
    found = [run / name for name in (FOLDER, f"{FOLDER}.old") if (run / name).is_dir()]
    if not found:
        raise InputError(f"run {run} holds no checkpoint; start it anew")
    folder = found[0]
    task.load_state_dict(load_file(folder / "task.safetensors"))
    state = json.loads((folder / "state.json").read_text())
    tensors: dict[int, dict[str, Tensor]] = {}
    for name, tensor in load_file(folder / "optimiser.safetensors").items():
        number, _, key = name.partition(".")
        tensors.setdefault(int(number), {})[key] = tensor
    optimiser.load_state_dict({"state": tensors, "param_groups": state["param_groups"]})
    return int(state["next_epoch"])


def _flatten(optimiser: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    whole = optimiser.state_dict()
    tensors = {
        f"{number}.{key}": torch.as_tensor(value).contiguous()
        for number, entry in whole["state"].items()
        for key, value in entry.items()
        if value is not None
    }
    return tensors, {"param_groups": whole["param_groups"]}
