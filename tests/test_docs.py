"""The documents are true: nothing undocumented, no dead link, every block of code runs."""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cyclopts import App
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

import saccade.api.starting
import saccade.api.train
from saccade.api.balance import BALANCES
from saccade.augment.disturbances import DISTURBANCES
from saccade.boxes.suppression import SUPPRESSIONS
from saccade.cli import bench, curves, learn, reference, tune
from saccade.cli.app import build_app, main
from saccade.config import AUTO, AugmentSettings, Recipe, override, read_recipe, settings
from saccade.data.folders import read_class_folders
from saccade.data.pairs import SAMPLERS
from saccade.data.readers import READERS
from saccade.data.symmetries import EXTRA_CLASSES
from saccade.losses import LOSSES
from saccade.losses.box_losses import BOX_LOSSES
from saccade.losses.remedies import REMEDIES
from saccade.metrics import METRICS, SIMILARITIES
from saccade.nn import (
    ACTIVATIONS,
    BACKBONES,
    FAMILIES,
    INITIALISATIONS,
    LAYER_NORMALISATIONS,
    LAYERS,
    NORMALISATIONS,
    PLAIN,
)
from saccade.nn.recurrent import CELLS
from saccade.optim import OPTIMISERS, REGULARISERS, SCHEDULES
from saccade.tasks import TASKS
from saccade.vectors import INDEXES
from tests import people_photos
from tests.conftest import CLASSES, shape_picture
from tests.documents import (
    DOCUMENTS,
    ROOT,
    anchors,
    blocks,
    broken_links,
    command_lines,
    tables,
)
from tests.graphs import write_embedder

DOCS = ROOT / "docs"
DATA = Path(os.environ.get("SACCADE_DATA", "nowhere"))
CATALOGUE = DOCS / "catalogue.md"
CATALOGUE_PAGE = "../catalogue.md"
TABLES = {
    "Tasks": TASKS,
    "Models": dict.fromkeys(settings()["model.name"].choices),
    "Backbones": BACKBONES | PLAIN | dict.fromkeys(f"{family}/NAME" for family in FAMILIES),
    "Activations": ACTIVATIONS,
    "Normalisations": NORMALISATIONS,
    "Initialisations": INITIALISATIONS,
    "Layers": LAYERS,
    "Recurrent cells": CELLS,
    "Losses": LOSSES,
    "Box losses": BOX_LOSSES,
    "Remedies": REMEDIES,
    "Suppressions": SUPPRESSIONS,
    "Optimisers": OPTIMISERS,
    "Samplers": SAMPLERS,
    "Readers": READERS,
    "Regularisers": REGULARISERS,
    "Schedules": SCHEDULES,
    "Extra classes": EXTRA_CLASSES,
    "Indexes": INDEXES,
    "Metrics": METRICS,
    "Similarities": SIMILARITIES,
    "Disturbances": DISTURBANCES,
    "Augmentations": vars(AugmentSettings()),
    "Balances": BALANCES,
    "Reweighting": dict.fromkeys(settings()["data.reweight_by"].choices),
    "Projections": dict.fromkeys(settings()["model.projection"].choices),
}
# The names that a setting takes from a table; its choices say the others.
NAMED = {
    "task": TASKS,
    "model.backbone": {
        *BACKBONES,
        *PLAIN,
        *(f"{family}/{name}" for family, found in FAMILIES.items() for name in found.names()),
    },
    "model.activation": {"", *ACTIVATIONS},
    "model.normalisation": {"", "none", *LAYER_NORMALISATIONS},
    "model.initialisation": {"", *INITIALISATIONS},
    "forecast.cell": CELLS,
    "loss.name": {AUTO, *LOSSES},
    "optim.name": OPTIMISERS,
    "optim.schedule": {AUTO, *SCHEDULES},
}
# Whose blocks are run, one page after the other; the other tutorials have their own tests.
RUN = [
    ROOT / "README.md",
    *sorted((DOCS / "how-to").glob("*.md")),
    DOCS / "tutorial" / "stylize.md",
]
FILE_ENDINGS = {"py", "toml", "json", "safetensors", "yaml"}  # of words that look like a setting
# A negative answer is an answer.
MAY_SAY_NO = {
    "check",
    "choose",
    "compare",
    "find",
    "group",
    "inspect",
    "limits",
    "predict",
    "verify",
}


