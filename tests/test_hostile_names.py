"""Names may hold anything: no tag, attribute or direction of theirs reaches a page."""

import csv
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import saccade
from saccade.api.summary import Summary, summary_page
from saccade.class_tree import ClassTree
from saccade.judge.by_group import judge_by_group
from saccade.judge.by_group_report import by_group_section
from saccade.judge.classification import judge_classification
from saccade.judge.classification_report import classification_report
from saccade.judge.embedding import judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.judge.operating_point import Wanted
from saccade.judge.regression import judge_regression
from saccade.judge.regression_report import regression_report
from saccade.judge.run_index import RunIndex, RunLine
from saccade.judge.run_index_report import run_index_page
from saccade.judge.search import EffortPoint, KindScores, SearchScores
from saccade.judge.search_report import search_report
from saccade.judge.tuning import Tuned, compare_trials
from saccade.judge.tuning_report import tuning_report
from saccade.nn.layer_figures import LayerFigures
from saccade.report import Chart, Charts, Section, page
from saccade.report.graphs import Box, graph_chart
from saccade.report.text import LONGEST, LONGEST_TEXT, clean, name, sentence
from saccade.values import Interval, Sample
from tests.judged_pages import JUDGED_PAGES

LONG = "x" * 10_000
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload=alert(1) x=\"",
    "]]></svg><svg onload=alert(1)>",
    "</title></style><iframe src=javascript:alert(1)>",
    "\u202elatot\u202c \u2067x",
    "عربي 12",
    "a\n\x07\x1b[31m\x85b\u2028",
    "\udcff\udc80.png",
    "{{ 7*7 }}“” $x$ &lt;b&gt;",
    LONG,
)
PLAIN = tuple(f"plain {number}" for number in range(len(HOSTILE)))
K = len(HOSTILE)
HALF = Interval(0.5, 0.4, 0.6, 9)
UNSEEN = [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A)), "\x07", "\x1b"]


