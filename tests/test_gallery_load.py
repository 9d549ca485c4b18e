"""Eight processes search, one enrols, one forgets, a new index is made: every answer is right."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gallery_load.py"


@pytest.mark.slow
def test_every_answer_was_right_at_a_generation_of_its_time(tmp_path):
    answered = tmp_path / "answered.json"
    command = [sys.executable, SCRIPT, "--small", "--thorough", "--again", "--json", answered]
    process = subprocess.run(
        [*command, "--folder", tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.returncode == 0, process.stderr
    figures = json.loads(answered.read_text())
    assert figures["failed_processes"] == 0, process.stderr
    assert figures["kind"] == "scan"
    assert (figures["wrong"], figures["missed"]) == (0, 0), process.stdout
    assert figures["right"] == figures["finds"] > 100
    assert figures["enrolled"] > 10
    assert figures["forgotten"] > 1
    assert figures["answers_changed"] > 0, "nothing that was asked for came or went"
