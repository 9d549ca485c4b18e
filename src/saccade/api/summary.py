"""``summary``: the layers of a model, what they cost, and what goes through them."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from saccade.api.evaluate import load
from saccade.api.judged import require_pictures
from saccade.data.batches import load_pictures
from saccade.data.readers import read_data
from saccade.errors import InputError
from saccade.files import write_atomic
from saccade.nn.layer_figures import LayerFigures, layer_figures
from saccade.nn.receptive_field import receptive_field
from saccade.report import (
    Chart,
    Charts,
    Section,
    Series,
    Table,
    Text,
    Tile,
    Tiles,
    line_chart,
    page,
)
from saccade.tasks.model import Model

PICTURES = 16
NOTHING = "–"
HEAD = (
    *("", "layer", "kind", "output", "parameters", "fully connected", "locally connected"),
    *("operations", "values", "gradients"),
)


@dataclass(frozen=True)
class Summary:
    """The layers in the order used, and totals of them.

    ``picture``: (channels, height, width) that goes in; ``operations`` of one picture;
    ``receptive_field`` and ``stride``: pixels that a unit of the last maps sees, and between the
    fields of neighbours, height first; None, with the reason in ``unknown``, where no way to tell
    is known. ``shown`` says what went through.
    """

    picture: tuple[int, int, int]
    layers: tuple[LayerFigures, ...]
    parameters: int
    operations: int
    receptive_field: tuple[int, int] | None
    stride: tuple[int, int] | None
    unknown: str
    shown: str

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def summary(
    run: Model | Path | str, data: Path | str | None = None, *, out: Path | str | None = None
) -> Summary:
    """Look at the network of a run; write a page to ``out`` if asked.

    PICTURES pictures, spread over ``data`` (what ``read_data`` reads) or else noise, go through
    once, and back: from the cross-entropy of a classifier, from half the squared length of an
    embedder's vectors; a model without descent has no way back. Raises InputError for a model
    without layers, or classes not learned.
    """
    model = run if isinstance(run, Model) else load(run)
    require_pictures(model, "summary")
    if model.network is None:
        raise InputError("plain pixels have no layers; name the folder of a run")
    batch, labels, shown = _batch(model, data)
    layers = layer_figures(model.network, batch, _loss(model, labels))
    field, unknown = None, ""
    try:
        field = receptive_field(model.network.backbone)
    except InputError as error:
        unknown = str(error)
    found = Summary(
        picture=(model.channels, *model.size_hw),
        layers=tuple(layers),
        parameters=sum(p.numel() for p in model.network.parameters()),
        operations=sum(layer.operations for layer in layers),
        receptive_field=None if field is None else field.size_hw,
        stride=None if field is None else field.stride_hw,
        unknown=unknown,
        shown=shown,
    )
    if out is not None:
        write_atomic(Path(out), summary_page(found))
    return found


def layer_rows(found: Summary) -> list[tuple[str, ...]]:
    """A row of text a layer, under HEAD."""
    return [
        (
            str(number),
            layer.name,
            layer.kind,
            "×".join(map(str, layer.shape)),
            _count(layer.parameters),
            _count(layer.fully_connected),
            _count(layer.locally_connected),
            _count(layer.operations),
            f"{layer.value:.3g}",
            NOTHING if layer.gradient is None else f"{layer.gradient:.3g}",
        )
        for number, layer in enumerate(found.layers, 1)
    ]


def field_in_words(found: Summary) -> str:
    """How far a unit of the last maps sees."""
    if found.receptive_field is None or found.stride is None:
        return f"not known: {found.unknown}"
    (height, width), (down, across) = found.receptive_field, found.stride
    return f"{height}×{width} pixels, {down}×{across} apart"


def summary_page(found: Summary) -> str:
    """Return the page: totals, sizes by layer as curves, and the tables."""
    channels, height, width = found.picture
    seen, apart = "not known", ""
    if found.receptive_field is not None and found.stride is not None:
        seen = "×".join(map(str, found.receptive_field))
        apart = f"; neighbours' are {found.stride[0]}×{found.stride[1]} apart"
    tiles = Tiles(
        (
            Tile("parameters", f"{found.parameters:,}", f"{found.parameters / 2**18:.1f} MiB"),
            Tile("operations a picture", f"{found.operations:,}", "multiplications and additions"),
            Tile("receptive field", seen, f"of {height}×{width} pixels{apart}"),
        )
    )
    chart = Chart(
        "Values and gradients, layer by layer",
        size_chart(found.layers),
        f"Root mean squares, {found.shown}. Values that grow or vanish from layer to layer, or "
        "gradients that vanish towards the first, are why training fails.",
    )
    note = (Text(f"The receptive field is {field_in_words(found)}."),) if found.unknown else ()
    rows = layer_rows(found)
    weights, numbers = (1, 2, 3, 4, 5, 6), (1, 7, 8, 9)
    caption = "fully and locally connected: the weights of such layers between the same numbers"
    sections = [
        Section("In all", (tiles, *note, Charts((chart,)))),
        Section("Weights", (_columns(rows, weights, caption),)),
        Section(
            "What goes through", (_columns(rows, numbers, f"root mean squares {found.shown}"),)
        ),
    ]
    colours = "grey" if channels == 1 else "red, green, blue"
    return page("Layers of the network", sections, subtitle=f"{height}×{width} pixels, {colours}")


def _columns(rows: Sequence[tuple[str, ...]], places: Sequence[int], caption: str) -> Table:
    """A table of some columns; a layer's number, as in the chart, goes with its name."""
    named = [(row[0], f"{row[0]}  {row[1]}", *row[2:]) for row in rows]
    return Table(
        tuple(HEAD[place] for place in places),
        tuple(tuple(row[place] for place in places) for row in named),
        caption,
    )


