"""Weights of others: loaded strictly, from files, runs and the hub, and told in the card."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torchvision import models

import saccade
from saccade.api.weights import find_weights
from saccade.cli.app import main
from saccade.errors import InputError, SettingError
from saccade.nn import make_backbone
from saccade.nn.weights import load_foreign, read_weights
from saccade.nn.weights_card import WeightsCard, read_weights_card
from saccade.tasks.model import Model
from tests.hub_server import serve

NAME, TAGGED = "test_resnet", "timm/test_resnet.r160_in1k"
SETTINGS = {
    "model.backbone": f"timm/{NAME}",
    "train.epochs": 2,
    "train.threads": 1,
    "train.precision": "float32",
    "model.dimension": 8,
    "data.size": "32x32",
}
CARD = """
mean = [0.1, 0.2, 0.3]
std = [0.4, 0.5, 0.6]
size = "40x32"
licence = "MIT"
source = "us"
"""
DATA = os.environ.get("SACCADE_DATA")


def network_of(name=NAME, **given):
    torch.manual_seed(5)
    return timm.create_model(name, num_classes=7, **given).eval()


@pytest.fixture(scope="module")
def network():
    """A network of timm with its head; its normalisations have seen something."""
    found = network_of()
    found.train()(torch.rand(8, 3, 32, 32))
    return found.eval()


@pytest.fixture
def file(network, tmp_path):
    place = tmp_path / "theirs.safetensors"
    save_file(network.state_dict(), place)
    return place


def started(data, out, file, **changes):
    """The training that starts from these weights, before its first step."""
    return saccade.Training(
        data, out=out, settings={**SETTINGS, "model.weights": str(file)} | changes
    )


def theirs(network, pictures, card):
    """What timm's own network sees in (n, 3, H, W) uint8."""
    mean, std = (torch.tensor(figures).view(3, 1, 1) for figures in (card.mean, card.std))
    with torch.no_grad():
        maps = network.forward_features((pictures / 255 - mean) / std)
        return network.forward_head(maps, pre_logits=True)


