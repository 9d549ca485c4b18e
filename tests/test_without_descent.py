"""Models without descent, through the command line and Python, against scikit-learn."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier

import saccade
from saccade.cli.app import main
from saccade.config import settings
from saccade.data.folders import read_class_folders
from saccade.data.pictures import read_picture
from saccade.tasks.model import Model
from tests.conftest import CLASSES, shape_picture

FEATURES = tuple(filter(None, settings()["model.features"].choices))
METRICS = {"l1": "manhattan", "l2": "euclidean"}
SHORT = {"train.epochs": 2, "train.batch_size": 16, "train.precision": "float32"}


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Pictures of the same classes that no model learns from, as class folders."""
    root = tmp_path_factory.mktemp("others")
    draw = np.random.default_rng(9)
    for label in CLASSES:
        (root / label).mkdir()
        for number in range(5):
            Image.fromarray(shape_picture(label, draw)).save(root / label / f"{number}.png")
    return root


def fitted(data, out, **chosen):
    changes = {f"model.{key}": value for key, value in chosen.items()}
    return saccade.train(data, task="classify", out=out, settings=changes | {"data.validation": 0})


def rows_of(samples):
    """Bytes of each picture, (n, H·W·3), and the labels."""
    rows = np.stack([read_picture(one).reshape(-1) for one in samples]).astype(np.float64)
    return rows, [one.label for one in samples]


@pytest.mark.parametrize("distance", METRICS)
@pytest.mark.parametrize("k", [1, 4, 36])
def test_knn_on_pixels_answers_as_scikit_learn(class_folders, others, tmp_path, k, distance):
    run = fitted(class_folders, tmp_path / "run", name="knn", k=k, distance=distance)
    learned, labels = rows_of(read_class_folders(class_folders))
    asked, _ = rows_of(read_class_folders(others))
    peer = KNeighborsClassifier(k, metric=METRICS[distance], algorithm="brute").fit(learned, labels)
    samples = read_class_folders(others)
    ours = Model.load(run.folder).probabilities(samples)
    assert np.allclose(ours, peer.predict_proba(asked), atol=1e-6)
    answers = [one.label for one in run.model.predict(samples)]
    assert answers == peer.predict(asked).tolist()


@pytest.mark.parametrize("penalty", [0.0, 1.0, 100.0])
def test_ridge_on_pixels_answers_as_scikit_learn(class_folders, others, tmp_path, penalty):
    run = fitted(class_folders, tmp_path / "run", name="ridge", ridge=penalty)
    learned, labels = rows_of(read_class_folders(class_folders))
    asked, _ = rows_of(read_class_folders(others))
    wanted = np.eye(len(CLASSES))[[CLASSES.index(label) for label in labels]]
    # With a penalty of 0 one that is too small to count: more pixels than pictures.
    peer = Ridge(alpha=penalty or 1e-9, solver="svd").fit(learned / 255, wanted)
    scores = peer.predict(asked / 255).clip(min=0)
    ours = Model.load(run.folder).probabilities(read_class_folders(others))
    assert np.allclose(ours, scores / scores.sum(1, keepdims=True), atol=1e-4)


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("name", ["knn", "linear", "ridge"])
def test_every_model_on_every_feature_keeps_the_contract(
    class_folders, others, tmp_path, name, features
):
    """Train with a report, load, evaluate, predict; the same answers before and after."""
    changes = {"model.name": name, "model.features": features, **SHORT}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=changes)
    samples = read_class_folders(others)
    shares = run.model.probabilities(samples)
    loaded = Model.load(run.folder)
    assert np.array_equal(shares, loaded.probabilities(samples))
    assert np.allclose(shares.sum(1), 1, atol=1e-5) and (shares >= 0).all()
    assert loaded.fingerprint == run.model.fingerprint
    assert run.validation is not None and (run.folder / "report.html").stat().st_size > 1000
    assert saccade.evaluate(loaded, others).pictures == len(samples)
    assert len(saccade.predict(loaded, [others])) == len(samples)


def test_the_same_pictures_give_the_same_model(class_folders, tmp_path):
    """Also the words of sift, which k-means finds."""
    runs = [
        fitted(class_folders, tmp_path / name, name="knn", features="sift") for name in ("a", "b")
    ]
    assert runs[0].model.fingerprint == runs[1].model.fingerprint


def test_what_differs_changes_the_fingerprint(class_folders, tmp_path):
    chosen = [
        {"name": "knn"},
        {"name": "knn", "k": 3},
        {"name": "knn", "distance": "l1"},
        {"name": "knn", "features": "hog"},
        {"name": "ridge"},
        {"name": "ridge", "ridge": 2.0},
    ]
    runs = [fitted(class_folders, tmp_path / str(n), **one) for n, one in enumerate(chosen)]
    assert len({run.model.fingerprint for run in runs}) == len(chosen)