def names_of(section):
    return set(TABLES.get(section) or reference.command_names(build_app()))


def stale_pages():
    """Return the pages of the reference that do not say what the code says."""
    folder = DOCS / "reference"
    return [
        name
        for name, make in reference.PAGES.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != make()
    ]


def catalogue_gaps():
    """Return the names without a row, and the rows without a name, by section."""
    rows = tables(CATALOGUE)
    gaps = {}
    for section in {*rows, *TABLES, "Commands"}:
        known = names_of(section)
        listed = {row[0].strip("`") for row in rows.get(section, [])}
        if known ^ listed:
            gaps[section] = known ^ listed
    return gaps


def flags_without_help():
    """Return the commands, arguments and flags that say nothing about themselves."""
    app = build_app()
    silent = []
    for name in names_of("Commands"):
        _, (*_, command), _ = app.parse_commands(name.split())
        if not (command.help or "").strip():
            silent.append(name)
        for argument in command.assemble_argument_collection(parse_docstring=True):
            if argument.show and not argument.parameter.help:
                silent.append(f"{name} {argument.name}")
    return silent


def names_wanted():
    """Return the names of ``names.txt`` by section."""
    found = {}
    for line in (ROOT / "tests" / "names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            section.add(line)
    return found


def test_the_catalogue_has_every_name_that_must_be_there():
    rows = tables(CATALOGUE)
    wanted = names_wanted()
    assert sum(map(len, wanted.values())) >= 84
    listed = {section: {row[0].strip("`") for row in found} for section, found in rows.items()}
    missing = {s: names - listed.get(s, set()) for s, names in wanted.items()}
    assert {section: names for section, names in missing.items() if names} == {}


def test_the_reference_says_what_the_code_says():
    assert stale_pages() == [], "docs/reference is out of date; run: make docs"


def test_every_command_flag_and_setting_explains_itself():
    assert flags_without_help() == []
    assert [name for name, entry in settings().items() if not entry.text.strip()] == []


def test_a_planted_command_is_noticed(monkeypatch):
    def shred(gallery: str, /, *, fast: bool = False) -> int:
        return 0

    monkeypatch.setitem(learn.COMMANDS, "shred", shred)
    assert stale_pages() == ["commands.md", CATALOGUE_PAGE]
    assert catalogue_gaps() == {"Commands": {"shred"}}
    assert set(flags_without_help()) == {"shred", "shred GALLERY", "shred --fast"}


def test_a_planted_command_below_another_is_noticed(monkeypatch):
    group = App(name="bench")
    group.default(bench.bench)

    @group.command
    def shred(gallery: str, /) -> int:
        return 0

    monkeypatch.setitem(bench.COMMANDS, "bench", group)
    assert stale_pages() == ["commands.md", CATALOGUE_PAGE]
    assert catalogue_gaps() == {"Commands": {"bench find", "bench shred"}}
    assert set(flags_without_help()) == {"bench shred", "bench shred GALLERY"}


def test_a_planted_setting_is_noticed(monkeypatch):
    planted = {**settings(), "train.luck": replace(settings()["train.epochs"], name="train.luck")}
    monkeypatch.setattr(reference, "settings", lambda: planted)
    assert stale_pages() == ["settings.md"]


def test_a_planted_public_name_is_noticed(monkeypatch):
    monkeypatch.setattr(saccade, "__all__", [*saccade.__all__, "Record"])
    monkeypatch.setitem(saccade._HOME, "Record", "training.loop")
    assert stale_pages() == ["python.md"]


def test_the_catalogue_has_a_row_for_every_name_and_no_other():
    assert catalogue_gaps() == {}


@pytest.mark.parametrize("section", [*TABLES])
def test_a_planted_row_of_a_table_is_noticed(monkeypatch, section):
    monkeypatch.setitem(TABLES[section], "novelty", None)
    assert catalogue_gaps() == {section: {"novelty"}}


@pytest.mark.parametrize(
    "row", [row for rows in tables(CATALOGUE).values() for row in rows], ids=lambda row: row[0]
)
def test_the_files_and_tests_of_the_catalogue_exist(row):
    _, files, source, tests = row
    assert files and source and tests
    for name in re.findall(r"`([^`]+)`", f"{files} {tests}"):
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), name
        assert not function or f"\ndef {function}(" in (ROOT / path).read_text(), name


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file):
    assert broken_links(file) == []


