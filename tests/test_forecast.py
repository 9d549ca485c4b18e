"""Task forecast: the network, a run from its training to its frames, and all that is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import saccade
from saccade.api.changes import make_changes
from saccade.api.recipe import whole_recipe
from saccade.cli.app import main
from saccade.data.bouncing import write_bouncing
from saccade.data.pictures import picture_size_hw
from saccade.data.sequences import read_sequences
from saccade.errors import InputError, SettingError
from saccade.judge.forecast import judge_forecast
from saccade.judge.run_index import RunLine
from saccade.tasks.forecast import ForecastTask, forecast_batch
from saccade.tasks.forecaster import Forecaster
from saccade.values import Interval
from tests.documents import ROOT
from tests.runs import OF_TASK, flags
from tests.test_bad_input import snapshot

SETTINGS = OF_TASK["forecast"] | {
    "train.epochs": 1,
    "train.threads": 1,
    "train.precision": "float32",
    "train.batch_size": 10,
}


def network(**changes):
    settings = {"channels": 3, "cell": "convlstm", "width": 6, "reach": 1, "seen": 3, "ahead": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Forecaster(**settings | changes)


def draw(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


# The network


@pytest.mark.parametrize("size_hw", [(8, 10), (7, 9)])
@pytest.mark.parametrize("cell", ["convlstm", "convgru"])
def test_the_frames_said_are_as_many_and_as_large_as_asked_for(cell, size_hw):
    made = network(cell=cell, channels=1, width=5)
    frames = draw(2, 4, 1, *size_hw)
    assert made(frames).shape == (2, 2, 1, *size_hw)
    five = made(frames, 5)
    assert five.shape == (2, 5, 1, *size_hw) and five.min() >= 0 and five.max() <= 1
    torch.testing.assert_close(five[:, :2], made(frames))
    torch.testing.assert_close(made.unrolled(frames, 1)[:, 3], five[:, 0])


def test_each_pixel_is_mixed_of_those_around_it_as_in_the_loop():
    made, last = network(reach=2), draw(1, 3, 5, 6)
    shares = draw(1, 25, 5, 6, seed=1)
    found = made._moved(last, shares)
    for row in range(5):
        for column in range(6):
            wanted = torch.zeros(3)
            for place in range(25):
                down, right = place // 5 - 2, place % 5 - 2
                r, c = min(max(row + down, 0), 4), min(max(column + right, 0), 5)
                wanted += shares[0, place, row, column] * last[0, :, r, c]
            torch.testing.assert_close(found[0, :, row, column], wanted)


def test_a_network_that_only_stays_repeats_the_last_frame_exactly():
    made = network()
    with torch.no_grad():
        made.shares.weight.zero_()
        made.shares.bias.fill_(-200.0)
        made.shares.bias[made.places // 2] = 200.0
    frames = draw(2, 3, 3, 8, 8)
    torch.testing.assert_close(made(frames), frames[:, -1:].expand(-1, 2, -1, -1, -1))


def test_the_gradient_through_two_frames_said_is_that_of_finite_differences():
    made = network(channels=1, width=4).double()
    frames = draw(1, 2, 1, 4, 4).double().requires_grad_()
    given = (frames, *made.parameters())
    assert torch.autograd.gradcheck(lambda one, *_: made(one), given, fast_mode=True)


def test_the_loss_is_of_all_that_is_said_from_the_second_frame_on():
    made = network()
    task = ForecastTask(made, loss="absolute")
    windows = draw(2, 5 * 3, 8, 8)
    frames = windows.reshape(2, 5, 3, 8, 8)
    said = made.unrolled(frames[:, :3], 2)
    wanted = (said[:, 1:] - frames[:, 2:]).abs().mean()
    torch.testing.assert_close(task(windows, torch.zeros(2)), wanted)


def test_mirror_averages_with_the_mirror_image():
    made = network().eval()
    frames = (draw(2, 3, 3, 8, 8) * 255).to(torch.uint8)
    plain = made(frames / 255, 2)
    other = made(frames.flip(4) / 255, 2).flip(4)
    wanted = ((plain + other) / 2 * 255).round().to(torch.uint8)
    found = forecast_batch(made, frames, ahead=2, mirror=True)
    assert (found.int() - wanted.int()).abs().max() <= 1
    torch.testing.assert_close(
        forecast_batch(made, frames.flip(4), ahead=2, mirror=True).flip(4), found
    )


# A run


@pytest.fixture(scope="module")
def run(sequence_folder, tmp_path_factory):
    """A run of one epoch."""
    out = tmp_path_factory.mktemp("forecast") / "run"
    return saccade.train(sequence_folder, task="forecast", out=out, settings=SETTINGS)


def test_training_judges_the_part_val_and_writes_strips(run, sequence_folder):
    scores = run.validation
    assert (scores.sequences, scores.windows, len(scores.steps)) == (2, 2 * 5, 1)
    told = run.model.card["score"]
    assert told["squared ratio"]["value"] == scores.squared.ratio.value
    page = (run.folder / "report.html").read_text()
    assert "convlstm, 1 frames after 3" in page or "convlstm, 1 frame after 3" in page
    assert page.count("data:image/png") >= 8
    again = saccade.evaluate(run.folder, sequence_folder)
    assert again.squared == scores.squared and again.absolute == scores.absolute


def test_groups_of_sequences_are_judged_each_by_itself(run, sequence_folder, tmp_path):
    rows = [f"{file},{'AB'[int(file.parent.name[-1]) % 2]}" for file in frames_of(sequence_folder)]
    (tmp_path / "sites.csv").write_text("\n".join(["path,site", *rows]) + "\n")
    page = tmp_path / "page.html"
    scores = saccade.evaluate(
        run.folder,
        sequence_folder / "train",
        by="site",
        metadata=tmp_path / "sites.csv",
        report=page,
    )
    a, b = scores.by_group.groups
    assert (a.group, b.group, a.pictures) == ("A", "B", 3 * 8)
    low, high = sorted(one.figures["squared ratio"].value for one in (a, b))
    assert low < scores.squared.ratio.value < high and a.too_few
    assert "site" in page.read_text()


def frames_of(folder):
    return sorted((folder / "train").rglob("*.png"))


def test_the_figures_are_those_of_the_frames_that_the_model_says(run, sequence_folder):
    said, truth, last, names = [], [], [], []
    for folder in sorted((sequence_folder / "val").iterdir()):
        files = sorted(folder.iterdir())
        pixels = [np.asarray(Image.open(file)) for file in files]
        for start in range(5):
            said.append(run.model.forecast(files[start : start + 3]))
            truth.append(pixels[start + 3][None])
            last.append(pixels[start + 2])
            names.append(folder.name)
    found = judge_forecast(
        np.stack(said).transpose(0, 1, 4, 2, 3),
        np.stack(truth).transpose(0, 1, 4, 2, 3),
        np.stack(last).transpose(0, 3, 1, 2),
        sequences=names,
        seen=3,
    )
    assert found.squared.error.value == pytest.approx(run.validation.squared.error.value)
    assert found.absolute.ratio.value == pytest.approx(run.validation.absolute.ratio.value)


def test_predict_writes_the_next_frames_and_never_over_others(
    run, sequence_folder, tmp_path, capsys
):
    one, two = sorted((sequence_folder / "val").iterdir())
    out = tmp_path / "next"
    assert main(["predict", str(run.folder), str(one), "--frames", "3", "--out", str(out)]) == 0
    assert f"{one.name}: 3 frames after frame_007.png" in capsys.readouterr().out
    files = sorted(out.iterdir())
    assert [file.name for file in files] == [f"frame_{n:03}.png" for n in (8, 9, 10)]
    wanted = run.model.forecast(sorted(one.iterdir()), ahead=3)
    np.testing.assert_array_equal([np.asarray(Image.open(file)) for file in files], wanted)
    before = snapshot(tmp_path)
    assert main(["predict", str(run.folder), str(one), "--out", str(out)]) == 2
    assert "frame_008.png is there already" in capsys.readouterr().err
    assert snapshot(tmp_path) == before
    both = tmp_path / "both"
    words = [str(run.folder), str(one), str(two), "--out", str(both), "--json"]
    assert main(["predict", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [item["sequence"] for item in told] == [one.name, two.name]
    assert told[1]["files"] == [str(both / two.name / "frame_008.png")]
    assert (both / one.name / "frame_008.png").read_bytes() == files[0].read_bytes()


def test_frames_are_written_at_their_own_size_and_named_where_names_do_not_count(run, tmp_path):
    folder = tmp_path / "walk"
    folder.mkdir()
    for name in "abc":
        Image.new("RGB", (60, 40), (9, 99, 199)).save(folder / f"{name}.png")
    (found,) = saccade.predict(run.folder, [folder], out=tmp_path / "out", frames=2)
    assert [file.rpartition("/")[2] for file in found.files] == ["next_001.png", "next_002.png"]
    assert {picture_size_hw(Path(file)) for file in found.files} == {(40, 60)}


def test_two_forecasters_are_compared_sequence_by_sequence(run, sequence_folder, tmp_path, capsys):
    settings = SETTINGS | {"forecast.cell": "convgru", "train.seed": 1}
    other = saccade.train(sequence_folder, task="forecast", out=tmp_path / "gru", settings=settings)
    found = saccade.compare(run.folder, other.folder, sequence_folder)
    assert found.figure == "mean absolute error of pixels" and found.units == "sequences"
    assert found.a.value == pytest.approx(run.validation.absolute.error.value)
    assert found.b.value == pytest.approx(other.validation.absolute.error.value)
    assert main(["compare", str(run.folder), str(run.folder), str(sequence_folder)]) == 1
    longer = SETTINGS | {"forecast.ahead": 2}
    third = saccade.train(sequence_folder, task="forecast", out=tmp_path / "long", settings=longer)
    with pytest.raises(InputError, match="A says 1 after 3 and B 2 after 3"):
        saccade.compare(run.folder, third.folder, sequence_folder)


def test_the_index_of_runs_puts_the_lower_ratio_first():
    lines = [
        RunLine(f"{value}", "finished", figure="squared ratio", score=Interval(value, 0, 1, 9))
        for value in (0.5, 0.3, 0.7)
    ]
    assert [line.name for line in sorted(lines, key=lambda line: -line.rank)] == [
        "0.3",
        "0.5",
        "0.7",
    ]


def test_tune_deals_whole_sequences(sequence_folder, tmp_path, capsys):
    found = saccade.tune(
        sequence_folder,
        vary={"optim.lr": [0.01, 0.03]},
        folds=2,
        task="forecast",
        out=tmp_path / "tune",
        settings={name: value for name, value in SETTINGS.items() if name != "optim.lr"},
    )
    assert len(found.trials) == 2 and found.figure == "squared error saved"
    words = ["tune", str(sequence_folder), "--task", "forecast", "--folds", "7"]
    assert main([*words, "--vary", "optim.lr=0.01,0.03", "--out", str(tmp_path / "more")]) == 2
    line = capsys.readouterr().err
    assert "7 folds need as many sequences, and there are 6" in line and line.count("\n") == 1


def test_a_broken_frame_is_named_and_no_window_holds_it(sequence_folder, tmp_path, capsys):
    data = shutil.copytree(sequence_folder, tmp_path / "data")
    (data / "train" / "sequence_001" / "frame_006.png").write_text("no picture")
    words = ["train", str(data), "--task", "forecast", "--out", str(tmp_path / "run")]
    assert main([*words, *flags(SETTINGS)]) == 2
    line = capsys.readouterr().err
    assert "frame_006.png cannot be read" in line and "data.broken" in line
    training = saccade.Training(
        data, task="forecast", out=tmp_path / "run", settings=SETTINGS | {"data.broken": 0.1}
    )
    assert len(training.data.pictures) == 5 * 5 + 3
    assert [one.picture.rpartition("/")[2] for one in training.data.broken] == ["frame_006.png"]


def test_a_broken_frame_is_named_where_the_next_are_asked_for(
    run, sequence_folder, tmp_path, capsys
):
    folder = shutil.copytree(sequence_folder / "val", tmp_path / "data")
    (folder / "sequence_001" / "frame_006.png").write_text("no picture")
    words = [str(run.folder), str(folder), "--out", str(tmp_path / "out")]
    assert main(["predict", *words]) == 2
    line = capsys.readouterr().err
    assert "frame_006.png cannot be read" in line and line.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert main(["evaluate", str(run.folder), str(folder)]) == 2
    assert "1 of 16 pictures cannot be read" in capsys.readouterr().err
    scores = saccade.evaluate(run.folder, folder, broken=0.1)
    assert len(scores.broken) == 1 and scores.windows == 5 + 3


def test_one_sequence_is_learned_from_and_nothing_is_held_out(sequence_folder, tmp_path, capsys):
    folder = sequence_folder / "train" / "sequence_000"
    words = ["train", str(folder), "--task", "forecast", "--out", str(tmp_path / "run")]
    assert main([*words, *flags(SETTINGS)]) == 0
    assert "nothing was held out" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "run"), str(folder)]) == 2
    line = capsys.readouterr().err
    assert "two sequences or more" in line and line.count("\n") == 1


def test_all_frames_of_a_window_are_changed_alike():
    names = ("rotate", "scale", "shift", "brightness", "contrast", "erase", "colour")
    strong = {f"augment.{name}": 0.5 for name in names}
    changes = make_changes(whole_recipe(None, "forecast", strong | {"forecast.seen": 3}))
    still = draw(6, 3, 8, 8).repeat(1, 5, 1, 1)
    changed, _ = changes.with_targets(
        still.clone(), torch.zeros(6), torch.Generator().manual_seed(1)
    )
    frames = changed.reshape(6, 5, 3, 8, 8)
    assert not torch.allclose(frames[:, 0], still[:, :3])
    torch.testing.assert_close(frames, frames[:, :1].expand_as(frames))
    hue = frames[:, 0].mean((2, 3)) / still[:, :3].mean((2, 3))
    assert hue.std(dim=1).min() > 1e-3


def test_undivided_sequences_are_held_out_whole(sequence_folder, tmp_path):
    training = saccade.Training(
        sequence_folder / "train",
        task="forecast",
        out=tmp_path / "run",
        settings=SETTINGS | {"data.validation": 0.3},
    )
    kept, held = ({one.label for one in part} for part in (training.data.kept, training.data.held))
    assert len(held) == 2 and len(kept) == 4 and not kept & held
    assert len(training.data.pictures) == 4 * 5


# What is refused


WRONG = [
    ({"forecast.cell": "convlstn"}, ["recurrent cell", "convlstm"]),
    ({"forecast.seen": 1}, ["forecast.seen", "2 to 64"]),
    ({"forecast.seen": 20}, ["sequence_000 has 8 frames", "21 are needed", "forecast.seen"]),
    ({"model.backbone": "resnet18"}, ["model.backbone", "not for task forecast"]),
    ({"model.activation": "relu"}, ["model.activation relu", "not for task forecast"]),
    ({"data.target": "age"}, ["data.target age", "not for task forecast"]),
    ({"data.extra_classes": "mirrored"}, ["data.extra_classes", "not for task forecast"]),
    ({"train.batches": "balanced"}, ["train.batches balanced", "not for task forecast"]),
    ({"train.epochs": 0}, ["train.epochs 0", "1 or more"]),
    ({"loss.name": "hinge"}, ["hinge", "task forecast", "absolute_squared"]),
]


@pytest.mark.parametrize(("changes", "parts"), WRONG, ids=[next(iter(c)) for c, _ in WRONG])
def test_settings_that_do_not_fit(sequence_folder, tmp_path, capsys, changes, parts):
    words = ["train", str(sequence_folder), "--task", "forecast", "--out", str(tmp_path / "run")]
    assert main([*words, *flags(SETTINGS | changes)]) == 2
    line = capsys.readouterr().err
    assert all(part in line for part in parts), line
    assert line.count("\n") == 1 and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spoil", "parts"),
    [
        (lambda data: (data / "train/sequence_000/frame_003.png").unlink(),
         ["frame_003.png is missing", "sequence_000", "divide"]),
        (lambda data: Image.new("RGB", (9, 9)).save(data / "train/sequence_002/frame_004.png"),
         ["frame_004.png is 9x9 pixels", "24x24"]),
        (lambda data: [(data / f"train/sequence_005/frame_{n:03}.png").unlink() for n in range(5)],
         ["sequence_005 has 3 frames", "4 are needed"]),
        (lambda data: shutil.rmtree(data / "val/sequence_001"), ["part val has one sequence"]),
        (lambda data: shutil.rmtree(data / "train"), ["no part train"]),
    ],
)  # fmt: skip
def test_data_that_are_wrong(sequence_folder, tmp_path, capsys, spoil, parts):
    data = shutil.copytree(sequence_folder, tmp_path / "data")
    spoil(data)
    words = ["train", str(data), "--task", "forecast", "--out", str(tmp_path / "run")]
    assert main([*words, *flags(SETTINGS)]) == 2
    line = capsys.readouterr().err
    assert all(part in line for part in parts), line
    assert line.count("\n") == 1 and not (tmp_path / "run").exists()


REFUSED = [
    ("predict RUN SEQ", ["--out"]),
    ("predict RUN SEQ --out OUT --frames 0", ["--frames", "1 or more"]),
    ("predict RUN SEQ --out OUT --at-least 0.5", ["--at-least", "not for forecasters"]),
    ("predict RUN SEQ --out OUT --painted P", ["--painted", "not for forecasters"]),
    ("predict RUN FILE --out OUT", ["is a file"]),
    ("predict RUN SEQ --out FILE", ["frame_000.png is a file; name a folder"]),
    ("predict RUN SEQ --out FILE/next", ["frame_000.png is a file; name a folder"]),
    ("inspect VAL --augment --recipe RECIPE", ["inspect --augment", "task forecast"]),
    ("predict RUN SEQ SEQ --out OUT", ["two sequences are called"]),
    ("evaluate RUN VAL --groups sequence", ["--groups"]),
    ("evaluate RUN VAL --by site", ["no metadata 'site'"]),
    ("evaluate RUN VAL --alarm a --miss-cost 2", ["alarm", "a forecaster"]),
    ("robustness RUN VAL", ["robustness", "saccade evaluate"]),
    ("limits RUN VAL --second VAL", ["limits", "saccade evaluate"]),
    ("label-next RUN SEQ", ["label-next", "saccade evaluate"]),
    ("explain RUN FILE", ["not explained"]),
    ("explain RUN VAL --mistakes 3", ["not explained"]),
    ("summary RUN", ["summary"]),
    ("explain RUN --inside", ["forecaster", "no weights to look at"]),
    ("export-model RUN OUT.onnx", ["a forecaster has no card"]),
    ("inspect VAL --model RUN", ["makes no vectors"]),
    ("learning-curve VAL --task forecast", ["score for task 'forecast'"]),
    ("bias-variance VAL --task forecast", ["score for task 'forecast'"]),
    ("gallery create OUT --embedder RUN", []),
]


@pytest.mark.parametrize(("words", "parts"), REFUSED, ids=[words for words, _ in REFUSED])
def test_other_commands_refuse_in_one_line(run, sequence_folder, tmp_path, capsys, words, parts):
    folder = sequence_folder / "val" / "sequence_000"
    places = {
        "RUN": run.folder,
        "VAL": sequence_folder / "val",
        "SEQ": folder,
        "FILE": folder / "frame_000.png",
        "FILE/next": folder / "frame_000.png" / "next",
        "RECIPE": ROOT / "recipes" / "bouncing.toml",
        "OUT": tmp_path / "out",
        "OUT.onnx": tmp_path / "out.onnx",
        "P": tmp_path / "painted",
    }
    before = snapshot(tmp_path)
    assert main([str(places.get(word, word)) for word in words.split()]) == 2
    line = capsys.readouterr().err
    assert all(part in line for part in parts), line
    assert line.count("\n") == 1 and "Traceback" not in line
    assert snapshot(tmp_path) == before


def test_models_of_other_tasks_say_no_frames(class_folders, run, tmp_path):
    settings = {"train.epochs": 0, "model.width": 8, "train.threads": 1}
    other = saccade.train(class_folders, out=tmp_path / "run", settings=settings)
    with pytest.raises(InputError, match="an embedder says no frames"):
        other.model.forecast([tmp_path / "0.png"] * 3)
    with pytest.raises(SettingError, match="--frames is for forecasters"):
        saccade.predict(other.model, [class_folders], frames=2)
    with pytest.raises(InputError, match="looks at 3 frames"):
        run.model.forecast([tmp_path / "0.png"] * 2)
    with pytest.raises(InputError, match="makes no vectors"):
        run.model.embed([next(class_folders.rglob("*.png"))])


@pytest.mark.parametrize(
    ("key", "value"),
    [("cell", "lstm"), ("seen", 0), ("reach", 1000), ("ahead", 1.5), ("extra", 1), ("cell", [])],
)
def test_a_card_that_makes_no_forecaster_is_refused(run, tmp_path, key, value):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    card = json.loads((folder / "model.json").read_text())
    card["forecast"][key] = value
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="not a complete model card"):
        saccade.load(folder)


# What it reaches


@pytest.mark.slow
def test_on_shapes_that_bounce_both_errors_are_at_most_half_of_repeating(tmp_path):
    write_bouncing(tmp_path / "learned", seed=10, parts={"train": 60})
    write_bouncing(tmp_path / "judged", seed=11, parts={"val": 60})
    run = saccade.train(
        tmp_path / "learned",
        recipe=ROOT / "recipes" / "bouncing.toml",
        out=tmp_path / "run",
        settings={"data.validation": 0.0, "train.threads": 1},
    )
    scores = saccade.evaluate(run.folder, tmp_path / "judged")
    assert scores.sequences == 60
    assert scores.squared.ratio.value <= 0.5 and scores.absolute.ratio.value <= 0.5
    assert len(read_sequences(tmp_path / "judged" / "val", least=6)) == 60 * 16
