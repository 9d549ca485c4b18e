"""Pictures that nobody has named: each is an identity of its own until it is grouped or renamed."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from saccade.errors import PictureError
from saccade.gallery.enrol import content_hash
from saccade.values import Sample

PREFIX = "unnamed "  # what their names begin with
DIGITS = 16  # of the content's SHA-256, so that the same picture gets the same name

Picture = TypeVar("Picture", bound=Sample)


def with_made_up_names(samples: Iterable[Picture]) -> Iterator[Picture]:
    """Yield the samples, each with a name made of its content; whatever it was called is lost.

    One that cannot be read is called by the prefix and its path, and enrolment says why not.
    """
    for sample in samples:
        try:
            name = content_hash(sample).hex()[:DIGITS]
        except (OSError, PictureError):
            name = sample.path.name
        yield replace(sample, label=f"{PREFIX}{name}")