def test_links_that_lead_nowhere_are_noticed():
    text = "[a](docs/README.md) [b](docs/none.md) [c](README.md#python) [d](README.md#nothing) `x`"
    assert broken_links(ROOT / "README.md", text) == ["docs/none.md", "README.md#nothing"]
    assert "what-it-does-not-reach" in anchors(DOCS / "how-to" / "forget-someone.md")


def all_blocks(*languages):
    made = DOCS / "reference"
    files = [file for file in DOCUMENTS if made not in file.parents]
    found = [block for file in files for block in blocks(file, *languages)]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.place)


def check_command(words):
    """Raise when a command line names what is not there; nothing is run."""
    function, bound, *_ = build_app().parse_args(words, exit_on_error=False, print_error=False)
    flags = {
        learn.train: learn.TRAIN_FLAGS,
        tune.tune: tune.TUNE_FLAGS,
        curves.learning_curve: curves.CURVE_FLAGS,
        curves.bias_variance: curves.BAG_FLAGS,
    }.get(function)
    if flags is not None:
        given = bound.arguments
        resumes = given.get("resume") is not None
        _, values = learn.data_and_settings(
            given.get("words", ()), command=words[0], flags=flags, resumes=resumes
        )
        recipe = override(Recipe(), values.items(), where="flags")
        check_recipe(recipe)
        for name, varied in tune.grid(given.get("vary", ())).items():
            for value in varied:
                check_recipe(override(recipe, [(name, value)], where="flags"))


def check_recipe(recipe):
    for name, entry in settings(recipe).items():
        assert name not in NAMED or entry.value in NAMED[name], f"{name}: {entry.value}"


@all_blocks("bash")
def test_shell_blocks_use_commands_and_flags_that_exist(block):
    for words in command_lines(block.text):
        check_command(words)


@pytest.mark.parametrize(
    "line",
    [
        "saccade trian people",
        "saccade find a b --topp 3",
        "saccade robustness run",
        "saccade train people --train.epoch 5",
        "saccade train people --train.epochs many",
        "saccade train people --loss.name arcfase",
        "saccade tune people --vary optim.rate=1,2",
        "saccade tune people --vary model.activation=relu,rellu",
        "for n in 1 2; do saccade shred $n; done",
        "saccade list a || saccade lisst b  # saccade list c",
    ],
)
def test_a_wrong_command_line_is_noticed(line):
    with pytest.raises(Exception):  # noqa: B017  (of cyclopts, of ours, or an assertion)
        for words in command_lines(line):
            check_command(words)


@all_blocks("python")
def test_python_blocks_compile(block):
    compile(block.text, block.place, "exec")


@all_blocks("toml")
def test_toml_blocks_are_recipes(block, tmp_path):
    file = tmp_path / "recipe.toml"
    file.write_text(block.text, encoding="utf-8")
    check_recipe(read_recipe(file))


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_settings_named_in_a_text_exist(file):
    sections = {name.partition(".")[0] for name in settings()}
    for name in re.findall(r"`(\w+\.\w+)`", file.read_text(encoding="utf-8")):
        head, _, tail = name.partition(".")
        assert head not in sections or tail in FILE_ENDINGS or name in settings(), name


