"""The drawn shapes: the same from the same seed, with boxes and masks that fit them."""

import numpy as np
import pytest
from PIL import Image

from saccade.data.box_readers import read_boxes
from saccade.data.shapes import MOST, SEEN, SHAPES, SIDES, SIZE_HW, draw_shapes, write_shapes

COUNTS = {"train": 5, "val": 2, "test": 3}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes")
    return root, write_shapes(root, seed=3, parts=COUNTS)


def test_the_reader_finds_every_picture_and_box(written):
    root, counts = written
    sets = read_boxes(root)
    assert {part: len(one.pictures) for part, one in sets.items()} == COUNTS
    assert {part: len(one.boxes.picture) for part, one in sets.items()} == counts
    for one in sets.values():
        assert one.categories == SHAPES and not one.left_out and not one.changed


def test_boxes_lie_tightly_around_what_the_masks_show(written):
    root, _ = written
    for part, one in read_boxes(root).items():
        for number, picture in enumerate(one.pictures):
            mask = np.asarray(Image.open(root / "masks" / part / picture.path.name))
            boxes = one.boxes.picture == number
            assert mask.shape == SIZE_HW and (mask > 0).sum() == one.boxes.area[boxes].sum()
            outside = mask.copy()
            rows = zip(one.boxes.xywh[boxes], one.boxes.category[boxes], strict=True)
            for (x, y, width, height), kind in rows:
                within = np.s_[int(y) : int(y + height), int(x) : int(x + width)]
                shown = mask[within] == kind + 1
                edges = (shown[0], shown[-1], shown[:, 0], shown[:, -1])
                assert all(edge.any() for edge in edges)
                outside[within] = 0
            assert not outside.any()


def test_what_is_drawn_is_as_large_and_as_much_to_be_seen_as_is_said():
    draw = np.random.default_rng(5)
    drawn = [draw_shapes(draw) for _ in range(100)]
    assert {len(one.kinds) for one in drawn} == set(range(1, MOST + 1))
    assert {kind for one in drawn for kind in one.kinds.tolist()} == {0, 1, 2}
    for one in drawn:
        assert one.xywh[:, 2:].max() <= SIDES[1] and one.xywh.min() >= 0
        assert (one.xywh[:, 0] + one.xywh[:, 2]).max() <= SIZE_HW[1]
        assert one.area.min() >= SEEN * SIDES[0] ** 2 / 2.2  # A triangle fills about half its box.
    assert any(len(np.unique(one.xywh[:, 2] == one.xywh[:, 3])) == 2 for one in drawn)


def test_the_seed_decides(written, tmp_path):
    root, _ = written
    write_shapes(tmp_path / "same", seed=3, parts=COUNTS)
    write_shapes(tmp_path / "other", seed=4, parts=COUNTS)
    for file in sorted(path for path in root.rglob("*.*")):
        name = file.relative_to(root)
        assert (tmp_path / "same" / name).read_bytes() == file.read_bytes()
    picture = "train/000.png"
    assert (tmp_path / "other" / picture).read_bytes() != (root / picture).read_bytes()
