"""From a JPEG file to boxes, one picture at a time: our detectors beside torchvision's ssdlite.

Pictures of $SACCADE_DATA/bccd (640x480), brought to 320x320 and to 240x320, three classes. Sides:

- one_stage, two_stage: a run of ``saccade train --task detect`` with the usual settings, through
  ``saccade.load(run).detect([file])``;
- one_stage narrow: the same with half the width, 16; one_stage mobilenet: the same on ssdlite's
  backbone, torchvision/mobilenet_v3_large; NAME squeezenet: on torchvision/squeezenet1_1, as the
  recipes for these pictures are;
- onnx NAME: those runs after ``export_model``, as ``--detector`` uses them, in onnxruntime;
- ssdlite: torchvision's ssdlite320_mobilenet_v3_large; the file is decoded by the same function.

Weights are drawn, and the running means of normalisations set by some of the pictures. What costs
time besides the network is how many boxes pass: every side has the lowest score with which
CANDIDATES boxes a picture are compared with each other on average, the same overlap, and at most
MOST boxes are told. Each side takes turns with ssdlite alone, picture by picture, the other first
every second time, with a rest between, since threads of onnxruntime go on for a while after it
answered. Told are medians of the milliseconds, and of the ratios in the same turn.

With --small 6 pictures in one turn, at 320x320.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from _shared import data_folder, run
from torch import Tensor, nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

import saccade
from saccade.api.detection import ANSWER, network_settings
from saccade.config import DetectSettings
from saccade.data.pictures import read_picture, resize
from saccade.exchange import load_detector
from saccade.tasks.model import Model
from saccade.tasks.networks import build_network

CLASSES = ("Platelets", "RBC", "WBC")
CANDIDATES, MOST, OVERLAP = 100, 100, 0.5
SIZES, PICTURES, TURNS, SETTLED = ((320, 320), (240, 320)), 30, 2, 8
REST_S = 0.02
MOBILENET = "torchvision/mobilenet_v3_large"
SQUEEZENET = "torchvision/squeezenet1_1"
PEER = "ssdlite"

Detect = Callable[[Path], int]  # the number of boxes found


def main(small: bool) -> dict[str, Any]:
    """Time all sides at each size; print and return milliseconds and ratios."""
    files = sorted((data_folder("bccd") / "JPEGImages").glob("*.jpg"))
    files = files[: 6 if small else PICTURES]
    figures: dict[str, Any] = {"pictures": len(files), "turns": 1 if small else TURNS}
    for size_hw in SIZES[:1] if small else SIZES:
        with tempfile.TemporaryDirectory() as folder:
            sides = make_sides(files[:SETTLED], size_hw, Path(folder))
            figures[f"{size_hw[0]}x{size_hw[1]}"] = measure(sides, files, figures["turns"])
        tell(size_hw, figures)
    return figures


def make_sides(files: Sequence[Path], size_hw: tuple[int, int], folder: Path) -> dict[str, Detect]:
    """Return every side, ready; its lowest score is set with ``files``."""
    sides: dict[str, Detect] = {PEER: ssdlite(files, size_hw)}
    for name, family, backbone, width in (
        ("one_stage", "one_stage", "small_resnet", 32),
        ("one_stage narrow", "one_stage", "small_resnet", 16),
        ("one_stage mobilenet", "one_stage", MOBILENET, 32),
        ("one_stage squeezenet", "one_stage", SQUEEZENET, 32),
        ("two_stage", "two_stage", "small_resnet", 32),
        ("two_stage squeezenet", "two_stage", SQUEEZENET, 32),
    ):
        place = folder / name.replace(" ", "_")
        place.mkdir()
        made_run(files, size_hw, family, backbone, width).save(place)
        sides[name] = by_model(saccade.load(place))
        sides[f"onnx {name}"] = by_graph(place, files)
    return sides


def made_run(
    files: Sequence[Path], size_hw: tuple[int, int], family: str, backbone: str, width: int
) -> Model:
    """Return a detector with the usual settings but these, and drawn weights."""
    settings = DetectSettings(family=family)
    answer = {key: getattr(settings, key) for key in ANSWER}
    card = {
        "format": 1,
        "kind": "detector",
        "task": "detect",
        "backbone": backbone,
        "width": width,
        "channels": 3,
        "size_hw": list(size_hw),
        "classes": list(CLASSES),
        "detect": network_settings(settings),
        "answer": answer | {"overlap": OVERLAP, "most": MOST},
        "sha256": "",
        "licence": "none",
        "provenance": "drawn",
    }
    torch.manual_seed(0)
    network = build_network(card)
    pictures = seen(files, size_hw)
    settle(network, lambda: network(pictures))
    scores = [found.scores for found in network(pictures)]
    card["answer"]["at_least"] = lowest(scores)
    return Model(card, network)


def ssdlite(files: Sequence[Path], size_hw: tuple[int, int]) -> Detect:
    """Return torchvision's side."""
    torch.manual_seed(0)
    model = ssdlite320_mobilenet_v3_large(
        weights=None,
        weights_backbone=None,
        num_classes=len(CLASSES) + 1,
        nms_thresh=OVERLAP,
        detections_per_img=MOST,
        topk_candidates=CANDIDATES,
    )
    model.transform.fixed_size = size_hw[::-1]
    pictures = seen(files, size_hw)

    def logits() -> Tensor:
        maps = model.backbone((pictures - 0.5) / 0.5)
        answers: Tensor = model.head(list(maps.values()))["cls_logits"]
        return answers

    settle(model, logits)
    with torch.inference_mode():
        model.score_thresh = lowest(list(logits().softmax(-1)[..., 1:]))

    @torch.inference_mode()
    def detect(file: Path) -> int:
        pixels = torch.from_numpy(read_picture(file)).permute(2, 0, 1)
        (found,) = model([pixels.float() / 255])
        return len(found["boxes"])

    return detect


