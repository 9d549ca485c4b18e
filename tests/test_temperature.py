"""A classifier's temperature: fitted on what is held out, kept in the run, no answer changed."""

import json

import numpy as np
import pytest

import saccade
from saccade.errors import InputError
from saccade.metrics.calibration import at_temperature
from saccade.tasks.model import Model
from tests.test_classify import write_shapes

SHORT = {
    "model.width": 4,
    "train.epochs": 6,
    "train.batch_size": 16,
    "train.threads": 1,
    "train.precision": "float32",  # "auto" may choose otherwise for the other run
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("temperature")
    data = write_shapes(root / "data", count=12, seed=3)
    held = SHORT | {"data.validation": 0.5}
    return [
        saccade.train(
            data, task="classify", out=root / name, settings=held | {"train.calibrate": flag}
        )
        for name, flag in (("plain", False), ("mended", True))
    ], data


def test_probabilities_are_mended_and_answers_stay(runs):
    (plain, mended), data = runs
    assert plain.model.temperature is None and mended.model.temperature > 0
    paths = sorted(data.rglob("*.png"))
    raw, found = plain.model.probabilities(paths), mended.model.probabilities(paths)
    np.testing.assert_allclose(found, at_temperature(raw, mended.model.temperature), atol=1e-6)
    assert (raw.argmax(axis=1) == found.argmax(axis=1)).all()
    assert plain.model.fingerprint != mended.model.fingerprint
    told = mended.validation.calibration
    assert told.temperature == mended.model.temperature
    assert told.brier.value <= plain.validation.calibration.brier.value + 0.01
    again = Model.load(mended.folder)
    np.testing.assert_array_equal(again.probabilities(paths), found)


def test_few_pictures_fit_no_temperature(class_folders, tmp_path):
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=SHORT)
    assert run.validation.pictures < 30 and run.model.temperature is None


@pytest.mark.parametrize("wrong", [0, -1, "hot", None, [1.0]])
def test_a_card_with_no_temperature_at_all_is_refused(wrong, runs, tmp_path):
    (_, mended), _ = runs
    card = json.loads((mended.folder / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(card | {"temperature": wrong}))
    with pytest.raises(InputError, match="not a complete model card"):
        Model.load(tmp_path)