@pytest.fixture
def quick_training(monkeypatch):
    """Training of any length ends after two epochs of a narrow network."""
    whole = saccade.api.starting.whole_recipe

    def short(*given):
        recipe = whole(*given)
        train = replace(recipe.train, epochs=min(recipe.train.epochs, 2))
        return replace(recipe, train=train, model=replace(recipe.model, width=8))

    monkeypatch.setattr(saccade.api.starting, "whole_recipe", short)


@pytest.fixture(scope="module")
def furnished(class_folders, tmp_path_factory):
    """The folder that the pages speak of: pictures, a run, a gallery, weights with their card."""
    root = tmp_path_factory.mktemp("pages")
    shutil.copytree(class_folders, root / "people")
    draw = np.random.default_rng(1)
    for name, label in zip(("ben", "cleo", "dora"), CLASSES, strict=False):
        (root / "others" / name).mkdir(parents=True)
        for number in range(4):
            Image.fromarray(shape_picture(label, draw)).save(
                root / "others" / name / f"{number}.png"
            )
    for name in ("anna.jpg", "who.jpg"):
        Image.fromarray(shape_picture(CLASSES[-1], draw)).save(root / name)
    people = sorted((root / "people").rglob("*.png"))
    rows = [f"{file.relative_to(root)},{20 + n},{1.5 + n / 100}" for n, file in enumerate(people)]
    (root / "ages.csv").write_text("\n".join(["path,age,height", *rows, ""]))
    tensors = models.squeezenet1_1().state_dict()
    save_file({k: v.half() for k, v in tensors.items()}, root / "squeezenet1_1.safetensors")
    (root / "squeezenet1_1.json").write_text(
        '{"backbone": "torchvision/squeezenet1_1", "size": "64x64", "licence": "BSD 2-Clause"}'
    )
    run = saccade.train(
        root / "people",
        out=root / "runs" / "people",
        settings={"train.epochs": 2, "model.width": 8},
    )
    with saccade.Gallery.create(root / "people.gallery", embedder=run.model) as gallery:
        samples = read_class_folders(root / "others")
        gallery.enrol([saccade.Sample(root / "anna.jpg", "anna"), *samples])
    write_embedder(root / "embedder.onnx")
    (root / "embedder.toml").unlink()
    return root


def run_block(block):
    """Run a block as a reader would, in the current folder; ``saccade`` in this process."""
    if block.language == "python":
        exec(compile(block.text, block.place, "exec"), {})
    elif block.language == "toml":
        name = re.match(r"# (\S+\.toml)\n", block.text)
        assert name, f"{block.place}: the first line must name the file"
        Path(name[1]).write_text(block.text, encoding="utf-8")
    for words in command_lines(block.text) if block.language == "bash" else ():
        allowed = (0, 1) if words[0] in MAY_SAY_NO else (0,)
        assert main(words) in allowed, f"{block.place}: {words}"


QUICK_PAGES = ("README", "train-on-your-own-pictures")
PAGES = [
    pytest.param(file, id=file.stem, marks=[] if file.stem in QUICK_PAGES else [pytest.mark.slow])
    for file in RUN
]


@pytest.mark.parametrize("file", PAGES)
def test_the_blocks_of_a_page_run(file, furnished, tmp_path, monkeypatch, quick_training):
    world = tmp_path / "world"
    shutil.copytree(furnished, world)
    if file.stem == "people":
        pytest.importorskip("av")
        if not (DATA / people_photos.GRAPH).is_file():
            pytest.skip("SACCADE_DATA holds no ultraface and faces")
        people_photos.furnish(world, DATA, learn=6, each=6)
    text = file.read_text(encoding="utf-8")
    for made in ("runs/people", "people.gallery"):
        if f"--out {made} " in f"{text.replace(chr(10), ' ')} " or f"create {made} " in text:
            shutil.rmtree(world / made)
    monkeypatch.chdir(world)
    for block in blocks(file, "bash", "python", "toml"):
        run_block(block)


def test_bench_lists_its_scripts(capsys):
    assert main(["bench"]) == 0
    scripts = {file.stem for file in (ROOT / "benchmarks").glob("[!_]*.py")}
    assert set(capsys.readouterr().out.split()) == scripts == set(bench.find_scripts())
