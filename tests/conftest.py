"""One thread, fixed draws, and small generated pictures for all tests."""

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants
from hypothesis import HealthCheck, settings
from PIL import Image, ImageDraw

from saccade.data.bouncing import write_bouncing
from saccade.data.shapes import write_shapes

torch.set_num_threads(1)
settings.register_profile(
    "fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fixed")

CLASSES = ("blue-disc", "blue-square", "green-disc", "green-square", "red-disc", "red-square")
PICTURES_PER_CLASS = 6
SIDE = 24
CHROMIUM = Path("/usr/bin/chromium")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (50, 70, 230)}


def shape_picture(label, draw):
    """Return one (SIDE, SIDE, 3) uint8 picture: a coloured shape somewhere, with noise."""
    colour, shape = label.split("-")
    image = Image.new("RGB", (SIDE, SIDE), (90, 90, 90))
    left, top = draw.integers(1, 9, size=2)
    box = (left, top, left + 12, top + 12)
    pen = ImageDraw.Draw(image)
    (pen.ellipse if shape == "disc" else pen.rectangle)(box, fill=COLOURS[colour])
    noisy = np.asarray(image) + draw.normal(0, 8, size=(SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory):
    """The cache of this session, also of the processes that tests start; not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SACCADE_CACHE", str(tmp_path_factory.mktemp("cache") / "pictures"))
        yield


@pytest.fixture(scope="session")
def shapes():
    """Pictures (36, 24, 24, 3) uint8 and targets (36,) int64: six classes of six."""
    draw = np.random.default_rng(0)
    pictures = [shape_picture(label, draw) for label in CLASSES for _ in range(PICTURES_PER_CLASS)]
    return np.stack(pictures), np.repeat(np.arange(len(CLASSES)), PICTURES_PER_CLASS)


@pytest.fixture(scope="session")
def class_folders(shapes, tmp_path_factory):
    """Return a folder with the pictures of ``shapes`` as PNG files, one sub-folder a class."""
    root = tmp_path_factory.mktemp("shapes")
    for number, (picture, target) in enumerate(zip(*shapes, strict=True)):
        folder = root / CLASSES[target]
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number:02}.png")
    return root


@pytest.fixture(scope="session")
def number_table(class_folders, tmp_path_factory):
    """Return a CSV that says of the pictures of ``shapes`` two numbers: hue and corners."""
    table = tmp_path_factory.mktemp("numbers") / "numbers.csv"
    lines = ["path,hue,corners"]
    for file in sorted(class_folders.rglob("*.png")):
        colour, shape = file.parent.name.split("-")
        hue = 10 + 120 * list(COLOURS).index(colour)
        lines.append(f"{file},{hue},{4 if shape == 'square' else 0}")
    table.write_text("\n".join(lines) + "\n")
    return table


@pytest.fixture(scope="session")
def box_folder(tmp_path_factory):
    """Return a folder of shapes and their boxes, 30 pictures to learn from and 6 to judge on."""
    root = tmp_path_factory.mktemp("boxes")
    write_shapes(root, parts={"train": 30, "val": 6})
    return root


@pytest.fixture(scope="session")
def sequence_folder(tmp_path_factory):
    """Return a folder of sequences of shapes that bounce: 6 to learn from, 2 to judge on."""
    root = tmp_path_factory.mktemp("sequences")
    write_bouncing(root, parts={"train": 6, "val": 2}, frames=8, size_hw=(24, 24))
    return root


@pytest.fixture(scope="module")
def browser():
    """Return a browser without a window; whoever asks for one is skipped where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not there: the page cannot be opened in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def data_of_task(task, class_folders, number_table, box_folder, sequence_folder):
    """Return what ``task`` learns from: of the same pictures classes or numbers; boxes, masks."""
    others = {
        "regress": number_table,
        "detect": box_folder,
        "segment": box_folder,
        "forecast": sequence_folder,
    }
    return others.get(task, class_folders)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache, and a way to say where the hub is."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)

    def at(address):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    return at
