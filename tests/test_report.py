"""Charts, pictures and pages: deterministic, escaped, unique ids, nothing loaded from outside."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from saccade.errors import InputError
from saccade.report import (
    Chart,
    Charts,
    Legend,
    Picture,
    PictureSheet,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
    confusion_chart,
    data_uri,
    histogram,
    line_chart,
    page,
)
from saccade.report.confusion_chart import STRONGEST
from saccade.report.page import TEMPLATES

EVIL = '<script>alert(1)</script> " id="x" $\\frac{$ --> #0072b2 & fill: #0072b2'
SVG = "{http://www.w3.org/2000/svg}"


def a_line_chart(name="a", title="Loss"):
    x = np.arange(1, 9)
    series = [
        Series(name, x, 1 / x, 0.8 / x, 1.2 / x),
        Series("b", x, x / 8),
        Series("c", x, x * 0, muted=True),
    ]
    return line_chart(series, title=title, x_label=name, y_label=name, percent="y", whole_x=True)


def a_histogram(name="same"):
    rng = np.random.default_rng(0)
    groups = [(name, rng.normal(1, 1, 200)), ("two", rng.normal(0, 1, 500))]
    return histogram(groups, title="H", x_label="x", y_label="y", line_at=0.5)


def a_confusion_chart(name="a", classes=4):
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes))
    names = [name[:20], *(f"class {number}" for number in range(1, classes))]
    return confusion_chart(counts, names, title="C")


@pytest.mark.parametrize("draw", [a_line_chart, a_histogram, a_confusion_chart])
def test_a_chart_is_small_valid_accessible_and_always_the_same(draw):
    svg = draw()
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    assert root.find(f"{SVG}title").text == root.get("aria-label") != ""
    assert len(svg) < 30_000
    assert draw() == svg
    assert "<style" not in svg and "<metadata" not in svg
    assert not re.search(r"(?:href|src)=\"(?!#)", svg)


@pytest.mark.parametrize("draw", [a_line_chart, a_histogram])
def test_names_in_a_chart_stay_text(draw):
    root = ET.fromstring(draw(EVIL))
    assert EVIL in [text.text for text in root.iter(f"{SVG}text")]
    assert not list(root.iter(f"{SVG}script")) and root.get("id") is None


def test_colours_are_variables_with_a_fallback_and_lines_differ_in_style():
    svg = a_line_chart()
    assert "stroke: var(--chart-1, #0072b2)" in svg
    assert "stroke: var(--chart-2, #d55e00)" in svg
    dashes = re.findall(r"<path d=[^>]*stroke: var\(--chart-\d, [^>]*>", svg)
    assert len({re.sub(r".*stroke-dasharray: ([^;]*);.*", r"\1", path) for path in dashes}) >= 2


def test_the_users_matplotlib_settings_neither_matter_nor_change():
    plain = a_line_chart()
    with mpl.rc_context({"lines.linewidth": 9, "svg.fonttype": "path", "font.size": 30}):
        assert a_line_chart() == plain
        assert mpl.rcParams["lines.linewidth"] == 9


def test_a_log_axis_and_percentages():
    svg = line_chart(
        [Series("a", [0.001, 0.01, 0.1], [0.5, 0.7, 0.9])],
        title="ROC",
        x_label="x",
        y_label="y",
        log_x=True,
        percent="xy",
    )
    texts = [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")]
    assert {"0.1\N{NO-BREAK SPACE}%", "1\N{NO-BREAK SPACE}%"} <= set(texts)


@pytest.mark.parametrize("name", ["日本語", "_private", "Ελλάδα"])
def test_any_name_reaches_the_legend(name):
    for svg in (a_line_chart(name), a_histogram(name)):
        texts = [
            text.text.strip("\N{ZERO WIDTH SPACE}")
            for text in ET.fromstring(svg).iter(f"{SVG}text")
        ]
        assert name in texts


@pytest.mark.parametrize("values", [[0.5], [1.0, 1.0 + 2e-16], [0.0] * 9])
def test_a_histogram_of_equal_values_is_drawn(values):
    svg = histogram([("a", values), ("b", values)], title="T", x_label="x", y_label="y")
    assert "100\N{NO-BREAK SPACE}%" in svg


def test_a_confusion_matrix_shows_counts_or_names_and_stays_small():
    texts = [text.text for text in ET.fromstring(a_confusion_chart()).iter(f"{SVG}text")]
    assert "class 3" in texts and any("%" in text for text in texts)
    many = a_confusion_chart(classes=100)
    names = [text.text for text in ET.fromstring(many).iter(f"{SVG}text")]
    assert {f"class {number}" for number in range(1, 100)} <= set(names)
    assert not any("%" in name for name in names)
    assert len(many) < 1_500_000, "every cell of 10,000 is drawn here"
    thousand = confusion_chart(np.eye(300, dtype=int), ["x" * 40] * 300, title="T")
    assert thousand.count("…") == 200, "every third name, on both sides"
    empty = confusion_chart(np.zeros((3, 3), int), "abc", title="T")
    assert "class=" in empty


def luminance(colour):
    """Relative luminance of an RGB colour in [0, 1] (WCAG 2.2, its definition)."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_text_on_the_strongest_cell_can_be_read_in_light_and_dark():
    style = (TEMPLATES / "page.css").read_text()
    for scheme in style.split("@media (prefers-color-scheme: dark)")[:2]:
        found = dict(re.findall(r"--chart-(\w+): #([0-9a-f]{6})", scheme)[:9])
        rgb = {k: np.array([*bytes.fromhex(text)]) / 255 for k, text in found.items()}
        for cell in ("1", "2"):
            behind = STRONGEST * rgb[cell] + (1 - STRONGEST) * rgb["paper"]
            dark, light = sorted((luminance(rgb["ink"]), luminance(behind)))
            assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_empty_charts_are_refused():
    with pytest.raises(InputError, match=r"needs \(2, 2\) counts"):
        confusion_chart(np.eye(3), ["a", "b"], title="T")
    with pytest.raises(InputError, match="no series"):
        line_chart([], title="T", x_label="x", y_label="y")
    with pytest.raises(InputError, match="empty group"):
        histogram([("a", [])], title="T", x_label="x", y_label="y")


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_picture_becomes_a_small_data_uri(kind):
    picture = np.zeros((300, 600, 3), np.uint8)
    picture[:, :300] = 200, 30, 30
    uri = data_uri(picture, longest_side=100, kind=kind)
    head, data = uri.split(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:image/{kind};base64"
    assert image.size == (100, 50) and image.format == kind.upper()
    np.testing.assert_allclose(image.getpixel((10, 25)), (200, 30, 30), atol=6)
    assert data_uri(picture, longest_side=100, kind=kind) == uri
    assert data_uri(picture[:, :, 0]).startswith("data:image/")


@pytest.mark.parametrize("shape", [(3, 4, 5, 3), (0, 4, 3), (4,)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(InputError, match="uint8"):
        data_uri(np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match="float"):
        data_uri(np.zeros((3, 3, 3)))


def everything(word=EVIL):
    uri = data_uri(np.zeros((4, 4, 3), np.uint8))
    charts = tuple(Chart(word, a_line_chart(word, title), word) for title in (word, "Loss"))
    return [
        Section(
            word,
            (
                Text(word),
                Text(word, "warning"),
                Tiles((Tile(word, word, word), Tile(word, word, word, 0.1, 0.2, 0.3))),
                Table((word, word), ((word, word),), word),
                Table((), ((word, word),)),
                Charts(charts),
                PictureSheet(((Picture(uri, word, word, (word,), "bad"),),)),
            ),
        )
    ]


def test_every_part_escapes_its_text():
    html = page(EVIL, everything(), subtitle=EVIL)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 20
    assert "default-src 'none'" in html


def test_ids_are_unique_in_a_page_and_every_reference_is_met():
    html = page("T", everything("x"))
    tags = re.findall(r"<[a-zA-Z][^<>]*>", html)
    ids = [one for tag in tags for one in re.findall(r' id="([^"]*)"', tag)]
    references = {one for tag in tags for one in re.findall(r'(?:url\(#|href="#)([^")]*)', tag)}
    assert len(ids) == len(set(ids)) > 4
    assert references == set(ids)


def test_a_page_names_nothing_outside_itself():
    html = re.sub(r"base64,[\w+/=]*", "", page("T", everything("x")))
    outside = set(re.findall(r"(?:https?:)?//[\w.]+[^\"\s]*", html))
    assert outside == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_parts_that_are_not_ours_are_refused():
    with pytest.raises(InputError, match="no SVG"):
        Chart("t", "<svg onload=alert(1)>")
    with pytest.raises(InputError, match="no data URI"):
        Picture("https://example.org/a.png", "r", "n")
    with pytest.raises(InputError, match="must be as #0072b2"):
        Legend((("red; background: url(https://example.org)", "a"),))
    with pytest.raises(InputError, match="row 2 has 1 cells"):
        Table(("a", "b"), (("1", "2"), ("3",)))
