"""Commands on what is said of identities: describe, show, terms."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import GalleryFolder, Json
from saccade.cli.output import shown, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.gallery import CropInfo, IdentityDetails


def describe(
    gallery: GalleryFolder,
    name: str,
    /,
    *facts: str,
    remove: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    json: Json = False,
) -> int:
    """Say something of an identity, for find --where and list --where; a known key is replaced.

    Parameters
    ----------
    name
        Identity that the facts are about.
    facts
        What to say, each as KEY=VALUE: site=A year=2021.
    remove
        Key of a fact to take away; may be given several times.
    """
    from saccade.gallery import Gallery

    if not facts and not remove:
        raise InputError("nothing is said; give facts as KEY=VALUE, or --remove KEY")
    told = dict(_fact(text) for text in facts)
    if len(told) < len(facts):
        raise InputError("a key is given twice; say each fact once")
    with Gallery.open(gallery) as opened:
        now = opened.describe(name, told, remove=remove)
    tell({"name": name, "facts": now}, [f"{shown(name)}: {_listed(now)}"], json=json)
    return 0


def show(gallery: GalleryFolder, name: str, /, *, json: Json = False) -> int:
    """Show what is stored of an identity: its pictures, facts and terms.

    Parameters
    ----------
    name
        Identity to show.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        found = opened.show(name)
    tell(found, _lines(found), json=json)
    return 0


def terms(
    gallery: GalleryFolder,
    name: str,
    /,
    *,
    consent: str | None = None,
    expires: str | None = None,
    json: Json = False,
) -> int:
    """Set the day of an identity's consent, and that from which it is to be forgotten.

    It is no hit from the day on which it expires (UTC); forget --expired then removes it.
    Names that are merged with it have days of their own.

    Parameters
    ----------
    name
        Identity that the days are of.
    consent
        Day, as 2026-01-31, or none.
    expires
        Day, as 2027-01-31, or none.
    """
    from saccade.gallery import Gallery

    with Gallery.open(gallery) as opened:
        now = opened.set_terms(name, consent=consent, expires=expires)
        also = opened.show(name).also
    line = f"{shown(name)}: consent {now.consent or 'none'}, expires {now.expires or 'never'}"
    others = [one for one in also if one[1] != now.expires]
    tell({"name": name, **now._asdict()}, [line, *_others(others)], json=json)
    return 0


def _fact(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"'{text}' is no fact; write KEY=VALUE, as site=A")
    return key, value


def _lines(found: "IdentityDetails") -> Iterator[str]:
    yield f"{shown(found.name)}: enrolled {found.enrolled_at}, {len(found.pictures)} pictures"
    yield f"facts: {_listed(found.facts)}"
    yield f"consent: {found.consent or 'none'}   expires: {found.expires or 'never'}"
    yield from _others(found.also)
    for picture in found.pictures:
        own = f"   {_listed(picture.facts)}" if picture.facts else ""
        kept = "   original kept" if picture.kept else ""
        yield f"   {picture.picture_id}  {shown(picture.picture)}{_origin(picture.crop)}{own}{kept}"


def _others(also: Sequence[tuple[str, str | None]]) -> Iterator[str]:
    """A line for each name that is merged with it, which ends on a day of its own."""
    for name, expires in also:
        yield f"one with {shown(name)}, which expires: {expires or 'never'}"


def _origin(crop: "CropInfo | None") -> str:
    if crop is None:
        return ""
    x, y, width, height = (round(side) for side in crop.box)
    aligned = "" if crop.aligned else ", not aligned"
    return f"   box {x} {y} {width} {height} of photo {crop.photo}{aligned}"


def _listed(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{shown(key)}={shown(facts[key])}" for key in sorted(facts)) or "none"


COMMANDS = {"describe": describe, "show": show, "terms": terms}