class Structure(HTMLParser):
    """Counts the elements of a page with the names of their attributes, and keeps its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.sources, self.texts, self.drawing = Counter(), set(), [], False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        names = frozenset(key for key, _ in attributes) - {"title", "class"}
        self.drawing |= tag == "svg"
        if self.drawing:  # A chart has as many ticks as its labels leave room for.
            self.elements[tag, names] = 1
        elif tag not in ("span", "bdi"):  # where a long name, and a name in a sentence, stands
            self.elements[tag, names] += 1
        self.sources |= {text[:11] for key, text in attributes if key in ("src", "srcdoc")}

    def handle_endtag(self, tag):
        self.drawing &= tag != "svg"

    def handle_data(self, text):
        if self.lasttag not in ("style", "script"):
            self.texts.append(text)


def samples(names, count):
    draw = np.random.default_rng(0).integers(0, 255, (count, 6, 6, 3), dtype=np.uint8)
    return [Sample(Path(names[i % K]), names[i % K], draw[i]) for i in range(count)]


def of_groups(names):
    """A section by groups, three of which have enough pictures."""

    def judge(places, level):
        return {names[0]: Interval(0.1 * min(places), 0.1 * min(places) - 0.01, 0.5, 30)}

    values = [names[i % 3] for i in range(96)] + list(names)
    return by_group_section(judge_by_group(judge, values, column=names[1]))


def classification(names):
    pictures = samples(names, 4 * (K - 1))  # The last class is shown by none.
    pictures = [replace(one, label=names[i % (K - 1)]) for i, one in enumerate(pictures)]
    shares = np.random.default_rng(1).dirichlet(np.ones(K), len(pictures))
    scores = judge_classification(
        shares,
        [one.label for one in pictures],
        classes=names,
        tree=ClassTree(dict.fromkeys(names, "all")),
        wanted=Wanted(names[1], false_alarms=0.2),
        temperature=1.5,
        resamples=100,
    )
    return classification_report(
        scores,
        pictures=pictures,
        history=[{"epoch": e, f"loss {names[0]}": 1.0, names[1]: 2.0} for e in (1, 2)],
        about=dict(zip(names, reversed(names), strict=True)),
        note=" ".join(names),
        extra=[of_groups(names)],
        title=names[0],
    )


def regression(names):
    truth = np.random.default_rng(0).normal(size=(20, 2))
    scores = judge_regression(truth + 0.1, truth, targets=names[:2], resamples=100)
    return regression_report(scores, pictures=samples(names, 20), title=names[2], note=names[5])


def regression_of_one(names):
    truth = np.random.default_rng(0).normal(size=(20, 1))
    scores = judge_regression(truth * 0.9, truth, targets=[names[-1]], resamples=100)
    return regression_report(scores, pictures=samples(names, 20))


def embedding(names):
    pictures = samples(names, 2 * K)
    rows = np.random.default_rng(0).normal(size=(2 * K, 4)).astype(np.float32)
    labels = [one.label for one in pictures]
    scores = judge_embedding(rows / np.linalg.norm(rows, axis=1)[:, None], labels, resamples=100)
    about = {names[0]: names[-1]}
    return embedding_report(scores, pictures=pictures, labels=labels, about=about, note=names[2])


def tuning(names):
    values = [{names[0]: name, names[1]: i} for i, name in enumerate(names)]
    trials = compare_trials(
        values, [[0.5, 0.6, 0.1 * i] for i in range(K - 1)] + [[]], {K - 1: LONG}
    )
    return tuning_report(Tuned(Path(), names[2], names[:2], 3, trials), data=names[3])


def search(names):
    points = tuple(EffortPoint(f, f, 0.5, 0.6) for f in (0.5, 1.0, 2.0))
    kinds = [
        KindScores(n, HALF, HALF, 1.0, 2.0, 3.0, 4.0, 5, "own", "own", points) for n in names[:6]
    ]
    scores = SearchScores(9, 4, 9, 5, tuple(kinds), dict.fromkeys(names, names[-1]))
    return search_report(scores, gallery=names[0])


def neighbours(names, place):
    """Of a model that has learned these classes, asked about its own files."""
    place.mkdir()
    table = place / "table.csv"
    with table.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label"])
        for number, one in enumerate(names):
            Image.new("RGB", (4, 4), (9 * number, 0, 0)).save(place / f"{number}.png")
            rows.writerow([f"{number}.png", one.encode(errors="replace").decode()])
    settings = {"model.name": "knn", "model.k": 2, "data.validation": 0.0}
    run = saccade.train(table, task="classify", out=place / "run", settings=settings)
    saccade.predict(run.model, [place / "3.png"], neighbours=place / "page.html")
    return (place / "page.html").read_text(encoding="utf-8")


def layers(names):
    rows = tuple(LayerFigures(n, n, (3, 2), 5, None, None, 7, 0.5, 0.1) for n in names)
    found = Summary((3, 8, 8), rows, 5, 7, None, None, names[0], names[1])
    return summary_page(found)


def graph(names):
    boxes = [Box((n, n), (i - 1,) if i else ()) for i, n in enumerate(names)]
    svg = graph_chart(boxes, title=names[0], description=names[-1])
    return page(names[1], [Section(names[2], (Charts((Chart(names[0], svg, names[5]),)),))])


def index(names):
    runs = [RunLine(n, "damaged", n, Path(n), n, n, n, 3, n, n, HALF, 2, 7, n) for n in names]
    links = dict.fromkeys(names, "a/b%20c.html")
    return run_index_page(RunIndex.of(Path(names[0]), runs), links=links)


PAGES = {
    make.__name__: make
    for make in (
        *(classification, regression, regression_of_one, embedding, tuning, search),
        *(layers, graph, index),
    )
} | JUDGED_PAGES


SLOW = ("regression_of_one", "search", "detection", "segmentation", "explanation", "mistakes")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW)) for kind in PAGES]
    + ["neighbours"],
)
def test_no_tag_of_a_name_reaches_the_page(kind, tmp_path):
    if kind == "neighbours":
        html, plain = (neighbours(names, tmp_path / names[0][:5]) for names in (HOSTILE, PLAIN))
    else:
        html, plain = PAGES[kind](HOSTILE), PAGES[kind](PLAIN)
    found, wanted = Structure(html), Structure(plain)
    assert found.elements == wanted.elements
    assert not any(key.startswith("on") for _, keys in found.elements for key in keys)
    assert found.sources <= {"data:image/"}
    assert html.count("<script>") == (kind == "index")
    assert not any(sign in html for sign in UNSEEN)
    assert html.encode("utf-8")
    assert max(map(len, found.texts)) <= LONGEST_TEXT + 1, "a long name is shortened"
    assert len(html) < len(plain) + 60 * len(LONG)


def test_a_name_is_shown_as_it_is_but_for_what_would_act():
    assert clean("\u202ea\x1b\udcff") == "\\u202ea\\x1b\\udcff"
    assert clean("عربي · naïve · 日本語 · 👩\u200d🔬") == "عربي · naïve · 日本語 · 👩\u200d🔬"
    assert name("<b>") == "&lt;b&gt;"
    cut = name(LONG)
    assert f'title="{LONG}"' in cut and f">{'x' * (LONGEST - 1)}…<" in cut


def test_a_name_in_a_sentence_is_isolated():
    assert sentence("of “عربي” 33 %") == "of “<bdi>عربي</bdi>” 33 %"
    assert sentence("“<i>” and “b”, c") == "“<bdi>&lt;i&gt;</bdi>” and “<bdi>b</bdi>”, c"
    assert sentence("“open") == "“open" and sentence("") == ""


@pytest.mark.parametrize("link", ["javascript:alert(1)", "//host/x", "/etc", "a b", 'a"b', "a\n"])
def test_a_link_that_could_leave_the_folder_tree_is_refused(link):
    with pytest.raises(saccade.InputError, match="relative"):
        saccade.report.Table(("a",), (("b",),), links=(link,))
