"""Class folders, picture files, batches, splits."""

import io
import struct
import warnings
import zlib
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.data import batches, pictures
from saccade.data.batches import BalancedBatches, ShuffledBatches, load_pictures
from saccade.data.folders import read_class_folders
from saccade.data.pictures import find_pictures, is_picture, read_picture, resize, suit
from saccade.data.splits import hold_out_classes
from saccade.data.stored import StoredPictures
from saccade.data.symmetries import EXTRA_CLASSES, add_classes
from saccade.errors import InputError, PictureError, SettingError, UnknownNameError

ORIENTATION = 0x0112
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


def noise(height, width, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(7).integers(0, 256, size=shape, dtype=np.uint8)


def save(path, array, mode=None, **options):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def touch(root, *names):
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


# Class folders


def test_samples_come_by_label_then_path(tmp_path):
    touch(tmp_path, "b/2.png", "b/1.JPG", "b/deep/er/0.webp", "a/9.bmp", "B/x.pgm")
    touch(tmp_path, "a/notes.txt", "empty/readme.md", ".hidden/1.png", "loose.png")
    found = [
        (s.label, s.path.relative_to(tmp_path).as_posix()) for s in read_class_folders(tmp_path)
    ]
    assert found == [
        ("B", "B/x.pgm"),
        ("a", "a/9.bmp"),
        ("b", "b/1.JPG"),
        ("b", "b/2.png"),
        ("b", "b/deep/er/0.webp"),
    ]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "is empty"),
        (["1.png", "2.png"], "holds pictures but no sub-folders"),
        ([".hidden/1.png"], "make one sub-folder a class"),
        (["a/notes.txt", "b/readme"], "hold no picture"),
    ],
)
def test_a_folder_without_classes_is_refused(tmp_path, names, said):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=said) as caught:
        read_class_folders(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_missing_folder_and_a_file_are_refused(tmp_path):
    touch(tmp_path, "file.png")
    with pytest.raises(InputError, match="does not exist"):
        read_class_folders(tmp_path / "none")
    with pytest.raises(InputError, match="is a file"):
        read_class_folders(tmp_path / "file.png")


def test_pictures_are_found_at_any_depth(tmp_path):
    touch(tmp_path, "b.png", "a/c.JPEG", "a/notes.txt")
    assert find_pictures(tmp_path) == [tmp_path / "a/c.JPEG", tmp_path / "b.png"]
    assert find_pictures(tmp_path / "a/notes.txt") == [tmp_path / "a/notes.txt"]
    assert not is_picture(tmp_path / "a/notes.txt")
    with pytest.raises(InputError, match="does not exist"):
        find_pictures(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path / "bare")


# Reading pictures


@pytest.mark.parametrize(
    ("ending", "options"),
    [("png", {}), ("bmp", {}), ("ppm", {}), ("webp", {"lossless": True})],
)
def test_lossless_formats_come_back_exactly(tmp_path, ending, options):
    file = save(tmp_path / f"x.{ending}", noise(9, 13), **options)
    np.testing.assert_array_equal(read_picture(file), noise(9, 13))


def test_jpeg_comes_back_nearly(tmp_path):
    ramp = np.linspace(0, 255, 32 * 48 * 3).reshape(32, 48, 3).astype(np.uint8)
    picture = read_picture(save(tmp_path / "x.jpg", ramp, quality=95))
    assert picture.shape == (32, 48, 3)
    assert np.abs(picture.astype(int) - ramp).mean() < 5


@pytest.mark.parametrize("ending", ["png", "pgm"])
def test_grey_is_repeated_over_three_channels(tmp_path, ending):
    picture = read_picture(save(tmp_path / f"x.{ending}", noise(5, 7, 1)))
    np.testing.assert_array_equal(picture, noise(5, 7, 1)[:, :, None].repeat(3, 2))


def test_the_first_bytes_decide_not_the_ending(tmp_path):
    file = save(tmp_path / "x.jpg", noise(5, 7), format="PNG")
    np.testing.assert_array_equal(read_picture(file), noise(5, 7))


def test_sixteen_bit_grey_keeps_its_high_byte(tmp_path):
    deep = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    expected = (deep >> 8).astype(np.uint8)[:, :, None].repeat(3, 2)
    np.testing.assert_array_equal(read_picture(save(tmp_path / "x.png", deep)), expected)
    pgm = tmp_path / "x.pgm"
    pgm.write_bytes(b"P5 16 16 65535\n" + deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_picture(pgm), expected)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("CMYK", "jpg"), ("1", "png"), ("LA", "png"), ("RGBA", "png"), ("P", "png"), ("RGBA", "webp")],
)
def test_other_colour_modes_become_rgb(tmp_path, mode, ending):
    flat = np.full((6, 4, 3), 255, np.uint8)
    picture = read_picture(save(tmp_path / f"x.{ending}", flat, mode))
    assert picture.shape == (6, 4, 3)
    assert picture.dtype == np.uint8
    assert picture.min() > 250


