"""Cleaning of matplotlib's SVG, so that many charts can stand in one page.

Only tags are touched, never the text between them: matplotlib escapes "<" and ">" there, so that
what lies between angle brackets is its own.
"""

import re
from collections.abc import Mapping
from html import escape

TAG = re.compile(r"<[a-zA-Z][^<>]*>")
ID = re.compile(r' id="([^"]*)"')
REFERENCE = re.compile(r'(url\(#|href="#)([^")]+)')
COLOUR = re.compile(r"(fill|stroke|stop-color): (#[0-9a-f]{6})")
FONT = re.compile(r" ?font-family: [^;\"]*;?")
VIEW_BOX = re.compile(r'viewBox="([^"]*)"')
STYLE_BLOCK = re.compile(r"\s*<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
SPACES = re.compile(r"\n\s*")
NO_TURN = re.compile(r' transform="rotate\(-0 [^)]*\)"')


def tidy(svg: str, *, title: str, description: str, variables: Mapping[str, str]) -> str:
    """Return one ``<svg>`` element without head, style block, unused ids and needless spaces.

    ``variables``: colour → CSS variable that may replace it; the colour stays as the fallback.
    ``title`` and ``description`` become the accessible name and description.
    """
    body = STYLE_BLOCK.sub("", svg[svg.index("<svg") :])
    box = VIEW_BOX.search(body)
    inner = body[body.index(">") + 1 :].rstrip()
    used = {found[1] for tag in TAG.findall(inner) for found in REFERENCE.findall(tag)}

    def clean(match: re.Match[str]) -> str:
        tag = ID.sub(lambda one: one[0] if one[1] in used else "", match[0])
        tag = FONT.sub("", NO_TURN.sub("", tag))
        tag = COLOUR.sub(lambda one: f"{one[1]}: {_variable(one[2], variables)}", tag)
        return SPACES.sub(" ", tag)

    inner = re.sub(r">\s+<", "><", TAG.sub(clean, inner))
    name, more = escape(title), escape(description)
    described = f"<desc>{more}</desc>" if description else ""
    role = "group" if "<a " in inner else "img"  # what can be clicked is more than an image
    return (
        f'<svg class="chart" role="{role}" aria-label="{name}" viewBox="{box[1] if box else ""}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'font-family="sans-serif" style="stroke-linejoin: round; stroke-linecap: butt">'
        f"<title>{name}</title>{described}{inner}"
    )


def prefix_ids(svg: str, prefix: str) -> str:
    """Put ``prefix`` before every id of ``svg`` and every reference to one of them.

    A reference to what lies elsewhere in the page, a link, stays as it is.
    """

    own = {found[1] for tag in TAG.findall(svg) for found in ID.finditer(tag)}

    def refer(match: re.Match[str]) -> str:
        return f"{match[1]}{prefix if match[2] in own else ''}{match[2]}"

    def rename(match: re.Match[str]) -> str:
        return REFERENCE.sub(refer, ID.sub(lambda one: f' id="{prefix}{one[1]}"', match[0]))

    return TAG.sub(rename, svg)


def _variable(colour: str, variables: Mapping[str, str]) -> str:
    return f"var({variables[colour]}, {colour})" if colour in variables else colour


def standalone(svg: str, *, paper: str) -> str:
    """Return a chart as the content of a file of its own: with a size, on ``paper``, a colour."""
    head, box, rest = VIEW_BOX.split(svg, maxsplit=1)
    width, height = box.split()[2:]
    start = rest.index("</title>") + len("</title>")
    return (
        f'{head}width="{width}" height="{height}" viewBox="{box}"{rest[:start]}'
        f'<rect width="100%" height="100%" style="fill: {paper}"/>{rest[start:]}\n'
    )
