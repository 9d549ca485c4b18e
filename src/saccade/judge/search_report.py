"""The report on index kinds: recall against time as a chart, and every figure as a table."""

from collections.abc import Iterable, Sequence

from saccade.judge.search import KindScores, SearchScores
from saccade.report import Chart, Charts, Part, Section, Series, Table, Text, line_chart, page
from saccade.values import Interval

FEW_QUERIES = 100
READING = (
    "Upper left is better. Each line is a kind at a quarter, half, one, two and four times its own "
    "effort. A kind with one point has none to choose."
)


def search_report(scores: SearchScores, *, gallery: str) -> str:
    """Return one self-contained HTML page."""
    sections = [
        Section("Recall against time", (_charts(scores), Text(READING))),
        Section("All figures", tuple(_tables(scores))),
        Section("How this was measured", tuple(Text(text) for text in _method(scores))),
    ]
    subtitle = f"{scores.rows:,} vectors of length {scores.dimension} in {gallery}"
    return page("Index kinds on this gallery", sections, subtitle=subtitle)


def figure_rows(scores: SearchScores) -> list[tuple[str, ...]]:
    """Return the figures of every kind as rows of text, the head first."""
    head = (
        *("kind", "recall at 1", f"recall at {scores.top}", "p50 ms", "p99 ms"),
        *("queries/s", "build s", "MiB", "add", "remove"),
    )
    return [head, *(_row(one) for one in scores.kinds)]


def _row(one: KindScores) -> tuple[str, ...]:
    return (
        one.kind,
        _interval(one.recall_1),
        _interval(one.recall_top),
        f"{one.p50_ms:.3f}",
        f"{one.p99_ms:.3f}",
        f"{one.queries_per_second:,.0f}",
        f"{one.build_s:.2f}",
        f"{one.memory_bytes / 2**20:.1f}",
        one.add,
        one.remove,
    )


def _interval(share: Interval) -> str:
    return f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"


def _charts(scores: SearchScores) -> Charts:
    kinds = sorted(scores.kinds, key=lambda one: len(one.efforts) == 1)  # a lone point on top
    tops = sorted({scores.top, 1}, reverse=True)
    return Charts(tuple(_chart(kinds, top) for top in tops))


def _chart(kinds: Sequence[KindScores], top: int) -> Chart:
    title = f"Recall at {top} against the time of a query"
    series = [
        Series(
            one.kind,
            [point.p50_ms for point in one.efforts],
            [point.recall_1 if top == 1 else point.recall_top for point in one.efforts],
        )
        for one in kinds
    ]
    svg = line_chart(
        series,
        title=title,
        x_label="Median time of one query, ms",
        y_label=f"Recall at {top}",
        description="Each line is an index kind at rising effort. Upper left is better.",
        log_x=True,
        percent="y",
    )
    return Chart(title, svg)


def _tables(scores: SearchScores) -> Iterable[Part]:
    head, *rows = figure_rows(scores)
    yield Table(head, tuple(rows))
    if scores.missing:
        yield Table(("kind", "not measured, because"), tuple(scores.missing.items()))


def _method(scores: SearchScores) -> Iterable[str]:
    yield (
        f"{scores.queries:,} rows of the gallery are the queries, each left out of its own answer. "
        f"Recall is the share of the {scores.top} nearest rows by exact search that are found; in "
        "brackets its interval, with 95 % confidence."
    )
    yield (
        "One thread. p50 and p99 are of one query at a time, queries/s is of all in one call. "
        "MiB counts the vectors. Where add or remove is rebuilt, the index is made anew for it."
    )
    if scores.queries < FEW_QUERIES:
        yield "So few queries say little: look at the intervals."