def size_chart(layers: Sequence[LayerFigures]) -> str:
    """Return an SVG of the sizes of values and of gradients by layer; sizes of 0 leave a gap."""
    numbers = np.arange(1, len(layers) + 1)
    curves = {
        "values": np.array([layer.value for layer in layers]),
        "gradients": np.array([layer.gradient or 0.0 for layer in layers]),
    }
    return line_chart(
        [
            Series(name, numbers, np.where(sizes > 0, sizes, np.nan))
            for name, sizes in curves.items()
            if sizes.any()
        ],
        title="Sizes of values and gradients by layer",
        x_label="layer",
        y_label="root mean square",
        whole_x=True,
        log_y=True,
    )


def _batch(model: Model, data: Path | str | None) -> tuple[Tensor, list[str], str]:
    """Pictures (n, c, H, W) in [0, 1], their labels, and what they are."""
    if data is None:
        noise = torch.Generator().manual_seed(0)
        batch = torch.rand(PICTURES, model.channels, *model.size_hw, generator=noise)
        return batch, [], f"of {PICTURES} pictures of noise"
    samples = read_data(data)
    chosen = samples[:: -(-len(samples) // PICTURES)]
    pictures = load_pictures(chosen, size_hw=model.size_hw, channels=model.channels)
    return pictures.float() / 255, [s.label for s in chosen], f"of {len(chosen)} pictures"


def _loss(model: Model, labels: Sequence[str]) -> Callable[[Tensor], Tensor] | None:
    """The sum over the pictures; of noise, each class in turn is taken for the right one.

    None for a model without descent, which has no loss.
    """
    if "model" in model.card:
        return None
    if model.classes is None:
        return _half_squares
    classes = list(model.classes)
    for label in labels:
        if label not in classes:
            raise InputError(f"the model has not learned the class '{label}'; leave out DATA")
    named = [classes.index(label) for label in labels]
    targets = named or [row % len(classes) for row in range(PICTURES)]
    return partial(cross_entropy, target=torch.tensor(targets), reduction="sum")


def _half_squares(vectors: Tensor) -> Tensor:
    return vectors.square().sum() / 2


def _count(number: int | None) -> str:
    return NOTHING if not number else f"{number:,}"
