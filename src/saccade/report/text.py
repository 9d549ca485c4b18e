"""Foreign text on a page: names of classes, files and columns, which may hold anything.

Characters that turn the direction of what follows, or that no screen shows, are written as escapes;
a name inside a sentence is isolated from it (Unicode Standard Annex 9, section 3.1.2), so that
right-to-left names leave the numbers beside them in place.
"""

import re

from markupsafe import Markup, escape

LONGEST = 120  # letters of a name that are shown; the whole of it is in the element's title
LONGEST_TEXT = 4000  # of a sentence; none of ours is nearly as long
UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029"
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates
    "\ud800-\udfff]"  # bytes of a file name that are no UTF-8
)
QUOTED = re.compile("“([^”]*)”")


def clean(text: str) -> str:
    """Return ``text`` with escapes such as \\u202e in place of what must not act on a page."""
    return UNSHOWN.sub(lambda one: one[0].encode("unicode_escape").decode(), text)


def short(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` cleaned, and cut with "…" to ``longest`` letters."""
    whole = clean(text[: longest + 1])
    return whole if len(whole) <= longest else f"{whole[: longest - 1]}…"


def name(text: str, longest: int = LONGEST) -> Markup:
    """Return a name as HTML; of a long one the beginning, with the whole as its title."""
    cut, whole = short(text, longest), clean(text)
    if cut == whole:
        return escape(whole)
    return Markup('<span title="{}">{}</span>').format(whole, cut)


def sentence(text: str) -> Markup:
    """Return a sentence as HTML; what stands in “ ” is a name, isolated and never long."""
    parts = QUOTED.split(text)
    quoted = [Markup("“<bdi>{}</bdi>”").format(short(one, LONGEST)) for one in parts[1::2]]
    plain = [escape(short(one, LONGEST_TEXT)) for one in parts[::2]]
    joined = [*(piece for pair in zip(plain, quoted, strict=False) for piece in pair), plain[-1]]
    return Markup("").join(joined)
