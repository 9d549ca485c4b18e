"""Every import in the package goes down the table in ARCHITECTURE.md, and the table is complete."""

import ast
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

import saccade

PACKAGE = Path(saccade.__file__).parent
ARCHITECTURE = Path(__file__).parents[1] / "ARCHITECTURE.md"
DOOR = "__init__"
TOP = "__main__"
LAZY = {"import_module", "__import__"}


def read_rows(text):
    """Return the place of each folder and file in the layer table, counted from the lowest row."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| n |")) + 2
    rows = {}
    for place, line in enumerate(lines[start:]):
        if not line.startswith("|"):
            break
        for name in line.split("|")[2].replace("`", "").split(","):
            assert name.strip() not in rows, f"{name.strip()} stands twice in the table"
            rows[name.strip()] = place
    return rows


ROWS = read_rows(ARCHITECTURE.read_text(encoding="utf-8"))


def units(package):
    """Return the names of the folders with Python files, and of the files, of the package."""
    folders = {item.name for item in package.iterdir() if any(item.rglob("*.py"))}
    files = {item.stem for item in package.glob("*.py")}
    return (folders | files) - {TOP}


@cache
def imported(source, home):
    """The imports of ``source`` as a tuple; a tree of a package is parsed once for all tests."""
    return tuple(modules_imported(ast.parse(source), home))


def modules_imported(tree, home):
    """Yield (line, module path) for each import; ``home`` is the path of the importing package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, tuple(alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                yield node.lineno, (*module, alias.name)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            name = node.args[0]
            if called in LAZY and isinstance(name, ast.Constant):
                yield node.lineno, tuple(str(name.value).split("."))


def violations(package, rows):
    """Return one line, with file and line number, for each import that does not go down."""
    found = []
    for file in sorted(package.rglob("*.py")):
        inside = file.relative_to(package)
        own = inside.parts[0].removesuffix(".py")
        home = ("saccade", *inside.parent.parts)
        for line, module in imported(file.read_text(encoding="utf-8"), home):
            if module[0] != "saccade":
                continue
            other = module[1] if len(module) > 1 and module[1] in (*rows, TOP) else DOOR
            mine, theirs = (rows.get(unit, len(rows)) for unit in (own, other))
            if other != own and theirs >= mine:
                way = "sideways" if theirs == mine else "up"
                found.append(f"{inside.as_posix()}:{line}: {own} imports {way} from {other}")
    return found


def test_every_import_goes_down():
    assert violations(PACKAGE, ROWS) == []


def test_the_table_names_what_exists_and_nothing_else():
    assert units(PACKAGE) == set(ROWS)


def test_the_files_named_elsewhere_on_the_page_exist():
    text = ARCHITECTURE.read_text(encoding="utf-8")
    for name in re.findall(r"\b(?:\w+/)+\w*(?:\.py)?\b", text):
        inside = name.removeprefix("src/saccade/")
        places = [PACKAGE / inside, PACKAGE / f"{inside}.py", ARCHITECTURE.parent / name]
        known = any(place.exists() for place in places)
        assert known or name.startswith(("saccade/", "src/", "checkpoint/", "0", "HEIGHT")), name


PLANTS = {
    "up": ("names.py", "from saccade.data.pictures import resize", "up from data"),
    "up by name": ("errors.py", "from saccade import values as v, config", "up from config"),
    "up in a function": (
        "data/folders.py",
        "def f():\n    import saccade.tasks.model",
        "up from tasks",
    ),
    "up in a condition": (
        "losses/triplet.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from saccade.api import train",
        "up from api",
    ),
    "up, relative": ("training/loop.py", "from ..cli.app import main", "up from cli"),
    "up, relative name": ("optim/__init__.py", "from .. import tasks", "up from tasks"),
    "up, lazy": (
        "judge/protocol.py",
        "import importlib\nimportlib.import_module('saccade.api')",
        "up from api",
    ),
    "up to the door": ("api/train.py", "from saccade import load", "up from __init__"),
    "up to the main file": ("cli/app.py", "import saccade.__main__", "up from __main__"),
    "up from the door": ("__init__.py", "import saccade.cli.app", "up from cli"),
    "up to the door, plain": ("files.py", "import saccade", "up from __init__"),
    "sideways": ("data/folders.py", "from saccade.nn import BACKBONES", "sideways from nn"),
    "sideways between files": ("names.py", "from saccade.files import sync", "sideways from files"),
    "sideways, relative": (
        "augment/batch.py",
        "from ..losses import LOSSES",
        "sideways from losses",
    ),
}


@pytest.mark.parametrize(("name", "source", "said"), PLANTS.values(), ids=PLANTS)
def test_a_planted_import_is_caught(tmp_path, name, source, said):
    package = tmp_path / "saccade"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    file = package / name
    before = file.read_text(encoding="utf-8")
    file.write_text(f"{before}\n{source}\n", encoding="utf-8")
    line = before.count("\n") + 2 + source.count("\n")
    unit = name.split("/")[0].removesuffix(".py")
    assert f"{name}:{line}: {unit} imports {said}" in violations(package, ROWS)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("data/folders.py", "from saccade.data.splits import hold_out_classes"),
        ("data/folders.py", "from .splits import hold_out_classes"),
        ("data/folders.py", "from . import splits"),
        ("data/folders.py", "from ..errors import InputError"),
        ("__init__.py", "from saccade.api import train"),
        ("cli/app.py", "from saccade import load"),
        ("__main__.py", "from saccade import load"),
    ],
)
def test_an_import_that_goes_down_is_let_through(tmp_path, name, source):
    package = tmp_path / "saccade"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / name).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{source}\n")
    assert violations(package, ROWS) == []


def test_a_folder_that_the_table_does_not_name_is_noticed(tmp_path):
    package = tmp_path / "saccade"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "novelty").mkdir()
    (package / "novelty" / "thing.py").write_text("")
    assert units(package) - set(ROWS) == {"novelty"}
