"""Write one small data set in every way that Saccade reads, for tests."""

import csv
import gzip
import struct

import numpy as np
from PIL import Image


def write_folders(root, pictures, labels):
    """PNG files in class folders; the order of reading is by label, then by number."""
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(root / label / f"{number:03}.png")
    return root


def write_table(root, pictures, labels):
    """A CSV with one column of metadata, its PNG files in a folder beside it."""
    (root / "files").mkdir(parents=True)
    with (root / "data.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", "number"])
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            Image.fromarray(picture).save(root / "files" / f"{number:03}.png")
            rows.writerow([f"files/{number:03}.png", label, number])
    return root / "data.csv"


def idx_bytes(array):
    """An unsigned-byte array as an idx file."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(root, pictures, labels, prefix="", packed=True):
    """An idx pair of grey pictures, in a folder."""
    root.mkdir(parents=True, exist_ok=True)
    names = np.array([int(label) for label in labels], np.uint8)
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    images = root / f"{prefix}images-idx3-ubyte{ending}"
    images.write_bytes(pack(idx_bytes(np.asarray(pictures))))
    (root / f"{prefix}labels-idx1-ubyte{ending}").write_bytes(pack(idx_bytes(names)))
    return images


def write_arrays(root, pictures, labels):
    """A .npz archive."""
    root.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(root / "data.npz", pictures=np.asarray(pictures), labels=np.array(labels))
    return root / "data.npz"


# Each reader's name, as in READERS, and how a test writes what it reads.
WRITERS = {
    "folders": write_folders,
    "csv": write_table,
    "idx": write_idx,
    "npz": write_arrays,
}
