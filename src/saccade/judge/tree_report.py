"""The part of a classifier's report that tells how far its mistakes lie in the tree of classes."""

from saccade.judge.tree import TreeScores
from saccade.judge.wording import limits, percent, tile
from saccade.report import Part, Table, Text, Tiles


def tree_part(scores: TreeScores) -> tuple[Part, ...]:
    """Return tiles, a sentence and a table of the distances."""
    intro = Text(
        "The distance of an answer is the number of steps in the tree of classes, up from the "
        "true class to what both belong to, and down again; a right answer has distance 0. Two "
        "classes of one kind are 2 apart."
    )
    if scores.mistakes is None or scores.guessed is None:
        return intro, Text("There is no mistake.")
    tiles = (
        tile("Mean distance of the mistakes", scores.mistakes, _steps, drawn=False),
        tile("Mean distance of all answers", scores.answers, _steps, drawn=False),
    )
    wrong = sum(count for _, count in scores.at_distance)
    rows = [
        (f"{distance}", f"{count:,}", percent(count / wrong))
        for distance, count in scores.at_distance
    ]
    found = scores.mistakes
    compared = Text(
        f"A mistake lies {_steps(found.value)} steps off on average ({limits(found, _steps)}). Had "
        f"any wrong class been as likely as another, it would be {_steps(scores.guessed)}."
    )
    return intro, Tiles(tiles), compared, Table(("Distance", "Mistakes", "Share"), tuple(rows))


def _steps(value: float) -> str:
    return f"{value:.2f}"
