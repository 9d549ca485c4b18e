"""``train.epochs 0`` with task regress: the last map in closed form, against scikit-learn."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge

import saccade
import saccade.tasks.closed_form
from saccade.cli.app import main
from saccade.errors import InputError
from saccade.tasks.model import Model
from tests.writers import write_table

SETTINGS = {
    "data.target": "slope,offset",
    "data.validation": 0,
    "train.epochs": 0,
    "train.threads": 1,
    "model.width": 4,
}


def planted(n, *, seed, noise=0.0):
    """Pictures (n, 8, 8) uint8 and two numbers that are linear in their pixels, plus noise."""
    draw = np.random.default_rng(seed)
    pictures = draw.integers(0, 256, (n, 8, 8), dtype=np.uint8)
    weights = np.random.default_rng(9).normal(size=(64, 2)) * [100, 0.01]
    numbers = pictures.reshape(n, 64) / 255 @ weights + [5000, 0.3]
    return pictures, numbers + draw.normal(size=(n, 2)) * noise * [100, 0.01]


def written(root, pictures, numbers):
    """The pictures, and a table beside them that tells their numbers."""
    write_table(root, pictures, ["-"] * len(pictures))
    lines = [f"files/{n:03}.png,{a!r},{b!r}" for n, (a, b) in enumerate(numbers.tolist())]
    (root / "numbers.csv").write_text("\n".join(["path,slope,offset", *lines, ""]))
    return root / "numbers.csv"


def estimates(model, table):
    paths = [sample.path for sample in saccade.read_data(table, targets=("slope", "offset"))]
    return np.array([list(one.values.values()) for one in model.estimate(paths)])


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    root = tmp_path_factory.mktemp("planted")
    learn = written(root / "learn", *planted(120, seed=1, noise=0.5))
    return learn, written(root / "judge", *planted(40, seed=2))


def fitted(table, out, **changes):
    settings = SETTINGS | {"model.backbone": "pixels"} | changes
    return saccade.train(table, task="regress", out=out, settings=settings)


@pytest.mark.parametrize("penalty", [0, 1, 30])
def test_pixels_give_the_map_of_scikit_learn(tables, tmp_path, penalty):
    run = fitted(tables[0], tmp_path / "run", **{"model.ridge": penalty})
    pictures, numbers = planted(120, seed=1, noise=0.5)
    rows, spread = pictures.reshape(120, 64) / 255, numbers.std(axis=0)
    reference = Ridge(alpha=penalty) if penalty else LinearRegression()
    reference.fit(rows, numbers / spread)
    unseen = planted(40, seed=2)[0].reshape(40, 64) / 255
    found = estimates(run.model, tables[1]) / spread
    np.testing.assert_allclose(found, reference.predict(unseen), rtol=1e-6, atol=1e-5)
    assert run.model.card["standardise"] == "not at all"
    assert "only fitted" in run.model.card["provenance"]
    again = estimates(Model.load(tmp_path / "run"), tables[1])
    np.testing.assert_array_equal(again / spread, found)


def test_least_squares_agree_with_descent(tables, tmp_path):
    solved = fitted(tables[0], tmp_path / "solved", **{"model.ridge": 0})
    still = {name: 0 for name in saccade.config.settings() if name.startswith("augment.")}
    descended = fitted(
        tables[0],
        tmp_path / "descended",
        **still,
        **{
            "train.epochs": 15,
            "optim.name": "newton",
            "optim.lr": 1,
            "optim.schedule": "constant",
            "optim.warm_up": 0,
            "optim.weight_decay": 0,
        },
    )
    spread = planted(120, seed=1, noise=0.5)[1].std(axis=0)
    a, b = (estimates(run.model, tables[1]) / spread for run in (solved, descended))
    np.testing.assert_allclose(a, b, atol=1e-3)  # of a deviation; descent is in float32


def test_numbers_without_noise_are_found_again(tmp_path):
    table = written(tmp_path / "learn", *planted(100, seed=1))
    run = fitted(table, tmp_path / "run", **{"model.ridge": 0})
    judge = written(tmp_path / "judge", *planted(30, seed=2))
    scores = saccade.evaluate(tmp_path / "run", judge)
    assert scores.r2.value > 1 - 1e-8
    assert run.model.targets == ("slope", "offset")


def test_features_of_a_backbone_give_the_map_of_scikit_learn(tables, tmp_path):
    run = fitted(tables[0], tmp_path / "run", **{"model.backbone": "small_resnet"})
    pictures, numbers = planted(120, seed=1, noise=0.5)
    with torch.no_grad():
        features = [
            run.model.network.features(torch.from_numpy(rows)[:, None].float() / 255).numpy()
            for rows in (pictures, planted(40, seed=2)[0])
        ]
    spread = numbers.std(axis=0)
    reference = Ridge(alpha=1.0).fit(features[0].astype(np.float64), numbers / spread)
    found = estimates(run.model, tables[1]) / spread
    np.testing.assert_allclose(found, reference.predict(features[1]), rtol=1e-5, atol=1e-5)


def test_a_trained_run_lends_its_backbone(number_table, tmp_path):
    settings = {"data.target": "hue", "train.threads": 1, "model.width": 8}
    first = saccade.train(
        number_table,
        task="regress",
        out=tmp_path / "first",
        settings=settings | {"train.epochs": 3},
    )
    second = saccade.train(
        number_table,
        task="regress",
        out=tmp_path / "second",
        settings=settings | {"train.epochs": 0, "model.weights": str(tmp_path / "first")},
    )
    old, new = (run.model.network.backbone.state_dict() for run in (first, second))
    assert all(torch.equal(old[key], new[key]) for key in old)
    page = (tmp_path / "second" / "report.html").read_text()
    assert second.validation is not None and "best epoch was chosen" not in page
    assert "best_epoch" not in second.model.card


def test_features_that_do_not_fit_in_memory_are_refused(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(saccade.tasks.closed_form, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match=r"features of 120 pictures .* smaller data\.size"):
        fitted(tables[0], tmp_path / "run")


def test_pixels_have_no_layers_to_choose(tables, tmp_path, capsys):
    words = ["train", str(tables[0]), "--task", "regress", "--out", str(tmp_path / "run")]
    words += ["--model.backbone", "pixels", "--data.target", "slope"]
    assert main([*words, "--model.activation", "relu"]) == 2
    error = capsys.readouterr().err
    assert "has no layers; leave out model.activation" in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()
    assert main([*words, "--train.epochs", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["validation"]["pictures"] == 24
