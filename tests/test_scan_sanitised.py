"""The kernels' tests once more, with a build that checks every memory access and every overflow."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLAGS = (
    "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g -O1"
)
CHECKED = (
    "test_scan_kernels.py",
    "test_scan_cells.py",
    "test_scan_encode.py",
    "test_scan_neighbours.py",
)
# Loads the checked build in place of the installed one, then runs the tests.
RUNNER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("saccade.scan._kernel", sys.argv[1])
sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules[spec.name])
import pytest
raise SystemExit(pytest.main(["-p", "no:cacheprovider", "-m", "slow or not slow", *sys.argv[2:]]))
"""


def library(name):
    """Where the compiler keeps a sanitiser's library; empty when it has none."""
    found = subprocess.run(
        ["g++", f"-print-file-name={name}"], capture_output=True, text=True
    ).stdout
    return found.strip() if os.sep in found else ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the sanitisers are loaded as on Linux")
@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@pytest.mark.skipif(not shutil.which("cmake"), reason="needs cmake on the path")
@pytest.mark.skipif(not importlib.util.find_spec("nanobind"), reason="needs nanobind")
def test_no_access_is_wrong_and_no_number_overflows(tmp_path):
    if not library("libasan.so"):
        pytest.skip("the compiler has no address sanitiser")
    configure = [
        "cmake",
        "-S",
        ROOT / "cpp",
        "-B",
        tmp_path,
        f"-DPython_EXECUTABLE={sys.executable}",
    ]
    subprocess.run(
        [*configure, "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_FLAGS={FLAGS}"], check=True
    )
    subprocess.run(["cmake", "--build", tmp_path, "--parallel", "2"], check=True)
    (module,) = tmp_path.glob("_kernel*.so")
    settings = {
        "LD_PRELOAD": f"{library('libasan.so')}:{library('libstdc++.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # The interpreter keeps what it never frees.
    }
    subprocess.run(
        [sys.executable, "-c", RUNNER, module, *(ROOT / "tests" / name for name in CHECKED)],
        check=True,
        cwd=ROOT,
        env=os.environ | settings,
    )
