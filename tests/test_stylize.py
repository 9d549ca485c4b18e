"""``saccade stylize``: pictures painted in the style of others, denoised; and what is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

import saccade
from saccade.cli.app import main
from saccade.data.pictures import read_picture
from saccade.errors import InputError, SettingError
from tests.conftest import shape_picture

REAL = Path(os.environ.get("SACCADE_DATA", "nowhere"))
WEIGHTS = REAL / "weights" / "squeezenet1_1" / "squeezenet1_1.safetensors"
PAINTINGS = REAL / "style_pictures"
LOSSES = {"content": 1, "style": 5, "smooth": 2}  # and what each counts by itself
QUICK = {"backbone": "small_resnet", "size": 48, "steps": 4}
WORDS = ("--backbone", "small_resnet", "--size", "48", "--steps", "4")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A content, two styles, and what cannot be used; nothing is written here."""
    root = tmp_path_factory.mktemp("paintings")
    draw = np.random.default_rng(0)
    Image.fromarray(shape_picture("red-disc", draw)).resize((60, 40)).save(root / "content.png")
    y, x = np.mgrid[:50, :70]
    stripes = np.stack([(x + y) % 9 * 28, (x - y) % 11 * 23, (x * y) % 7 * 36], 2)
    Image.fromarray(stripes.astype(np.uint8)).save(root / "stripes.jpg")
    Image.fromarray(draw.integers(0, 256, (40, 40, 3), np.uint8)).save(root / "dots.png")
    Image.new("RGB", (1, 1)).save(root / "one.png")
    (root / "broken.png").write_bytes((root / "dots.png").read_bytes()[:200])
    (root / "empty.jpg").write_bytes(b"")
    tensors = models.squeezenet1_1().state_dict()
    save_file(tensors, root / "squeezenet.safetensors")
    tensors["features.0.bias"][3] = float("nan")
    save_file(tensors, root / "nan.safetensors")
    return root


def paint(world, *styles, **chosen):
    return saccade.stylize(world / "content.png", [world / one for one in styles], **QUICK | chosen)


