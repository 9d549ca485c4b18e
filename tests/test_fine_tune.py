"""Fine-tuning: a source in one word, a new head, a backbone that is frozen and then thawed."""

import json
import os
import shutil
import signal
from itertools import product
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

import saccade
from saccade.api.starting import find_start
from saccade.cli.app import main
from saccade.errors import InputError, SettingError
from saccade.nn import BACKBONES, make_backbone
from saccade.optim import OPTIMISERS, takes_whole_loss
from saccade.tasks import TASKS
from saccade.training.freezing import Freezing, frozen_epochs, parts_of
from saccade.training.run import read_history
from tests.hub_server import serve
from tests.runs import OF_TASK, TRAIN, flags, weights_of, without_time
from tests.test_killed import kill_when, run_whole

NAME = "test_resnet"
SETTINGS = {
    "train.epochs": 2,
    "train.threads": 1,
    "train.batch_size": 12,
    "train.precision": "float32",
    "model.dimension": 8,
    "data.validation": 0,
}
SMALL = {**SETTINGS, "model.width": 4}
DATA = os.environ.get("SACCADE_DATA")
STEPS_AN_EPOCH = 3


@pytest.fixture(scope="module")
def source(class_folders, tmp_path_factory):
    """A classifier of ours, trained for a moment, in grey."""
    folder = tmp_path_factory.mktemp("source") / "run"
    settings = SMALL | {"data.colour": "grey", "model.activation": "gelu"}
    return saccade.train(class_folders, task="classify", out=folder, settings=settings).folder


def begun(data, out, start, **changes):
    return saccade.Training(
        data, task="classify", out=out, start=start, settings=SETTINGS | changes
    )


def copied(module):
    return {key: value.clone() for key, value in module.state_dict().items()}


def same(found, expected):
    return found.keys() == expected.keys() and all(
        torch.equal(found[key], expected[key]) for key in found
    )


# The new head


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_a_linear_head_begins_at_zero_over_weights_that_know(data_of_task, tmp_path, source, task):
    given = {"task": task, "settings": SETTINGS | OF_TASK[task]}
    drawn = saccade.Training(data_of_task, out=tmp_path / "drawn", **given)
    assert drawn.learner.network.head.weight.any()
    training = saccade.Training(data_of_task, out=tmp_path / "run", start=source, **given)
    head = training.learner.network.head
    assert not head.weight.any() and not head.bias.any()
    list(training.records())
    assert head.weight.any() and head.bias.any()


# Which part learns when


@pytest.mark.parametrize(
    ("share", "epochs", "expected"),
    [(0, 10, 0), (0.3, 10, 3), (0.01, 10, 1), (1, 7, 7), (0.5, 1, 1), (0.5, 0, 1)],
)
def test_a_share_is_whole_epochs(share, epochs, expected):
    assert frozen_epochs(share, epochs) == expected


@pytest.mark.parametrize("name", [*BACKBONES, f"timm/{NAME}", "torchvision/squeezenet1_1"])
def test_the_parts_of_a_backbone_hold_all_its_weights_once(name):
    backbone = make_backbone(name, channels=3, width=4, size_hw=(32, 32))
    parts = parts_of(backbone)
    found = [id(weight) for part in parts for weight in part.parameters()]
    assert sorted(found) == sorted(id(weight) for weight in backbone.parameters())
    assert len(parts) > 1


def test_parts_thaw_evenly_from_the_head_on():
    freezing = Freezing(nn.Sequential(*(nn.Linear(2, 2) for _ in range(4))), epochs=6, by_part=True)
    assert [freezing.thawed(epoch) for epoch in range(8)] == [0, 0, 1, 2, 2, 3, 4, 4]
    freezing.by_part = False
    assert [freezing.thawed(epoch) for epoch in range(8)] == [0] * 6 + [4] * 2


def test_what_never_learned_is_not_thawed():
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    layers[0].bias.requires_grad_(False)
    freezing = Freezing(layers, epochs=1)
    freezing(0)
    assert not any(weight.requires_grad for weight in layers.parameters())
    freezing(1)
    assert [weight.requires_grad for weight in layers.parameters()] == [True, False, True, True]


