"""What is loaded late: help and ``import saccade`` must not wait for the heavy libraries."""

import subprocess
import sys

import pytest

import saccade

HEAVY = (
    "torch",
    "torchvision",
    "matplotlib",
    "sklearn",
    "scipy",
    "pytorch_metric_learning",
    "timm",
)
HELP = "from saccade.cli.app import main; code = main(['--help'])"
STARTS = {
    "import": "import saccade; code = saccade.__doc__ is None",
    "dir": "import saccade; code = 'train' not in dir(saccade)",
    "light names": "from saccade import Hit, Recipe, SaccadeError, read_recipe; code = 0",
    "help": HELP,
    "version": HELP.replace("help", "version"),
    "help of train": HELP.replace("'--help'", "'train', '--help'"),
    "wrong command": HELP.replace("['--help']", "['trian']").replace("code = ", "code = -2 + "),
}


@pytest.mark.parametrize("source", STARTS.values(), ids=STARTS)
def test_light_starts_stay_light(source):
    check = (
        f"{source}\nimport sys\nprint('LOADED', *[n for n in {HEAVY} if n in sys.modules])\n"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("name", saccade.__all__)
def test_every_public_name_is_there(name):
    found = getattr(saccade, name)
    assert getattr(found, "__doc__", None)
    assert name in dir(saccade)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'saccade' has no attribute 'tain'"):
        saccade.tain  # noqa: B018