def by_model(model: Model) -> Detect:
    """Return the side of a run."""
    return lambda file: len(model.detect([file])[0].labels)


def by_graph(place: Path, files: Sequence[Path]) -> Detect:
    """Export a run; return the side of its graph, whose boxes count from the run's lowest score."""
    saccade.export_model(place, place / "model.onnx")
    card, least = place / "model.toml", Model.load(place).card["answer"]["at_least"]
    card.write_text(card.read_text().replace("threshold = 0.5", f"threshold = {least}"))
    detector = load_detector(place / "model.onnx")
    return lambda file: len(detector([read_picture(file)])[0].scores)


def seen(files: Sequence[Path], size_hw: tuple[int, int]) -> Tensor:
    """Return pictures (n, 3, H, W) float in [0, 1]."""
    arrays = [torch.from_numpy(resize(read_picture(file), size_hw, 3)) for file in files]
    return torch.stack(arrays).float() / 255


@torch.no_grad()
def settle(network: nn.Module, forward: Callable[[], Any]) -> None:
    """Set the running means of all normalisations to those of one batch."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    forward()
    network.eval()


def lowest(scores: Sequence[Tensor]) -> float:
    """Return the score that CANDIDATES (box, class) pairs a picture reach on average."""
    whole = torch.cat([one.detach().flatten() for one in scores])
    return float(whole.topk(CANDIDATES * len(scores)).values[-1])


def measure(sides: dict[str, Detect], files: Sequence[Path], turns: int) -> dict[str, Any]:
    """Return for each side its milliseconds, boxes and ratio to the peer, and the peer's."""
    found = {}
    for name in sides:
        if name != PEER:
            seconds, boxes = in_turns({PEER: sides[PEER], name: sides[name]}, files, turns)
            ratios = [a / b for a, b in zip(seconds[name], seconds[PEER], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            found[name] = {
                "ms": 1000 * statistics.median(seconds[name]),
                "peer_ms": 1000 * statistics.median(seconds[PEER]),
                "to_peer": middle,
                "quartiles": [low, high],
                "boxes": boxes[name] / len(ratios),
                "peer_boxes": boxes[PEER] / len(ratios),
            }
    return found


def in_turns(
    pair: dict[str, Detect], files: Sequence[Path], turns: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Return the seconds of every answer of both sides, and how many boxes each found."""
    seconds: dict[str, list[float]] = {name: [] for name in pair}
    boxes = dict.fromkeys(pair, 0)
    for number, file in enumerate([*files[:2], *files * turns], start=-2):
        for name in [*pair][:: -1 if number % 2 else 1]:
            time.sleep(REST_S)
            begun = time.perf_counter()
            found = pair[name](file)
            if number >= 0:  # The first two are practice.
                seconds[name].append(time.perf_counter() - begun)
                boxes[name] += found
    return seconds, boxes


def tell(size_hw: tuple[int, int], figures: dict[str, Any]) -> None:
    """Print the figures of one size."""
    print(
        f"{size_hw[0]}x{size_hw[1]}, {figures['pictures']} pictures, {figures['turns']} turns, "
        f"{torch.get_num_threads()} threads; medians of both; time to {PEER}'s, its quartiles"
    )
    for name, one in figures[f"{size_hw[0]}x{size_hw[1]}"].items():
        low, high = one["quartiles"]
        print(
            f"  {name:<24} {one['ms']:6.1f} and {one['peer_ms']:5.1f} ms   {one['to_peer']:.2f} "
            f"({low:.2f} to {high:.2f})   {one['boxes']:.0f} and {one['peer_boxes']:.0f} boxes"
        )


if __name__ == "__main__":
    run(main, __doc__.splitlines()[0])