def test_weights_outside_of_all_parts_thaw_last():
    network = nn.Module()
    network.first, network.second = nn.Linear(2, 2), nn.BatchNorm1d(2)
    network.token = nn.Parameter(torch.zeros(2))
    freezing = Freezing(network.train(), epochs=2, by_part=True)
    freezing(1)
    assert network.second.training and not network.first.training
    assert network.second.weight.requires_grad and not network.token.requires_grad
    freezing(2)
    assert network.token.requires_grad


@pytest.mark.parametrize("name", [name for name in OPTIMISERS if not takes_whole_loss(name)])
def test_a_frozen_backbone_stays_to_the_bit_and_the_head_learns(
    class_folders, tmp_path, source, name
):
    changes = {"optim.frozen": 1, "optim.name": name, "optim.l1": 1e-3, "optim.max_norm": 0.1}
    training = begun(class_folders, tmp_path / "run", source, **changes)
    network = training.learner.network
    before, head = copied(network.backbone), copied(network.head)
    list(training.records())
    assert same(copied(network.backbone), before)
    assert not same(copied(network.head), head)
    training.complete()
    assert all(weight.requires_grad for weight in network.parameters())


def test_each_part_moves_when_it_is_thawed_and_not_before(class_folders, tmp_path, source):
    changes = {"optim.frozen": 0.8, "optim.thaw": "by_part", "train.epochs": 10}
    training = begun(class_folders, tmp_path / "run", source, **changes)
    backbone = training.learner.network.backbone
    parts = training.freezing.parts
    assert training.freezing.epochs == 8 and len(parts) == 6
    states, moved = [copied(part) for part in parts], []
    for record in training.records():
        if record.epoch_ends:
            now = [copied(part) for part in parts]
            moved.append([not same(*pair) for pair in zip(now, states, strict=True)])
            states = now
    expected = [6 * epoch // 8 for epoch in range(8)] + [6, 6]
    assert moved == [[place >= 6 - many for place in range(6)] for many in expected]
    assert backbone.training


# The same end, whenever it was stopped


@pytest.fixture(params=["together", "by_part"])
def frozen_settings(request):
    return SETTINGS | {
        "train.epochs": 4,
        "optim.frozen": 0.5,
        "optim.thaw": request.param,
        "optim.backbone_lr": 0.3,
        "optim.ema": 0.9,
    }


def test_a_stopped_run_goes_on_frozen_and_thaws_as_if_nothing_had_happened(
    class_folders, tmp_path, source, frozen_settings
):
    given = {"task": "classify", "settings": frozen_settings, "start": source}
    whole = saccade.train(class_folders, out=tmp_path / "whole", **given)
    for steps in (4, 8):  # while it is frozen, or in part; and after that
        folder = tmp_path / str(steps)
        training = saccade.Training(class_folders, out=folder, **given)
        records = training.records()
        for _ in range(steps):
            next(records)
        records.close()
        saccade.train(resume=folder)
        assert weights_of(folder) == weights_of(whole.folder)
        histories = [without_time(read_history(run)) for run in (folder, whole.folder)]
        assert histories[0] == histories[1]


@pytest.mark.slow
def test_a_run_killed_while_frozen_and_while_thawed_is_the_uninterrupted_one(
    class_folders, tmp_path, source, frozen_settings
):
    settings = flags(frozen_settings | {"train.epochs": 16})
    begin = [*TRAIN, class_folders, "--task", "classify", "--from", source, *settings, "--out"]
    whole, folder = tmp_path / "whole", tmp_path / "run"
    run_whole([*begin, whole])
    resume = [*TRAIN, "--resume", folder]
    for number, lines in enumerate((11, 32)):
        code = kill_when(resume if number else [*begin, folder], folder, lines, 0.01)
        assert code == -signal.SIGKILL
    run_whole(resume)
    assert weights_of(folder) == weights_of(whole)
    histories = [without_time(read_history(run)) for run in (folder, whole)]
    assert histories[0] == histories[1] and len(histories[0]) == 16 * STEPS_AN_EPOCH


# From any task to any other


@pytest.fixture(scope="module")
def sources(class_folders, number_table, box_folder, tmp_path_factory):
    """A run of every task, with its data."""
    root = tmp_path_factory.mktemp("sources")
    data = {"regress": number_table, "detect": box_folder, "segment": box_folder}
    return {
        task: saccade.train(
            data.get(task, class_folders),
            task=task,
            out=root / task,
            settings=SMALL | OF_TASK[task] | {"train.epochs": 1, "data.colour": "rgb"},
        )
        for task in SHARED
    }


SHARED = [task for task in OF_TASK if task != "forecast"]  # Those that have a backbone by its name.
ROUND = list(zip(SHARED, [*SHARED[1:], "embed"], strict=True))
OTHERS = [pair for pair in product(SHARED, SHARED) if pair not in ROUND]


@pytest.mark.parametrize(
    ("other", "task"), ROUND + [pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHERS]
)
def test_a_run_of_one_task_starts_one_of_another(sources, data_of_task, tmp_path, task, other):
    first = sources[other]
    settings = SETTINGS | OF_TASK[task] | {"train.epochs": 1, "optim.frozen": 1}
    given = {"task": task, "settings": settings, "start": first.folder}
    training = saccade.Training(data_of_task, out=tmp_path / "run", **given)
    expected = copied(first.model.network.backbone)
    assert same(copied(training.learner.network.backbone), expected)
    list(training.records())
    model = training.complete()
    assert same(copied(model.network.backbone), expected)
    assert f"started from the weights {first.folder.name}" in model.card["provenance"]


def test_every_task_is_a_source():
    assert set(TASKS) - {"forecast"} <= set(OF_TASK)


def test_forecasters_neither_give_nor_take_a_backbone(
    source, class_folders, sequence_folder, tmp_path, capsys
):
    settings = SETTINGS | OF_TASK["forecast"] | {"train.epochs": 1}
    run = saccade.train(sequence_folder, task="forecast", out=tmp_path / "run", settings=settings)
    with pytest.raises(InputError, match="is a forecaster, whose network no other task has"):
        saccade.Training(class_folders, out=tmp_path / "other", start=run.folder)
    with pytest.raises(SettingError, match="is not for task forecast; leave it out"):
        saccade.Training(sequence_folder, task="forecast", out=tmp_path / "other", start=source)
    assert not (tmp_path / "other").exists()


# What a source brings


def test_a_run_brings_its_backbone_parts_width_colour_and_size(class_folders, tmp_path, source):
    training = begun(class_folders, tmp_path / "run", source)
    model, card = training.recipe.model, training.data.card
    assert (model.backbone, model.width, model.activation) == ("small_resnet", 4, "gelu")
    assert model.weights == str(source)
    assert card["channels"] == 1 and card["size_hw"] == [24, 24]
    assert training.start.sentence() == (
        f"starts from {source}: backbone small_resnet, width 4, pictures in grey, "
        "activation gelu, with a new head"
    )
    by_file = begun(class_folders, tmp_path / "other", source / "model.safetensors")
    assert by_file.recipe.model == model


def test_the_weights_of_a_run_need_not_be_named_as_its_folder(class_folders, tmp_path, source):
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(source / "model.safetensors", other)
    with pytest.raises(InputError, match="no card beside"):
        begun(class_folders, tmp_path / "run", other / "model.safetensors")


def test_flags_that_agree_are_no_contradiction(class_folders, tmp_path, source):
    agree = {"model.width": "4", "data.colour": "auto", "data.size": "32x32"}
    training = begun(class_folders, tmp_path / "run", source, **agree)
    assert training.data.card["size_hw"] == [32, 32]
    with pytest.raises(SettingError, match=r"brings model\.width '4', and the settings say '8'"):
        begun(class_folders, tmp_path / "other", source, **{"model.width": 8})


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(5)
    place = tmp_path / "theirs.safetensors"
    save_file(timm.create_model(NAME, num_classes=7).state_dict(), place)
    return place


@pytest.mark.parametrize(
    ("card", "told", "backbone"),
    [
        ({"backbone": f"timm/{NAME}"}, "", f"timm/{NAME}"),
        ({"architecture": "torchvision.models.vgg11 (as there)"}, "", "torchvision/vgg11"),
        ({}, f"timm/{NAME}", f"timm/{NAME}"),
        (None, f"timm/{NAME}", f"timm/{NAME}"),
    ],
)
def test_a_file_is_of_the_backbone_that_its_card_or_the_user_names(file, card, told, backbone):
    if card is not None:
        file.with_suffix(".json").write_text(json.dumps(card))
    found = find_start(file, backbone=told)
    assert found.settings == {"model.backbone": backbone, "model.weights": str(file)}


def test_a_recipe_names_the_backbone_of_a_file(class_folders, tmp_path, file):
    changes = {"model.backbone": f"timm/{NAME}", "data.size": "32x32"}
    training = begun(class_folders, tmp_path / "run", file, **changes)
    assert training.learner.network.backbone.name == f"timm/{NAME}"


def test_the_hub_is_a_source(hub, file, class_folders, tmp_path):
    tagged = f"timm/{NAME}.r160_in1k"
    with serve({f"{tagged}/model.safetensors": file.read_bytes()}) as (address, asked):
        hub(address)
        changes = {"data.size": "32x32"}
        training = begun(class_folders, tmp_path / "run", f"timm:{NAME}", **changes)
    assert [method for method, _ in asked].count("GET") == 1
    assert training.data.card["weights"]["source"] == tagged
    assert training.start.sentence().startswith(f"starts from timm:{NAME}: backbone timm/{NAME},")


@pytest.mark.skipif(DATA is None, reason="SACCADE_DATA is not set")
def test_the_real_network_of_imagenet_says_what_it_is():
    file = Path(str(DATA)) / "weights" / "squeezenet1_1" / "squeezenet1_1.safetensors"
    assert find_start(file).settings["model.backbone"] == "torchvision/squeezenet1_1"


def test_the_command_says_what_it_took(class_folders, tmp_path, source, capsys):
    words = ["train", class_folders, "--from", source, "--task", "classify", *flags(SETTINGS)]
    words += ["--optim.frozen", "0.5", "--out"]
    assert main([str(word) for word in (*words, tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert f"starts from {source}: backbone small_resnet, width 4" in said
    assert "the backbone is frozen for 1 of 2 epochs" in said
    assert main([str(word) for word in (*words, tmp_path / "other", "--json")]) == 0
    told = json.loads(capsys.readouterr().out)["start"]
    assert told["source"] == str(source) and told["settings"]["model.width"] == 4


# What is refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--from nowhere", "the start nowhere does not exist; name a finished run, timm:NAME"),
        ("--from torchvision:vgg11", "those of the hub are timm:NAME"),
        ("--from timm:", "there is no start 'timm:'"),
        ("--from timm:resnet_18", "did you mean"),
        ("--from stopped", "holds no model.json: it is not a run, or its training did not end"),
        ("--from pixels", "sees by pixels, which holds no weights to start from"),
        ("--from odd.safetensors", "no card beside odd.safetensors names its network"),
        ("--from odd.pth", "are not a .safetensors file"),
        ("--from shape.safetensors", "'conv1.0.weight' is 2x3, and should be"),
        ("--from listed.safetensors", "listed.toml: backbone must be a name"),
        ("--from run --model.backbone resnet", "brings model.backbone 'small_resnet'"),
        ("--from run --model.features hog", "leave one of them out"),
        ("--from run --model.initialisation he_normal", "model.weights brings first weights"),
        ("--from run --optim.frozen 2", "optim.frozen must be 0 to 1"),
        ("--from run --optim.thaw slowly", "optim.thaw must be together, by_part"),
        ("--optim.frozen 0.5", "this one starts from scratch; name a source with --from"),
        ("--from run --resume run", "--from and --resume exclude each other"),
    ],
)
def test_wrong_starts_are_one_line(
    class_folders, tmp_path, source, file, monkeypatch, capsys, words, said
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(source, "run")
    Path("stopped").mkdir()
    saccade.train(
        class_folders, task="classify", out="pixels", settings={"model.name": "knn"}
    ) if "pixels" in words else None
    Path("odd.pth").write_bytes(b"PK")
    save_file({"conv1.weight": torch.zeros(2, 2)}, "odd.safetensors")
    state = timm.create_model(NAME).state_dict()
    for name in ("shape", "listed"):
        save_file({**state, "conv1.0.weight": torch.zeros(2, 3)}, f"{name}.safetensors")
    Path("shape.toml").write_text(f'backbone = "timm/{NAME}"\nsize = "32x32"')
    Path("listed.toml").write_text("backbone = [1]")
    resumes = "--resume" in words
    given = [] if resumes else [str(class_folders), "--task", "classify", "--out", "new"]
    assert main(["train", *given, *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error
    assert not Path("new").exists()


def test_an_optimiser_of_the_whole_loss_takes_no_frozen_backbone(class_folders, tmp_path, source):
    with pytest.raises(SettingError, match=r"set to 0: .*optim\.frozen"):
        begun(class_folders, tmp_path / "run", source, **{"optim.name": "lbfgs", "optim.frozen": 1})