def test_good_features_find_what_pixels_cannot(class_folders, others, tmp_path):
    """The shape stands anywhere, in any colour: edges tell discs from squares, pixels hardly."""
    run = fitted(class_folders, tmp_path / "run", name="knn", k=3, features="hog")
    shapes = [one.label.split("-")[1] for one in run.model.predict([others / "red-disc" / "0.png"])]
    assert shapes == ["disc"]


def test_knn_keeps_the_bytes_of_its_pictures(class_folders, tmp_path):
    run = fitted(class_folders, tmp_path / "run", name="knn", features="canny")
    samples = read_class_folders(class_folders)
    network = Model.load(run.folder).network
    for row, sample in enumerate(samples):
        assert np.array_equal(network.picture(row).movedim(0, -1), read_picture(sample))
        assert run.model.classes[network.targets[row]] == sample.label


def test_features_of_a_network_are_compared_in_256_steps(class_folders, others, tmp_path):
    """The codes lie within half a step of the features, and the answers are those of the codes."""
    settings = {"model.name": "knn", "model.backbone": "mlp", "model.k": 3, "data.validation": 0}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    network = Model.load(run.folder).network

    def features(folder):
        pictures = torch.stack(
            [torch.from_numpy(read_picture(one).copy()) for one in read_class_folders(folder)]
        )
        with torch.no_grad():
            return network.features(pictures.movedim(-1, 1).float() / 255).numpy()

    codes = network.codes.numpy().astype(np.float64)
    low, step = float(network.low), float(network.step)
    learned = features(class_folders)
    assert np.abs(codes * step + low - learned).max() <= 0.51 * step
    assert codes.min() == 0 and codes.max() == 255
    asked = ((features(others) - low) / step).round().clip(0, 255)
    peer = KNeighborsClassifier(3, algorithm="brute").fit(codes, network.targets)
    assert np.allclose(
        run.model.probabilities(read_class_folders(others)), peer.predict_proba(asked), atol=1e-6
    )


def test_a_network_whose_features_are_not_finite_is_refused(class_folders, tmp_path):
    first = saccade.train(class_folders, task="classify", out=tmp_path / "first", settings=SHORT)
    with torch.no_grad():
        for weight in first.model.network.backbone.parameters():
            weight.fill_(torch.nan)
    first.model.save(first.folder)
    for name in ("knn", "ridge"):
        with pytest.raises(saccade.InputError, match="NaN or infinity"):
            saccade.train(
                class_folders,
                task="classify",
                out=tmp_path / name,
                settings={"model.name": name, "model.weights": str(first.folder)},
            )


def test_neighbours_are_those_of_a_double_loop(class_folders, others, tmp_path):
    run = fitted(class_folders, tmp_path / "run", name="knn", k=5, distance="l1")
    learned, _ = rows_of(read_class_folders(class_folders))
    samples = read_class_folders(others)[:3]
    pictures = torch.stack(
        [torch.from_numpy(read_picture(one).copy()).movedim(-1, 0) for one in samples]
    )
    distances, rows = run.model.network.nearest(pictures.float() / 255)
    for sample, far, near in zip(samples, distances, rows, strict=True):
        apart = [np.abs(read_picture(sample).reshape(-1) - row).sum() / 255 for row in learned]
        order = np.argsort(apart, kind="stable")[:5]
        assert near.tolist() == order.tolist()
        assert np.allclose(far, np.array(apart)[order])


def test_the_sheet_of_neighbours(class_folders, others, tmp_path, capsys):
    fitted(class_folders, tmp_path / "run", name="knn", k=3)
    sheet = tmp_path / "sheet.html"
    words = ["predict", str(tmp_path / "run"), str(others / "red-disc"), "--neighbours", str(sheet)]
    assert main(words) == 0
    assert f"written: {sheet}" in capsys.readouterr().out
    page = sheet.read_text()
    assert page.count("data:image/png") == 5 * (1 + 3)
    assert "training picture" in page and "neighbour 3" in page and "neighbour 4" not in page


def test_linear_is_trained_by_descent_and_takes_hinge(class_folders, tmp_path):
    changes = {"model.name": "linear", "loss.name": "hinge", "optim.lr": 0.01} | SHORT
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=changes)
    assert run.model.card["backbone"] == "pixels"
    weights = sum(p.numel() for p in run.model.network.parameters())
    assert weights == (24 * 24 * 3 + 1) * len(CLASSES)
    assert len((run.folder / "history.jsonl").read_text().splitlines()) > 0


def test_a_finished_run_without_descent_is_not_resumed(class_folders, tmp_path, capsys):
    fitted(class_folders, tmp_path / "run", name="knn")
    assert main(["train", "--resume", str(tmp_path / "run")]) == 2
    assert "is finished" in capsys.readouterr().err


