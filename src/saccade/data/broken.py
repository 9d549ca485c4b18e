"""Pictures that cannot be read: named, left out, counted, and too many of them refused."""

from collections.abc import Mapping, Sequence

from saccade.errors import InputError
from saccade.values import Broken, Sample


def part_broken(
    samples: Sequence[Sample], reasons: Mapping[int, str]
) -> tuple[list[Sample], list[Broken]]:
    """Part the samples into those that were read and those that were not.

    ``reasons`` says by place why not, as ``load_readable`` returns them.
    """
    read = [sample for row, sample in enumerate(samples) if row not in reasons]
    return read, [Broken(str(samples[row].path), reasons[row]) for row in sorted(reasons)]


def require_few(broken: Sequence[Broken], *, of: int, allowed: float) -> None:
    """Raise InputError, naming the first, when more than the share ``allowed`` is broken, or all.

    ``of`` is the number of all pictures.
    """
    if not broken or (len(broken) <= allowed * of and len(broken) < of):
        return
    limit = f", more than the share {allowed:g} that data.broken allows" if allowed < 1 else ""
    raise InputError(
        f"{len(broken):,} of {of:,} pictures cannot be read{limit}; the first: {broken[0].reason}"
    )
