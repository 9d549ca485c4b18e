"""Strange input for the table in test_strange_input: each function makes one, or returns it."""

import gzip
import io
import shutil
import struct
import zlib

import numpy as np
from PIL import Image

from tests.writers import idx_bytes, write_arrays, write_folders, write_idx, write_table

MANY = 120  # of which one broken is below 1 %
LABELS = [label for label in ("ann", "bo", "cy", "di") for _ in range(3)]


def pictures(n):
    draw = np.random.default_rng(3)
    return draw.integers(0, 256, (n, 16, 16), dtype=np.uint8)


def people_in(root):
    """Class folders of four people, three grey pictures each."""
    return write_folders(root / "people", pictures(12), LABELS)


def crowd_in(root):
    """Class folders of ten people, twelve grey pictures each."""
    return write_folders(root / "crowd", pictures(MANY), [f"person{n // 12}" for n in range(MANY)])


def huge_png(width, height):
    """A whole PNG of a few kilobytes that promises ``width`` x ``height`` grey pixels."""

    def chunk(kind, body):
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(width + 1) * 8)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(*part) for part in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b""))
    )


def encoded(kind):
    stream = io.BytesIO()
    Image.fromarray(pictures(1)[0]).save(stream, kind)
    return stream.getvalue()


# Put into the folder of class folders


def deep(root):
    Image.fromarray(pictures(1)[0].astype(np.uint16) * 257).save(root / "ann" / "deep.png")


def cmyk(root):
    Image.fromarray(pictures(1)[0]).convert("CMYK").save(root / "ann" / "print.jpg")


def turned(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pictures(1)[0][:, :8]).save(root / "ann" / "turned.jpg", exif=exif)


def odd_name(root):
    shutil.copy(root / "ann" / "001.png", root / "ann" / 'žluťoučký\n"😀" \\x.png')


def odd_class(root):
    (root / "ann").rename(root / "Zoë <b>\n☃")


def not_utf8(root):
    (root / "ann" / "001.png").rename(root / "ann" / "1\udcff.png")
    (root / "bo").rename(root / "b\udcfe")


def upper_case(root):
    (root / "ann" / "001.png").rename(root / "ann" / "001.PNG")
    Image.fromarray(pictures(1)[0]).save(root / "ann" / "X.JPEG", "JPEG")


def one_picture(root):
    (root / "solo").mkdir()
    shutil.copy(root / "ann" / "001.png", root / "solo" / "1.png")


def links(root):
    (root / "ann" / "link.png").symlink_to(root / "bo" / "003.png")
    (root / "linked").symlink_to(root / "cy", target_is_directory=True)


def one_pixel(root):
    Image.fromarray(pictures(1)[0][:1, :1]).save(root / "ann" / "dot.png")


def wide(root):
    Image.fromarray(np.zeros((1, 3000), np.uint8)).save(root / "ann" / "wide.png")


def grey_ones(root):
    """Six more pictures that leave the data grey: a training for them all."""
    for put in (deep, turned, odd_name, upper_case, one_pixel, wide):
        put(root)


# Data, below a folder


def nothing(root):
    return root / "missing"


def empty(root):
    (root / "empty").mkdir()
    return root / "empty"


def too_many_broken(root):
    source = write_folders(root / "people", pictures(12), LABELS)
    (source / "ann" / "000.png").write_bytes(b"")
    return source


def table_of(text):
    def make(root):
        (root / "t.csv").write_text(text)
        return root / "t.csv"

    return make


def table_without_files(root):
    source = write_table(root / "t", pictures(12), LABELS)
    shutil.rmtree(root / "t" / "files")
    return source


def idx_of(content, name="images-idx3-ubyte.gz"):
    def make(root):
        write_idx(root / "idx", pictures(4), "0011")
        (root / "idx" / name).write_bytes(content)
        return root / "idx"

    return make


def archive_of(**content):
    def make(root):
        np.savez(root / "x.npz", **content)
        return root / "x.npz"

    return make


def archive_cut(root):
    source = write_arrays(root, pictures(4), "aabb")
    source.write_bytes(source.read_bytes()[:-100])
    return source


def both_parts_and_more(root):
    for name in ("train", "test", "more"):
        write_folders(root / "data" / name, pictures(12), LABELS)
    return root / "data"


def no_train(root):
    write_folders(root / "data" / "test", pictures(12), LABELS)
    return root / "data"


PACKED = gzip.compress(idx_bytes(pictures(4)))
