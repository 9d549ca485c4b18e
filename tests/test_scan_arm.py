"""The NEON kernel against the plain one, natively or in an emulated Arm processor."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

CPP = Path(__file__).parent.parent / "cpp"
CASES = 10_000
OPTIONS = ["-std=c++20", "-O2", "-ffp-contract=off", "-static"]
SOURCES = [CPP / "scan" / "kernels.cpp", CPP / "scan" / "plain.cpp", CPP / "tests" / "agree.cpp"]
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
ON_ARM = platform.machine() in ("aarch64", "arm64")


@pytest.mark.slow
@pytest.mark.skipif(
    not ON_ARM and not (shutil.which(COMPILER) and shutil.which(EMULATOR)),
    reason=f"needs {COMPILER} and {EMULATOR} (Debian: g++-aarch64-linux-gnu, qemu-user)",
)
def test_the_neon_kernel_agrees(tmp_path):
    program = tmp_path / "agree"
    compiler = "g++" if ON_ARM else COMPILER
    neon = CPP / "scan" / "neon.cpp"
    subprocess.run([compiler, *OPTIONS, *SOURCES, neon, "-o", program], check=True)
    command = [program] if ON_ARM else [EMULATOR, program]
    done = subprocess.run([*command, str(CASES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert f"neon agrees with plain in {CASES} cases" in done.stdout
