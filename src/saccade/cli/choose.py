"""``saccade choose GALLERY``: how similarities are taken, and whether that helps."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import BROKEN, BrokenShare, Embedder, GalleryFolder, Json
from saccade.cli.output import lines_of_broken, shown, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.judge.choices import Tried
    from saccade.judge.comparison import FigurePair

AGAIN = "it was for other similarities; set one: saccade threshold GALLERY VALUE"


def choose(
    gallery: GalleryFolder,
    /,
    *settings: str,
    data: Annotated[Path | None, Parameter(name="--try")] = None,
    embedder: Embedder = None,
    broken: Annotated[
        BrokenShare,
        Parameter(help="With --try: share of the pictures that may be unreadable."),
    ] = BROKEN,
    json: Json = False,
) -> int:
    """Choose how similarities are taken, or with --try see on pictures whether a choice helps.

    Without settings it says what is chosen. With --try nothing is changed, and the exit code is 1
    when no choice is shown to help.

    Parameters
    ----------
    settings
        templates=best: an identity is as alike as its best picture; templates=mean: as the mean of
        its pictures. centred=yes: similarities are taken after the mean of all enrolled vectors is
        subtracted; centred=no: as they are. A change drops the threshold.
    data
        Labelled pictures, several of each class, on which each choice is judged.
    """
    if data is not None:
        if settings:
            raise InputError("--try changes nothing; give the settings in another command")
        return _try(gallery, data, embedder, broken, json=json)
    from saccade.gallery import Gallery

    wanted = _read(settings)
    with Gallery.open(gallery) as opened:
        now = opened.choose(**wanted)
    lines = [f"{name}: {value}" for name, value in now.choices.items()]
    if now.dropped is not None:
        lines.append(f"the threshold {now.dropped:.4f} is dropped: {AGAIN}")
    tell(now, lines, json=json)
    return 0


def _read(settings: tuple[str, ...]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or name in wanted:
            why = "is given twice" if equals else "is no setting"
            raise InputError(f"'{setting}' {why}; write each once, as templates=mean")
        wanted[name] = value
    return wanted


def _try(gallery: Path, data: Path, embedder: str | None, broken: float, *, json: bool) -> int:
    from saccade.api.gallery import Gallery

    with Gallery.open(gallery, embedder=embedder) as opened:
        tried = opened.try_choices(data, broken=broken)
        left_out = opened.left_out
    lines = [*lines_of_broken(left_out), *_lines(tried, data)]
    tell({"tried": [one.to_dict() for one in tried], "broken": left_out}, lines, json=json)
    return 0 if any(one.verdict == "helps" for one in tried) else 1


def _lines(tried: "tuple[Tried, ...]", data: Path) -> Iterator[str]:
    first = tried[0]
    yield (
        f"{shown(str(data))}: {first.searches:,} searches of {first.rank_1.difference.n:,} "
        "identities, each picture among all others"
    )
    whence = "as with the gallery's threshold" if first.of_threshold else "the least it can tell"
    yield f"FNIR where {100 * first.fpir:.3g} % of strangers are taken for somebody, {whence}"
    for one in tried:
        yield f"{one.choice}={one.value} instead of {one.default}: {one.verdict}"
        yield f"  rank-1 {_pair(one.rank_1)}"
        yield f"  FNIR   {_pair(one.fnir)}"
        yield f"  the threshold for it: {one.threshold:.4f}"


def _pair(pair: "FigurePair") -> str:
    gap = pair.difference
    ends = f"{100 * gap.low:+.3g} to {100 * gap.high:+.3g}"
    return f"{pair.a} without, {pair.b} with: {100 * gap.value:+.3g} points ({ends})"


COMMANDS = {"choose": choose}
