"""The report on limits: other pictures, and what the model looks at."""

from collections.abc import Callable, Mapping, Sequence

from saccade.judge.drops import SHARES, worse_text
from saccade.judge.limits import Background, Limits, Seen, Transfer
from saccade.judge.report_frame import framed
from saccade.judge.wording import limits, percent, tile
from saccade.report import (
    Part,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    data_uri,
)
from saccade.values import Interval

MOST_NAMES = 20  # of what was left out


def limits_report(
    found: Limits,
    *,
    examples: Sequence[Sequence[Seen]] = (),
    about: Mapping[str, str] | None = None,
) -> str:
    """Return one self-contained HTML page.

    ``examples``: pictures in the ways that they were shown. ``about``: rows for the last table.
    """
    write = percent if found.figure in SHARES else _number
    sections, method = [], []
    if found.transfer is not None:
        sections.append(Section("On other pictures", _transfer(found, found.transfer, write)))
        method.append(Text(TRANSFER))
    if found.background is not None:
        parts = _background(found, found.background, write)
        sections.append(Section("Object and background", parts))
        method.append(Text(BACKGROUND))
    if found.notes:
        told = (Text(f"{note[0].upper()}{note[1:]}.", tone="warning") for note in found.notes)
        sections.insert(0, Section("What flatters", tuple(told)))
    if examples:
        sections.append(Section("What the model was shown", (_sheet(examples),)))
    return framed(
        "Where this model ends",
        sections,
        method=tuple(method),
        history=None,
        about=about,
        subtitle=f"Judged by {found.figure}.",
    )


def _number(value: float) -> str:
    return f"{value:.4g}"


def _transfer(found: Limits, part: Transfer, write: Callable[[float], str]) -> tuple[Part, ...]:
    parts: list[Part] = [
        Tiles(
            (
                _tile(found, "First data", part.first, write),
                _tile(found, "Second data", part.second, write),
            )
        ),
        _said(part.sentence, part.shown),
    ]
    if part.left_out:
        names = ", ".join(part.left_out[:MOST_NAMES])
        rest = ", …" if len(part.left_out) > MOST_NAMES else ""
        parts.append(Text(f"Left out: {names}{rest}.", tone="note"))
    return tuple(parts)


def _background(found: Limits, part: Background, write: Callable[[float], str]) -> tuple[Part, ...]:
    rows = (
        ("as they are", part.as_they_are, None),
        ("object hidden", part.object_hidden, part.object_worse),
        ("background hidden", part.background_hidden, part.background_worse),
    )
    table = Table(
        ("Pictures", found.figure.capitalize(), "Worse by"),
        tuple(
            (
                name,
                f"{write(score.value)} ({limits(score, write)})",
                worse_text(worse, found.figure) if worse else "–",
            )
            for name, score, worse in rows
        ),
        caption=(
            f"Chance: {write(part.chance)}. What hides the object takes {percent(part.hidden)} of "
            "a picture on average. In brackets: the 95 % interval."
        ),
    )
    first, second = part.sentences
    tiles = Tiles(tuple(_tile(found, name.capitalize(), one, write) for name, one, _ in rows))
    return tiles, _said(first, part.shown), _said(second, False), table


def _tile(found: Limits, label: str, one: Interval, write: Callable[[float], str]) -> Tile:
    return tile(label, one, write, drawn=found.figure in SHARES)


def _said(sentence: str, shown: bool) -> Text:
    return Text(f"{sentence[0].upper()}{sentence[1:]}.", tone="warning" if shown else "plain")


def _sheet(examples: Sequence[Sequence[Seen]]) -> PictureSheet:
    return PictureSheet(
        tuple(
            tuple(
                Picture(
                    data_uri(one.picture, kind="png"),
                    one.role,
                    one.answer,
                    tone="good" if one.right else "bad",
                )
                for one in group
            )
            for group in examples
        )
    )


TRANSFER = (
    "The same model answers both data sets, of the classes that both have. The interval of the "
    "difference joins those of the two scores. After Torralba and Efros, CVPR 2011: a model learns "
    "also how its data were gathered, and only other data show how much. Pictures of the first "
    "data that were trained on flatter the first score."
)
BACKGROUND = (
    "Object and background are hidden behind one grey, the mean of all pictures judged; of a mask "
    "the rectangle around the object hides it, so that its outline does not show. Chance is the "
    "score of always giving the best single answer; of searches, of finding blindly. A model that "
    "is right more often than that without the object has learned what stands around it. That it "
    "falls where the background is hidden can also come of pictures that look like none it has "
    "seen. After Xiao and others, “Noise or Signal”, ICLR 2021."
)
