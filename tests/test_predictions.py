"""``evaluate --predictions``: what others predicted, judged alike; and what is refused."""

import json

import numpy as np
import pytest
from sklearn import metrics as judge

import saccade
from saccade.api.predictions import evaluate_predictions
from saccade.cli.app import main
from saccade.errors import InputError
from tests.conftest import CLASSES


@pytest.fixture(scope="module")
def truth(class_folders):
    return saccade.read_data(class_folders)


@pytest.fixture(scope="module")
def shares(truth):
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(len(truth), len(CLASSES)))
    logits[np.arange(len(truth)), [CLASSES.index(one.label) for one in truth]] += 1.5
    found = np.exp(logits)
    return found / found.sum(axis=1, keepdims=True)


def table(place, truth, shares, *, path=lambda one: f"{one.label}/{one.path.name}", edit=None):
    lines = [",".join(("path", *CLASSES))]
    for one, row in zip(truth, shares, strict=True):
        lines.append(",".join((path(one), *(f"{share:.17g}" for share in row))))
    (edit or (lambda _: None))(lines)
    place.write_text("\n".join(lines) + "\n")
    return place


def test_probabilities_are_judged_as_a_model_s(class_folders, truth, shares, tmp_path, capsys):
    file = table(tmp_path / "p.csv", truth, shares)
    found = evaluate_predictions(file, class_folders, report=tmp_path / "r.html")
    answers, labels = shares.argmax(axis=1), [CLASSES.index(one.label) for one in truth]
    assert found.accuracy.value == pytest.approx(np.mean(answers == labels))
    wanted = judge.roc_auc_score(labels, shares, multi_class="ovr")
    assert found.macro_auc.value == pytest.approx(wanted, abs=1e-12)
    assert "How well these predictions answer" in (tmp_path / "r.html").read_text()
    words = ["evaluate", "--predictions", str(file), "--truth", str(class_folders), "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 36
    shuffled = table(tmp_path / "s.csv", truth[::-1], shares[::-1], path=lambda o: str(o.path))
    again = evaluate_predictions(shuffled, class_folders)
    assert again.accuracy == found.accuracy and again.confusion == found.confusion


def test_labels_alone_have_no_curves(class_folders, truth, tmp_path):
    lines = ["path,label,probability"] + [f"{one.path},{one.label},0.9" for one in truth]
    (tmp_path / "l.csv").write_text("\n".join(lines))
    found = evaluate_predictions(tmp_path / "l.csv", class_folders)
    assert found.accuracy.value == 1 and found.macro_auc is None and found.curves == ()
    assert found.calibration is not None and found.calibration.brier is None
    (tmp_path / "m.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines))
    bare = evaluate_predictions(tmp_path / "m.csv", class_folders, report=tmp_path / "m.html")
    assert bare.calibration is None and bare.abstention == ()


def test_a_probability_in_some_rows_only_is_a_mistake(class_folders, truth, tmp_path):
    lines = ["path,label,probability"] + [f"{one.path},{one.label},0.9" for one in truth]
    lines[7] = lines[7].replace("0.9", "")
    (tmp_path / "l.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match="there is no probability, though other rows have one"):
        evaluate_predictions(tmp_path / "l.csv", class_folders)


def test_what_predict_writes_can_be_judged(class_folders, tmp_path):
    settings = {"model.name": "knn", "data.size": "16x16", "data.validation": 0.0}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    saccade.predict(run.folder, [class_folders], out=tmp_path / "p.csv")
    found = evaluate_predictions(tmp_path / "p.csv", class_folders)
    assert found.pictures == 36


def bad(number, text):
    def edit(lines):
        lines[number] = text(lines[number])

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda lines: lines.pop(), "35 rows for the 36 pictures of the truth; there is none for"),
        (lambda lines: lines.append(lines[-1]), "37 rows for the 36 pictures"),
        (lambda lines: lines.append(lines[-1].replace("/", "/spare-", 1)), "called"),
        (
            bad(3, lambda line: ",".join([line.split(",")[0], "1.2", "-0.2", *"0000"])),
            "1.2 is no",
        ),
        (bad(3, lambda line: ",".join([line.split(",")[0], *["nan"] * 6])), "line 4"),
        (bad(3, lambda line: ",".join([line.split(",")[0], *["0.1"] * 6])), "add up to 0.6"),
        (bad(0, lambda line: line.replace("red-disc", "red-disk")), "did you mean 'red-disk'"),
        (bad(0, lambda line: line.replace("path", "file")), "no column 'path'"),
    ],
)
def test_bad_predictions_are_one_clear_line(edit, message, class_folders, truth, shares, tmp_path):
    file = table(tmp_path / "p.csv", truth, shares, edit=edit)
    with pytest.raises(InputError) as error:
        evaluate_predictions(file, class_folders)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_unknown_classes_and_missing_files_are_refused(class_folders, truth, tmp_path, capsys):
    lines = ["path,label"] + [f"{one.path},{one.label}" for one in truth]
    lines[1] = lines[1].replace(",blue-disc", ",blue-disk")
    (tmp_path / "l.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"'blue-disk' \(did you mean 'blue-disc'"):
        evaluate_predictions(tmp_path / "l.csv", class_folders)
    for words in (
        ["--predictions", str(tmp_path / "none.csv"), "--truth", str(class_folders)],
        ["--predictions", str(tmp_path / "l.csv")],
        ["run", "data", "--predictions", "x.csv", "--truth", "y"],
        ["run"],
        ["run", "data", "--miss-cost", "3"],
        ["run", "data", "--ignore", "3"],
    ):
        assert main(["evaluate", *words]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
