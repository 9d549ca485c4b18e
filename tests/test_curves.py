"""``learning-curve``, ``bias-variance``: what they draw, whom they judge, where they may stop."""

import json
import shutil

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

import saccade
from saccade.api.bias_variance import BagSeries
from saccade.api.learning_curve import CurveSeries
from saccade.api.unit_scores import SCORINGS, found_first, r2_units, ratio_units
from saccade.cli.app import main
from saccade.data.batches import load_readable
from saccade.data.splits import bootstrap_sample, nested_shares
from saccade.data.stored import StoredPictures
from saccade.errors import InputError
from saccade.judge.repeats import crossed, gap, number_interval
from saccade.metrics.regression import r2
from tests.runs import OF_TASK, flags

TINY = {
    "train.epochs": 1,
    "train.threads": 1,
    "train.batch_size": 8,
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 2,
    "model.width": 4,
    "model.dimension": 8,
    "data.size": "16x16",
}
KNN = {"model.name": "knn", "model.k": 1, "data.size": "16x16"}
RIDGE = {"train.epochs": 0, "data.target": "hue", "data.size": "8x8", "model.backbone": "pixels"}


@pytest.fixture(scope="module")
def neighbours(class_folders, tmp_path_factory):
    """A learning curve of nearest neighbours that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "curve"
    return saccade.learning_curve(
        class_folders, task="classify", sizes=[0.4, 0.6, 1], repeats=2, out=out, settings=KNN
    )


def pixels(samples, side):
    """(n, features) float64, as the model sees them."""
    loaded, _ = load_readable(samples, size_hw=(side, side), channels=3)
    return loaded.numpy().reshape(len(samples), -1) / 255


# What is drawn


def test_shares_are_nested_and_bootstrap_samples_repeat():
    labels = ["a"] * 20 + ["b"] * 7
    first, second, whole = nested_shares(labels, shares=[0.1, 0.5, 1], seed=3)
    assert {*first} < {*second} < {*whole} and len(whole) == 27
    assert [sum(place < 20 for place in part) for part in (first, second)] == [2, 10]
    assert [sum(place >= 20 for place in part) for part in (first, second)] == [1, 4]
    drawn = bootstrap_sample(labels, seed=4)
    assert len(drawn) == 27 and sum(place < 20 for place in drawn) == 20
    assert 10 < len({*drawn.tolist()}) < 24


@pytest.mark.parametrize("task", SCORINGS)
def test_nobody_learns_from_those_who_judge(task, data_of_task, tmp_path):
    settings = {**TINY, **OF_TASK[task]}
    series = CurveSeries(
        data_of_task, sizes=[0.5, 1], repeats=2, task=task, out=tmp_path / "c", settings=settings
    )
    samples = saccade.read_data(data_of_task, targets=("hue",) if task == "regress" else ())
    assert len(series.draws) == 4 and len(series.judged) >= 6
    for draw in series.draws:
        assert not {*draw.places} & {*series.judged} and len({*draw.places}) == len(draw.places)
    assert {*series.draws[0].places} < {*series.draws[2].places}
    assert series.draws[0].places != series.draws[1].places
    pool = {*series.draws[2].places}
    assert len(pool) + len(series.judged) == len(samples)
    if task == "embed":
        held = {samples[place].label for place in series.judged}
        assert not held & {samples[place].label for place in pool}
    bags = BagSeries(
        data_of_task, sizes=(), repeats=2, task=task, out=tmp_path / "b", settings=settings
    )
    for draw in bags.draws:
        assert {*draw.places} < pool and len({*draw.places}) < len(draw.places)


@pytest.mark.parametrize("task", SCORINGS)
def test_both_finish_for_every_task(task, data_of_task, tmp_path):
    settings = {**TINY, **OF_TASK[task]}
    found = saccade.learning_curve(
        data_of_task, sizes=[1], repeats=1, task=task, out=tmp_path / "c", settings=settings
    )
    assert found.points[0].n == (4 if task == "embed" else 29)
    assert (found.validation is None) == (task == "embed")
    taken = saccade.bias_variance(
        data_of_task, bags=2, task=task, out=tmp_path / "b", settings=settings
    )
    parts = taken.bias.value + taken.variance.value
    assert taken.error.value == pytest.approx(parts, abs=1e-12)
    assert taken.loss == ("squared error" if task == "regress" else "0-1 loss")
    for folder in (found.folder, taken.folder):
        kept = {file.name for file in folder.iterdir()}
        assert kept in ({"curve.json", "report.html"}, {"bags.json", "report.html"})


def test_the_part_val_judges_and_the_part_test_is_not_opened(class_folders, tmp_path):
    for part in ("train", "val"):
        shutil.copytree(class_folders, tmp_path / "data" / part)
    label = next(class_folders.iterdir()).name
    broken = tmp_path / "data" / "test" / label
    broken.mkdir(parents=True)
    (broken / "0.png").write_bytes(b"no picture")
    found = saccade.learning_curve(
        tmp_path / "data", task="classify", sizes=[1], repeats=1, out=tmp_path / "c", settings=KNN
    )
    assert (found.points[0].n, found.points[0].held.n) == (36, 36)
    assert found.points[0].held.value == 1.0  # The same pictures: each is its own neighbour.


# The scores


def test_scores_of_neighbours_are_those_of_scikit_learn(neighbours, class_folders, tmp_path):
    series = CurveSeries(
        class_folders, sizes=[0.4, 0.6, 1], repeats=2, task="classify", out=tmp_path / "c",
        settings=KNN,
    )  # fmt: skip
    samples = saccade.read_data(class_folders)
    rows, labels = pixels(samples, 16), np.array([sample.label for sample in samples])
    for number, draw in enumerate(series.draws):
        theirs = KNeighborsClassifier(1).fit(rows[draw.places], labels[draw.places])
        score = (theirs.predict(rows[series.judged]) == labels[series.judged]).mean()
        point = neighbours.points[number // 2]
        assert point.scores[number % 2] == pytest.approx(score)
        assert point.train.value == 1.0
    assert [point.n for point in neighbours.points] == [12, 17, 29]


def test_bags_of_ridge_are_those_of_scikit_learn(number_table, tmp_path):
    settings = {**RIDGE, "model.ridge": 5.0}
    found = saccade.bias_variance(
        number_table, bags=3, task="regress", out=tmp_path / "b", settings=settings
    )
    again = BagSeries(
        number_table, sizes=(), repeats=3, task="regress", out=tmp_path / "again",
        settings=settings,
    )  # fmt: skip
    kept = json.loads((found.folder / "bags.json").read_text())["standing"]["kept"]
    samples = saccade.read_data(number_table, targets=("hue",))
    truth = np.array([sample.numbers[0] for sample in samples])
    assert kept[0]["truth"] == truth[sorted(again.judged)].tolist()
    said = np.array([each["said"] for each in kept])
    assert found.error.value == pytest.approx(((said - kept[0]["truth"]) ** 2).mean())
    assert found.variance.value == pytest.approx(said.var(axis=0, ddof=1).mean())
    # A picture drawn twice counts twice.
    rows, judged, spread = pixels(samples, 8), sorted(again.judged), []
    for bag, draw in enumerate(again.draws):
        theirs = Ridge(alpha=5.0).fit(rows[draw.places], truth[draw.places])
        spread.append(np.abs(said[bag] - theirs.predict(rows[judged])).max())
    assert max(spread) < 1e-3 and len({*again.draws[0].places}) < len(again.draws[0].places)


def test_unit_scores_have_the_score_as_their_mean():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(40, 2)) * (1, 50)
    said = truth + draw.normal(size=(40, 2)) * (0.5, 30)
    assert r2_units(truth, said).mean() == pytest.approx(r2(truth, said), abs=1e-12)
    above, below = draw.integers(0, 9, 12).astype(float), np.full(12, 9.0)
    assert ratio_units(above, below).mean() == pytest.approx(above.sum() / 108)
    with pytest.raises(InputError, match="one value of a target"):
        r2_units(np.ones((5, 1)), said[:5, :1])


def test_the_spread_of_unit_scores_is_that_of_the_bootstrap():
    draw = np.random.default_rng(1)
    truth = draw.normal(size=(400, 1))
    said = truth + draw.normal(size=(400, 1))
    units = r2_units(truth, said)
    drawn = draw.integers(0, 400, (2000, 400))
    spread = np.std([r2(truth[rows], said[rows]) for rows in drawn])
    assert units.std() / 20 == pytest.approx(spread, rel=0.1)


@pytest.mark.slow
def test_the_gap_of_two_r2_holds_the_truth_93_times_in_100():
    """Two parts of one population, whose R² is 0.8 and 0.5 by construction."""
    draw, inside = np.random.default_rng(2), 0
    for _ in range(1000):
        found = []
        for n, noise in ((200, 0.25), (100, 1.0)):
            said = draw.normal(size=(n, 1))
            units = r2_units(said + np.sqrt(noise) * draw.normal(size=(n, 1)), said)
            found.append(number_interval(crossed(units[None])))
        between = gap(*found)
        inside += between.low <= 0.3 <= between.high
    assert 0.93 <= inside / 1000 <= 0.97


def test_training_classes_are_searched_in_galleries_as_large_as_those_held_out(class_folders):
    model, samples = saccade.load("pixels"), saccade.read_data(class_folders)
    loaded, _ = load_readable(samples, size_hw=model.size_hw, channels=model.channels)
    pictures = StoredPictures(loaded.numpy(), np.arange(len(samples)))
    whole, pairs = (found_first(model, samples, pictures, size) for size in (0, 2))
    assert whole.mean() == pytest.approx(saccade.evaluate("pixels", class_folders).rank_1.value)
    assert len(whole) == len(pairs) == 6 and pairs.mean() > whole.mean()


# Stopped and resumed


def test_a_resumed_one_is_the_uninterrupted_one(neighbours, class_folders, tmp_path):
    given = {"sizes": [0.4, 0.6, 1], "repeats": 2}
    series = CurveSeries(class_folders, task="classify", out=tmp_path / "c", settings=KNN, **given)
    models = series.models()
    for _ in range(3):
        next(models)
    models.close()
    with pytest.raises(InputError, match="3 are missing"):
        series.finish()
    with pytest.raises(InputError, match=r"was begun with 2, not 5; keep it"):
        saccade.learning_curve(resume=tmp_path / "c", repeats=5)
    found = saccade.learning_curve(resume=tmp_path / "c")
    assert [point.scores for point in found.points] == [p.scores for p in neighbours.points]
    pages = [(each.folder / "report.html").read_bytes() for each in (found, neighbours)]
    assert pages[0] == pages[1]
    with pytest.raises(InputError, match="is finished"):
        saccade.learning_curve(resume=tmp_path / "c")


def test_other_pictures_are_refused(class_folders, tmp_path):
    given = {"task": "classify", "settings": KNN}
    BagSeries(class_folders, sizes=(), repeats=2, out=tmp_path / "b", **given)
    shutil.copytree(class_folders, tmp_path / "other")
    first, second, *_ = sorted((tmp_path / "other").rglob("*.png"))
    first.write_bytes(second.read_bytes())
    with pytest.raises(InputError, match=r"are not those that .* began with"):
        saccade.bias_variance(tmp_path / "other", resume=tmp_path / "b")
    with pytest.raises(InputError, match="its own settings"):
        saccade.bias_variance(resume=tmp_path / "b", task="classify")
    (tmp_path / "b" / "bags.json").write_text("{}")
    with pytest.raises(InputError, match=r"bags\.json is damaged; start bias-variance anew"):
        saccade.bias_variance(resume=tmp_path / "b")


# On the command line

REFUSED = {
    "a typo": (["--data.sise", "8x8"], "did you mean '"),
    "falling sizes": (["--sizes", "0.5,0.2"], "--sizes must rise"),
    "a size above 1": (["--sizes", "0.5,2"], "at most 1"),
    "a size of 0": (["--sizes", "0,1"], "each above 0"),
    "no number": (["--sizes", "0.5,all"], "Got '0.5,all'"),
    "nan": (["--sizes", "nan,1"], "--sizes must rise"),
    "two alike": (["--sizes", "0.4,0.41"], "both draw 12 pictures"),
    "no repeat": (["--repeats", "0"], "at least 1. Got 0"),
    "too few pictures": (
        ["--sizes", "0.1,1"],
        "size 0.1 draws 1 of the 4 pictures of class 'green-square' to learn from, and 2 are "
        "needed; begin --sizes with 0.38, or bring 15 of them",
    ),
    "too many neighbours": (["--model.name", "knn", "--model.k", "20"], "size 0.4: model.k 20"),
    "nothing held out": (["--data.validation", "0"], "raise data.validation"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_before_anything_is_learned(
    case, class_folders, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(saccade.Training, "records", lambda self: 1 / 0)
    words, said = REFUSED[case]
    words = words if "--sizes" in words else ["--sizes", "0.4,1", *words]
    given = ["learning-curve", str(class_folders), "--task", "classify"]
    assert main([*given, "--out", str(tmp_path / "c"), *words]) == 2
    told = capsys.readouterr()
    assert said in told.err and told.err.count("\n") == 1 and not told.out
    assert not (tmp_path / "c").exists()


def test_data_that_cannot_be_judged_are_one_line(class_folders, tmp_path, capsys):
    one = tmp_path / "one"
    shutil.copytree(next(class_folders.iterdir()), one / "only")
    (tmp_path / "empty").mkdir()
    table = tmp_path / "same.csv"
    files = sorted(class_folders.rglob("*.png"))
    table.write_text("\n".join(["path,age", *(f"{file},7" for file in files)]))
    rows = [
        ([one, "--task", "classify"], "one class, 'only'"),
        ([tmp_path / "empty", "--task", "classify"], "empty"),
        ([tmp_path / "none"], "does not exist"),
        ([table, "--task", "regress", "--data.target", "age"], "one value of age"),
        ([class_folders, "--task", "clasify"], "did you mean 'classify'"),
        ([class_folders, "--sizes", "0.2,1", "--repeats", "1"], "draws 1 of the 4 classes"),
    ]
    for words, said in rows:
        for command in ("learning-curve", "bias-variance"):
            if command == "bias-variance" and "--sizes" in words:
                continue
            assert main([command, *map(str, words), "--out", str(tmp_path / "out")]) == 2, words
            told = capsys.readouterr().err
            assert said in told and told.count("\n") == 1, told
    assert main(["bias-variance", str(class_folders), "--bags", "1"]) == 2
    assert "at least 2. Got 1" in capsys.readouterr().err


def test_the_commands_print_what_they_found(neighbours, class_folders, tmp_path, capsys):
    folder = tmp_path / "curve"
    shutil.copytree(neighbours.folder, folder)
    begun = (folder / "curve.json").read_text().replace('"finished": true', '"finished": false')
    told = []
    for words in ([], ["--json"]):  # All is learned: what remains is to say it.
        (folder / "curve.json").write_text(begun)
        assert main(["learning-curve", "--resume", str(folder), *words]) == 0
        told.append(capsys.readouterr().out)
    assert all(sentence in told[0] for sentence in neighbours.sentences)
    assert {**neighbours.to_dict(), "folder": str(folder)} == json.loads(told[1])
    hostile = tmp_path / "<script>alert(1)<'\">"
    shutil.copytree(class_folders, hostile)
    words = ["bias-variance", str(hostile), "--task", "classify", "--bags", "2", *flags(KNN)]
    assert main([*words, "--out", str(tmp_path / "bags")]) == 0
    told = capsys.readouterr().out
    assert "bag 2   training 2 of 2" in told and "0-1 loss of 2 models on 7 pictures" in told
    page = (tmp_path / "bags" / "report.html").read_text()
    assert "disagreement" in told and "Domingos" in page and "<script>" not in page


def test_ctrl_c_says_how_to_go_on(class_folders, tmp_path, capsys, monkeypatch):
    def pressed(self, training):
        raise KeyboardInterrupt

    monkeypatch.setattr(BagSeries, "kept", pressed)
    words = ["bias-variance", str(class_folders), "--task", "classify", *flags(KNN)]
    assert main([*words, "--out", str(tmp_path / "b")]) == 130
    assert f"go on with: saccade bias-variance --resume {tmp_path / 'b'}" in capsys.readouterr().err


def test_a_task_without_a_score_is_refused(box_folder, tmp_path, capsys):
    words = ["learning-curve", str(box_folder), "--task", "detect", "--out", str(tmp_path / "c")]
    assert main([*words, *flags(OF_TASK["detect"])]) == 2
    assert "no score for task 'detect'" in capsys.readouterr().err
