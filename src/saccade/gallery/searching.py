"""Search by pictures: read, embedded and searched block by block; a broken one has its reason."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from saccade.data.pictures import read_picture
from saccade.errors import PictureError
from saccade.gallery.enrol import embedded
from saccade.values import Embedder, Float32Array, Found, Sample

BLOCK_PICTURES = 32


class Search(Protocol):
    """Answers vectors (q, d), each with the name that it is shown by."""

    def __call__(self, vectors: Float32Array, *, names: Sequence[str]) -> list[Found]: ...


def searched(
    embedder: Embedder, sources: Sequence[Path | Sample], search: Search
) -> Iterator[Found]:
    """Yield the answer of each picture, in order, when its block is searched."""
    for start in range(0, len(sources), BLOCK_PICTURES):
        yield from _block(embedder, sources[start : start + BLOCK_PICTURES], search)


def _block(embedder: Embedder, sources: Sequence[Path | Sample], search: Search) -> list[Found]:
    names = [str(item.path if isinstance(item, Sample) else item) for item in sources]
    readable, found = {}, {}
    for row, source in enumerate(sources):
        try:
            readable[row] = read_picture(source)
        except PictureError as error:
            found[row] = Found(names[row], (), None, str(error))
    if readable:
        vectors = embedded(embedder, list(readable.values()))
        answers = search(vectors, names=[names[row] for row in readable])
        found |= dict(zip(readable, answers, strict=True))
    return [found[row] for row in range(len(sources))]
