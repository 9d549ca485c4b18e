"""``saccade info`` and ``saccade completion``."""

import json
import os
import platform
import shutil
import subprocess

import pytest
import timm
import torch

from saccade import scan
from saccade.cli.app import build_app, main


def told(capsys, *words):
    capsys.readouterr()
    assert main(["info", *words]) == 0
    return capsys.readouterr().out


def test_info_tells_what_is_here(capsys, monkeypatch):
    monkeypatch.setenv("SACCADE_DATA", "/some/pictures")
    found = json.loads(told(capsys, "--json"))
    assert found["versions"]["torch"] in torch.__version__
    assert found["versions"]["timm"] == timm.__version__
    assert found["python"] == platform.python_version()
    assert found["cores"] == os.cpu_count() >= found["usable_cores"] >= 1
    assert found["threads"] == torch.get_num_threads()
    assert found["data"] == "/some/pictures"
    assert found["kernels"] == scan.names() and found["kernel"] == scan.kernel()
    text = told(capsys)
    assert "/some/pictures" in text and found["processor"] in text


@pytest.mark.parametrize(
    ("capabilities", "precision"), [({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")]
)
def test_info_tells_the_precision_by_rule(capsys, monkeypatch, capabilities, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.delenv("SACCADE_DATA", raising=False)
    found = json.loads(told(capsys, "--json"))
    assert found["precision"] == precision
    assert found["bfloat16_instructions"] == [n for n in capabilities if n.endswith("bf16")]
    text = told(capsys)
    assert "not set" in text and ("amx_bf16" in text) == (precision == "bfloat16")


def test_a_kernel_that_is_not_there_is_refused_by_name(capsys, monkeypatch):
    monkeypatch.setenv(scan.KERNEL_VARIABLE, "plane")
    assert main(["info"]) == 2
    assert "SACCADE_KERNEL" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_names_every_command(capsys, shell):
    capsys.readouterr()
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for name in (name for name in build_app() if name[0] != "-"):
        assert name in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], input=script, text=True, capture_output=True)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "offered"), [("eval", {"evaluate"}), ("train --res", {"--resume"})]
)
def test_bash_completes(capsys, words, offered):
    capsys.readouterr()
    assert main(["completion", "bash"]) == 0
    typed = ["saccade", *words.split()]
    ask = (
        f"COMP_WORDS=({' '.join(typed)}); COMP_CWORD={len(typed) - 1}; _saccade; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    script = capsys.readouterr().out + ask
    done = subprocess.run(["bash"], input=script, text=True, capture_output=True, check=True)
    assert set(done.stdout.split()) == offered
