"""What a tuning answers: the choice, and whether each wish is kept."""

from collections.abc import Sequence

from saccade.values import Interval
from saccade.vectors.drift import Losses
from saccade.vectors.scan_coded import FINALISTS
from saccade.vectors.tuned import Tried, Tuned, Wish
from saccade.vectors.tuning_cost import Side, exact_bytes, milliseconds


def scanned(
    wish: Wish,
    side: Side,
    effort: tuple[int, int],
    recall: Interval,
    strangers: int,
    lost: Losses,
    tried: Sequence[Tried],
) -> Tuned:
    """The scan, with this effort and the recall that held-out queries measured.

    ``strangers`` of those queries were asked as such.
    """
    layout, cost, fitted = side.layout, side.cost, side.index.fitted
    probes, survivors = effort
    parts = cost.in_order(probes), cost.at_random(probes, survivors)
    broken = _broken(wish, side.memory, milliseconds(*parts, wish.threads))
    why = f"recall {recall.value:.4f}, at least {recall.low:.4f}, on {recall.n:,} held-out rows"
    if strangers:
        why += f", {strangers / recall.n:.0%} of them asked as strangers"
    return Tuned(
        kind="scan",
        rows=cost.n,
        dimension=cost.d,
        head_bytes=layout.head_bytes,
        components=len(fitted.head_step),
        bits=fitted.bits,
        cells=layout.cells,
        probes=probes,
        survivors=survivors,
        margin=side.margin(probes),
        finalists=FINALISTS,
        recall=recall.value,
        recall_low=recall.low,
        queries=recall.n,
        strangers=strangers,
        target=wish.recall,
        bytes_read=sum(parts),
        code_bytes=side.memory,
        unexplained=lost.unexplained,
        outside=lost.outside,
        kept=not broken,
        reason=_promise(why, broken),
        tried=tuple(tried),
    )


def exact(shape: tuple[int, ...], wish: Wish, why: str) -> Tuned:
    """Exact search of n vectors of length d; recall 1 by what it is, measured on no query."""
    n, d = shape
    size = exact_bytes(n, d)
    broken = _broken(wish, size, milliseconds(size, 0, wish.threads))
    return Tuned(
        kind="exact",
        rows=n,
        dimension=d,
        target=wish.recall,
        bytes_read=size,
        code_bytes=size,
        kept=not broken,
        reason=_promise(f"exact search: {why}", broken),
    )


def fits(wish: Wish, n: int, d: int) -> bool:
    """Whether exact search fits the memory wished for."""
    return wish.memory is None or exact_bytes(n, d) <= wish.memory


def _broken(wish: Wish, memory: int, ms: float) -> list[str]:
    """Which wishes are not kept, in words."""
    broken = []
    if wish.memory is not None and memory > wish.memory:
        broken.append(f"memory: {memory:,} bytes of {wish.memory:,} wished for")
    if wish.latency_ms is not None and ms > wish.latency_ms:
        broken.append(f"latency: about {ms:.2g} ms of {wish.latency_ms:.2g} wished for")
    return broken


def _promise(why: str, broken: list[str]) -> str:
    return f"promise kept: {'no, ' + '; '.join(broken) if broken else 'yes'} ({why})"
