"""``tune``: its folds, its scores against trainings by hand, where it may stop, what it refuses."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
import torch

import saccade
import saccade.api.tune
from saccade.api.tune_folds import deal_classes, deal_pictures
from saccade.api.tune_plan import PLAN_FILE
from saccade.cli.app import main
from saccade.data.folders import read_class_folders
from saccade.errors import InputError, NotFiniteError, SettingError
from tests.runs import environment, flags

SETTINGS = {
    "train.epochs": 1,
    "train.threads": 1,
    "train.batch_size": 12,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "model.width": 4,
    "model.dimension": 8,
}
VARY = {"model.activation": ["relu", "tanh"], "optim.lr": [0.002, 0.02]}
FOLDS = 3


def tuned(data, out, **more):
    given = {"vary": VARY, "folds": FOLDS, "task": "classify", "settings": SETTINGS, **more}
    return saccade.tune(data, out=out, **given)


def scores_of(folder):
    return json.loads((folder / PLAN_FILE).read_text())["standing"]["scores"]


@pytest.fixture(scope="module")
def whole(class_folders, tmp_path_factory):
    """A tune that nothing disturbed."""
    return tuned(class_folders, tmp_path_factory.mktemp("whole") / "tune")


# Folds


def samples_of(counts, groups=None):
    made = []
    for label, count in counts.items():
        for place in range(count):
            metadata = {} if groups is None else {"session": groups(label, place)}
            made.append(saccade.Sample(f"{label}{place}", label, metadata=metadata))
    return made


def test_every_picture_is_left_out_once_and_every_class_shared():
    samples = samples_of({"a": 10, "b": 7, "c": 5})
    dealt = deal_pictures(samples, 5, None, 3)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(22))
    for places in dealt:
        counts = Counter(samples[place].label for place in places)
        assert counts["a"] == 2 and counts["b"] in (1, 2) and counts["c"] == 1


def test_groups_stay_together():
    samples = samples_of({"a": 12, "b": 12}, lambda label, place: f"day {place // 2}")
    dealt = deal_pictures(samples, 3, "session", 0)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(24))
    seen = [{samples[place].metadata["session"] for place in places} for places in dealt]
    assert sum(map(len, seen)) == 6


def test_whole_classes_are_left_out_for_embed():
    counts = {"a": 40, "b": 2, "c": 3, "d": 1, "e": 1, "f": 2, "g": 9}
    samples = samples_of(counts)
    dealt = deal_classes(samples, 3, None, 0)
    assert sorted(np.concatenate(dealt).tolist()) == list(range(len(samples)))
    labels = [{samples[place].label for place in places} for places in dealt]
    assert sum(map(len, labels)) == len(counts)
    for own in labels:
        assert len(own) >= 2 and any(counts[label] > 1 for label in own)


UNDEALT = {
    "a class with too few": (deal_pictures, {"a": 9, "b": 3}, 5, None, r"'b' has 3 .*--folds 3"),
    "a class with one": (deal_pictures, {"a": 9, "b": 1}, 5, None, r"'b' has 1 pictures.*folds; a"),
    "a class in one group": (deal_pictures, {"a": 6, "b": 2}, 2, "session", r"'b' has .*one fold"),
    "too few groups": (deal_pictures, {"a": 6, "b": 2}, 9, "session", r"folds must be 2 to 7"),
    "no such column": (deal_pictures, {"a": 6, "b": 6}, 2, "sesion", r"did you mean 'session'"),
    "too few classes": (deal_classes, {"a": 6, "b": 6, "c": 2}, 2, None, r"need 4 classes"),
    "none to search": (deal_classes, dict.fromkeys("abcdef", 1), 2, None, r"There are 6 and 0"),
    "classes in groups": (deal_classes, {"a": 6, "b": 6}, 2, "session", r"for task classify"),
}


@pytest.mark.parametrize(
    ("deal", "counts", "folds", "groups", "said"), UNDEALT.values(), ids=UNDEALT
)
def test_folds_that_cannot_be_are_refused(deal, counts, folds, groups, said):
    samples = samples_of(counts, lambda label, place: label if label == "b" else f"{label}{place}")
    with pytest.raises(InputError, match=said):
        deal(samples, folds, groups, 0)


# Scores


def by_hand(data, places, folder, **settings):
    """Train on a copy of the class folders without these pictures, and evaluate on those."""
    for place, sample in enumerate(read_class_folders(data)):
        part = folder / ("fold" if place in places else "rest") / sample.label
        part.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample.path, part)
    run = saccade.train(
        folder / "rest",
        out=folder / "run",
        settings={**SETTINGS, "train.precision": "float32", **settings},
    )
    return saccade.evaluate(run.folder, folder / "fold")


def test_a_score_is_that_of_a_training_by_hand(whole, class_folders, tmp_path):
    dealt = deal_pictures(read_class_folders(class_folders), FOLDS, None, 0)
    for number, trial in ((1, 0), (2, 3)):
        values = dict(whole.trials[trial].values)
        places = set(dealt[number].tolist())
        scores = by_hand(class_folders, places, tmp_path / str(number), task="classify", **values)
        assert whole.trials[trial].scores[number] == pytest.approx(scores.accuracy.value, abs=1e-9)


def test_a_score_of_embed_is_that_of_a_training_by_hand(class_folders, tmp_path):
    vary = {"model.projection": ["whitened", "trained"]}
    found = tuned(class_folders, tmp_path / "tune", task="embed", vary=vary)
    assert found.figure == "rank-1"
    places = set(deal_classes(read_class_folders(class_folders), FOLDS, None, 0)[1].tolist())
    given = {"model.projection": "trained", "data.validation": 0.0}
    scores = by_hand(class_folders, places, tmp_path / "hand", **given)
    assert found.trials[1].scores[1] == pytest.approx(scores.rank_1.value, abs=1e-9)


def test_a_score_of_neighbours_is_that_of_scikit_learn(class_folders, tmp_path):
    from sklearn.neighbors import KNeighborsClassifier

    vary = {"model.k": [1, 3], "model.distance": ["l1", "l2"]}
    changes = {"model.name": "knn", "data.size": "16x16"}
    found = tuned(class_folders, tmp_path / "tune", vary=vary, settings=changes)
    samples = saccade.read_data(class_folders)
    training = saccade.Training(
        class_folders,
        task="classify",
        out=tmp_path / "all",
        settings=changes | {"data.validation": 0.0},
    )
    for _ in training.records():
        pass
    pixels = training.data.pictures[torch.arange(len(samples))].double().numpy()
    pixels = pixels.reshape(len(samples), -1)
    labels = np.array([sample.label for sample in samples])
    folds = deal_pictures(samples, FOLDS, None, 0)
    for trial in found.trials:
        metric = {"l1": "manhattan", "l2": "euclidean"}[trial.values["model.distance"]]
        peer = KNeighborsClassifier(trial.values["model.k"], metric=metric, algorithm="brute")
        for score, held in zip(trial.scores, folds, strict=True):
            rest = np.setdiff1d(np.arange(len(samples)), held)
            expected = peer.fit(pixels[rest], labels[rest]).score(pixels[held], labels[held])
            assert score == pytest.approx(expected, abs=0.5 / len(held)), trial.values


def test_a_score_of_numbers_is_r2_of_the_fold(tmp_path):
    draw = np.random.default_rng(3)
    levels = np.linspace(20, 230, 30)
    pictures = np.clip(levels[:, None, None] + draw.normal(0, 5, (30, 12, 12)), 0, 255)
    whole = levels.round().astype(np.int64)
    np.savez(tmp_path / "grey.npz", pictures=pictures.astype(np.uint8), labels=whole)
    changes = {"train.epochs": 0, "model.backbone": "pixels", "data.size": "12x12"}
    found = tuned(
        tmp_path / "grey.npz",
        tmp_path / "tune",
        task="regress",
        vary={"model.ridge": [1.0, 1e9]},
        settings=changes,
    )
    assert found.figure == "R²"
    by_ridge = {trial.values["model.ridge"]: trial for trial in found.trials}
    assert by_ridge[1.0].mean.value > 0.9
    assert by_ridge[1e9].verdict == "worse"
    with pytest.raises(InputError, match="fewer --folds"):
        tuned(tmp_path / "grey.npz", tmp_path / "other", task="regress", folds=30, vary=VARY)


def test_all_that_it_leaves(whole):
    assert {path.name for path in whole.folder.iterdir()} == {PLAN_FILE, "report.html"}
    assert [dict(trial.values) for trial in whole.trials] == [
        {"model.activation": name, "optim.lr": rate}
        for name in ("relu", "tanh")
        for rate in (0.002, 0.02)
    ]
    assert all(len(trial.scores) == FOLDS for trial in whole.trials)
    assert scores_of(whole.folder) == [list(trial.scores) for trial in whole.trials]
    page = (whole.folder / "report.html").read_text()
    assert "accuracy against optim.lr" in page and "accuracy for each model.activation" in page


def test_the_same_folds_whatever_seed_varies(class_folders, tmp_path, monkeypatch):
    apart = []
    monkeypatch.setattr(
        saccade.api.tune.Tuning,
        "_score",
        lambda self, recipe, fold: apart.append(self.folds[fold].tolist()) or fold / 7,
    )
    tuned(class_folders, tmp_path / "tune", vary={"train.seed": [5, 6]})
    assert apart[:FOLDS] == apart[FOLDS:]


def test_the_test_pictures_are_never_read(whole, class_folders, tmp_path):
    """They are no pictures, and are gone when it goes on."""
    shutil.copytree(class_folders, tmp_path / "data" / "train")
    label = next(class_folders.iterdir()).name
    broken = tmp_path / "data" / "test" / label
    broken.mkdir(parents=True)
    for number in range(5):
        (broken / f"{number}.png").write_bytes(b"no picture")
    tuning = saccade.Tuning(
        tmp_path / "data",
        out=tmp_path / "tune",
        vary=VARY,
        folds=FOLDS,
        task="classify",
        settings=SETTINGS,
    )
    scores = tuning.scores()
    for _ in range(2):
        next(scores)
    scores.close()
    shutil.rmtree(tmp_path / "data" / "test")
    found = saccade.tune(resume=tmp_path / "tune")
    assert [trial.scores for trial in found.trials] == [trial.scores for trial in whole.trials]


def test_groups_come_from_a_table(class_folders, tmp_path):
    table = tmp_path / "people.csv"
    with table.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "session"])
        for place, sample in enumerate(read_class_folders(class_folders)):
            rows.writerow([sample.path, sample.label, f"day {place % 4}"])
    tuning = saccade.Tuning(
        table, vary={"optim.lr": [0.1]}, folds=2, groups="session", task="classify",
        out=tmp_path / "tune", settings=SETTINGS,
    )  # fmt: skip
    days = [{place % 4 for place in places.tolist()} for places in tuning.folds]
    assert len(days[0]) == len(days[1]) == 2 and not days[0] & days[1]


def test_a_choice_that_diverges_fails_and_the_next_has_its_turn(
    class_folders, tmp_path, monkeypatch
):
    def score(self, recipe, fold):
        if recipe.optim.lr == 50 and fold == 1:
            raise NotFiniteError("step 3: the loss is nan")
        return recipe.optim.lr / 100 + fold / 1000

    monkeypatch.setattr(saccade.api.tune.Tuning, "_score", score)
    found = tuned(class_folders, tmp_path / "tune", vary={"optim.lr": [1, 50, 2]})
    assert [trial.verdict for trial in found.trials] == ["worse", "failed", "best"]
    assert found.trials[1].failed == "fold 2: step 3: the loss is nan"
    assert len(found.trials[1].scores) == 1


# Stopped and resumed


@pytest.mark.parametrize("stops", [1, 12])
def test_a_resumed_one_is_the_uninterrupted_one(whole, class_folders, tmp_path, stops):
    tuning = saccade.Tuning(
        class_folders, out=tmp_path / "tune", vary=VARY, folds=FOLDS, task="classify",
        settings=SETTINGS,
    )  # fmt: skip
    scores = tuning.scores()
    for _ in range(stops):
        next(scores)
    scores.close()
    again = saccade.Tuning(resume=tmp_path / "tune")
    assert again.steps == 12 - stops
    assert len(list(again.scores())) == 12 - stops
    found = again.finish()
    assert [trial.scores for trial in found.trials] == [trial.scores for trial in whole.trials]
    pages = [(folder / "report.html").read_text() for folder in (found.folder, whole.folder)]
    assert pages[0] == pages[1]


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(whole, class_folders, tmp_path):
    folder = tmp_path / "tune"
    words = ["-m", "saccade", "tune", class_folders, "--task", "classify", "--folds", str(FOLDS)]
    for name, values in VARY.items():
        words += ["--vary", f"{name}={','.join(map(str, values))}"]

    process = subprocess.Popen(
        [sys.executable, *words, "--out", folder, *flags(SETTINGS)],
        stdout=subprocess.DEVNULL,
        env=environment(),
    )
    while process.poll() is None:
        known = (folder / PLAN_FILE).exists()
        # In the middle of a fold: its folder is there, and some scores are.
        if known and sum(map(len, scores_of(folder))) >= 2 and (folder / "fold").exists():
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    assert process.wait() == -signal.SIGKILL
    assert 2 <= sum(map(len, scores_of(folder))) < 12
    found = saccade.tune(resume=folder)
    assert [trial.scores for trial in found.trials] == [trial.scores for trial in whole.trials]
    assert {path.name for path in folder.iterdir()} == {PLAN_FILE, "report.html"}


@pytest.fixture
def begun(class_folders, tmp_path):
    """A tune that was stopped before its first score."""
    saccade.Tuning(
        class_folders, out=tmp_path / "begun", vary={"optim.lr": [0.1, 0.2]}, folds=FOLDS,
        task="classify", settings=SETTINGS,
    )  # fmt: skip
    return tmp_path / "begun"


def test_what_cannot_be_resumed(whole, begun, class_folders, tmp_path):
    for given, said in (
        ({"resume": whole.folder}, "is finished"),
        ({"resume": tmp_path}, "tune has not begun there"),
        ({"resume": begun, "vary": {"optim.lr": [1]}}, "its own settings"),
        ({"resume": begun, "folds": 4}, "begun with 3 folds"),
        ({}, "needs data"),
    ):
        with pytest.raises(InputError, match=said):
            saccade.tune(**given)


def test_other_pictures_are_refused(begun, class_folders, tmp_path):
    shutil.copytree(class_folders, tmp_path / "other")
    first, second, *_ = sorted((tmp_path / "other").rglob("*.png"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    with pytest.raises(InputError, match=r"are not those that .* began with"):
        saccade.tune(tmp_path / "other", resume=begun)


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 1, "plan": {}, "standing": {}}'])
def test_a_damaged_plan_is_refused(begun, content):
    (begun / PLAN_FILE).write_text(content)
    with pytest.raises(InputError, match=r"tuning\.json is damaged"):
        saccade.tune(resume=begun)


# On the command line

REFUSED = {
    "a typo": ["--vary", "optim.lrr=1,2"],
    "a typo in a name": ["--vary", "model.activation=relu,rellu"],
    "no number": ["--vary", "optim.lr=0.1,fast"],
    "out of range": ["--vary", "model.dropout=0.1,2"],
    "out of range together": ["--vary", "train.classes_per_batch=16,4096"],
    "no value": ["--vary", "optim.lr"],
    "an empty value": ["--vary", "optim.lr="],
    "a value twice": ["--vary", "optim.lr=0.1,0.10"],
    "a setting twice": ["--vary", "optim.lr=0.1", "--vary", "optim.lr=0.2"],
    "a setting that is fixed": ["--vary", "optim.lr=0.1", "--optim.lr", "0.2"],
    "the task": ["--vary", "task=classify,embed"],
    "nothing to vary": [],
    "an optimiser that cannot": ["--vary", "optim.name=adamw,lbfgs"],
    "too many folds": ["--vary", "optim.lr=0.1", "--folds", "7"],
    "one fold": ["--vary", "optim.lr=0.1", "--folds", "1"],
    "no such column": ["--vary", "optim.lr=0.1", "--groups", "session"],
    "an unknown flag": ["--vary", "optim.lr=0.1", "--fold", "3"],
}
SAID = {
    "a typo": "did you mean 'optim.lr'?",
    "a typo in a name": "did you mean 'relu'?",
    "no number": "--vary: optim.lr must be auto or a number. Got 'fast' instead",
    "out of range": "--vary: model.dropout must be 0 to 0.95. Got '2' instead",
    "out of range together": "lower train.classes_per_batch",
    "no value": "--vary must be SETTING=VALUE,VALUE",
    "an empty value": "must be auto or a number. Got '' instead",
    "a value twice": "stands twice",
    "a setting twice": "stands twice",
    "a setting that is fixed": "leave one of them out",
    "the task": "scores of two tasks are not alike",
    "nothing to vary": "needs settings to vary",
    "an optimiser that cannot": "set to 0: augment.rotate",
    "too many folds": "has 6 pictures, fewer than the 7 folds; take --folds 6",
    "one fold": "--folds must be a whole number, at least 2",
    "no such column": "has no metadata 'session'",
    "an unknown flag": "did you mean '",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_anything_is_learned(
    class_folders, tmp_path, capsys, monkeypatch, case
):
    monkeypatch.setattr(saccade.Training, "records", lambda self: 1 / 0)
    out = tmp_path / "tune"
    words = ["tune", str(class_folders), "--task", "classify", "--out", str(out), *REFUSED[case]]
    assert main(words) == 2
    told = capsys.readouterr()
    assert SAID[case] in told.err and told.err.count("\n") == 1 and not told.out
    assert not out.exists()


def test_the_command_prints_what_it_found(whole, class_folders, tmp_path, capsys):
    words = ["tune", str(class_folders), "--task", "classify", "--folds", "3", *flags(SETTINGS)]
    words += ["--model.activation", "tanh", "--vary"]
    assert main([*words, "optim.lr=0.002", "--out", str(tmp_path / "text")]) == 0
    told = capsys.readouterr().out
    assert "optim.lr 0.002   fold 1 of 3   accuracy" in told and "Best: optim.lr" in told
    assert main([*words, "optim.lr=0.002,0.02", "--out", str(tmp_path / "json"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["folds"] == 3 and found["varied"] == ["optim.lr"]
    assert [trial["scores"] for trial in found["trials"]] == [
        list(trial.scores) for trial in whole.trials[2:]
    ]
    assert found["best"]["verdict"] == "best" and found["best"] in found["trials"]


def test_ctrl_c_says_how_to_go_on(class_folders, tmp_path, capsys, monkeypatch):
    def pressed(self, recipe, fold):
        raise KeyboardInterrupt

    monkeypatch.setattr(saccade.api.tune.Tuning, "_score", pressed)
    words = ["tune", str(class_folders), "--vary", "optim.lr=0.1", "--task", "classify"]
    assert main([*words, "--folds", "3", "--out", str(tmp_path / "tune")]) == 130
    assert f"go on with: saccade tune --resume {tmp_path / 'tune'}" in capsys.readouterr().err


def test_a_full_disk_says_how_to_go_on(class_folders, tmp_path, monkeypatch):
    import saccade.api.train

    def full(*given, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saccade.api.train, "save_checkpoint", full)
    with pytest.raises(InputError, match=r"No space left .* saccade tune --resume .*tune$"):
        tuned(class_folders, tmp_path / "tune")


def test_values_of_python_are_checked_alike(class_folders, tmp_path):
    with pytest.raises(SettingError, match=r"data\.cache must be a number"):
        tuned(class_folders, tmp_path / "tune", vary={"data.cache": [4, "much"]})
