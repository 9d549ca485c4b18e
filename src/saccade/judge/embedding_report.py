"""The report of an embedder: its scores as one page that a non-expert can read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saccade.judge.embedding import FEW_IDENTITIES, PAIR_LIMIT, EmbeddingScores
from saccade.judge.embedding_charts import result_charts
from saccade.judge.embedding_figures import figures_table
from saccade.judge.report_frame import framed, require_those_judged
from saccade.judge.wording import decimal, file_name, percent, picture_uri, share_of_100, tile
from saccade.report import (
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Text,
    Tiles,
)
from saccade.values import Sample, UInt8Array


def embedding_report(
    scores: EmbeddingScores,
    *,
    pictures: Sequence[UInt8Array | Path | Sample],
    labels: Sequence[str],
    history: Sequence[Mapping[str, Any]] | None = None,
    about: Mapping[str, str] | None = None,
    note: str = "",
    extra: Sequence[Section] = (),
    title: str = "How well this embedder sees",
) -> str:
    """Return one self-contained HTML page.

    ``pictures``: those judged, in the same order, as (H, W, 3) uint8, files or samples; only those
    of mistakes are read. ``history``: training records, see ``history_charts``. ``about``: rows for
    the last table, such as the model, the data and the recipe. ``note``: what the reader must know
    of these pictures. ``extra``: sections before the mistakes.
    """
    require_those_judged(pictures, scores.pictures)
    require_those_judged(labels, scores.pictures)
    sections = [
        Section("The result", (*_summary(scores), *([Text(note, "note")] if note else []))),
        Section("All figures", (figures_table(scores),)),
        Section("The curves", (Charts(result_charts(scores)),)),
        *extra,
        Section("The worst mistakes", _mistakes(scores, pictures, labels)),
    ]
    subtitle = (
        f"Judged on {scores.pictures:,} pictures of {scores.identities:,} identities, "
        "with one picture of each enrolled."
    )
    return framed(
        title,
        sections,
        method=_method(scores),
        history=history,
        about=about,
        subtitle=subtitle,
    )


def _summary(scores: EmbeddingScores) -> tuple[Part, ...]:
    first, chance = scores.rank_1, scores.chance
    parts: list[Part] = [
        Tiles(
            (
                tile("Right at the first answer (rank 1)", first),
                tile("Right within five answers (rank 5)", scores.rank_5),
                tile("Same or different (AUC)", scores.auc, decimal),
                tile("Equal error rate, lower is better", scores.equal_error_rate),
            )
        ),
        Text(
            f"Of 100 searches, {share_of_100(first.value)} find the right identity first; the true "
            f"share lies between {percent(first.low)} and {percent(first.high)}, with "
            f"{percent(first.level, 0)} confidence. Guessing would find {percent(chance)}."
        ),
    ]
    if first.low <= chance:
        parts.append(
            Text("This embedder was not shown to be better than guessing.", tone="warning")
        )
    if scores.identities <= 5:
        parts.append(
            Text("With 5 identities or fewer, rank 5 is always right and says nothing.", "note")
        )
    if scores.searched_identities < FEW_IDENTITIES:
        parts.append(
            Text(
                f"Only {scores.searched_identities} identities were searched. With fewer than "
                f"{FEW_IDENTITIES} the intervals are rough, and often too narrow; judge more "
                "identities before relying on them.",
                tone="warning",
            )
        )
    return tuple(parts)


def _mistakes(
    scores: EmbeddingScores, pictures: Sequence[UInt8Array | Path | Sample], labels: Sequence[str]
) -> tuple[Part, ...]:
    if not scores.mistakes:
        return (Text(f"None: all {scores.searches:,} searches found the right identity first."),)

    def shown(number: int, role: str, tone: Any, similarity: float | None = None) -> Picture:
        file = file_name(pictures[number], number)
        details = (file,) if similarity is None else (file, f"{similarity:.3f}")
        return Picture(picture_uri(pictures[number]), role, labels[number], details, tone)

    groups = tuple(
        (
            shown(one.query, "Searched", "plain"),
            shown(one.wrong, "Wrongly found", "bad", one.wrong_similarity),
            shown(one.right, "True match", "good", one.right_similarity),
        )
        for one in scores.mistakes
    )
    share = percent(scores.wrong_searches / scores.searches)
    intro = (
        f"{scores.wrong_searches:,} of {scores.searches:,} searches ({share}) put another identity "
        f"first. Shown are the {len(groups)} pictures whose wrong answer was surest; the "
        "number below a match is its similarity."
    )
    return Text(intro), PictureSheet(groups)


def _method(scores: EmbeddingScores) -> tuple[Part, ...]:
    measure = {"cosine": "the cosine of their vectors", "negative_l2": "minus their distance"}
    pairs = scores.pairs
    sampled = max(pairs.genuine_total, pairs.impostor_total) > PAIR_LIMIT
    return (
        Text(
            f"Search: in each of {scores.turns} turns, one picture of every identity is enrolled "
            "and all other pictures are searched, so that no lucky choice decides: "
            f"{scores.searches:,} searches. Pictures are compared by {measure[scores.similarity]}. "
            "A tie counts as a mistake. Identities with one picture are enrolled, never searched."
        ),
        Text(
            f"Same or different: {pairs.genuine_total:,} pairs of the same identity and "
            f"{pairs.impostor_total:,} pairs of two"
            + (f"; of each kind, {PAIR_LIMIT:,} at most, drawn at random." if sampled else ".")
        ),
        Text(
            f"Intervals: identities are drawn again with replacement {scores.resamples:,} times "
            f"(seed {scores.seed}) and each brings all its pictures, because pictures of one "
            "identity err together; the gallery stays as it is. Where no mistake was made, the "
            "exact binomial bound for that number of identities is given."
        ),
        Text(
            "These figures hold for pictures like these and for a gallery of this size: among more "
            "identities the right one is harder to find. They flatter the embedder if it was "
            "trained on any of these identities.",
            tone="note",
        ),
    )
