"""``compare`` of forecasters: two models that say the same frames."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from saccade.api.frames import answer_sequences
from saccade.data.columns import with_columns
from saccade.data.sequences import read_sequences
from saccade.errors import InputError
from saccade.judge.comparison import Compared, compare_scores
from saccade.judge.forecast import ABSOLUTE, SAID, error_rows
from saccade.tasks.model import Model
from saccade.values import Float64Array


def compare_forecasters(
    models: Sequence[Model],
    part: Path,
    *,
    metadata: Path | str | None,
    allowed: float,
    progress: Callable[[range], Iterable[int]],
) -> tuple[Compared, int]:
    """Compare two of one window by the mean absolute error of the pixels that they say.

    Returns also the number of frames. Whole sequences are resampled. Raises InputError where they
    see frames at two sizes, whose errors are not alike.
    """
    a, b = models
    if (a.size_hw, a.channels) != (b.size_hw, b.channels):
        raise InputError(
            f"A sees frames at {_size(a)}, B at {_size(b)}, and errors of two sizes are not alike; "
            "name two runs with the same data.size and data.colour"
        )
    samples = with_columns(read_sequences(part, least=sum(a.window or ())), metadata)
    scores: list[Float64Array] = []
    for model in models:  # What cannot be read is the same for both.
        said, read, _ = answer_sequences(model, samples, allowed=allowed, progress=progress)
        rows = error_rows(said.said, said.truth, said.given[:, -1])
        scores.append(rows[:, ABSOLUTE, SAID].mean(axis=1))
    names = [read[row].label for row in said.rows[:, 0].tolist()]
    figure = "mean absolute error of pixels"
    return compare_scores(*scores, figure=figure, groups=names, units="sequences"), len(read)


def _size(model: Model) -> str:
    colour = "grey" if model.channels == 1 else "colour"
    return f"{model.size_hw[0]}x{model.size_hw[1]} in {colour}"