def test_what_is_transparent_lies_on_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "x.png", transparency=bytes([255, 128, 255]))
    assert read_picture(tmp_path / "x.png").tolist() == [
        [[255, 0, 0], [127, 255, 127]],
        [[0, 0, 255], [127, 255, 127]],
    ]


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(("ending", "options"), [("png", {}), ("webp", {"lossless": True})])
def test_pictures_are_turned_upright(tmp_path, orientation, ending, options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = save(tmp_path / f"x.{ending}", noise(6, 10), exif=exif, **options)
    np.testing.assert_array_equal(read_picture(file), UPRIGHT[orientation](noise(6, 10)))


def png_header(width, height):
    """Return a PNG that promises ``width`` x ``height`` grey pixels and holds none."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (50_000, 50_000), (2**31 - 1, 8)])
def test_too_many_pixels_are_refused_before_decoding(tmp_path, width, height):
    file = tmp_path / "bomb.png"
    file.write_bytes(png_header(width, height))
    with pytest.raises(PictureError, match="over the limit of 100,000,000") as caught:
        read_picture(file)
    assert str(file) in str(caught.value)


def encoded(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(noise(12, 9)).save(stream, kind, **options)
    return stream.getvalue()


FILES = {
    "PNG": encoded("PNG"),
    "JPEG": encoded("JPEG"),
    "WEBP": encoded("WEBP"),
    "BMP": encoded("BMP"),
    "PPM": encoded("PPM"),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_refused_by_its_name(tmp_path, kind, share):
    file = tmp_path / "cut.png"
    file.write_bytes(FILES[kind][: int(share * len(FILES[kind]))])
    with pytest.raises(PictureError, match=r"cut\.png cannot be read as a picture"):
        read_picture(file)


@pytest.mark.parametrize(
    "content", [b"", b"just text\n", b"\x00" * 100, encoded("GIF"), encoded("TIFF")]
)
def test_another_kind_of_file_is_refused_by_its_name(tmp_path, content):
    file = tmp_path / "odd.png"
    file.write_bytes(content)
    for read in (read_picture, lambda path: suit([path], longest=64)):
        with pytest.raises(PictureError, match=r"odd\.png cannot be read as a picture"):
            read(file)


def test_a_missing_picture_and_a_folder_are_refused(tmp_path):
    with pytest.raises(PictureError, match="does not exist"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path)


EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8)


@settings(max_examples=300)
@given(st.sampled_from(sorted(FILES)), EDITS, st.integers(0, 60))
def test_a_damaged_file_gives_a_picture_or_a_picture_error(tmp_path_factory, kind, edits, cut):
    damaged = bytearray(FILES[kind][: len(FILES[kind]) - cut])
    for place, value in edits:
        damaged[place % len(damaged)] = value
    file = tmp_path_factory.getbasetemp() / "damaged.png"
    file.write_bytes(damaged)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(pictures, "MAX_PIXELS", 1_000_000)
        try:
            picture = read_picture(file)
        except PictureError as error:
            assert str(file) in str(error)
        else:
            assert picture.ndim == 3
            assert picture.shape[2] == 3
            assert picture.dtype == np.uint8


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("value", [0, 1, 2, 5, 7, 12, 255])
def test_damaged_exif_data_do_not_cost_the_picture(tmp_path, value):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[0x010E] = "a description"
    whole = save(tmp_path / "whole.jpg", noise(6, 10), exif=exif).read_bytes()
    start = whole.index(b"Exif") + 6
    file = tmp_path / "damaged.jpg"
    for place in range(start, start + len(exif.tobytes()) - 6):
        file.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        assert sorted(read_picture(file).shape) == [3, 6, 10]
        assert sorted(suit([file], longest=64)[0]) == [8, 8]


# Resizing and the size that suits


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size_hw", [(8, 8), (16, 24), (40, 10), (12, 9)])
def test_resize_gives_channels_first_of_the_size_asked(channels, size_hw):
    resized = resize(noise(12, 9), size_hw, channels)
    assert resized.shape == (channels, *size_hw)
    assert resized.dtype == np.uint8
    assert resized.flags["C_CONTIGUOUS"]


def test_resize_keeps_flat_colours_and_equal_sizes():
    flat = np.tile(np.array([200, 10, 60], np.uint8), (7, 5, 1))
    assert np.unique(resize(flat, (16, 8), 3).reshape(3, -1), axis=1).ravel().tolist() == [
        200,
        10,
        60,
    ]
    np.testing.assert_array_equal(resize(noise(7, 5), (7, 5), 3), noise(7, 5).transpose(2, 0, 1))


def test_resize_averages_when_it_shrinks():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(resize(stripes, (8, 8), 1).astype(int) - 100).max() <= 8


@pytest.mark.parametrize(
    ("sizes", "longest", "size_hw"),
    [
        ([(28, 28)], 64, (32, 32)),
        ([(112, 92)], 64, (64, 56)),
        ([(48, 64)], 64, (48, 64)),
        ([(8, 8)], 64, (8, 8)),
        ([(3, 5)], 64, (8, 8)),
        ([(600, 20)], 64, (64, 8)),
        ([(16, 16), (24, 40), (100, 200)], 64, (24, 40)),
    ],
)
def test_the_size_that_suits(tmp_path, sizes, longest, size_hw):
    files = [save(tmp_path / f"{n}.png", noise(*size)) for n, size in enumerate(sizes)]
    assert suit(files, longest=longest) == (size_hw, 3)


def test_one_channel_suits_only_when_all_are_grey(tmp_path):
    grey = save(tmp_path / "a.pgm", noise(16, 16, 1))
    colour = save(tmp_path / "b.png", noise(16, 16))
    assert suit([grey, grey], longest=64)[1] == 1
    assert suit([grey, colour], longest=64)[1] == 3


def test_the_size_is_that_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for ending in ("jpg", "webp"):
        file = save(tmp_path / f"x.{ending}", noise(32, 64), exif=exif)
        assert read_picture(file).shape == (64, 32, 3)
        assert suit([file], longest=64)[0] == (64, 32)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 127, 128, 1000])
def test_few_heads_are_read(tmp_path, monkeypatch, count):
    seen = []
    monkeypatch.setattr(pictures, "_head", lambda path: seen.append(path) or (16, 16, True))
    suit([tmp_path / str(number) for number in range(count)], longest=64)
    assert min(count, pictures.SUIT_SAMPLE // 2) <= len(seen) <= pictures.SUIT_SAMPLE


# Loading and batches


def test_pictures_are_loaded_in_the_order_given(tmp_path):
    arrays = [np.full((10, 8, 3), value, np.uint8) for value in (5, 250, 90, 17)]
    files = [save(tmp_path / f"{n}.png", array) for n, array in enumerate(arrays)]
    for channels in (1, 3):
        loaded = load_pictures(files, size_hw=(8, 16), channels=channels)
        assert loaded.shape == (4, channels, 8, 16)
        assert loaded.dtype == torch.uint8
        assert (
            loaded.amax((1, 2, 3)).tolist() == loaded.amin((1, 2, 3)).tolist() == [5, 250, 90, 17]
        )


def test_the_broken_picture_is_named(tmp_path):
    files = [save(tmp_path / f"{n}.png", noise(8, 8)) for n in range(5)]
    files[3].write_bytes(b"broken")
    with pytest.raises(PictureError, match=r"3\.png cannot be read"):
        load_pictures(files, size_hw=(8, 8), channels=1)


def test_more_than_fits_is_refused_before_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "MAX_BYTES", 1 << 30)
    with pytest.raises(InputError, match=r"take 3 GiB, more than 1; set a smaller data\.size"):
        load_pictures([tmp_path / "none.png"] * 1024, size_hw=(1024, 1024), channels=3)


CLASS_SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(CLASS_SIZES, st.integers(2, 8), st.integers(1, 5), st.integers(0, 2**31), st.integers(0, 99))
def test_batches_are_balanced(sizes, classes_per_batch, pictures_per_class, seed, epoch):
    targets = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    given_sizes = {"classes_per_batch": classes_per_batch, "pictures_per_class": pictures_per_class}
    drawn = BalancedBatches(targets, **given_sizes, seed=seed)
    classes = min(classes_per_batch, len(sizes))
    each = classes_per_batch * pictures_per_class // classes
    found = list(drawn.epoch(epoch))
    assert len(found) == len(drawn) == -(-len(targets) // (classes * each))
    for rows in found:
        counts = Counter(targets[rows].tolist())
        assert len(counts) == classes
        assert set(counts.values()) == {each}
        for row, times in Counter(rows.tolist()).items():
            assert times <= -(-each // sizes[targets[row]])
    again = BalancedBatches(targets, **given_sizes, seed=seed)
    np.testing.assert_array_equal(np.stack(found), np.stack(list(again.epoch(epoch))))


def test_other_epochs_and_seeds_draw_differently():
    targets = np.repeat(np.arange(10), 10)

    def first(seed, epoch):
        drawn = BalancedBatches(targets, classes_per_batch=5, pictures_per_class=4, seed=seed)
        return next(drawn.epoch(epoch)).tolist()

    assert len({tuple(first(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_every_class_is_drawn_about_equally_often():
    targets = np.repeat(np.arange(7), 12)
    drawn = BalancedBatches(targets, classes_per_batch=3, pictures_per_class=2, seed=0)
    counts = Counter(targets[np.concatenate(list(drawn.epoch(0)))].tolist())
    assert max(counts.values()) - min(counts.values()) <= 2 * drawn.pictures


# Extra classes


def stored(pictures):
    return StoredPictures(pictures.numpy(), np.arange(len(pictures)))


def test_the_pictures_stand_first_and_each_image_is_a_class_of_its_own():
    pictures = torch.arange(2 * 3 * 16).reshape(2, 3, 4, 4).to(torch.uint8)
    targets = torch.tensor([1, 0])
    assert set(EXTRA_CLASSES) == {"none", "mirrored", "turned"}
    for how, times in (("none", 1), ("mirrored", 2), ("turned", 8)):
        found, labels = add_classes(stored(pictures), targets, how=how)
        assert found.shape == (2 * times, 3, 4, 4)
        more = found[torch.arange(len(found))]
        assert torch.equal(more[:2], pictures)
        assert labels.tolist() == [target + 2 * k for k in range(times) for target in (1, 0)]
        assert len(more[0::2].flatten(1).unique(dim=0)) == times
    mirrored, _ = add_classes(stored(pictures), targets, how="mirrored")
    assert torch.equal(mirrored[torch.tensor([3, 2])], pictures.flip(3)[[1, 0]])


def test_oblong_pictures_are_mirrored_but_not_turned():
    pictures, targets = stored(torch.zeros(2, 1, 8, 12, dtype=torch.uint8)), torch.tensor([0, 1])
    assert add_classes(pictures, targets, how="mirrored")[0].shape == (4, 1, 8, 12)
    with pytest.raises(SettingError, match=r"needs square pictures\. Got 8x12 instead"):
        add_classes(pictures, targets, how="turned")
    with pytest.raises(UnknownNameError, match="did you mean 'turned'"):
        add_classes(pictures, targets, how="turn")


@given(
    rows=st.lists(st.integers(0, 6), min_size=1, max_size=9),
    how=st.sampled_from(sorted(EXTRA_CLASSES)),
    data=st.data(),
)
def test_what_is_gathered_equals_all_the_images_made_at_once(rows, how, data):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 2, 5, 5), dtype=np.uint8)
    whole = torch.from_numpy(pixels)[rows]
    wanted = torch.cat(
        [torch.rot90(whole.flip(3) if m else whole, k, (2, 3)) for m, k in EXTRA_CLASSES[how]]
    )
    found = StoredPictures(pixels, np.array(rows), images=EXTRA_CLASSES[how])
    assert found.shape == wanted.shape and len(found) == len(wanted)
    asked = torch.tensor(data.draw(st.lists(st.integers(0, len(wanted) - 1), max_size=20))).long()
    assert torch.equal(found[asked], wanted[asked])
    assert pixels.flags.writeable is True and torch.equal(torch.from_numpy(pixels)[rows], whole)


# Splits

LABELS = st.lists(st.text("abcdefgh", min_size=1, max_size=2), max_size=40)


@given(LABELS, st.floats(0, 0.9), st.integers(0, 2**31 - 1))
def test_held_out_classes(labels, share, seed):
    kept, held = hold_out_classes(labels, share=share, seed=seed)
    assert kept | held == set(labels)
    assert not kept & held
    repeated = {label for label in labels if labels.count(label) > 1}
    classes = len(set(labels))
    wanted = min(max(2, round(share * classes)), len(repeated), classes - 2)
    assert len(held) == (wanted if share > 0 and wanted >= 2 else 0)
    assert held <= repeated, "a class with one picture cannot be searched"
    assert (kept, held) == hold_out_classes(labels[::-1], share=share, seed=seed)


def test_the_seed_decides_who_is_held_out():
    labels = [f"person{n}" for n in range(30)] * 2
    assert (
        len({tuple(sorted(hold_out_classes(labels, share=0.2, seed=s)[1])) for s in range(9)}) > 5
    )


@given(count=st.integers(1, 300), size=st.integers(2, 80), seed=st.integers(0, 99))
def test_shuffled_batches_bring_every_picture_once_in_even_batches(count, size, seed):
    drawn = ShuffledBatches(count, batch_size=size, seed=seed)
    first, again, second = (list(drawn.epoch(number)) for number in (0, 0, 1))
    assert len(first) == len(drawn)
    sizes = [len(rows) for rows in first]
    assert max(sizes) <= max(size, 3) and max(sizes) - min(sizes) <= 1
    assert max(sizes) <= size or count % 2 == 1, "only an odd number in twos has a batch of three"
    assert min(sizes) > 1 or count == 1
    assert sorted(np.concatenate(first).tolist()) == list(range(count))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    if count > 20:
        assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
