"""Breaks the codes of a gallery in many ways and searches it: never a crash, never a wrong answer.

    python code_file_fuzzer.py FOLDER SEED SECONDS

FOLDER is of the test's making: a gallery that nothing else opens, its codes, and what it holds in
``oracle.json``. Each case is told before it runs, so that a crash or a hang names it.
"""

import faulthandler
import json
import math
import random
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np

from saccade.gallery import Gallery, code_place, code_wipe, codes, upkeep
from saccade.vectors.scan_file import BLOCK_BYTES, FIELDS, HEADER_BYTES, MAGIC, CodeFile
from tests.coded import CLOSE, assert_right
from tests.reference.gallery import as_stored

HANG_S = 60
LEAST_CASES = 30  # on a machine however busy
ROOM_BYTES = 512 << 20  # more than the process has at its start: what broken codes may ask for
SMALL = ("mean", "rotation", "deviation", "head_step", "full_step", "centres")
STRANGE = [0, 1, -1, 2, 3, 16, 17, 2**31, 2**32, 2**40, 2**63, 2**64, 10**30, 0.5, -0.0]
STRANGE += [float("nan"), float("inf"), True, None, "", "7", "scan", [], [1], {}, {"a": 1}]
FLOATS = [float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-45, 0.0]


def read_header(content):
    _, length, _ = FIELDS.unpack_from(content)
    return json.loads(bytes(content[FIELDS.size : FIELDS.size + length]))


def write_header(content, header):
    text = json.dumps(header).encode()
    if len(text) <= HEADER_BYTES - FIELDS.size:
        content[: FIELDS.size] = struct.pack("<8sII", MAGIC, len(text), zlib.crc32(text))
        content[FIELDS.size : FIELDS.size + len(text)] = text


def arrays_end(header):
    try:
        sizes = [first + np.dtype(t).itemsize * math.prod(s) for t, s, first in header.values()]
    except SyntaxError as error:  # NumPy's, for a type with a comma
        raise ValueError("the header was broken before") from error
    return max([HEADER_BYTES, *sizes])


def sum_anew(content, end):
    """Make the blocks' checksums right again; raises ValueError when the arrays are not there."""
    if not HEADER_BYTES <= end <= len(content):
        raise ValueError("the header was broken before")
    blocks = range(HEADER_BYTES, end, BLOCK_BYTES)
    sums = [zlib.crc32(content[start : min(start + BLOCK_BYTES, end)]) for start in blocks]
    content[len(content) - 4 * len(sums) :] = np.array(sums, "<u4").tobytes()


def flip(draw, content):
    for _ in range(draw.choice([1, 1, 3, 100])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)


def flip_small(draw, content):
    for _ in range(draw.choice([1, 3])):
        content[draw.randrange(2048)] ^= 1 << draw.randrange(8)


def cut(draw, content):
    at = draw.choice([draw.randrange(len(content)), len(content) - draw.randrange(1, 9000)])
    del content[at:]


def grow(draw, content):
    content += draw.randbytes(draw.choice([1, 4, 4096, 100_000]))


