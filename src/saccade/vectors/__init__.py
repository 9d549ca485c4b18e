"""Index kinds: from query vectors to the nearest rows of a matrix, by cosine similarity."""

from saccade.vectors.exact import ExactIndex

INDEXES: dict[str, type[ExactIndex]] = {"exact": ExactIndex}