@pytest.mark.parametrize("precision", [torch.float32, torch.float16])
def test_a_run_starts_with_the_features_of_the_file(
    class_folders, tmp_path, network, file, precision
):
    save_file(
        {
            k: v.to(precision) if v.is_floating_point() else v
            for k, v in network.state_dict().items()
        },
        file,
    )
    file.with_suffix(".toml").write_text(CARD)
    training = started(class_folders, tmp_path / "run", file)
    pictures = training.data.pictures[torch.arange(6)]
    with torch.no_grad():
        ours = training.learner.network.eval().features(pictures.float() / 255)
    card = WeightsCard((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    tolerance = 1e-5 if precision == torch.float32 else 2e-2
    torch.testing.assert_close(
        ours, theirs(network, pictures, card), atol=tolerance, rtol=tolerance
    )


def test_weights_learned_at_another_size_are_brought_to_this_one_as_timm_does(tmp_path):
    file = tmp_path / "vit.safetensors"
    save_file(network_of("test_vit").state_dict(), file)
    ours = make_backbone("timm/test_vit", channels=3, width=8, size_hw=(64, 96)).eval()
    load_foreign(ours, read_weights(file), where="here")
    overlay = {"file": str(file), "custom_load": False}
    reference = timm.create_model(
        "test_vit",
        pretrained=True,
        pretrained_cfg_overlay=overlay,
        num_classes=0,
        img_size=(64, 96),
    ).eval()
    pictures = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(ours(pictures), reference(pictures))


def broken(network, file, how):
    tensors = dict(network.state_dict())
    match how:
        case "missing":
            del tensors["layer1.0.bn1.bias"]
        case "shape":
            tensors["conv1.0.weight"] = torch.zeros(2, 3)
        case "left over":
            tensors["layer9.weight"] = torch.zeros(2)
        case "nan":
            tensors["layer1.0.bn1.bias"][0] = torch.nan
    save_file(tensors, file)
    if how == "pickle":
        file.write_bytes(pickle.dumps({"conv1.weight": [1.0]}))
    if how == "cut":
        file.write_bytes(b"\x10")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "'layer1.0.bn1.bias' is missing"),
        ("shape", "'conv1.0.weight' is 2x3, and should be "),
        ("left over", "'layer9.weight' has no place in it"),
        ("nan", "NaN or infinity in 'layer1.0.bn1.bias'"),
        ("pickle", "cannot be read as safetensors"),
        ("cut", "cannot be read as safetensors"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(class_folders, tmp_path, file, how, said):
    broken(network_of(), file, how)
    with pytest.raises(InputError, match=said) as caught:
        started(class_folders, tmp_path / "run", file)
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_counters_of_batch_normalisation_may_be_absent(network, file):
    tensors = {k: v for k, v in network.state_dict().items() if not k.endswith("batches_tracked")}
    save_file(tensors, file)
    backbone = make_backbone(f"timm/{NAME}", channels=3, width=8, size_hw=(32, 32))
    load_foreign(backbone, read_weights(file), where="here")
    assert torch.equal(backbone.body.bn1.running_mean, network.bn1.running_mean)


def test_the_card_tells_of_the_weights(class_folders, tmp_path, file):
    file.with_suffix(".toml").write_text(CARD)
    card = started(class_folders, tmp_path / "run", file, **{"data.size": "auto"}).data.card
    assert card["size_hw"] == [40, 32]
    assert (card["mean"], card["std"]) == ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    told = card["weights"]
    assert told["sha256"] == saccade.files.sha256_file(file) and told["source"] == "us"
    assert card["library"] == f"timm {timm.__version__}"
    assert "MIT" in card["licence"] and "pictures it learned from" in card["licence"]
    for words in (file.name, told["sha256"], f"timm/{NAME}", "from us", "36 pictures"):
        assert words in card["provenance"]


def test_without_a_card_the_licence_is_unknown_and_the_figures_are_those_of_timm(
    class_folders, tmp_path, file
):
    card = started(class_folders, tmp_path / "run", file, **{"data.size": "auto"}).data.card
    known = timm.get_pretrained_cfg(NAME)
    assert tuple(card["mean"]) == known.mean and tuple(card["std"]) == known.std
    assert card["size_hw"] == list(known.input_size[1:])
    assert "assumed" in card["standardise"] and "unknown" in card["licence"]


def test_grey_pictures_are_seen_as_three_equal_channels(class_folders, tmp_path, network, file):
    training = started(class_folders, tmp_path / "run", file, **{"data.colour": "grey"})
    pictures = training.data.pictures[torch.arange(4)]
    assert pictures.shape[1] == 1
    with torch.no_grad():
        ours = training.learner.network.eval().features(pictures.float() / 255)
    expected = theirs(network, pictures.repeat(1, 3, 1, 1), training.weights.card)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("task", ["embed", "classify"])
def test_the_whole_path(class_folders, tmp_path, shapes, file, task, capsys):
    """Two epochs with all that a run can have; then the model alone, without the weights' file."""
    words = [class_folders, "--task", task, "--out", tmp_path / "run"]
    changes = {
        "model.weights": file,
        "optim.ema": 0.9,
        "optim.backbone_lr": 0.1,
        "train.precision": "bfloat16",
    }
    words += [word for key, value in (SETTINGS | changes).items() for word in (f"--{key}", value)]
    assert main(["train", *map(str, words)]) == 0
    assert "licence: unknown" in capsys.readouterr().out
    file.unlink()
    assert main(["evaluate", str(tmp_path / "run"), str(class_folders)]) == 0
    page = (tmp_path / "run" / "evaluation.html").read_text()
    assert "licence" in page and "unknown, because no card states it" in page
    model = Model.load(tmp_path / "run")
    pictures = sorted(class_folders.rglob("*.png"))
    if task == "classify":
        assert len(saccade.predict(tmp_path / "run", pictures[:3])) == 3
        return
    with saccade.Gallery.create(tmp_path / "gallery", embedder=tmp_path / "run") as gallery:
        gallery.enrol([saccade.Sample(pictures[0], "one")])
    with saccade.Gallery.open(tmp_path / "gallery") as gallery:
        assert gallery.find([pictures[0]])[0].hits[0].similarity == pytest.approx(1, abs=1e-3)
    kept = json.loads((tmp_path / "gallery" / "embedder" / "model.json").read_text())
    assert kept["licence"] == model.card["licence"] and kept["mean"] == model.card["mean"]


def test_a_resumed_run_needs_no_weights_and_ends_the_same(class_folders, tmp_path, file):
    whole = started(class_folders, tmp_path / "whole", file)
    list(whole.records())
    whole.finish()
    cut = started(class_folders, tmp_path / "cut", file)
    for record in cut.records():
        if record.epoch_ends:
            break
    file.unlink()
    saccade.train(resume=tmp_path / "cut")
    ours, expected = (
        json.loads((tmp_path / n / "model.json").read_text()) for n in ("cut", "whole")
    )
    assert ours == expected


def test_the_rate_of_the_backbone_is_a_share(class_folders, tmp_path, network, file):
    training = started(class_folders, tmp_path / "run", file, **{"optim.backbone_lr": 0.0})
    list(training.records())
    for key, parameter in training.learner.network.backbone.body.named_parameters():
        assert torch.equal(parameter, network.state_dict()[key]), key
    assert training.learner.optimiser.param_groups[0]["lr"] > 0


def test_without_training_the_map_is_fitted_to_the_features(class_folders, tmp_path, file):
    run = saccade.train(
        class_folders,
        out=tmp_path / "run",
        settings={**SETTINGS, "model.weights": str(file), "train.epochs": 0},
    )
    body = network_of().state_dict()
    kept = read_weights(run.folder / "model.safetensors")
    assert torch.equal(kept["backbone.body.conv1.0.weight"], body["conv1.0.weight"])
    assert "then only fitted on" in run.model.card["provenance"]
    assert run.validation is not None and (run.folder / "report.html").is_file()


def test_a_network_that_shares_tensors_is_kept_and_loaded(class_folders, tmp_path, shapes):
    settings = SETTINGS | {"model.backbone": "timm/coat_tiny", "train.epochs": 1}
    model = saccade.train(class_folders, out=tmp_path / "run", settings=settings).model
    again = Model.load(tmp_path / "run")
    np.testing.assert_array_equal(again(shapes[0][:3]), model(shapes[0][:3]))


@pytest.mark.parametrize("changes", [{"task": "classify"}, {"model.projection": "trained"}])
def test_what_needs_training_is_refused_without(class_folders, tmp_path, changes):
    with pytest.raises(SettingError, match=r"train\.epochs 0 trains no head"):
        saccade.train(class_folders, out=tmp_path / "run", settings={"train.epochs": 0, **changes})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("backbone", ["small_resnet", f"timm/{NAME}"])
def test_a_run_starts_from_an_earlier_one(class_folders, tmp_path, backbone):
    settings = SETTINGS | {"model.backbone": backbone, "model.width": 8}
    first = saccade.train(class_folders, out=tmp_path / "first", settings=settings)
    second = saccade.Training(
        class_folders,
        task="classify",
        out=tmp_path / "second",
        settings=settings | {"model.weights": str(first.folder)},
    )
    expected = first.model.network.backbone.state_dict()
    for key, value in second.learner.network.backbone.state_dict().items():
        assert torch.equal(value, expected[key]), key
    assert second.data.card.get("mean") is None
    assert "first" in second.data.card["provenance"]
    with pytest.raises(InputError, match=r"has the backbone .*, not gradient_resnet"):
        find_weights("gradient_resnet", str(first.folder))
    if backbone == "small_resnet":
        with pytest.raises(InputError, match=r"do not fit .* model\.width"):
            wider = settings | {"model.weights": str(first.folder), "model.width": 16}
            saccade.Training(class_folders, out=tmp_path / "third", settings=wider)


def test_cards_are_read(tmp_path):
    file = tmp_path / "net.safetensors"
    otherwise = WeightsCard(licence="theirs")
    assert read_weights_card(file, otherwise=otherwise) == otherwise
    content = {"mean_rgb_0_255": [51, 102, 255], "input": "96x64 RGB, resized", "license": "MIT"}
    file.with_suffix(".json").write_text(json.dumps(content))
    card = read_weights_card(file, otherwise=otherwise)
    assert card.mean == (0.2, 0.4, 1.0) and card.std == (1 / 255,) * 3
    assert card.size_hw == (96, 64) and card.licence == "MIT" and not card.assumed
    file.with_suffix(".toml").write_text('source = "a shelf"')
    card = read_weights_card(file, otherwise=otherwise)  # TOML goes first.
    assert card.source == "a shelf" and card.assumed and card.licence == "theirs"


@pytest.mark.parametrize(
    ("ending", "content", "said"),
    [
        ("toml", "mean = [", "is not valid TOML"),
        ("json", "{", "is not valid JSON"),
        ("json", b"\xff\xfe", "is not valid JSON"),
        ("json", "[1]", "must hold keys and values"),
        ("toml", "mean = [0.5, 0.5, 0.5]", "std must be three numbers, above 0"),
        ("toml", "std = [0.5, 0.5, 0.5]", "mean must be three numbers, 0 to 1"),
        ("toml", "mean = [124, 117, 104]\nstd = [1, 1, 1]", "mean must be three numbers, 0 to 1"),
        ("toml", "mean = [0.5, 0.5]\nstd = [1, 1, 1]", "mean must be three numbers"),
        ("toml", "mean = [0.5, 0.5, nan]\nstd = [1, 1, 1]", "mean must be three numbers"),
        ("toml", "mean = [0.5, 0.5, 0.5]\nstd = [1, 0, 1]", "std must be three numbers"),
        ("toml", "mean = [0.5, 0.5, 0.5]\nstd = [1, inf, 1]", "std must be three numbers"),
        ("toml", "mean_rgb_0_255 = [300, 0, 0]", "mean_rgb_0_255 must be three numbers, 0 to 255"),
        ("toml", "size = 224", "size must be"),
        ("toml", 'size = "4x4"', "8 to 1024"),
    ],
)
def test_wrong_cards_are_one_line_with_their_name(tmp_path, ending, content, said):
    place = tmp_path / f"net.{ending}"
    place.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=said) as caught:
        read_weights_card(tmp_path / "net.safetensors", otherwise=WeightsCard())
    assert str(place) in str(caught.value) and "\n" not in str(caught.value)


def test_a_model_of_before_answers_as_before(class_folders, tmp_path):
    """A card without mean and std: each picture by its own, and the fingerprint of that time."""
    card = {
        "format": 1,
        "kind": "network",
        "task": "embed",
        "backbone": "small_resnet",
        "width": 4,
        "dimension": 8,
        "channels": 3,
        "size_hw": [24, 24],
        "mirror": False,
        "sha256": "0" * 64,
        "standardise": "each picture by its own mean and deviation",
    }
    fingerprint = "118d18388b6f6f6dd42988b0aba2735802ce577cb10cbafa1d5123b1e9ca7f81"
    assert Model(card, None).fingerprint == fingerprint
    assert Model({**card, "mean": [0.5] * 3, "std": [0.5] * 3}, None).fingerprint != fingerprint
    run = saccade.train(class_folders, out=tmp_path / "run", settings={"train.epochs": 1})
    assert not {"mean", "std", "weights"} & run.model.card.keys()
    picture = np.random.default_rng(0).integers(40, 200, (1, 24, 24, 3), dtype=np.uint8)
    brighter = (picture + 30).astype(np.uint8)
    np.testing.assert_allclose(run.model(picture), run.model(brighter), atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [{"mean": None}, {"std": [0, 1, 1]}, {"mean": [1, 2]}, {"mean": ["a", "b", "c"]}, {"std": 1}],
)
def test_a_card_with_wrong_figures_is_refused(class_folders, tmp_path, file, changes):
    run = saccade.train(
        class_folders,
        out=tmp_path / "run",
        settings={**SETTINGS, "model.weights": str(file), "train.epochs": 0},
    )
    place = run.folder / "model.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | changes))
    with pytest.raises(InputError, match="is not a complete model card"):
        Model.load(run.folder)


def test_the_hub_gives_its_weights_once(hub, file, class_folders, tmp_path):
    with serve({f"{TAGGED}/model.safetensors": file.read_bytes()}) as (address, asked):
        hub(address)
        card = started(class_folders, tmp_path / "run", "hub").data.card
        known = timm.get_pretrained_cfg(NAME)
        assert [method for method, _ in asked].count("GET") == 1
        assert {path for _, path in asked} == {f"/{TAGGED}/resolve/main/model.safetensors"}
        assert card["weights"]["source"] == TAGGED
        assert known.license and known.license in card["licence"]
        assert tuple(card["mean"]) == known.mean and "assumed" not in card["standardise"]
        asked.clear()
        again = find_weights(f"timm/{NAME}", "hub")
        assert again.sha256 == saccade.files.sha256_file(file) and asked == []


def test_weights_that_are_no_safetensors_on_the_hub_are_refused(hub):
    with serve({f"{TAGGED}/pytorch_model.bin": b"..."}) as (address, asked):
        hub(address)
        with pytest.raises(InputError, match="not published as safetensors") as caught:
            find_weights(f"timm/{NAME}", "hub")
        assert "\n" not in str(caught.value) and [method for method, _ in asked] == ["HEAD"]


def test_a_hub_that_cannot_be_reached_is_one_line(hub, monkeypatch):
    with serve({}) as (address, _):
        pass  # Nobody listens there any more.
    hub(address)
    with pytest.raises(InputError, match="the hub cannot be reached") as caught:
        find_weights(f"timm/{NAME}", "hub")
    url = f"{address}/{TAGGED}/resolve/main/model.safetensors"
    assert url in str(caught.value) and "\n" not in str(caught.value)
    assert "--model.weights" in str(caught.value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="offline"):
        find_weights(f"timm/{NAME}", "hub")


def test_a_network_without_published_weights_is_refused(hub):
    name = next(n for n in timm.list_models() if not timm.get_pretrained_cfg(n).hf_hub_id)
    with pytest.raises(InputError, match="has no published weights"):
        find_weights(f"timm/{name}", "hub")


@pytest.mark.parametrize("served", [pytest.param(True, marks=pytest.mark.slow), False])
def test_the_command_line_asks_the_hub(class_folders, tmp_path, file, served):
    """The real command in a process of its own; only the hub's address is ours."""
    words = [
        "train",
        class_folders,
        "--out",
        tmp_path / "run",
        "--train.epochs",
        0,
        "--model.backbone",
        f"timm/{NAME}",
        "--model.weights",
        "hub",
        "--data.size",
        "32x32",
    ]
    content = file.read_bytes()
    files = {f"{TAGGED}/model.safetensors": content} if served else {}
    with serve(files) as (address, _):
        environment = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home")}
        environment |= {"HF_HUB_OFFLINE": "0" if served else "1"}
        done = subprocess.run(
            [sys.executable, "-m", "saccade", *map(str, words)],
            env=environment,
            text=True,
            capture_output=True,
        )
    if served:
        assert done.returncode == 0, done.stderr
        assert read_weights(tmp_path / "run" / "model.safetensors")
        return
    assert done.returncode == 2
    assert done.stderr.startswith("saccade: the hub cannot be reached"), done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.skipif(DATA is None, reason="SACCADE_DATA is not set")
def test_a_real_network_of_imagenet_comes_through_the_same_door():
    file = Path(str(DATA)) / "weights" / "squeezenet1_1" / "squeezenet1_1.safetensors"
    found = find_weights("torchvision/squeezenet1_1", str(file))
    assert found.card.size_hw == (227, 227) and "BSD" in found.licence and not found.card.assumed
    backbone = make_backbone("torchvision/squeezenet1_1", channels=3, width=8, size_hw=(227, 227))
    tensors = read_weights(file)
    load_foreign(backbone, tensors, where=str(file))
    reference = models.squeezenet1_1().eval()
    reference.load_state_dict(tensors)
    pictures = torch.rand(2, 3, 227, 227)
    with torch.no_grad():
        expected = reference.features(pictures).mean((2, 3))
        torch.testing.assert_close(backbone.eval()(pictures), expected)