def swap_blocks(draw, content):
    size = draw.choice([64, 4096, 65_536])
    a, b = (draw.randrange(0, max(1, len(content) // size)) * size for _ in range(2))
    content[a : a + size], content[b : b + size] = content[b : b + size], content[a : a + size]


def field(draw, content):
    """Put something strange into the header, with a right checksum."""
    header = read_header(content)
    for _ in range(draw.choice([1, 1, 2])):
        table = header["about"]
        while True:
            key = draw.choice(list(table))
            if not isinstance(table[key], dict) or draw.random() < 0.2:
                break
            table = table[key]
        if draw.random() < 0.1:
            del table[key]
        else:
            table[key] = draw.choice(STRANGE)
        if not table:
            break
    write_header(content, header)


def directory(draw, content):
    """Change the type, shape or place of an array, with right checksums."""
    header = read_header(content)
    arrays = header["arrays"]
    name = draw.choice(list(arrays))
    what = draw.randrange(5)
    if what == 0:
        arrays[name][0] = draw.choice(["|u1", "<u4", "<i8", "<f4", "|O8", "<f8", "", 7])
    elif what == 1:
        arrays[name][1] = [
            draw.choice([0, 1, 2, n - 1, n + 1, n * 2, n // 2, 2**34, 2**40, 2**47, -1, None])
            for n in (arrays[name][1] or [1])
        ] + draw.choice([[], [], [1], [0], [2**40], [1] * 70])
    elif what == 2:
        arrays[name][2] = draw.choice([0, 4096, HEADER_BYTES, arrays[name][2] + 4096, 2**47, "x"])
    elif what == 3:
        other = draw.choice(list(arrays))
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        del arrays[name]
    write_header(content, header)


def empty_rows(draw, content):
    """Rows without columns need no bytes, however many the header names."""
    header = read_header(content)
    rows = draw.choice([2**31, 2**36, 2**40, 2**47])
    for name in draw.sample(["full", "numbers", "identities", "centres", "starts"], 2):
        header["arrays"][name][1] = [rows, 0]
    write_header(content, header)


def values(draw, content):
    """Change the values of an array, with right checksums."""
    header = read_header(content)
    name = draw.choice(list(header["arrays"]))
    dtype, shape, first = header["arrays"][name]
    size = math.prod(shape)
    if not size:
        return
    array = np.frombuffer(content, dtype, size, first)
    places = [draw.randrange(size) for _ in range(draw.choice([1, 1, 8, size]))]
    if dtype == "<f4":
        array[places] = draw.choice(FLOATS)
    elif dtype == "<i8":
        array[places] = draw.choice([0, 1, -1, 7, 16, 10**6, 2**62, -(2**62), int(array[0])])
    else:
        array[places] = draw.choice([0, 1, 255, 128])
    del array
    sum_anew(content, arrays_end(header["arrays"]))


def starts(draw, content):
    """Cells that overlap, run back, or end elsewhere; with right checksums."""
    header = read_header(content)
    dtype, shape, first = header["arrays"]["starts"]
    array = np.frombuffer(content, dtype, shape[0], first)
    moved = array.copy()
    for _ in range(draw.choice([1, 2])):
        moved[draw.randrange(len(moved))] += draw.choice([-16, 16, 1, 160, -(2**40), 2**40])
    array[:] = draw.choice([moved, np.sort(moved), array[::-1].copy()])
    del array
    sum_anew(content, arrays_end(header["arrays"]))


WAYS = [flip, flip_small, cut, grow, swap_blocks, field, directory, empty_rows, values, starts]


def assert_plausible(found, enrolled, query):
    """Whatever was found is what it says: the true similarity, the right identity."""
    query = np.asarray(query, np.float64) / np.linalg.norm(query)
    assert len({hit.identity for hit in found.hits}) == len(found.hits)
    for hit in found.hits:
        name, vector = enrolled[hit.picture_id]
        assert hit.identity == name
        assert abs(hit.similarity - float(as_stored(vector) @ query)) < CLOSE
    similarities = [hit.similarity for hit in found.hits]
    assert similarities == sorted(similarities, reverse=True)


def search(folder, enrolled, seed):
    queries = np.random.default_rng(seed).standard_normal(
        (3, len(next(iter(enrolled.values()))[1]))
    )
    with Gallery.open(folder) as gallery:
        k = 1 + seed % 6
        found = gallery.find_vectors(queries, k)
        stats = gallery.stats()
        with gallery._database.reading() as connection:
            base = codes.open_base(folder, connection, dimension=gallery.dimension)
    for query, answer in zip(queries, found, strict=True):
        assert_plausible(answer, enrolled, query)
        if base is None:
            assert_right(answer, enrolled, query, k)
    assert (stats.index == "scan") == (base is not None)
    return base is not None


def forget(path, identity):
    """What is forgotten is gone from broken codes, or they are."""
    assert code_wipe.wipe(path.parents[1], np.array([identity]), wait_s=0.0)
    if path.exists():
        file = CodeFile(path)
        assert not (file.arrays["identities"] == identity).any()


def one(folder, good, enrolled, seed):
    """Break a copy of the codes and use it; returns whether the codes were still taken."""
    draw = random.Random(seed)
    content = bytearray(good)
    ways = draw.sample(WAYS, draw.choice([1, 1, 1, 2]))
    print("case", seed, *(way.__name__ for way in ways), flush=True)
    for way in ways:
        try:
            way(draw, content)
        except (ValueError, KeyError, TypeError, IndexError, struct.error):
            break  # the way before left nothing that this one could change
    path = folder / code_place.FOLDER / code_place.NAME
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    taken = search(folder, enrolled, seed)
    if draw.random() < 0.5:
        code_wipe.check(folder)
        search(folder, enrolled, seed + 1)
        if not path.exists():
            return taken
    forget(path, 1 + draw.randrange(5))
    return taken


def main(folder, seed, seconds):
    folder, until = Path(folder), time.monotonic() + float(seconds)
    status = Path("/proc/self/statm")
    if status.exists():
        room = int(status.read_text().split()[0]) * resource.getpagesize() + ROOM_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
    upkeep.Checks.after = lambda checks, memory: None  # a thread; here ``one`` calls what it does
    good = (folder / "good").read_bytes()
    oracle = json.loads((folder / "oracle.json").read_text())
    enrolled = {int(number): (name, np.array(row)) for number, (name, row) in oracle.items()}
    counts = {True: 0, False: 0}
    number = int(seed) * 10**9
    while time.monotonic() < until or sum(counts.values()) < LEAST_CASES:
        faulthandler.dump_traceback_later(HANG_S, exit=True)
        counts[one(folder, good, enrolled, number)] += 1
        number += 1
    faulthandler.cancel_dump_traceback_later()
    print("done", counts[True], counts[False])


if __name__ == "__main__":
    main(*sys.argv[1:])
