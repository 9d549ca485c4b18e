"""What every benchmark does: read its two options, describe the machine, print and keep figures."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch


def arguments(text: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark: ``small`` and ``json``."""
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--small", action="store_true", help="the quick version, within a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE")
    return parser


def data_folder(name: str) -> Path:
    """Return ``$SACCADE_DATA/name``, or leave with code 2 and the reason."""
    root = os.environ.get("SACCADE_DATA")
    if not root or not (Path(root) / name).is_dir():
        print(f"set SACCADE_DATA to the folder that holds {name}", file=sys.stderr)
        raise SystemExit(2)
    return Path(root) / name


def machine() -> str:
    """Describe the machine in one line."""
    names = [line for line in _cpuinfo() if line.startswith("model name")]
    model = names[0].split(":", 1)[1].strip() if names else platform.processor()
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__}"


def run(main: Callable[[bool], dict[str, Any]], text: str) -> None:
    """Run a benchmark with its options and keep what it returns."""
    options = arguments(text).parse_args()
    keep(main(options.small), options)


def keep(figures: dict[str, Any], options: argparse.Namespace) -> None:
    """Print the machine, and write the figures where ``options.json`` says."""
    figures = {**figures, "small": options.small, "machine": machine()}
    print(f"machine: {figures['machine']}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _cpuinfo() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.exists() else []
