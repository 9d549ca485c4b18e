"""The parts that a page is built of; all text in them is escaped by the page."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from saccade.errors import InputError

# No scheme and no host: without ":" and without "//" at its beginning it stays in its folder tree.
RELATIVE = re.compile(r"|(?!/)[\w.~%/-]+", re.ASCII)
COLOUR = re.compile("#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a "note" and a "warning" stand in a box."""

    kind: ClassVar[str] = "text"
    text: str
    tone: Literal["plain", "note", "warning"] = "plain"


@dataclass(frozen=True, slots=True)
class Tile:
    """A key figure. ``low``, ``at``, ``high``: shares in [0, 1] that draw its interval as a bar."""

    label: str
    value: str
    detail: str
    low: float | None = None
    at: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tiles:
    """Key figures side by side."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a head of as many cells; an empty head draws none.

    The first cell of a row names it. On a narrow screen each row becomes a block. ``anchors``, if
    any, one a row: the drawer that its first cell opens, empty for none; ``links``: the file beside
    the page that it opens, a relative address, percent-encoded. ``keys``, a row of as many a row,
    let a click on a head sort the rows by them: numbers by size, an empty one last.
    """

    kind: ClassVar[str] = "table"
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    anchors: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    keys: tuple[tuple[str | float, ...], ...] = ()

    def __post_init__(self) -> None:
        width = len(self.head) or (len(self.rows[0]) if self.rows else 0)
        for number, row in enumerate((*self.rows, *self.keys), 1):
            if len(row) != width:
                raise InputError(f"table row {number} has {len(row)} cells; it needs {width}")
        for link in self.links:
            if not RELATIVE.fullmatch(link):
                raise InputError(f"link '{link}' is no relative, percent-encoded address")

    def target(self, row: int) -> str:
        """Where the first cell of a row, counted from 0, leads; empty for nowhere."""
        if self.links:
            return self.links[row]
        return f"#{self.anchors[row]}" if self.anchors and self.anchors[row] else ""


@dataclass(frozen=True, slots=True)
class Chart:
    """An SVG made by ``charts``, with its title and a sentence below it.

    ``wide`` gives it the whole width of the page.
    """

    title: str
    svg: str
    caption: str = ""
    wide: bool = False

    def __post_init__(self) -> None:
        if not self.svg.startswith('<svg class="chart"'):
            raise InputError(f"chart '{self.title}' is no SVG from report.charts; draw it there")


@dataclass(frozen=True, slots=True)
class Charts:
    """Charts side by side where there is room."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a data URI; ``role`` says what it is here, ``name`` what it shows.

    ``details``: small lines below the name.
    """

    uri: str
    role: str
    name: str
    details: tuple[str, ...] = ()
    tone: Literal["plain", "good", "bad"] = "plain"

    def __post_init__(self) -> None:
        if not self.uri.startswith("data:image/"):
            raise InputError(f"picture '{self.name}' is no data URI; make one with data_uri")


@dataclass(frozen=True, slots=True)
class PictureSheet:
    """Groups of pictures that belong together, each group one card.

    ``large``: a card takes the whole width, so that much can be seen in its pictures.
    ``filled``: groups are of one picture each, which fills its card.
    """

    kind: ClassVar[str] = "pictures"
    groups: tuple[tuple[Picture, ...], ...]
    large: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Legend:
    """What colours stand for: (colour as "#rrggbb", name) side by side."""

    kind: ClassVar[str] = "legend"
    entries: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        for colour, name in self.entries:
            if not COLOUR.fullmatch(colour):
                raise InputError(f"the colour of '{name}' must be as #0072b2. Got '{colour}'")


@dataclass(frozen=True, slots=True)
class Drawer:
    """Pictures that are seen when a link to ``anchor``, letters, digits and "-", was followed."""

    anchor: str
    title: str
    groups: tuple[tuple[Picture, ...], ...]

    def __post_init__(self) -> None:
        if not all(c.isascii() and (c.isalnum() or c == "-") for c in self.anchor):
            raise InputError(f"anchor '{self.anchor}' may hold letters, digits and - only")


@dataclass(frozen=True, slots=True)
class Drawers:
    """Closed drawers; a link to one opens it and closes the others. No script is needed."""

    kind: ClassVar[str] = "drawers"
    drawers: tuple[Drawer, ...]


Part = Text | Tiles | Table | Charts | PictureSheet | Legend | Drawers


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    heading: str
    parts: tuple[Part, ...]
