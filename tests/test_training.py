"""The loop, its records, checkpoints and the run folder."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from saccade.api.train import Training
from saccade.augment import Augment
from saccade.data.batches import BalancedBatches
from saccade.errors import InputError, NotFiniteError
from saccade.losses import PAIR_LOSSES, VECTOR_LOSSES
from saccade.optim import OPTIMISERS, SCHEDULES, make_optimiser, one_cycle
from saccade.tasks.embed import EmbeddingNetwork, EmbedTask, embed_batch
from saccade.training.checkpoint import load_checkpoint, save_checkpoint
from saccade.training.loop import train
from saccade.training.precision import choose_precision
from saccade.training.run import (
    HISTORY_FILE,
    append_record,
    new_run_folder,
    read_history,
    recorded_data,
    write_environment,
)

CALM = Augment(rotate=5, scale=0.1, shift=0.05, flip=0.5, brightness=0.1, contrast=0.1, erase=0.2)
STEPS_PER_EPOCH = 3
LOSSES = VECTOR_LOSSES | PAIR_LOSSES


def build_task(loss="arcface", seed=0):
    torch.manual_seed(seed)
    network = EmbeddingNetwork(
        backbone="small_resnet", width=4, dimension=8, channels=3, size_hw=(24, 24)
    )
    task = EmbedTask(network, loss=loss, classes=6)
    return task.to(memory_format=torch.channels_last)


def build_optimiser(task, name="adamw", lr=0.003):
    return make_optimiser([task], name=name, lr=lr, weight_decay=0.01)


def start(task, shapes, optimiser, *, pictures=None, epochs=2, **changes):
    """Begin a run of three steps an epoch on the generated pictures."""
    if pictures is None:
        pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2)
    targets = shapes[1]
    batches = BalancedBatches(targets, classes_per_batch=4, pictures_per_class=3, seed=0)
    settings = {
        "augment": CALM,
        "schedule": lambda progress: one_cycle(progress, warm_up=0.2),
        "clip": 5.0,
        "seed": 0,
    }
    return train(
        task,
        pictures,
        torch.from_numpy(targets),
        batches=batches,
        optimiser=optimiser,
        epochs=epochs,
        **(settings | changes),
    )


def weights_of(task):
    return torch.cat([parameter.detach().clone().flatten() for parameter in task.parameters()])


# The loop


@pytest.mark.parametrize("loss", LOSSES)
def test_thirty_steps_lower_the_loss(shapes, loss):
    task = build_task(loss)
    losses = [record.loss for record in start(task, shapes, build_optimiser(task), epochs=10)]
    assert len(losses) == 30
    assert np.mean(losses[-6:]) < 0.8 * np.mean(losses[:6])


def test_records_tell_what_happened(shapes):
    task = build_task()
    records = list(start(task, shapes, build_optimiser(task), epochs=4))
    total = 4 * STEPS_PER_EPOCH
    assert [record.step for record in records] == list(range(total))
    assert [record.epoch for record in records] == [step // 3 + 1 for step in range(total)]
    assert [record.epoch_ends for record in records] == [step % 3 == 2 for step in range(total)]
    for record in records:
        share = one_cycle((record.step + 1) / total, warm_up=0.2)
        assert record.lr == pytest.approx(0.003 * share)
        assert record.gradient_norm > 0
        assert record.wait_s >= 0
        assert 0 < record.pictures_per_s < math.inf
        assert json.loads(json.dumps(record.to_json()))["loss"] == pytest.approx(
            record.loss, rel=1e-6
        )


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(shapes):
    ends = []
    for seed in (0, 0, 1):
        task = build_task()
        list(start(task, shapes, build_optimiser(task), seed=seed))
        ends.append(weights_of(task))
    assert torch.equal(ends[0], ends[1])
    assert not torch.equal(ends[0], ends[2])


def test_nothing_moves_until_a_record_is_asked_for_and_stopping_stops(shapes):
    task = build_task()
    before = weights_of(task)
    records = start(task, shapes, build_optimiser(task))
    assert torch.equal(weights_of(task), before)
    next(records)
    records.close()
    moved = weights_of(task)
    assert not torch.equal(moved, before)
    assert list(records) == []
    assert torch.equal(weights_of(task), moved)


def test_a_clipped_step_is_short_and_the_norm_is_that_before(shapes):
    task = build_task()
    before = weights_of(task)
    optimiser = make_optimiser([task], name="nesterov", lr=1.0, weight_decay=0.0)
    record = next(start(task, shapes, optimiser, clip=1e-3, schedule=lambda progress: 1.0))
    moved = weights_of(task) - before
    assert record.gradient_norm > 0.1
    assert float(moved.norm()) == pytest.approx(1.9e-3, rel=0.01)  # Nesterov: 1 + momentum


def test_clip_zero_does_not_clip(shapes):
    task = build_task()
    before = weights_of(task)
    optimiser = make_optimiser([task], name="nesterov", lr=1e-3, weight_decay=0.0)
    record = next(start(task, shapes, optimiser, clip=0.0, schedule=lambda progress: 1.0))
    moved = weights_of(task) - before
    assert float(moved.norm()) == pytest.approx(1.9e-3 * record.gradient_norm, rel=0.01)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_precision_keeps_weights_and_loss_in_float32(shapes, precision):
    task = build_task()
    records = list(start(task, shapes, build_optimiser(task), epochs=1, precision=precision))
    assert all(math.isfinite(record.loss) for record in records)
    assert {p.dtype for p in task.parameters()} == {torch.float32}


def test_pictures_that_are_not_numbers_stop_the_run_at_their_step(shapes):
    pictures = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2).float()
    task = build_task()
    with pytest.raises(NotFiniteError, match=r"step 0: the loss is nan"):
        list(start(task, shapes, build_optimiser(task), pictures=pictures * math.nan))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_rate_far_too_high_stops_the_run_and_names_the_step(shapes, loss):
    task = build_task(loss)
    optimiser = build_optimiser(task, "nesterov", lr=1e30)
    records = start(task, shapes, optimiser, schedule=lambda progress: 1.0)
    with pytest.raises(NotFiniteError, match=r"step [1-5]: .*; lower optim\.lr"):
        list(records)


class RootOfNothing(nn.Module):
    """Has a finite loss, and a gradient that is infinite."""

    def __init__(self):
        super().__init__()
        self.fine = nn.Parameter(torch.ones(3))
        self.corner = nn.Parameter(torch.zeros(2))

    def forward(self, pictures, targets):
        return self.fine.sum() + self.corner.sqrt().sum()


def test_a_gradient_that_is_not_finite_names_step_and_parameter(shapes):
    task = RootOfNothing()
    with pytest.raises(NotFiniteError, match="step 0: the gradient of corner is not finite"):
        list(start(task, shapes, build_optimiser(task)))
    assert torch.equal(task.fine, torch.ones(3))


@pytest.mark.parametrize("projection", ["whitened", "trained"])
def test_a_completed_network_tells_the_shapes_apart(shapes, projection):
    task = build_task()
    list(start(task, shapes, build_optimiser(task), epochs=12))
    pictures, targets = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2), torch.from_numpy(shapes[1])
    task.complete(pictures, targets, projection=projection, shrinkage=0.3)
    vectors = embed_batch(task.network, pictures, mirror=False)
    cosines = vectors @ vectors.T - 2 * torch.eye(len(vectors))
    assert float((targets[cosines.argmax(1)] == targets).float().mean()) > 0.5  # chance is 0.14


def test_the_trained_projection_is_the_head_in_eval_mode(shapes):
    task = build_task()
    list(start(task, shapes, build_optimiser(task)))
    pictures, targets = torch.from_numpy(shapes[0]).permute(0, 3, 1, 2), torch.from_numpy(shapes[1])
    task.complete(pictures, targets, projection="trained", shrinkage=0.3)
    scaled = pictures.float() / 255
    with torch.no_grad():
        wanted = task.head(task.network.features(scaled))
        torch.testing.assert_close(task.network(scaled), wanted, atol=1e-4, rtol=1e-4)


# Checkpoints


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_ends_bit_for_bit_the_same(shapes, tmp_path, name, stop):
    whole = build_task()
    optimiser = build_optimiser(whole, name)
    for record in start(whole, shapes, optimiser, epochs=4):
        if record.epoch_ends and record.epoch == stop:
            save_checkpoint(tmp_path, task=whole, optimiser=optimiser, next_epoch=stop)
    resumed = build_task(seed=99)
    optimiser = build_optimiser(resumed, name)
    first = load_checkpoint(tmp_path, task=resumed, optimiser=optimiser)
    assert first == stop
    records = list(start(resumed, shapes, optimiser, epochs=4, first_epoch=first))
    assert records[0].step == stop * STEPS_PER_EPOCH
    assert records[0].lr == pytest.approx(
        0.003 * one_cycle((records[0].step + 1) / 12, warm_up=0.2)
    )
    wanted = whole.state_dict()
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in resumed.state_dict().items())


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_goes_on_with_the_same_rates(shapes, name):
    rates = []
    for first in (0, 2):
        task = build_task()
        schedule = partial(SCHEDULES[name], warm_up=0.7)
        records = start(
            task, shapes, build_optimiser(task), epochs=4, schedule=schedule, first_epoch=first
        )
        rates.append([record.lr for record in records])
    assert len(rates[1]) == 2 * STEPS_PER_EPOCH and rates[1] == rates[0][2 * STEPS_PER_EPOCH :]


def test_a_checkpoint_replaces_the_former_one_and_leaves_nothing_else(tmp_path):
    task = build_task()
    optimiser = build_optimiser(task)
    for epoch in (1, 2, 3):
        save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=epoch)
        assert load_checkpoint(tmp_path, task=task, optimiser=optimiser) == epoch
        assert [item.name for item in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("crashes", [(1,), (2,), (2, 1), (2, 2), (2, 1, 2), (1, 2)])
def test_a_crash_at_any_rename_leaves_a_checkpoint(tmp_path, monkeypatch, crashes):
    task = build_task()
    optimiser = build_optimiser(task)
    save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=1)
    rename = Path.rename
    for allowed in crashes:
        renames = []

        def crash(source, target, renames=renames, allowed=allowed):
            renames.append(source)
            if len(renames) == allowed:
                raise KeyboardInterrupt
            return rename(source, target)

        monkeypatch.setattr(Path, "rename", crash)
        try:
            save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=2)
        except KeyboardInterrupt:
            assert load_checkpoint(tmp_path, task=task, optimiser=optimiser) == 1
        else:
            assert load_checkpoint(tmp_path, task=task, optimiser=optimiser) == 2
            break
        finally:
            monkeypatch.undo()
    save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=5)
    assert load_checkpoint(tmp_path, task=task, optimiser=optimiser) == 5
    assert [item.name for item in tmp_path.iterdir()] == ["checkpoint"]


def test_a_crash_while_writing_leaves_the_former_checkpoint(tmp_path, monkeypatch):
    task = build_task()
    optimiser = build_optimiser(task)
    save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=1)
    monkeypatch.setattr("saccade.training.checkpoint._flatten", lambda optimiser: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_checkpoint(tmp_path, task=task, optimiser=optimiser, next_epoch=2)
    assert load_checkpoint(tmp_path, task=task, optimiser=optimiser) == 1


def test_a_run_without_checkpoint_is_refused(tmp_path):
    task = build_task()
    with pytest.raises(InputError, match="holds no checkpoint"):
        load_checkpoint(tmp_path, task=task, optimiser=build_optimiser(task))


def test_a_run_leaves_a_checkpoint_that_goes_on_where_it_ended(class_folders, tmp_path):
    small = {"train.epochs": 2, "model.width": 4, "model.dimension": 8, "train.threads": 1}
    batch = {"train.classes_per_batch": 2, "train.pictures_per_class": 3}
    training = Training(class_folders, out=tmp_path / "run", settings=small | batch)
    assert len(training.batches) > 1
    for record in training.records():
        if record.epoch_ends:
            found = load_checkpoint(
                training.folder, task=training.learner.task, optimiser=training.learner.optimiser
            )
            assert found == record.epoch


# The run folder


def test_run_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [new_run_folder(None, data=Path("my pictures!"), task="embed") for _ in range(3)]
    assert [str(folder) for folder in made] == [f"runs/my-pictures--embed-{n}" for n in (1, 2, 3)]
    assert all(folder.is_dir() for folder in made)


def test_a_run_folder_in_use_is_refused(tmp_path):
    place = tmp_path / "a" / "run"
    assert new_run_folder(place, data=tmp_path, task="embed") == place
    assert new_run_folder(place, data=tmp_path, task="embed") == place
    (place / "recipe.toml").write_text("")
    with pytest.raises(InputError, match="is not empty; name another with --out"):
        new_run_folder(place, data=tmp_path, task="embed")
    with pytest.raises(InputError, match="cannot be written"):
        new_run_folder(place / "recipe.toml" / "run", data=tmp_path, task="embed")


def test_the_history_comes_back(shapes, tmp_path):
    task = build_task()
    records = list(start(task, shapes, build_optimiser(task)))
    assert read_history(tmp_path) == []
    with (tmp_path / HISTORY_FILE).open("w") as stream:
        for number, record in enumerate(records, 1):
            append_record(stream, record)
            assert len(read_history(tmp_path)) == number
    assert read_history(tmp_path) == [record.to_json() for record in records]


def test_the_environment_is_written(tmp_path):
    write_environment(tmp_path, seed=3, precision="float32", data=Path("pictures"))
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["torch"] == torch.__version__
    assert (found["seed"], found["precision"]) == (3, "float32")
    assert recorded_data(tmp_path) == Path("pictures").resolve()


@pytest.mark.parametrize(
    ("capabilities", "chosen"),
    [
        ({}, torch.float32),
        ({"avx512": True, "avx512_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_precision_follows_the_processor(monkeypatch, capabilities, chosen):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_precision("auto") == chosen
    assert choose_precision("float32") == torch.float32
    assert choose_precision("bfloat16") == torch.bfloat16
