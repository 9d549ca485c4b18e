"""``info``: what Saccade runs on, as it matters for speed and for repeating a run."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from saccade import scan
from saccade.config import DataSettings
from saccade.data.cache import CacheSize, cache_folder, cache_size
from saccade.data.cache import clear_cache as clear
from saccade.errors import InputError
from saccade.training.precision import bfloat16_instructions, choose_precision

LIBRARIES = ("saccade", "torch", "torchvision", "timm", "numpy", "pillow", "safetensors")
DATA_VARIABLE = "SACCADE_DATA"


@dataclass(frozen=True)
class Info:
    """The machine and the installation.

    ``cores`` are all of the machine, ``usable_cores`` those that this process may run on,
    ``threads`` what training takes with train.threads 0. ``precision`` is what train.precision
    auto takes by rule; before training it is measured where the rule says bfloat16. ``data`` is the
    environment variable SACCADE_DATA, where tests and benchmarks look for pictures.
    ``kernel`` is that of the scan: the first of ``kernels``, unless SACCADE_KERNEL names another.
    ``cache`` is the folder of decoded pictures with its files and bytes, ``cache_budget`` the GiB
    that the setting data.cache allows it unless a recipe says otherwise.
    """

    versions: dict[str, str]
    python: str
    system: str
    processor: str
    instructions: str
    cores: int
    usable_cores: int
    threads: int
    kernel: str
    kernels: list[str]
    bfloat16_instructions: list[str]
    precision: str
    data: str | None
    cache: CacheSize
    cache_budget: float


def info() -> Info:
    """Return the versions, the processor, and what training would use of it."""
    return Info(
        versions={name: version(name) for name in LIBRARIES},
        python=platform.python_version(),
        system=platform.platform(),
        processor=_processor(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        cores=os.cpu_count() or 1,
        usable_cores=_usable_cores(),
        threads=torch.get_num_threads(),
        kernel=scan.kernel(),
        kernels=scan.names(),
        bfloat16_instructions=bfloat16_instructions(),
        precision=str(choose_precision("auto")).removeprefix("torch."),
        data=os.environ.get(DATA_VARIABLE) or None,
        cache=cache_size(),
        cache_budget=DataSettings().cache,
    )


def clear_cache() -> CacheSize:
    """Remove all decoded pictures, and say how many files and bytes that was.

    A run that uses some of them goes on undisturbed. Raises InputError when they cannot be removed.
    """
    folder = cache_folder()
    if folder.exists() and not folder.is_dir():
        raise InputError(f"cache {folder} is a file; set SACCADE_CACHE to a folder")
    try:
        return clear()
    except OSError as error:
        raise InputError(
            f"cache {error.filename or cache_folder()} cannot be removed: "
            f"{error.strerror or error}; give yourself the right to write there"
        ) from error


def _processor() -> str:
    """The name of the processor, as the system gives it."""
    file = Path("/proc/cpuinfo")
    for line in file.read_text(errors="replace").splitlines() if file.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
