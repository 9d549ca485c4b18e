"""What an effort of the scan costs, in bytes that a query reads, and which heads promise least.

Bytes, not seconds, so that the same gallery gives the same choice on every machine. A row that is
read at random counts for more than its bytes: on an AMD EPYC of the Zen 4 kind with a reading rate
of 22 GB/s, going from 4,000 to 16,000 survivors took 0.11 microseconds more for each one at
d = 128 (1.5 million rows) and 0.15 at d = 512 (400,000), hence RANDOM_BYTES and RANDOM_FACTOR.
"""

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from saccade.values import Float32Array
from saccade.vectors.scan_coded import FINALISTS
from saccade.vectors.scan_codes import QUANTISERS, Fit, best_head
from saccade.vectors.tuning_reading import Reading
from saccade.vectors.tuning_recall import Tunable

HEAD_BYTES = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
RANDOM_BYTES, RANDOM_FACTOR = 2_000, 2.5  # for a read at random, and on each of its bytes
# Shares of the cells: three from each power of two to the next.
PROBED = tuple(share / step for step in (64, 32, 16, 8, 4, 2) for share in (1, 1.25, 1.5))
STEP = math.sqrt(2)  # from one number of survivors to the next
BYTES_A_SECOND = 20e9  # of one thread, to say a time


@dataclass(frozen=True, slots=True)
class Layout:
    """What is decided when an index is made.

    ``scan_codes.fit`` with ``head_bytes`` makes a head of ``components``, each of ``bits`` bits.
    ``cells`` is how many there shall be, 0 for none.
    """

    head_bytes: int
    components: int
    bits: int
    cells: int = 0

    @property
    def packed_bytes(self) -> int:
        """Bytes that the head takes a vector, in whole groups of 32 bits."""
        return 4 * math.ceil(self.components * self.bits / 32)

    def code_bytes(self, n: int, d: int) -> int:
        """Bytes of the codes of n vectors of length d, and of the cells, about."""
        return n * (self.packed_bytes + d) + 4 * d * self.cells


class Cost:
    """Bytes that a query reads from codes of this layout, for n vectors of length d.

    ``outside``: share of the rows that are always compared exactly. ``reading`` tells what queries
    read of the cells, where there are any.
    """

    def __init__(
        self, layout: Layout, n: int, d: int, outside: float, reading: Reading | None = None
    ) -> None:
        self.head, self.n, self.d, self.outside = layout.packed_bytes, n, d, outside
        self.reading = reading
        self._shares = cache(reading.shares) if reading else None

    def in_order(self, probes: int) -> int:
        """Bytes read one after the other: the head, of ``probes`` cells where there are any."""
        if not self._shares or not self.reading:
            return self.n * self.head
        cells = len(self.reading.cells.centres)
        return cells * self.d + int(self._shares(probes or cells)[0] * self.head)

    def at_random(self, probes: int, survivors: int) -> int:
        """Weighted bytes of the rows that are looked at one by one."""
        if self._shares and self.reading:
            survivors = int(survivors * self._shares(probes or len(self.reading.cells.centres))[1])
        exact = FINALISTS + self.outside * self.n
        return int(survivors * _row_bytes(self.d) + exact * _row_bytes(2 * self.d))

    def __call__(self, probes: int, survivors: int) -> int:
        return self.in_order(probes) + self.at_random(probes, min(survivors, self.n))


class Side:
    """An index under trial: its efforts, and what they cost."""

    def __init__(self, layout: Layout, index: Tunable, cost: Cost) -> None:
        self.layout, self.index, self.cost = layout, index, cost
        count = 0 if index.cells is None else len(index.cells.centres)
        self.probes = sorted({max(1, round(count * share)) for share in PROBED if count} | {count})
        steps = math.ceil(math.log(max(1.0, cost.n / FINALISTS), STEP))
        self.survivors = [round(FINALISTS * STEP**step) for step in range(steps)] + [cost.n]

    def margin(self, probes: int) -> float:
        """Return the margin of cells that may be left out; 0 where there are no cells."""
        reading = self.cost.reading
        return reading.margin(probes) if reading else 0.0

    @property
    def memory(self) -> int:
        """Bytes of the codes and the cells."""
        cells = self.index.cells
        return self.index.code_bytes + (cells.centres.nbytes if cells else 0)

    def higher(self, probes: int, survivors: int) -> tuple[int, int] | None:
        """Return the next effort; None at the top."""
        if (probes, survivors) == (self.probes[-1], self.survivors[-1]):
            return None
        return _after(self.probes, probes), _after(self.survivors, survivors)


def exact_bytes(n: int, d: int) -> int:
    """Bytes that exact search keeps and reads: float32 vectors."""
    return 4 * n * d


def milliseconds(in_order: float, at_random: float, threads: int) -> float:
    """A query's time by the bytes that it reads; threads share what is read in order."""
    return 1e3 * (in_order / threads + at_random) / BYTES_A_SECOND


def layouts(deviation: Float32Array) -> list[Layout]:
    """Return the heads to choose from, the smaller first, each once."""
    heads: dict[tuple[int, int], Layout] = {}
    for size in HEAD_BYTES:
        chosen = best_head(deviation, size)
        heads.setdefault(chosen, Layout(size, *chosen))
    return list(heads.values())


def headed(fitted: Fit, layout: Layout) -> Fit:
    """Return the same fit with the head of ``layout``."""
    step = fitted.deviation[: layout.components] * np.float32(QUANTISERS[layout.bits][0])
    return replace(fitted, bits=layout.bits, head_step=step)


def _row_bytes(size: int) -> float:
    return RANDOM_BYTES + RANDOM_FACTOR * size


def _after(ladder: list[int], value: int) -> int:
    """Return what follows on a rising ladder; its last step follows itself."""
    return ladder[min(len(ladder) - 1, ladder.index(value) + 1)]
