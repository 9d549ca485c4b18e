"""One self-contained HTML page: no script, nothing loaded from outside, light, dark and print."""

from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from saccade.report.parts import Section
from saccade.report.svg import prefix_ids

TEMPLATES = Path(__file__).parent / "templates"


def page(title: str, sections: Sequence[Section], *, subtitle: str = "") -> str:
    """Return the whole page as text; every string in ``sections`` is escaped.

    The browser is told to load nothing (Content-Security-Policy), so that even a mistake here
    could not send a picture away.
    """
    numbers = count(1)

    def inline(svg: str) -> Markup:
        """An SVG from ``charts`` is ours, and what users wrote in it is escaped already."""
        return Markup(prefix_ids(svg, f"c{next(numbers)}-"))

    text = _template().render(title=title, subtitle=subtitle, sections=sections, inline=inline)
    # A file name may hold bytes that are no UTF-8; they are shown as \udc80 and the like.
    return text.encode("utf-8", "backslashreplace").decode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    environment.globals["style"] = style
    return environment.get_template("page.html")
