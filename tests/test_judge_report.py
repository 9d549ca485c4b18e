"""The report of an embedder: what it says, and how it looks in a browser."""

import re

import numpy as np
import pytest
from PIL import Image

from saccade.errors import InputError
from saccade.judge.embedding import judge_embedding
from saccade.judge.embedding_report import embedding_report
from saccade.judge.report_frame import history_charts
from saccade.judge.wording import decimal, percent, share_of_100
from tests.test_judge_embedding import vectors_for

HISTORY = [
    {"epoch": epoch, "loss": 1 / epoch, "validation_rank_1": 1 - 1 / epoch, "note": "x"}
    for epoch in range(1, 12)
]
LABELS = [("<script>alert(1)</script>" if i % 9 == 0 else f"person {i % 9}") for i in range(54)]


def pictures(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (20 + i % 5, 24, 3), dtype=np.uint8) for i in range(count)]


def judged(spread=1.5, **settings):
    return judge_embedding(vectors_for(LABELS, 3, spread), LABELS, resamples=100, **settings)


@pytest.fixture(scope="module")
def report():
    return embedding_report(
        judged(threshold=0.4),
        pictures=pictures(54),
        labels=LABELS,
        history=HISTORY,
        about={"Data": "<b>made up</b>", "A long one": "x" * 300},
    )


def test_it_states_every_figure_with_interval_and_number(report):
    scores = judged(threshold=0.4)
    markup = re.compile(r"<svg.*?</svg>|<style.*?</style>|<[^>]*>", re.DOTALL)
    text = " ".join(markup.sub(" ", report).split())
    for found in (scores.rank_1, scores.rank_5, scores.false_accept_rate, scores.false_reject_rate):
        assert f"{100 * found.value:.1f} %" in text
        assert f"{100 * found.low:.1f} to {100 * found.high:.1f} %" in text
    assert f"{scores.auc.value:.3f} {scores.auc.low:.3f} to {scores.auc.high:.3f} 9" in text
    assert f"{scores.wrong_searches} of {scores.searches} searches" in text
    assert "Only 9 identities were searched" in text
    assert "Guessing would find 11.1 %" in text
    assert report.count("<img") == 3 * len(scores.mistakes)
    assert report.count("<svg") == 6
    assert "<script" not in report and "<b>" not in report


def test_the_same_input_gives_the_same_page():
    first, second = (
        embedding_report(judged(), pictures=pictures(54), labels=LABELS) for _ in range(2)
    )
    assert first == second


def test_a_perfect_and_a_useless_embedder_are_called_so(tmp_path):
    perfect = embedding_report(judged(spread=0.01), pictures=pictures(54), labels=LABELS)
    assert "None: all 270 searches" in perfect
    assert "Of 100 searches, 100 find" in perfect
    assert "to 100.0\N{NO-BREAK SPACE}%" in perfect
    row = np.ones((54, 4), np.float32) / 2
    useless = judge_embedding(row, LABELS, resamples=100)
    assert "not shown to be better than guessing" in embedding_report(
        useless, pictures=pictures(54), labels=LABELS
    )


def test_pictures_may_be_files_and_only_those_of_mistakes_are_read(tmp_path):
    scores = judged()
    needed = {number for one in scores.mistakes for number in (one.query, one.wrong, one.right)}
    paths = [tmp_path / f"{number:02d}.png" for number in range(54)]
    for number in needed:
        Image.fromarray(pictures(54)[number]).save(paths[number])
    html = embedding_report(scores, pictures=paths, labels=LABELS)
    assert paths[scores.mistakes[0].query].name in html


def test_pictures_that_were_not_judged_are_refused():
    with pytest.raises(InputError, match="54 pictures, but 3"):
        embedding_report(judged(), pictures=pictures(3), labels=LABELS)


def test_history_is_drawn_as_far_as_it_goes():
    assert len(history_charts(HISTORY)) == 2
    assert history_charts([{"loss": 1.0}]) == ()
    assert history_charts([{"epoch": 1, "loss": float("nan")}, {"epoch": 1, "loss": None}]) == ()
    mixed = [{"step": 1, "loss": 2.0}, {"step": 2, "learning_rate": 0.1}]
    (chart,) = history_charts(mixed)
    assert "Step" in chart.svg
    assert history_charts([{"step": n, "loss": 1 / n} for n in range(1, 5000)])


@pytest.mark.parametrize(
    ("share", "expected", "words"),
    [
        (0.0, "0.0 %", "0"),
        (1.0, "100.0 %", "100"),
        (0.9999, "99.99 %", "more than 99"),
        (0.00004, "0.004 %", "fewer than 1"),
        (0.5, "50.0 %", "about 50"),
    ],
)
def test_no_mistake_is_rounded_away(share, expected, words):
    assert percent(share).replace("\N{NO-BREAK SPACE}", " ") == expected
    assert share_of_100(share) == words
    assert decimal(0.99996) == "0.99996" and decimal(1.0) == "1.000"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_in_a_browser_all_is_seen_nothing_overflows_and_no_request_leaves(
    browser, report, tmp_path, width, scheme
):
    path = tmp_path / "report.html"
    path.write_text(report, encoding="utf-8")
    context = browser.new_context(
        offline=True, viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    requests, messages = [], []
    tab = context.new_page()
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.goto(path.as_uri())
    assert tab.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
    assert tab.evaluate("document.images.length") > 0
    boxes = tab.evaluate(
        "[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect())"
        ".map(b => [b.width, b.height])"
    )
    assert len(boxes) == 6 and all(w > 200 and h > 100 for w, h in boxes)
    wide = tab.evaluate(
        "[...document.querySelectorAll('body *')].filter(e => !e.closest('svg') || "
        "e.tagName == 'svg').filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    spilled = tab.evaluate(
        "[...document.querySelectorAll('svg text')].filter(t => { const a = "
        "t.getBoundingClientRect(), b = t.closest('svg').getBoundingClientRect(); return "
        "a.left < b.left - 2 || a.right > b.right + 2 || a.bottom > b.bottom + 2 })"
        ".map(t => t.textContent)"
    )
    assert spilled == []
    assert all(url.startswith(("file:", "data:")) for url in requests)
    assert messages == []
    context.close()
