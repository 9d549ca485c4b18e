"""``predict --neighbours``: a page with the training pictures that decided each answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from saccade.data.batches import load_pictures
from saccade.errors import InputError
from saccade.tasks.model import Model
from saccade.tasks.neighbours import NeighboursNetwork
from saccade.values import Prediction, UInt8Array

if TYPE_CHECKING:
    from saccade.report import Picture

MOST_ASKED, MOST_SHOWN = 100, 20


def require_neighbours(model: Model) -> NeighboursNetwork:
    """Return the model's network; InputError when it does not answer by nearest neighbours."""
    if not isinstance(model.network, NeighboursNetwork):
        raise InputError(
            "--neighbours is for a model that keeps its training pictures; train one with "
            "--model.name knn, or leave it out"
        )
    return model.network


def neighbours_page(model: Model, predictions: Sequence[Prediction]) -> str:
    """Return one self-contained HTML page: each picture, then its nearest, at the model's size.

    At most MOST_ASKED of the pictures that could be read, and MOST_SHOWN of the k nearest.
    """
    from saccade.report import PictureSheet, Section, Text, page  # Loads the charts.

    network = require_neighbours(model)
    readable = [one for one in predictions if not one.reason]
    shown = readable[:MOST_ASKED]
    pictures = load_pictures(
        [Path(one.picture) for one in shown], size_hw=model.size_hw, channels=model.channels
    )
    distances, rows = network.nearest(pictures.float() / 255)
    groups = tuple(
        (_asked(one, picture), *_nearest(model, network, one, far, near))
        for one, picture, far, near in zip(
            shown, pictures, distances.tolist(), rows.tolist(), strict=True
        )
    )
    words = Text(
        f"Each picture as the model sees it, then the nearest of the {len(network.learned):,} "
        f"training pictures by {network.distance}, nearest first; {network.k} of them vote."
    )
    parts = (words, PictureSheet(groups))
    subtitle = f"{len(shown):,} of {len(readable):,} pictures" if len(shown) < len(readable) else ""
    return page(
        "The nearest training pictures", [Section("Picture by picture", parts)], subtitle=subtitle
    )


def _asked(one: Prediction, picture: Tensor) -> "Picture":
    from saccade.report import Picture

    details = (Path(one.picture).name, f"{one.label} {one.probability:.2f}")
    return Picture(_uri(picture), "asked", one.answer, details)


def _nearest(
    model: Model,
    network: NeighboursNetwork,
    one: Prediction,
    distances: Sequence[float],
    rows: Sequence[int],
) -> list["Picture"]:
    from saccade.report import Picture

    found = []
    for place, (distance, row) in enumerate(zip(distances[:MOST_SHOWN], rows, strict=False), 1):
        label = (model.classes or ())[int(network.targets[row])]
        details = (f"distance {distance:.4g}", f"training picture {row}")
        found.append(
            Picture(
                _uri(network.picture(row)),
                f"neighbour {place}",
                label,
                details,
                "good" if label == one.label else "bad",
            )
        )
    return found


def _uri(picture: Tensor) -> str:
    """(c, H, W) uint8 → its data URI."""
    from saccade.report import data_uri

    array: UInt8Array = torch.movedim(picture, 0, -1).squeeze(-1).numpy()
    return data_uri(array, kind="png")
