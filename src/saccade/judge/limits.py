"""``limits``: does a model hold on other pictures, and does it look at the object?

Another data set: A. Torralba and A. A. Efros, "Unbiased Look at Dataset Bias", CVPR 2011. Object
and background: K. Xiao, L. Engstrom, A. Ilyas and A. Madry, "Noise or Signal: The Role of Image
Backgrounds in Object Recognition", ICLR 2021 (arXiv:2006.09994), whose Only-BG-B is our hidden
object and whose Only-FG is our hidden background. We differ: what is hidden becomes grey, the mean
of all pictures judged, rather than black, so that no picture's own colour shows through.
"""

from dataclasses import dataclass, replace
from typing import Any

from saccade.judge.drops import (
    SHARES,
    Floats,
    Groups,
    drop_text,
    paired_drop,
    score_interval,
    unpaired_drop,
)
from saccade.judge.plain import plain
from saccade.values import Broken, Interval, UInt8Array


@dataclass(frozen=True, slots=True)
class Transfer:
    """The score on a second data set; ``worse``, above 0, is how much worse than on the first.

    ``left_out`` names what only one of them has, and is judged in neither.
    """

    first: Interval
    second: Interval
    worse: Interval
    left_out: tuple[str, ...]
    sentence: str

    @property
    def shown(self) -> bool:
        """True when it is shown to be worse."""
        return self.worse.low > 0


@dataclass(frozen=True, slots=True)
class Background:
    """Scores as the pictures are, with the object hidden, and with the background hidden.

    ``chance``: the score of who looks at nothing. ``object_worse`` and ``background_worse``: how
    much worse than as they are. ``hidden``: the mean share of the picture that hides the object.
    """

    as_they_are: Interval
    object_hidden: Interval
    object_worse: Interval
    background_hidden: Interval
    background_worse: Interval
    chance: float
    hidden: float
    sentences: tuple[str, str]
    higher_is_better: bool

    @property
    def shown(self) -> bool:
        """True when it answers better than chance where the object is hidden."""
        if self.higher_is_better:
            return self.object_hidden.low > self.chance
        return self.object_hidden.high < self.chance


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture, (H, W) or (H, W, 3) uint8, as it was shown, what was answered, and if rightly."""

    role: str
    picture: UInt8Array
    answer: str
    right: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a model ends; ``transfer`` or ``background`` is None where it was not asked for.

    ``n`` of an interval counts ``units``. ``notes``: what flatters. ``broken`` names the pictures
    that were left out.
    """

    figure: str
    units: str
    transfer: Transfer | None = None
    background: Background | None = None
    notes: tuple[str, ...] = ()
    broken: tuple[Broken, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was found, in words."""
        transfer = (self.transfer.sentence,) if self.transfer else ()
        return (*transfer, *(self.background.sentences if self.background else ()))

    @property
    def shown(self) -> bool:
        """True when a limit is shown: worse on other pictures, or looking at the background."""
        return any(part is not None and part.shown for part in (self.transfer, self.background))

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain numbers and text."""
        return {**plain(self), "shown": self.shown, "sentences": list(self.sentences)}


def judge_transfer(
    first: Floats,
    second: Floats,
    *,
    figure: str,
    groups: tuple[Groups, Groups] = (None, None),
    left_out: tuple[str, ...] = (),
) -> Transfer:
    """Judge scores (s,) on the first data and (t,) on the second; ``groups`` name their units."""
    before, after = (
        score_interval(scores, figure=figure, groups=names)
        for scores, names in zip((first, second), groups, strict=True)
    )
    worse = unpaired_drop(before, after, figure=figure)
    sentence = f"on the second data, {figure} {drop_text(worse, figure)}"
    return Transfer(before, after, worse, left_out, sentence)


def judge_background(
    before: Floats,
    without_object: Floats,
    without_background: Floats,
    *,
    figure: str,
    chance: float,
    hidden: float,
    groups: Groups = None,
) -> Background:
    """Judge scores (s,) of the same pictures as they are, and with object or background hidden."""
    scores = [
        score_interval(one, figure=figure, groups=groups)
        for one in (before, without_object, without_background)
    ]
    worse = [
        paired_drop(before, one, figure=figure, groups=groups)
        for one in (without_object, without_background)
    ]
    higher = figure in SHARES
    found = Background(
        scores[0], scores[1], worse[0], scores[2], worse[1], chance, hidden, ("", ""), higher
    )
    return replace(found, sentences=_sentences(found, figure))


def _sentences(found: Background, figure: str) -> tuple[str, str]:
    score, chance = found.object_hidden.value, found.chance
    if found.higher_is_better:
        right = f"{100 * score:.0f} % right (chance {100 * chance:.0f} %)"
    else:
        right = f"{figure} {score:.4g} (chance {chance:.4g})"
    unseen = f"{right}: it is not shown to look at the background"
    seen = f"still {right}: it looks at the background"
    return (
        f"with the object hidden, {seen if found.shown else unseen}",
        f"with the background hidden, {figure} {drop_text(found.background_worse, figure)}",
    )
