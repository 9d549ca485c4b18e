"""Judging masks: figures, intervals, what is refused, the report, real data."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from saccade.api.judge_masks import judge_masks
from saccade.data.masks import read_mask
from saccade.errors import InputError
from saccade.judge import mask_counts
from saccade.judge.mask_counts import FIGURES
from saccade.judge.segmentation import judge_segmentation
from saccade.metrics.segmentation import class_iou, margins, pixel_confusion
from saccade.metrics.shares import mean_of_known

DATA = os.environ.get("SACCADE_DATA")
CLASSES = ("ground", "<b>cat</b>", "dog")


def pairs(count=40, seed=0):
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        truth = np.zeros((24, 30), int)
        for k in (1, 2):
            y, x = rng.integers(0, 14, 2)
            truth[y : y + 8, x : x + 9] = k
        answer = np.roll(truth, rng.integers(-2, 3, 2), (0, 1))
        truth[0] = 255
        found.append((truth, answer))
    return found


def judged(masks, **changes):
    return judge_segmentation(masks, classes=CLASSES, ignore=255, **changes)


def test_the_scores_are_those_of_all_pixels_together():
    masks = pairs()
    scores = judged(masks)
    whole = sum(pixel_confusion(*pair, classes=3, ignore=255) for pair in masks)
    shares = class_iou(margins(whole))
    assert scores.figures["mean IoU"].value == pytest.approx(mean_of_known(shares), abs=1e-12)
    assert [one.values["IoU"] for one in scores.per_class] == pytest.approx(shares.tolist())
    assert (scores.pixels, scores.ignored) == (whole.sum(), 40 * 30)
    assert [list(row) for row in scores.confusion] == whole.tolist()
    assert tuple(scores.figures) == FIGURES
    for name, found in scores.headline:
        assert 0 < found.low < found.value < found.high < 1 and found.n == 40, name
    assert json.loads(scores.to_json())["figures"]["mean IoU"]["n"] == 40
    assert judged(masks).to_json() == scores.to_json() and scores.warning == ""


def test_a_draw_is_over_pictures_not_pixels():
    masks = pairs(60)
    found = judged(masks).figures["pixel accuracy"]
    shares = [(a[a != 255] == b[a != 255]).mean() for a, b in masks]  # all of one size
    error = np.std(shares, ddof=1) / np.sqrt(60)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)


def drawn_rows(rng, n):
    """Sums of n pictures of three classes, (n, 3 · 7): sizes and errors differ by picture."""
    cells = np.zeros((n, 3, 3))
    for k in range(3):
        size = rng.lognormal(6, 1, n) * (rng.random(n) < (1, 0.7, 0.4)[k])
        right, share = rng.beta(8, 2, n), rng.random(n)
        cells[:, k, k] = size * right
        cells[:, k, (k + 1) % 3] = size * (1 - right) * share
        cells[:, k, (k + 2) % 3] = size * (1 - right) * (1 - share)
    own, true, said = cells.diagonal(axis1=1, axis2=2), cells.sum(axis=2), cells.sum(axis=1)
    fit, ones = rng.beta(6, 3, (n, 3)), np.ones((n, 3))
    edges = (fit, ones, 0.3 * own, 0.4 * (true + said - own))
    return np.stack([own, true, said, *edges], axis=2).reshape(n, -1)


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, 300])
def test_the_intervals_hold_the_true_figures_as_often_as_they_say(n):
    rng = np.random.default_rng(0)
    whole = sum(drawn_rows(rng, 100_000).sum(axis=0) for _ in range(20))
    true = mask_counts.figures_of_sums(whole[None], 3)[0]
    held = np.zeros(len(true))
    for _ in range(2000):
        found = mask_counts.intervals_of_sums(drawn_rows(rng, n), 3, 0.95)
        held += [one.low <= value <= one.high for one, value in zip(found, true, strict=True)]
    shares = held[: len(FIGURES) + 10] / 2000  # the third class is shown by 40 pictures of 100
    assert ((shares >= 0.93) & (shares <= 0.97)).all(), shares


def test_few_and_absent_and_perfect_are_said():
    masks = pairs(5)
    few = judged(masks)
    assert "only 5 pictures" in few.warning
    assert all(one.few and one.intervals["IoU"] is None for one in few.per_class)
    truth = np.zeros((6, 6), int)
    perfect = judged([(truth, truth)] * 40)
    assert 0.88 < perfect.figures["mean IoU"].low < 0.93
    assert perfect.per_class[1].values["IoU"] is None and "boundary F" not in perfect.figures
    never = judged([(truth, truth + 2 * np.eye(6, dtype=int))] * 40)
    assert never.per_class[2].values["IoU"] == 0.0 and "never true" in never.warning
    with pytest.raises(InputError, match="no pixel has a true class"):
        judged([(truth + 255, truth)])


@pytest.fixture
def folders(tmp_path):
    for side in ("truth", "found"):
        (tmp_path / side).mkdir()
    for number, pair in enumerate(pairs(32)):
        for side, mask in zip(("truth", "found"), pair, strict=True):
            save(tmp_path / side / f"{number:02}.png", mask)
    return tmp_path


def save(path, mask):
    Image.fromarray(np.asarray(mask, np.uint8)).save(path)


def test_folders_give_the_scores_and_a_report(folders):
    page = folders / "page.html"
    scores = judge_masks(
        folders / "found", folders / "truth", classes=CLASSES, ignore=255, report=page
    )
    own = judge_segmentation(pairs(32), classes=CLASSES, ignore=255)
    assert scores.to_json() == own.to_json()
    text = page.read_text(encoding="utf-8")
    assert "<b>" not in text and "&lt;b&gt;cat" in text
    # Three views of each, and a colour for each class.
    assert text.count("data:image/png") == 3 * len(scores.worst) > 0
    assert text.count('class="swatch"') == len(CLASSES)
    plain = judge_masks(folders / "found", folders / "truth", ignore=255)
    assert [one.label for one in plain.per_class] == ["0", "1", "2"]
    assert plain.figures == scores.figures


def test_a_palette_means_its_places(folders):
    file = folders / "truth" / "00.png"
    before = judge_masks(folders / "found", folders / "truth", ignore=255).figures
    mask = Image.fromarray(read_mask(file).astype(np.uint8))
    mask.putpalette([value for colour in range(256) for value in (255 - colour, 7, 90)])
    mask.save(file)
    assert mask.mode == "P"
    assert judge_masks(folders / "found", folders / "truth", ignore=255).figures == before


def test_what_cannot_be_judged_is_one_line(folders):
    found, truth = folders / "found", folders / "truth"
    (folders / "empty").mkdir()
    small = np.zeros((4, 5), np.uint8)

    def said(**changes):
        with pytest.raises(InputError) as caught:
            judge_masks(**({"predictions": found, "truth": truth, "ignore": 255} | changes))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "does not exist" in said(predictions=folders / "none")
    assert "holds no PNG" in said(truth=folders / "empty", predictions=folders / "empty")
    assert "00.png holds 2, which is no class from 0 to 1" in said(classes=("a", "b"))
    assert "which is the class 'b'" in said(classes=("a", "b", "c"), ignore=1)
    assert "without names there may be" not in said(ignore=None, classes=CLASSES)
    save(found / "00.png", small)
    assert "00.png is 5 x 4 pixels, but" in said()
    (found / "00.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert "00.png cannot be read as a PNG" in said()
    Image.new("RGB", (30, 24)).save(found / "00.png")
    assert "holds colours (RGB)" in said()
    (found / "00.png").unlink()
    assert "has no mask '00.png' (1 of 32 are missing)" in said()
    assert "folder that exists" in said(report=folders / "none" / "page.html")


@pytest.mark.skipif(not DATA, reason="SACCADE_DATA is not set")
def test_people_that_are_moved_by_a_pixel(tmp_path):
    for side in ("truth", "found"):
        (tmp_path / side).mkdir()
    for file in sorted(Path(DATA, "pennfudan", "PedMasks").glob("*.png"))[:4]:
        truth = read_mask(file)[::2, ::2] > 0
        save(tmp_path / "truth" / file.name, truth)
        save(tmp_path / "found" / file.name, np.roll(truth, 1, axis=1))
    scores = judge_masks(tmp_path / "found", tmp_path / "truth", classes=("ground", "person"))
    assert 0.85 < scores.figures["mean IoU"].value < 0.99
    assert scores.figures["boundary F"].value > 0.95 > scores.figures["boundary IoU"].value
    assert "only 4 pictures" in scores.warning
