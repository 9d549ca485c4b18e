"""Every wrong use: one clear line with the remedy, exit code 2, nothing written, no traceback."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import saccade
from saccade.cli.app import main

TINY = "train people --model.backbone timm/test_resnet --data.size 32x32"
SETTINGS = ["--train.epochs", "1", "--model.width", "4", "--model.dimension", "8"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good and bad data, two runs, and galleries, one of them corrupt."""
    root = tmp_path_factory.mktemp("world")
    random = np.random.default_rng(0)
    for name in ("ann", "bo", "cy", "di"):
        (root / "people" / name).mkdir(parents=True)
        for number in range(3):
            pixels = random.integers(0, 256, (16, 16), dtype=np.uint8)
            Image.fromarray(pixels).save(root / "people" / name / f"{number}.png")
    shutil.copytree(root / "people" / "ann", root / "one_class" / "ann")
    shutil.copytree(root / "people" / "ann", root / "loose")
    (root / "empty").mkdir()
    (root / "hollow" / "ann").mkdir(parents=True)
    (root / "broken" / "ann").mkdir(parents=True)
    (root / "broken" / "ann" / "0.png").write_text("this is no picture")
    shutil.copytree(root / "people" / "bo", root / "broken" / "bo")
    shutil.copytree(root / "people", root / "loose_class")
    shutil.copytree(root / "people" / "ann", root / "loose_class" / "eve")
    (root / "text.png").write_text("this is no picture")
    (root / "typo.toml").write_text("[train]\nepoch = 3\n")
    (root / "range.toml").write_text("[train]\nepochs = -1\n")
    (root / "pickle.safetensors").write_bytes(pickle.dumps({"conv1.weight": [0.5]}))
    (root / "weights.pth").write_bytes(b"PK")
    save_file({"conv1.weight": torch.zeros(2, 2)}, root / "odd.safetensors")
    shutil.copy(root / "odd.safetensors", root / "carded.safetensors")
    (root / "carded.toml").write_text("mean = [128, 128, 128]\n")
    (root / "broken.toml").write_text("[train\n")
    for run, seed in (("run", "0"), ("other_run", "1")):
        words = ["train", root / "people", "--out", root / run, *SETTINGS, "--train.seed", seed]
        assert main([str(word) for word in words]) == 0
    words = ["train", root / "people", "--task", "classify", "--out", root / "classifier"]
    assert main([str(word) for word in (*words, *SETTINGS)]) == 0
    saccade.Gallery.create(root / "gallery", embedder=root / "run", threshold=0.5).close()
    with saccade.Gallery.open(root / "gallery") as gallery:
        gallery.enrol([saccade.Sample(root / "people" / "ann" / "0.png", "ann")])
    shutil.copytree(root / "gallery", root / "corrupt")
    content = bytearray((root / "corrupt" / "gallery.db").read_bytes())
    content[:16] = b"not a database!!"
    (root / "corrupt" / "gallery.db").write_bytes(content)
    shutil.copytree(root / "gallery", root / "cut")
    whole = (root / "gallery" / "gallery.db").read_bytes()
    (root / "cut" / "gallery.db").write_bytes(whole[: len(whole) // 2])
    saccade.Gallery.create(root / "no_threshold", embedder="pixels").close()
    shutil.copytree(root / "run", root / "tampered")
    (root / "tampered" / "model.safetensors").write_bytes(b"0" * 100)
    shutil.copytree(root / "run", root / "cardless")
    (root / "cardless" / "model.json").write_text("{")
    return root


# A row: the command line, and what the line on the error stream must hold.
WRONG = [
    ("train missing", ["missing", "does not exist"]),
    ("train empty", ["empty", "sub-folder"]),
    ("train hollow", ["hollow", "no picture"]),
    ("train loose", ["loose", "sub-folder"]),
    ("train one_class", ["one class", "'ann'"]),
    ("train text.png", ["text.png", "folder is needed"]),
    ("train broken --out new", ["0.png", "cannot be read"]),
    ("train people --tsk embed", ["--tsk", "'task'"]),
    ("train people --train.epoch 3", ["train.epoch", "'train.epochs'"]),
    ("train people --train.epochs", ["train.epochs", "needs a value"]),
    ("train people --train.epochs zero", ["whole number", "zero"]),
    ("train people --precision float16", ["train.precision", "bfloat16", "float16"]),
    (
        "train people --precision float32 --train.precision bfloat16",
        ["--precision float32", "--train.precision bfloat16", "one of them"],
    ),
    ("train people --train.epochs=-1", ["0 to 100000", "-1"]),
    ("train people --optim.lr nan", ["optim.lr", "nan"]),
    ("train people --data.size 5", ["data.size", "56x48"]),
    ("train people --data.size 16x24 --data.extra_classes turned", ["turned", "16x24"]),
    ("train people --loss.name arcfac", ["arcfac", "'arcface'"]),
    ("train people --model.backbone small_resnt", ["'small_resnet'"]),
    ("train people --model.backbone timm/resnt18", ["'timm/resnet18'"]),
    ("train people --model.backbone resnet18", ["'timm/resnet18'"]),
    ("train people --model.backbone torchvision/swin_t", ["torchvision/swin_t", "there is no"]),
    (f"{TINY} --data.size 8x1024 --model.backbone timm/vit_tiny_patch16_224", ["8x1024", "224"]),
    (f"{TINY} --model.weights missing.safetensors", ["missing.safetensors", "do not exist"]),
    (f"{TINY} --model.weights weights.pth", ["weights.pth", ".safetensors file"]),
    (f"{TINY} --model.weights pickle.safetensors", ["pickle.safetensors", "cannot be read"]),
    (f"{TINY} --model.weights odd.safetensors", ["odd.safetensors", "is missing"]),
    (f"{TINY} --model.weights carded.safetensors", ["carded.toml", "mean", "0 to 1"]),
    (f"{TINY} --model.weights run", ["run", "small_resnet", "timm/test_resnet"]),
    (f"{TINY} --model.weights empty", ["empty", "model.json"]),
    ("train people --model.weights odd.safetensors", ["small_resnet", "odd.safetensors"]),
    ("train people --model.weights hub", ["small_resnet", "timm/resnet18"]),
    ("train people --model.backbone torchvision/alexnet --model.weights hub", ["alexnet", "timm"]),
    ("train people --task classify --train.epochs 0", ["train.epochs 0", "embed"]),
    ("train people --train.epochs 0 --model.projection trained", ["train.epochs 0", "whitened"]),
    ("train people --optim.name adamww", ["'adamw'"]),
    ("train people --optim.lr fast", ["optim.lr", "auto or a number", "fast"]),
    ("train people --optim.warm_up 1", ["optim.warm_up", "auto or 0 to 0.9"]),
    ("train people --model.activation mihs", ["'mihs'", "'mish'"]),
    ("train people --model.normalisation bach", ["'bach'", "'batch'"]),
    ("train people --model.normalisation zca_whitening", ["zca_whitening", "inputs", "batch"]),
    ("train people --model.normalisation patch_whitening", ["patch_whitening", "first layer"]),
    ("train people --model.initialisation xavir", ["'xavir'", "'xavier'"]),
    ("train people --model.projection whitend", ["model.projection", "whitened"]),
    ("train people --data.extra_classes mirrord", ["data.extra_classes", "mirrored"]),
    ("train people --task classify --loss.name hinj", ["'hinj'", "'hinge'"]),
    ("train people --task classify --loss.name dice", ["'dice'", "does not fit", "hinge"]),
    ("train people --train.batch_size 1", ["train.batch_size", "2 to 4096"]),
    (
        "train people --model.backbone mlp --model.normalisation instance",
        ["instance", "needs maps", "batch, layer or group"],
    ),
    ("blocks mihs", ["'mihs'", "'mish'"]),
    ("blocks --graph z=tahn(x) x=1", ["'tahn'", "'tanh'"]),
    ("summary empty", ["empty", "model.json"]),
    ("train people --task embd", ["'embed'"]),
    ("train people empty", ["people, empty", "one data folder"]),
    ("train one_class --task classify --out new", ["one class", "'ann'"]),
    ("train people --task classfy", ["'classify'"]),
    ("train people --task classify --loss.name arcface", ["arcface", "cross_entropy"]),
    ("train people --loss.name cross_entropy", ["cross_entropy", "arcface"]),
    ("train people --task classify --data.extra_classes mirrored", ["mirrored", "embed only"]),
    ("train people --train.batches shufled", ["train.batches", "shuffled"]),
    ("train broken --task classify --out new", ["0.png", "cannot be read"]),
    ("train people --recipe missing.toml", ["missing.toml", "does not exist"]),
    ("train people --recipe typo.toml", ["typo.toml", "train.epoch", "'train.epochs'"]),
    ("train people --recipe range.toml", ["range.toml", "0 to 100000"]),
    ("train people --recipe broken.toml", ["broken.toml", "TOML"]),
    ("train people --out run", ["run", "not empty"]),
    ("train", ["one data folder", "--resume", "none"]),
    ("train people --optim.schedule one_cicle", ["'one_cycle'"]),
    ("train people --optim.ema 1", ["optim.ema", "0 to 0.99999"]),
    ("train --resume missing", ["missing", "does not exist"]),
    ("train --resume empty", ["empty", "holds no checkpoint"]),
    ("train --resume run", ["run", "finished"]),
    ("train --resume classifier", ["classifier", "finished"]),
    ("train people --resume run --out new", ["--out", "--resume"]),
    ("train people empty --resume run", ["people, empty", "one data folder"]),
    ("train --train.epochs 3", ["one data folder", "--resume", "none"]),
    ("train --train.epoch 3", ["train.epoch", "'train.epochs'"]),
    ("train people --data.cache -1", ["data.cache", "0 to 100000", "-1"]),
    ("train people --data.cache much", ["data.cache", "a number", "much"]),
    ("info --clear-cash", ["--clear-cash", "--clear-cache"]),
    ("completion tcsh", ["tcsh", "fish"]),
    ("evaluate missing people", ["missing", "does not exist"]),
    ("evaluate empty people", ["empty", "model.json"]),
    ("evaluate tampered people", ["model.safetensors"]),
    ("evaluate cardless people", ["model.json"]),
    ("evaluate run one_class", ["identit"]),
    ("evaluate run people --report missing/report.html", ["missing", "folder that exists"]),
    ("evaluate classifier loose_class", ["'eve'", "has learned"]),
    ("predict missing people", ["missing", "does not exist"]),
    ("predict run people", ["run", "embedder", "--task classify"]),
    ("predict pixels people", ["pixels", "embedder"]),
    ("predict classifier", ["no picture is named"]),
    ("predict classifier missing.png", ["missing.png", "does not exist"]),
    ("predict classifier empty", ["empty", "no picture"]),
    ("predict classifier text.png --out new.csv", ["text.png", "cannot be read"]),
    ("predict classifier people --out missing/a.csv", ["missing", "does not exist"]),
    ("predict classifier people --out empty", ["empty", "is a folder"]),
    ("predict classifier people --at-least 1.5", ["--at-least", "1.5"]),
    ("predict classifier people --at-least nan", ["--at-least", "nan"]),
    ("predict classifier people --atleast 0.5", ["--atleast", "--at-least"]),
    ("create new --embedder classifier", ["classifier", "no vectors", "--task embed"]),
    ("find gallery people --embedder classifier", ["classifier", "no vectors"]),
    ("create new --embedder missing", ["missing", "does not exist"]),
    ("create gallery --embedder run", ["gallery", "exists"]),
    ("create new --embedder run --threshold 2", ["threshold", "2"]),
    ("create new --embedder run --threshold nan", ["threshold", "nan"]),
    ("create new --embedder run --threshold-from one_class", ["'ann'", "2 identities"]),
    ("create new", ["embedder"]),
    ("enrol missing people", ["missing", "does not exist"]),
    ("enrol empty people", ["empty", "gallery"]),
    ("enrol gallery", ["no picture is named"]),
    ("enrol gallery people/bo/0.png", ["--as"]),
    ("enrol gallery missing --as bo", ["missing", "does not exist"]),
    ("enrol gallery empty --as bo", ["empty", "no picture"]),
    ("enrol gallery text.png --as bo", ["nothing was enrolled", "text.png", "cannot be read"]),
    ("enrol gallery people --embedder other_run", ["made by embedder", "model that made it"]),
    ("find gallery missing.png", ["missing.png", "does not exist"]),
    ("find gallery text.png", ["text.png", "cannot be read"]),
    ("find gallery people --top 0", ["--top", "at least 1"]),
    ("find gallery people --tops 3", ["--tops", "--top"]),
    ("find gallery people --embedder other_run", ["made by embedder", "model that made it"]),
    ("find corrupt people", ["corrupt", "not a gallery"]),
    ("stats corrupt", ["corrupt", "not a gallery"]),
    ("list cut", ["cut"]),
    ("verify gallery people/bo/0.png missing.png", ["missing.png"]),
    ("verify no_threshold people/bo/0.png people/bo/1.png", ["threshold"]),
    ("enrol gallery people/bo/0.png --as unknown", ["'unknown'", "another name"]),
    ("evaluate run people --report empty", ["empty", "must be a file"]),
    ("threshold gallery", ["value", "--from"]),
    ("threshold gallery 2", ["threshold", "2"]),
    ("threshold gallery --from one_class", ["'ann'", "2 identities"]),
    ("forget gallery an", ["'an'", "'ann'"]),
    ("forget missing ann", ["missing", "does not exist"]),
    ("fnd gallery people", ["fnd", "find"]),
    ("bench faces_one_sot", ["faces_one_shot"]),
]


@pytest.mark.parametrize(("line", "expected"), WRONG, ids=[row[0] for row in WRONG])
def test_wrong_use_is_one_line_and_exit_code_2(
    world: Path,
    line: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world)
    before = snapshot(world)
    code = main(line.split())
    error = capsys.readouterr().err
    assert code == 2, error
    assert error.startswith("saccade: ") and error.count("\n") == 1, error
    for words in expected:
        assert words in error
    assert snapshot(world) == before


def snapshot(root: Path) -> dict[str, bytes]:
    """Every file below ``root`` with its content; empty folders too."""
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"folder"
        for path in sorted(root.rglob("*"))
    }