def test_a_card_that_asks_for_the_impossible_is_refused(class_folders, tmp_path):
    run = fitted(class_folders, tmp_path / "run", name="knn", k=3)
    card = json.loads((run.folder / "model.json").read_text())
    wrong = ({"k": 37}, {"k": 0}, {"k": "3"}, {"distance": "l3"}, {"model": "svm"})
    for change in (*wrong, {"model": "ridge"}, {"classes": ["one", "two"]}):
        (run.folder / "model.json").write_text(json.dumps(card | change))
        with pytest.raises(saccade.InputError, match="copy the run again"):
            Model.load(run.folder)


WRONG = {
    "k above the pictures": (["--model.name", "knn", "--model.k", "37"], ["model.k 37", "36"]),
    "k of 0": (["--model.name", "knn", "--model.k", "0"], ["model.k", "1 to 100000"]),
    "a typo": (["--model.name", "kn"], ["model.name", "network, linear, knn, ridge"]),
    "a distance": (["--model.name", "knn", "--model.distance", "l3"], ["l1, l2"]),
    "a feature": (["--model.name", "knn", "--model.features", "hogg"], ["model.features", "hog"]),
    "a penalty of NaN": (["--model.name", "ridge", "--model.ridge", "nan"], ["model.ridge", "nan"]),
    "a penalty below 0": (["--model.name", "ridge", "--model.ridge", "-1"], ["model.ridge", "0"]),
    "two features": (
        ["--model.features", "hog", "--model.backbone", "mlp"],
        ["model.features hog and model.backbone mlp exclude each other; leave one"],
    ),
    "class weights": (
        ["--model.name", "knn", "--loss.class_weights", "balanced"],
        ["knn does not; take none"],
    ),
    "another task": (["--model.name", "knn", "--task", "embed"], ["for task classify"]),
    "numbers": (["--model.name", "knn", "--task", "regress"], ["for task classify; take network"]),
    "too many numbers": (
        ["--model.name", "knn", "--data.size", "128x128"],
        ["49,152 numbers", "32,768", "smaller data.size"],
    ),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_in_one_line(class_folders, tmp_path, capsys, words, said):
    run = tmp_path / "run"
    task = [] if "--task" in words else ["--task", "classify"]
    given = ["train", str(class_folders), *task, "--out", str(run), "--data.validation", "0"]
    assert main([*given, *words]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for part in said:
        assert part in error
    assert not run.exists()


def test_one_class_is_refused(class_folders, tmp_path, capsys):
    lone = tmp_path / "lone"
    lone.mkdir()
    (lone / "only").symlink_to(class_folders / CLASSES[0])
    for name in ("knn", "ridge", "linear"):
        words = ["train", str(lone), "--task", "classify", "--model.name", name]
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
        error = capsys.readouterr().err
        assert "one class, 'only'; training needs pictures of at least two" in error
        assert error.count("\n") == 1 and not (tmp_path / "run").exists()


def test_neighbours_are_for_models_that_keep_their_pictures(class_folders, tmp_path, capsys):
    fitted(class_folders, tmp_path / "run", name="ridge")
    sheet = tmp_path / "sheet.html"
    words = ["predict", str(tmp_path / "run"), str(class_folders), "--neighbours", str(sheet)]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "train one with --model.name knn" in error and error.count("\n") == 1
    assert not sheet.exists()
    assert main([*words[:-1], str(tmp_path / "none" / "sheet.html")]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("features", ["pixels", "hog"])
def test_linear_softmax_comes_to_logistic_regression(class_folders, others, tmp_path, features):
    decay, samples = 0.01, read_class_folders(class_folders)
    still = {name: 0 for name in settings() if name.startswith("augment.")}
    descent = {
        "optim.name": "lbfgs",
        "optim.lr": 1,
        "optim.schedule": "constant",
        "optim.warm_up": 0,
        "optim.weight_decay": decay,
        "loss.smoothing": 0,
        "train.epochs": 150,
        "data.validation": 0,
    }
    chosen = {"model.name": "linear", "model.features": features}
    run = saccade.train(
        class_folders, task="classify", out=tmp_path / "run", settings=still | descent | chosen
    )

    def rows(sources):
        pictures = np.stack([read_picture(one) for one in sources])
        with torch.no_grad():
            return run.model.network.features(torch.from_numpy(pictures).movedim(-1, 1) / 255)

    peer = LogisticRegression(C=1 / (decay * len(samples)), tol=1e-8, max_iter=5000)
    peer.fit(rows(samples), [one.label for one in samples])
    asked = read_class_folders(others)
    shares = run.model.probabilities(asked)
    assert np.allclose(shares, peer.predict_proba(rows(asked)), atol=2e-3)
