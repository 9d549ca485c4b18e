"""Reading sequences of frames: their order, and what is refused with its name."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from saccade.data.sequences import natural, read_sequences, windows
from saccade.data.stored import StoredWindows
from saccade.errors import InputError


def frames(folder, names, size=(12, 16)):
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", (size[1], size[0]), (number, 0, 0)).save(folder / name)
    return folder


def counted(*numbers, digits=3):
    return [f"frame_{number:0{digits}}.png" for number in numbers]


def test_frames_come_in_natural_order_sequence_by_sequence(tmp_path):
    frames(tmp_path / "walk_10", [f"{n}.png" for n in (10, 9, 8, 11)])
    frames(tmp_path / "walk_2", ["b.png", "a.png", "c.jpg"])
    frames(tmp_path / ".hidden", counted(0))
    (tmp_path / "empty").mkdir()
    samples = read_sequences(tmp_path, least=3)
    assert [(one.label, one.path.name) for one in samples] == [
        ("walk_2", "a.png"), ("walk_2", "b.png"), ("walk_2", "c.jpg"),
        ("walk_10", "8.png"), ("walk_10", "9.png"), ("walk_10", "10.png"), ("walk_10", "11.png"),
    ]  # fmt: skip
    assert [one.metadata for one in samples[2:4]] == [
        {"sequence": "walk_2", "frame": "2"},
        {"sequence": "walk_10", "frame": "0"},
    ]
    assert sorted(["f10", "f9", "f09", "g"], key=natural) == ["f09", "f9", "f10", "g"]


def test_a_folder_of_frames_is_one_sequence(tmp_path):
    folder = frames(tmp_path / "walk", counted(0, 10, 20))
    assert [one.label for one in read_sequences(folder, least=3)] == ["walk"] * 3


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (counted(0, 1, 2, 4, 5), "frame_003.png is missing after frame_002.png"),
        (counted(0, 10, 30, digits=4), "frame_0020.png is missing after frame_0010.png"),
        ([*counted(0, 1, 2), "frame_01.png"], "number 1, frame_001.png and frame_01.png"),
        ([*counted(0, 1), "frame_001.jpg"], "two frames of number 1, frame_001.jpg and"),
    ],
)
def test_a_gap_and_a_frame_twice_are_named(tmp_path, names, wanted):
    frames(tmp_path / "data" / "walk", names)
    with pytest.raises(InputError, match=wanted) as caught:
        read_sequences(tmp_path / "data", least=2)
    assert str(tmp_path / "data" / "walk") in str(caught.value)


@pytest.mark.parametrize("names", [["a.png", "c.png"], ["a_1.png", "b_5.png", "b_9.png"]])
def test_names_that_do_not_count_may_have_any_numbers(tmp_path, names):
    frames(tmp_path / "walk", names)
    assert [one.path.name for one in read_sequences(tmp_path, least=2)] == names


def test_fewer_frames_than_needed_other_sizes_and_other_places_are_refused(tmp_path):
    short = frames(tmp_path / "few" / "walk", counted(0, 1, 2))
    with pytest.raises(InputError, match=rf"{short} has 3 frames, and 6 are needed"):
        read_sequences(tmp_path / "few", least=6)
    folder = frames(tmp_path / "sizes" / "walk", counted(0, 1, 2))
    frames(folder, ["frame_003.png"], size=(10, 16))
    with pytest.raises(InputError, match=r"frame_003.png is 10x16 pixels, .* 12x16; bring all"):
        read_sequences(tmp_path / "sizes", least=2)
    frames(tmp_path / "deep" / "ann" / "walk", counted(0, 1))
    with pytest.raises(InputError, match=r"frame_000.png lies too deep"):
        read_sequences(tmp_path / "deep", least=2)
    frames(tmp_path / "sizes", ["loose.png"])
    with pytest.raises(InputError, match=r"holds frames, as loose.png, beside sequences, as walk"):
        read_sequences(tmp_path / "sizes", least=2)
    for part in ("train", "val"):
        frames(tmp_path / "parts" / part, counted(0, 1))
    with pytest.raises(InputError, match=r"parts of .* hold loose frames; put those of each"):
        read_sequences(tmp_path / "parts", least=2)
    (tmp_path / "none" / "walk").mkdir(parents=True)
    with pytest.raises(InputError, match=r"hold no sequence; put the frames of each into a folder"):
        read_sequences(tmp_path / "none", least=2)
    with pytest.raises(InputError, match="nowhere"):
        read_sequences(tmp_path / "nowhere", least=2)


def test_windows_never_go_across_a_gap_or_into_another_sequence(tmp_path):
    frames(tmp_path / "a", counted(*range(7)))
    frames(tmp_path / "b", counted(*range(4)))
    samples = read_sequences(tmp_path, least=3)
    assert windows(samples, 3).tolist() == [
        [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [7, 8, 9], [8, 9, 10],
    ]  # fmt: skip
    assert windows(samples, 3, every=2)[:, 0].tolist() == [0, 2, 4, 7]
    left = [one for row, one in enumerate(samples) if row not in (3, 9)]
    assert windows(left, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert windows(left, 4).shape == (0, 4)
    twice = [dataclasses.replace(one, metadata={**one.metadata}) for one in samples[:3]] * 2
    assert windows(twice, 3).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_window_is_gathered_frame_after_frame():
    pixels = np.arange(5 * 3 * 2 * 2, dtype=np.uint8).reshape(5, 3, 2, 2)
    stored = StoredWindows(pixels, np.array([[0, 1, 2], [2, 3, 4]]))
    assert (len(stored), stored.shape) == (2, (2, 9, 2, 2))
    found = stored[torch.tensor([1])]
    np.testing.assert_array_equal(found[0], np.concatenate(pixels[2:5]))
