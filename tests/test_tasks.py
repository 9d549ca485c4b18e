"""The contract of every task: it learns, and its model answers the same wherever it lies."""

import shutil

import numpy as np
import pytest

import saccade
from saccade.api.procedures import PROCEDURES
from saccade.data.batches import load_pictures
from saccade.tasks import TASKS
from tests.runs import OF_TASK

# Three steps an epoch, whichever way the batches are drawn.
SETTINGS = {
    "train.epochs": 10,
    "train.threads": 1,
    "train.precision": "float32",
    "train.classes_per_batch": 2,
    "train.pictures_per_class": 4,
    "train.batch_size": 10,
    "model.width": 8,
    "model.dimension": 8,
}


def answers(model, pictures):
    """Vectors, probabilities, numbers, means of boxes or masks, the next frame: a row a picture."""
    if model.surfaces is not None:
        prepared = load_pictures(pictures, size_hw=model.size_hw, channels=model.channels)
        return model.segment_prepared(prepared).mean((2, 3)).numpy()
    if model.window is not None:
        shown = [[picture] * model.window[0] for picture in pictures]
        return np.array([model.forecast(frames).ravel() for frames in shown])
    if model.objects is not None:
        found = model.detect(pictures)
        return np.array([[*one.xywh.mean(axis=0), one.scores.sum()] for one in found])
    if model.targets is not None:
        return np.array([list(one.values.values()) for one in model.estimate(pictures)])
    return model.embed(pictures) if model.classes is None else model.probabilities(pictures)


def test_every_task_has_its_procedure():
    assert PROCEDURES.keys() == TASKS.keys()


@pytest.mark.parametrize("task", TASKS)
def test_thirty_steps_lower_the_loss(data_of_task, tmp_path, task):
    settings = SETTINGS | OF_TASK[task]
    training = saccade.Training(data_of_task, task=task, out=tmp_path / "run", settings=settings)
    losses = [record.loss for record in training.records()]
    assert len(losses) == 30
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_a_model_answers_the_same_when_saved_loaded_and_moved(
    data_of_task, class_folders, tmp_path, task, mirror
):
    settings = SETTINGS | OF_TASK[task] | {"train.epochs": 1, "model.mirror": mirror}
    run = saccade.train(data_of_task, task=task, out=tmp_path / "run", settings=settings)
    pictures = sorted(class_folders.rglob("*.png"))
    made = answers(run.model, pictures)
    assert len(made) == len(pictures) and len(np.unique(made, axis=0)) > 1
    shutil.move(run.folder, tmp_path / "moved")
    again = saccade.load(tmp_path / "moved")
    np.testing.assert_array_equal(answers(again, pictures), made)
    assert (again.fingerprint, again.card) == (run.model.fingerprint, run.model.card)
