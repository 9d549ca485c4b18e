"""Broken files of codes, by chance and on purpose: the search goes on, and says nothing wrong.

SACCADE_FUZZ_S sets the seconds of the slow run.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saccade.gallery import Gallery
from tests.code_file_fuzzer import HANG_S
from tests.coded import scanning, tuner

ROOT = Path(__file__).parents[1]
SECONDS_VARIABLE = "SACCADE_FUZZ_S"
SECONDS = float(os.environ.get(SECONDS_VARIABLE, "20"))
BATCH_S = 10.0
ROWS, DIMENSION, PEOPLE = 200, 16, 20
FINALISTS = 24  # so few that the codes are asked again for more identities

LENGTHS = [
    pytest.param(0.5, id="short"),
    pytest.param(SECONDS, id="long", marks=pytest.mark.slow),
]


def make_gallery(folder, *, cells):
    """A gallery, its codes beside them as ``good``, and what it holds as ``oracle.json``."""
    rows = np.random.default_rng(cells).standard_normal((ROWS, DIMENSION)).astype(np.float32)
    names = [f"person {row % PEOPLE}" for row in range(ROWS)]
    gallery = Gallery.create(folder, fingerprint="f" * 64, dimension=DIMENSION)
    with gallery, tuner(scanning(cells=cells, finalists=FINALISTS)):
        outcomes = gallery.enrol_vectors(rows[:-10], names[:-10])
        gallery.index()
        outcomes += gallery.enrol_vectors(rows[-10:], names[-10:])
    oracle = {
        outcome.picture_id: (name, row.tolist())
        for outcome, name, row in zip(outcomes, names, rows, strict=True)
    }
    (folder / "oracle.json").write_text(json.dumps(oracle))
    (folder / "codes" / "scan").rename(folder / "good")


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("cells", [0, 4], ids=["plain", "cells"])
def test_broken_codes_are_never_believed(tmp_path, cells, seconds):
    """Each batch is a process, so that a crash is seen; its last case is named."""
    make_gallery(tmp_path / "g", cells=cells)
    taken, refused = 0, 0
    for batch in range(max(1, round(seconds / 2 / BATCH_S))):
        length = min(BATCH_S, seconds / 2)
        arguments = [tmp_path / "g", 2 * batch + bool(cells), length]
        process = subprocess.run(
            [sys.executable, "-m", "tests.code_file_fuzzer", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=BATCH_S + 3 * HANG_S,
        )
        lines = process.stdout.splitlines()
        assert process.returncode == 0, (lines[-1:], process.stderr[-4000:])
        taken, refused = taken + int(lines[-1].split()[1]), refused + int(lines[-1].split()[2])
    print(f"{taken} broken files were searched, {refused} refused")
    assert taken and refused
