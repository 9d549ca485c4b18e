"""``export_model``: the graph answers as the model does, and Saccade reads its card."""

import json

import numpy as np
import pytest
import torch

import saccade
from saccade.boxes.formats import xywh_from_corners
from saccade.cli.app import main
from saccade.data.pictures import resize
from saccade.errors import InputError, SaccadeError
from saccade.exchange import load_detector, load_embedder
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network
from tests.test_detect_network import card

SIZE = (64, 96)


def model(family="one_stage", channels=3, **changes):
    told = card(family, **changes) | {"channels": channels, "licence": "none", "provenance": "made"}
    told["answer"] |= {"at_least": 0.5, "most": 500}
    torch.manual_seed(1)
    network = build_network(told).eval()
    with torch.no_grad():  # Many sure boxes, of both classes, of all sizes.
        for layer in network.head.last:
            torch.nn.init.normal_(layer.weight, std=0.3)
            layer.bias += 4
            if family == "one_stage":  # The fine level sees one class, the others the other.
                layer.bias[5::7] += 5 if layer is network.head.last[0] else -5
        if family == "two_stage":
            torch.nn.init.normal_(network.regions.offsets.weight, std=0.3)
            spread(network, channels)
    return Model(told, network)


def spread(network, channels):
    """Let the scores of proposals differ from each other: logits of mean 0 and deviation 3."""
    layer, logits = network.regions.classes, []
    handle = layer.register_forward_hook(lambda *told: logits.append(told[2]))
    network(torch.from_numpy(pictures(4)).permute(0, 3, 1, 2)[:, :channels] / 255)
    handle.remove()
    deviation, mean = torch.std_mean(logits[0], dim=0)
    layer.weight *= 3 / deviation[:, None]
    layer.bias.copy_((layer.bias - mean) * 3 / deviation)


def embedder(mirror, channels):
    told = {"format": 1, "kind": "network", "task": "embed", "backbone": "small_resnet"}
    told |= {"width": 4, "channels": channels, "size_hw": [32, 24], "dimension": 6}
    told |= {"mirror": mirror, "sha256": ""}
    torch.manual_seed(2)
    return Model(told, build_network(told).eval())


def pictures(count, size_hw=SIZE):
    """Squares of 8 pixels, so that boxes on them see different things."""
    sides = (count, size_hw[0] // 8, size_hw[1] // 8, 3)
    squares = np.random.default_rng(3).integers(0, 256, sides, np.uint8)
    return squares.repeat(8, axis=1).repeat(8, axis=2)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("family", "channels", "changes", "mirror"),
    [
        ("one_stage", 3, {}, False),
        ("two_stage", 3, {}, False),
        pytest.param("one_stage", 3, {}, True, marks=SLOW),
        pytest.param("two_stage", 3, {}, True, marks=SLOW),
        pytest.param("one_stage", 1, {}, False, marks=SLOW),
        pytest.param("two_stage", 1, {"pool": "pool"}, False, marks=SLOW),
        # Some levels of the pyramid are looked at by no proposal.
        pytest.param("two_stage", 3, {"kept": 2}, False, marks=SLOW),
    ],
)
def test_the_boxes_of_the_graph_are_those_of_the_model(family, channels, changes, mirror, tmp_path):
    own, seen = model(family, channels, **changes), pictures(5)
    own.card["mirror"] = mirror
    prepared = torch.stack([torch.from_numpy(resize(one, SIZE, channels)) for one in seen])
    wanted, many = own.detect_prepared(prepared, list("abcde"), [SIZE] * 5), 0
    for name in own.objects[:1] if channels == 3 else own.objects:
        file = tmp_path / f"{name}.onnx"
        done = saccade.export_model(own, file, object=name)
        assert done.apart < 1e-4
        assert done.one_by_one == (family == "two_stage")
        for one, found in zip(wanted, load_detector(file)(list(seen)), strict=True):
            rows = [row for row, label in enumerate(one.labels) if label == name]
            many += len(rows)
            np.testing.assert_allclose(found.xywh, one.xywh[rows], atol=1e-2, rtol=1e-3)
            np.testing.assert_allclose(found.scores, one.scores[rows], atol=1e-3)
    assert many > 1


def test_any_takes_the_surest_class(tmp_path):
    own, seen = model(), pictures(1)
    saccade.export_model(own, tmp_path / "m.onnx")
    (found,) = load_detector(tmp_path / "m.onnx")(list(seen))
    with torch.inference_mode():
        (answer,) = own.network(torch.from_numpy(seen).permute(0, 3, 1, 2) / 255)
    surest = answer.scores.amax(1)
    assert found.scores[0] == pytest.approx(float(surest.max()), abs=1e-4)
    best = xywh_from_corners(answer.corners[surest.argmax()])
    np.testing.assert_allclose(found.xywh[0], best, atol=0.1)


@pytest.mark.parametrize(("mirror", "channels"), [(False, 3), (True, 1)])
def test_the_vectors_of_the_graph_are_those_of_the_model(mirror, channels, tmp_path):
    own, seen = embedder(mirror, channels), pictures(5, (32, 24))
    saccade.export_model(own, tmp_path / "e.onnx")
    read = load_embedder(tmp_path / "e.onnx")
    assert read.dimension == 6
    np.testing.assert_allclose(read(list(seen)), own(list(seen)), atol=2e-3)


def test_other_models_are_refused_and_nothing_is_left(tmp_path):
    file = tmp_path / "m.onnx"
    with pytest.raises(InputError, match="trained embedder, detector or segmenter"):
        saccade.export_model("pixels", file)
    with pytest.raises(SaccadeError, match=r"no object 'cta'.*cat"):
        saccade.export_model(model(), file, object="cta")
    with pytest.raises(InputError, match=r"must end in \.onnx"):
        saccade.export_model(model(), tmp_path / "m.pt")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_answers_otherwise_is_not_left(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.api.export_model.MOST_APART", -1.0)
    with pytest.raises(SaccadeError, match="answers otherwise"):
        saccade.export_model(embedder(False, 3), tmp_path / "e.onnx")
    assert not list(tmp_path.iterdir())
    (tmp_path / "e.onnx").write_bytes(b"one from before")
    with pytest.raises(SaccadeError, match="answers otherwise"):
        saccade.export_model(embedder(False, 3), tmp_path / "e.onnx", force=True)
    assert (tmp_path / "e.onnx").read_bytes() == b"one from before"


def test_the_command(tmp_path, capsys):
    run, file = tmp_path / "run", str(tmp_path / "m.onnx")
    run.mkdir()
    model().save(run)
    assert main(["export-model", str(run), file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["classes"] == ["cat", "dog"]
    assert told["outputs"] == ["boxes", "scores"]
    assert not told["one_by_one"]
    assert main(["export-model", str(run), file]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["export-model", str(run), file, "--force", "--object", "dog"]) == 0
    assert "columns of the scores: 0 cat, 1 dog" in capsys.readouterr().out
    assert "object = 1" in (tmp_path / "m.toml").read_text()