def test_a_picture_is_painted_told_and_written(world, tmp_path, capsys):
    out = tmp_path / "painted.png"
    words = [world / "content.png", world / "stripes.jpg", "--out", out, *WORDS, "--every", "2"]
    assert main(["stylize", *map(str, words)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "features: small_resnet, untrained"
    assert lines[1].startswith("warning: these features are untrained")
    assert [line.split()[:2] for line in lines[3:8]] == [[f"{n}", "32x48"] for n in range(5)]
    first, last = ([float(one) for one in line.split()[2:]] for line in (lines[3], lines[7]))
    # Content, style and the sum; four steps need not make it smoother than the noise.
    assert all(last[place] < first[place] for place in (0, 1, 3)), (first, last)
    assert lines[-2:] == [f"on the way: {tmp_path / 'painted-2.png'}", f"picture: {out}"]
    assert read_picture(out).shape == read_picture(tmp_path / "painted-2.png").shape == (32, 48, 3)
    assert {file.name for file in tmp_path.iterdir()} == {"painted.png", "painted-2.png"}


def test_json_tells_every_step(world, tmp_path, capsys):
    out = tmp_path / "a.jpg"
    words = [world / "content.png", world / "dots.png", "--out", out, *WORDS, "--json"]
    assert main(["stylize", *map(str, words)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(out) and told["size_hw"] == [32, 48] and told["on_the_way"] == []
    assert [one["step"] for one in told["records"]] == [0, 1, 2, 3, 4]
    last = told["records"][-1]
    assert last["total"] == pytest.approx(
        last["content"] + 5 * last["style"] + 2 * last["smooth"], rel=1e-5
    )
    with Image.open(out) as image:
        assert image.format == "JPEG"


def test_what_is_written_is_what_is_returned(world, tmp_path):
    done = paint(world, "dots.png", out=tmp_path / "a.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png"), done.picture)
    again = paint(world, "dots.png", out=tmp_path / "a.png", force=True)
    np.testing.assert_array_equal(again.picture, done.picture)


def test_the_size_is_the_contents_unless_it_is_named(world):
    assert paint(world, "dots.png", size=None, steps=1).picture.shape == (40, 60, 3)
    assert paint(world, "dots.png", size=90, steps=1).picture.shape == (60, 90, 3)


def test_levels_go_from_coarse_to_fine(world):
    sizes = [one.size_hw for one in paint(world, "dots.png", size=96, levels=2).records]
    assert sizes == [(32, 48)] * 3 + [(64, 96)] * 2
    assert len({one.size_hw for one in paint(world, "dots.png", size=192, steps=4).records}) == 2
    few = paint(world, "dots.png", size=96, levels=2, steps=1).records
    assert [one.size_hw for one in few] == [(64, 96)] * 2


def test_styles_are_mixed_by_their_shares(world):
    one = paint(world, "stripes.jpg")
    both = [
        paint(world, "stripes.jpg", "dots.png", mix=mix) for mix in ((2, 0), (1, 1), (), (3, 1))
    ]
    np.testing.assert_array_equal(both[0].picture, one.picture)
    np.testing.assert_array_equal(both[1].picture, both[2].picture)
    assert (both[3].picture != one.picture).any() and (both[3].picture != both[1].picture).any()


def test_luminance_keeps_the_colours_of_the_content(world):
    done = paint(world, "stripes.jpg", colours="luminance", steps=8, start="content")
    with Image.open(world / "content.png") as image:
        wanted = np.asarray(image.resize((48, 32), Image.Resampling.BICUBIC), np.float64)
    inside = ((done.picture > 0) & (done.picture < 255)).all(2)
    luma = np.array([0.299, 0.587, 0.114])
    found = done.picture - (done.picture @ luma)[..., None]
    assert inside.mean() > 0.5
    away = np.abs(found - (wanted - (wanted @ luma)[..., None]))[inside]
    assert np.quantile(away, 0.95) < 3  # of 255; the two are made smaller by other programs


def test_a_run_can_be_seen_with(world, class_folders, tmp_path):
    settings = {"train.epochs": 1, "model.width": 4, "train.threads": 1, "data.colour": "grey"}
    run = saccade.train(class_folders, task="classify", out=tmp_path / "run", settings=settings)
    done = saccade.stylize(
        world / "content.png", world / "dots.png", weights=run.folder, size=48, steps=3
    )
    assert done.features == f"small_resnet, of the run {run.folder}" and not done.warning
    assert done.records[-1].total < done.records[0].total
    with pytest.raises(InputError, match="has the backbone small_resnet; leave out --backbone"):
        paint(world, "dots.png", weights=run.folder, backbone="resnet")


def test_weights_of_a_file_are_put_in_and_other_seeds_change_only_the_noise(world):
    chosen = {"backbone": None, "size": 64, "steps": 1, "start": "content"}
    with_file = [
        paint(world, "dots.png", weights=world / "squeezenet.safetensors", seed=n, **chosen)
        for n in (0, 1)
    ]
    assert with_file[0].features.startswith("torchvision/squeezenet1_1, weights ")
    assert with_file[0].records == with_file[1].records and not with_file[0].warning
    without = [paint(world, "dots.png", seed=n, **chosen) for n in (0, 1)]
    assert without[0].records != without[1].records != with_file[0].records


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="SACCADE_DATA holds no squeezenet1_1")
@pytest.mark.skipif(not PAINTINGS.is_dir(), reason="SACCADE_DATA holds no style_pictures")
@pytest.mark.slow
def test_real_pictures_come_near_to_both_content_and_style():
    done = saccade.stylize(
        PAINTINGS / "content" / "chelsea.png",
        PAINTINGS / "style" / "starry_night_google.jpg",
        weights=WEIGHTS,
        size=128,
        steps=60,
    )
    first, last = done.records[0], done.records[-1]
    assert last.content < 0.7 and last.style < 0.2 * first.style and last.smooth < first.smooth
    picture = done.picture.astype(float)
    assert picture[..., 2].mean() > picture[..., 0].mean() + 5  # a red cat, under a blue sky


def refused(capsys, *words):
    """The one line that a command refuses with."""
    assert main(["stylize", *map(str, words)]) == 2
    found = capsys.readouterr()
    assert found.out == "" and found.err.count("\n") == 1
    return found.err


BAD = {
    "style of one pixel": (["content.png", "one.png"], "one.png is 1x1; it needs 32 pixels or"),
    "no such content": (["none.png", "dots.png"], "none.png does not exist; check the path"),
    "no such style": (["content.png", "none.png"], "none.png does not exist; check the path"),
    "broken content": (["broken.png", "dots.png"], "broken.png cannot be read as a picture"),
    "broken style": (["content.png", "broken.png"], "broken.png cannot be read as a picture"),
    "empty style": (["content.png", "empty.jpg"], "empty.jpg cannot be read as a picture"),
    "a folder": (["content.png", "."], "is a folder; name a picture"),
    "no style": (["content.png"], "no style is named; name one picture or several"),
}


@pytest.mark.parametrize(("names", "said"), BAD.values(), ids=BAD)
def test_pictures_that_cannot_be_used_are_refused(world, tmp_path, capsys, names, said):
    files = [world / name for name in names]
    assert said in refused(capsys, *files, "--out", tmp_path / "a.png", *WORDS)
    assert list(tmp_path.iterdir()) == []


BAD_OPTIONS = {
    "too small": (["--size", "8"], "5x8 is too small for the map of stride"),
    "too many levels": (["--levels", "6"], "too small for the map of stride"),
    "size 0": (["--size", "0"], "--size must be at least 1. Got 0"),
    "negative steps": (["--steps", "-3"], "--steps must be at least 1. Got -3"),
    "no levels": (["--levels", "0"], "--levels must be at least 1. Got 0"),
    "levels without end": (["--levels", "999999999"], "--levels must be at most 16. Got 999999999"),
    "size without end": (["--size", "9999999"], "is over the limit of 100,000,000 pixels"),
    "seed": (["--seed", "-1"], "--seed must be 0 or more, below 2**63. Got -1"),
    "every -1": (["--every", "-1"], "--every must be at least 1. Got -1"),
    "NaN weight": (["--style-weight", "nan"], "--style-weight must be 0 or more. Got nan"),
    "negative weight": (["--smooth-weight", "-1"], "--smooth-weight must be 0 or more. Got -1"),
    "infinite weight": (["--content-weight", "inf"], "--content-weight must be 0 or more. Got inf"),
    "style scale": (["--style-scale", "0"], "--style-scale must be 0.1 to 10. Got 0"),
    "shares of another number": (["--mix", "1,2"], "--mix needs a number for each of 1 styles"),
    "shares of nothing": (["--mix", "0"], "--mix needs numbers of 0 or more, one above 0"),
    "shares in words": (["--mix", "much"], "--mix needs numbers with commas, as 2,1. Got 'much'"),
    "colours": (["--colours", "contents"], "there is no choice of colours 'contents'"),
    "start": (["--start", "nois"], "did you mean 'noise'?"),
    "optimiser": (["--optimiser", "adm"], "did you mean 'adam'?"),
    "a typo": (["--stpes", "3"], "Did you mean --steps?"),
    "strides": (["--strides", "2,3"], "small_resnet has no map of stride 3; its strides are: "),
    "half a stride": (["--strides", "2.5"], "--strides needs whole numbers"),
    "content stride": (["--content-stride", "5"], "no map of stride 5"),
    "backbone": (["--backbone", "small_rsnet"], "did you mean 'small_resnet'?"),
    "no maps": (["--backbone", "mlp"], "mlp makes no maps of features for pictures of any size"),
    "denoise beside a style": (
        ["--denoise", "0.1"],
        "--denoise takes noise away and needs no style",
    ),
}


@pytest.mark.parametrize(("words", "said"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_options_that_cannot_be_are_refused(world, tmp_path, capsys, words, said):
    given = [world / "content.png", world / "dots.png", "--out", tmp_path / "a.png"]
    usual = {"--backbone": "small_resnet", "--steps": "4"}
    rest = [word for pair in usual.items() if pair[0] not in words for word in pair]
    assert said in refused(capsys, *given, *words, *rest)
    assert list(tmp_path.iterdir()) == []


BAD_WEIGHTS = {
    "NaN": ("nan.safetensors", "hold a NaN or infinity in 'features.0.bias'"),
    "missing": ("none.safetensors", "do not exist; name a .safetensors file"),
    "a picture": ("dots.png", "are not a .safetensors file"),
}


@pytest.mark.parametrize(("name", "said"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_cannot_be_used_are_refused(world, tmp_path, capsys, name, said):
    given = [world / "content.png", world / "dots.png", "--out", tmp_path / "a.png"]
    assert said in refused(capsys, *given, "--weights", world / name)


def test_weights_of_another_network_are_refused_by_the_name_of_this_option(world, tmp_path, capsys):
    given = [world / "content.png", world / "dots.png", "--out", tmp_path / "a.png"]
    words = [
        "--weights",
        world / "squeezenet.safetensors",
        "--backbone",
        "torchvision/squeezenet1_0",
    ]
    said = refused(capsys, *given, *words)
    assert "name with --backbone the network that they are of" in said


def test_files_that_are_there_are_kept(world, tmp_path, capsys):
    (tmp_path / "there.png").write_bytes(b"mine")
    (tmp_path / "new-2.png").write_bytes(b"mine")
    given = [world / "content.png", world / "dots.png", *WORDS, "--out"]
    said = refused(capsys, *given, tmp_path / "there.png")
    assert "there.png exists already; name another file, or say --force" in said
    assert "new-2.png exists already" in refused(
        capsys, *given, tmp_path / "new.png", "--every", "2"
    )
    assert "is what is read" in refused(capsys, *given, world / "dots.png", "--force")
    assert "must end as a picture does: .bmp" in refused(capsys, *given, tmp_path / "a.gif")
    assert "does not exist" in refused(capsys, *given, tmp_path / "nowhere" / "a.png")
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in refused(capsys, *given, tmp_path / "folder.png", "--force")
    assert {file.read_bytes() for file in tmp_path.glob("*.png") if file.is_file()} == {b"mine"}
    assert main(["stylize", *map(str, [*given, tmp_path / "there.png", "--force"])]) == 0
    assert read_picture(tmp_path / "there.png").shape == (32, 48, 3)


def test_pictures_on_the_way_need_a_place(world):
    with pytest.raises(SettingError, match="lie beside that of --out; name it, too"):
        paint(world, "dots.png", every=2)


def test_denoise_takes_noise_away_and_is_told(world, tmp_path, capsys):
    draw = np.random.default_rng(1)
    clean = np.full((40, 60, 3), 90, np.uint8)
    clean[10:30, 20:40] = (200, 60, 40)
    noisy = (clean + draw.normal(0, 20, clean.shape)).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(tmp_path / "noisy.png")
    words = [tmp_path / "noisy.png", "--denoise", "0.1", "--out", tmp_path / "clean.png"]
    assert main(["stylize", *map(str, words)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("total variation a pixel: ") and "of the least after" in lines[1]
    assert lines[2] == f"picture: {tmp_path / 'clean.png'}"
    found = read_picture(tmp_path / "clean.png").astype(float)
    errors = [np.sqrt(((one - clean) ** 2).mean()) for one in (noisy, found)]
    assert errors[1] < 0.4 * errors[0]


def test_denoise_is_told_as_json_and_refuses(world, tmp_path, capsys):
    place, out = str(world / "dots.png"), str(tmp_path / "a.png")
    assert main(["stylize", place, "--denoise", "0.2", "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["total_variation"]["after"] < 0.8 * told["total_variation"]["before"]
    assert 0 <= told["gap"] <= 1e-3 and told["size_hw"] == [40, 40]
    for weight in ("0", "-1", "nan", "inf"):
        said = refused(capsys, place, "--denoise", weight, "--out", tmp_path / "b.png")
        assert "--denoise must be a number above 0" in said
    assert "exists already" in refused(capsys, place, "--denoise", "0.2", "--out", out)
    broken = world / "broken.png"
    said = refused(capsys, broken, "--denoise", "0.2", "--out", tmp_path / "b.png")
    assert "broken.png cannot be read as a picture" in said


def test_the_random_numbers_of_the_caller_are_left_alone(world):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    paint(world, "dots.png", steps=1)
    assert torch.equal(torch.random.get_rng_state(), before)
