"""What tests of whole runs share: their processes, and what of two runs must be the same."""

import ctypes
import fcntl
import json
import os
import sys

from saccade.files import sha256_file
from saccade.training.run import read_history

PR_CAPBSET_DROP = 24  # linux/prctl.h
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2  # linux/capability.h
# What a task needs to be told of the data that ``data_of_task`` gives.
OF_TASK = {
    "embed": {},
    "classify": {},
    "regress": {"data.target": "hue,corners"},
    "detect": {
        "data.size": "32x48",
        "detect.family": "two_stage",
        "detect.strides": "4,8",
        "detect.depth": 16,
        "detect.units": 16,
        "detect.kept": 30,
        "detect.at_least": 0.0,
        "optim.lr": 0.01,
    },
    "segment": {"data.size": "32x48", "segment.stride": 4, "optim.lr": 0.01},
    "forecast": {
        "forecast.seen": 3,
        "forecast.ahead": 1,
        "forecast.channels": 8,
        "forecast.reach": 2,
        "augment.rotate": 0.0,
        "augment.scale": 0.0,
        "augment.shift": 0.0,
        "augment.brightness": 0.0,
        "augment.contrast": 0.0,
        "augment.erase": 0.0,
        "loss.name": "squared",
        "optim.lr": 0.03,
    },
}
TRAIN = [sys.executable, "-m", "saccade", "train"]


def environment():
    """That of a process which computes as this one does."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def once(tmp_path_factory, worker_id, name, make):
    """Return the folder ``name``, filled by ``make(folder)`` in whichever process asks first."""
    own = tmp_path_factory.getbasetemp()
    root = own if worker_id == "master" else own.parent
    folder, done = root / name, root / f"{name}.done"
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


def flags(settings):
    """Settings as words of a command line."""
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def weights_of(run):
    return sha256_file(run / "model.safetensors")


def without_time(history):
    return [
        {k: v for k, v in record.items() if k not in ("wait_s", "pictures_per_s")}
        for record in history
    ]


def what_is_the_same(run):
    """The weights, the card, the records but for their times, and the report."""
    card = json.loads((run / "model.json").read_text())
    report = (run / "report.html").read_bytes()
    return weights_of(run), card, without_time(read_history(run)), report


def without_rights():
    """Take from the superuser what lets it read and write anywhere; run in a new process."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError("the capability cannot be dropped")
