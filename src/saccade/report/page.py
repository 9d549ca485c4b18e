"""One self-contained HTML page: nothing loaded from outside, light, dark and print.

There is no script, but on a page with a table that can be sorted the one that sorts it; the
browser is told its hash, and runs no other (W3C, Content Security Policy Level 3, section 2.3.1).
"""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from itertools import count
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from saccade.report.parts import Section, Table
from saccade.report.svg import prefix_ids
from saccade.report.text import clean, name, sentence, short

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

    parts = [part for section in sections for part in section.parts]
    sorts = any(isinstance(part, Table) and part.keys for part in parts)
    return _template().render(
        title=title, subtitle=subtitle, sections=sections, inline=inline, sorts=sorts
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
    )
    environment.filters |= {"name": name, "sentence": sentence, "short": short}
    script = (TEMPLATES / "sort.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {
        "style": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_source": f"'sha256-{digest}'",
    }
    return environment.get_template("page.html")
