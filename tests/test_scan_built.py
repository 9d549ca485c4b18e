"""The kernels that are built alone: with every access checked, and for an Arm processor."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from saccade import scan

CPP = Path(__file__).parent.parent / "cpp"
COMMON = ["-std=c++20", "-ffp-contract=off"]
CHECKED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
INSTRUCTIONS = {
    "avx2": ["-mavx2"],
    "avx512": ["-mavx2", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512vnni"],
}
X86, ARM = ("avx512", "avx2", "plain"), ("neon", "plain")
CROSS_COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
ON_ARM = platform.machine() in ("aarch64", "arm64")
CASES = 2000
FUNCTIONS = ("nearest", "neighbours")


def built(folder, function, compiler, kernels, flags):
    """Compile each kernel with its own instructions and link them into the comparison."""
    sources = {
        CPP / "scan" / f"{function}_{name}.cpp": INSTRUCTIONS.get(name, []) for name in kernels
    }
    sources |= {CPP / "scan" / f"{function}.cpp": [], CPP / "tests" / f"{function}_agree.cpp": []}
    objects = [folder / f"{source.stem}.o" for source in sources]
    for (source, own), target in zip(sources.items(), objects, strict=True):
        subprocess.run([compiler, *COMMON, *flags, *own, "-c", source, "-o", target], check=True)
    subprocess.run([compiler, *flags, *objects, "-o", folder / "agree"], check=True)
    return folder / "agree"


def agrees(command, kernels):
    """Run the comparison of some kernels, and check that it says so of each."""
    done = subprocess.run([*command, str(CASES), *kernels], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split("\n")[:-1] == [f"{name} agrees in {CASES} cases" for name in kernels]


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_no_access_is_wrong_and_no_number_overflows(tmp_path, function):
    asan = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], capture_output=True, text=True
    ).stdout
    if os.sep not in asan:
        pytest.skip("the compiler has no address sanitiser")
    program = built(tmp_path, function, "g++", ARM if ON_ARM else X86, CHECKED)
    agrees([program], scan.names())


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.skipif(
    ON_ARM or not (shutil.which(CROSS_COMPILER) and shutil.which(EMULATOR)),
    reason=f"needs {CROSS_COMPILER} and {EMULATOR} (Debian: g++-aarch64-linux-gnu, qemu-user)",
)
def test_the_neon_kernel_agrees_in_an_emulator(tmp_path, function):
    program = built(tmp_path, function, CROSS_COMPILER, ARM, ["-O2", "-static"])
    agrees([EMULATOR, program], ARM)
