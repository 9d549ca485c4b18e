"""The report on a data set: what was found, shown as pictures, and what to do about it."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from saccade.data.pictures import read_picture
from saccade.errors import PictureError
from saccade.judge.inspection import FEW, KINDS, Inspection, Suggestion
from saccade.judge.report_frame import framed
from saccade.judge.wording import percent
from saccade.report import (
    Chart,
    Charts,
    Part,
    Picture,
    PictureSheet,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
    bar_chart,
    data_uri,
)

SHOWN = 24  # of each kind
ALONE = ("constant", "blurred", "light")  # kinds whose pictures have none beside them
MOST_BARS = 40
MOST_ROWS = 12  # of sizes
TITLES = {
    "leak": "Leaks between parts",
    "two_labels": "One picture, two labels",
    "exact": "Exact copies",
    "near": "Near copies",
    "unreadable": "Unreadable",
    "constant": "Without content",
    "label": "Doubted labels",
    "blurred": "Blurred",
    "light": "Badly lit",
}
REMEDIES = {
    "leak": "Remove the copy from the part that is learned from, else what is judged was seen "
    "before and every score is too high. --write does it.",
    "two_labels": "Decide which label is right, and give it to both.",
    "exact": "Keep one. --write does it.",
    "near": "Look at the pairs; keep one. --write does it.",
    "unreadable": "Copy the file again, or remove it. --write leaves it out.",
    "constant": "Remove it. --write leaves it out.",
    "label": "Look at each, surest first; correct those that are wrong. Never all unseen: what a "
    "model finds hard is not wrong for that. --write names the label suggested, and changes none.",
    "blurred": "Take the picture again, or keep it if what will be asked later is blurred too.",
    "light": "Take the picture again, or keep it if what will be asked later is like it.",
}
METHOD = (
    "Exact copies have the same pixels after decoding, whatever the file. Near copies are proposed "
    "by a perceptual hash and by a search for the nearest pictures, and confirmed by correlating "
    "the gradients of the two, one of them moved, cut or scaled by a pixel as a program would do "
    "it: they may differ by at most {limit:.4f}, which is far less than this data's most similar "
    "other pictures do.",
    "Labels are doubted by confident learning (Northcutt, Jiang and Chuang, 2021): nearest "
    "neighbours and ridge regression answer each picture without having learned from it, and a "
    "label stands in doubt where they are sure of another. Copies are asked once.",
    "Blur is judged by the variance of the Laplacian (Pech-Pacheco and others, 2000) and by how "
    "abrupt the strongest edges are; light by the darkest and brightest twentieth of the pixels, "
    "and by how many are black or white. All of them beside what is usual in these data: where all "
    "pictures are smooth, none of them is odd.",
)


def inspection_report(found: Inspection, *, data: str) -> str:
    """Return one self-contained HTML page; the pictures that are shown are read again."""
    sections = [Section("What was found", _summary(found))]
    for kind, suggestions in found.found.items():
        if suggestions:
            sections.append(Section(TITLES[kind], _kind(found, kind, suggestions)))
    if found.labelled:
        sections.append(Section("Classes", _classes(found)))
    sections.append(Section("Sizes and formats", _files(found)))
    classes = f" of {len(found.classes):,} classes" if found.labelled else ""
    told = METHOD[0].format(limit=found.copy_limit)
    return framed(
        "What is in these data",
        sections,
        method=tuple(Text(text) for text in (told, *METHOD[1:])),
        history=None,
        about={"data": data, "pictures": f"{len(found.samples):,}"},
        subtitle=f"{len(found.samples):,} pictures{classes}.",
    )


def _summary(found: Inspection) -> tuple[Part, ...]:
    parts: list[Part] = []
    leaks = len(found.found["leak"])
    if leaks:
        parts.append(
            Text(
                f"{leaks:,} pictures stand in two parts of the data. What is learned from in one "
                "is asked in the other: scores on these data are too high until they are removed.",
                tone="warning",
            )
        )
    count = len(found.samples)
    tiles = [
        Tile(TITLES[kind], f"{len(ones):,}", f"{percent(len(ones) / count)} of the pictures")
        for kind, ones in found.found.items()
        if ones
    ]
    if tiles:
        parts.append(Tiles(tuple(tiles)))
        rows = [
            (TITLES[kind], f"{len(ones):,}", REMEDIES[kind])
            for kind, ones in found.found.items()
            if ones
        ]
        parts.append(Table(("Found", "Pictures", "What to do"), tuple(rows)))
    else:
        parts.append(Text("Nothing that should be mended before learning from these data."))
    return (*parts, *(Text(f"{note[0].upper()}{note[1:]}.", tone="note") for note in found.notes))


def _kind(found: Inspection, kind: str, ones: tuple[Suggestion, ...]) -> tuple[Part, ...]:
    shown = f"; shown are the first {SHOWN}, surest first" if len(ones) > SHOWN else ""
    intro = Text(f"{KINDS[kind].capitalize()}: {len(ones):,}{shown}. {REMEDIES[kind]}")
    if kind == "unreadable":
        rows = tuple((str(found.samples[one.picture].path), one.evidence) for one in ones[:SHOWN])
        return intro, Table(("Picture", "Why"), rows)
    groups = tuple(group for one in ones[:SHOWN] if (group := _group(found, one)))
    if kind in ALONE:  # Three fill a card.
        alone = [picture for group in groups for picture in group]
        groups = tuple(tuple(alone[first : first + 3]) for first in range(0, len(alone), 3))
    return (intro, PictureSheet(groups)) if groups else (intro,)


def _group(found: Inspection, one: Suggestion) -> tuple[Picture, ...]:
    """The picture, and beside it the copy that stays; none that has become unreadable meanwhile."""
    if one.kind == "label":
        rows = [(one.picture, "Given label", one.evidence, "bad")]
    elif one.kind == "two_labels":
        rows = [
            (one.picture, "One label", "", "plain"),
            (one.other, "Another", one.evidence, "bad"),
        ]
    elif one.other >= 0:
        rows = [(one.other, "Stays", "", "good"), (one.picture, "Copy", one.evidence, "bad")]
    else:
        rows = [(one.picture, TITLES[one.kind], one.evidence, "plain")]
    pictures = [_picture(found, *row) for row in rows]
    if one.kind == "label" and pictures[0] is not None:
        typical = _example(found, one.suggested, but=one.picture)
        if typical >= 0:
            pictures.append(_picture(found, typical, "Suggested label", "an example", "good"))
    return tuple(picture for picture in pictures if picture is not None)


def _picture(found: Inspection, row: int, role: str, evidence: str, tone: str) -> Picture | None:
    sample, part = found.samples[row], found.parts[row]
    try:
        uri = data_uri(read_picture(sample))
    except PictureError:
        return None
    tones: Mapping[str, Literal["plain", "good", "bad"]]
    tones = {"plain": "plain", "good": "good", "bad": "bad"}
    shown = f"{role}, {part}" if part else role
    details = (sample.path.name, *([evidence] if evidence else []))
    return Picture(uri, shown, sample.label, details, tones[tone])


def _example(found: Inspection, label: str, *, but: int) -> int:
    """The first picture of a label that nothing was found about; -1 for none."""
    odd = {one.picture for ones in found.found.values() for one in ones} | {but}
    for row, sample in enumerate(found.samples):
        if sample.label == label and row not in odd:
            return row
    return -1


def _classes(found: Inspection) -> tuple[Part, ...]:
    rows = list(found.classes.items())
    shown = rows if len(rows) <= MOST_BARS else rows[: MOST_BARS // 2] + rows[-MOST_BARS // 2 :]
    told = f"The largest class has {found.imbalance:.3g} times as many pictures as the smallest."
    if found.imbalance == 1:
        told = "All classes have as many pictures."
    which = "" if shown == rows else f" Shown are the largest and smallest {MOST_BARS // 2}."
    chart = Chart(
        "Pictures of each class",
        bar_chart(
            shown,
            title="Pictures of each class",
            x_label="Pictures",
            description=told,
            line_at=FEW if found.few else None,
        ),
        told + which,
        wide=len(shown) > MOST_BARS // 2,
    )
    if not found.few:
        return (Charts((chart,)),)
    names = ", ".join(found.few[:MOST_ROWS]) + (", …" if len(found.few) > MOST_ROWS else "")
    warning = (
        f"{len(found.few):,} of {len(found.classes):,} classes have fewer than {FEW} pictures: "
        f"{names}. What is measured on so few says little; collect more of them."
    )
    return Text(warning, tone="note"), Charts((chart,))


def _files(found: Inspection) -> tuple[Part, ...]:
    readable = sum(found.formats.values())
    if not readable:
        return (Text("No picture could be read."),)
    rows = [("Format", name, f"{count:,}") for name, count in found.formats.items()]
    sizes = list(found.sizes.items())
    rows += [("Height x width", name, f"{count:,}") for name, count in sizes[:MOST_ROWS]]
    if len(sizes) > MOST_ROWS:
        others = sum(count for _, count in sizes[MOST_ROWS:])
        rows.append(("Height x width", f"{len(sizes) - MOST_ROWS:,} others", f"{others:,}"))
    rows.append(("Colour", "coloured", f"{found.coloured:,}"))
    rows.append(("Colour", "grey", f"{readable - found.coloured:,}"))
    parts = Counter(found.parts) if any(found.parts) else {}
    rows += [("Part", name, f"{count:,}") for name, count in parts.items()]
    table = Table(("What", "Value", "Pictures"), tuple(rows))
    if found.aspects is None:
        return (table,)
    least, middle, most = found.aspects
    told = f"Width over height: {least:.3g} to {most:.3g}, usually {middle:.3g}."
    return Text(told), table
