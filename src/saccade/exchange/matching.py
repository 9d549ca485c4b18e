"""Whether a card fits the graph that it lies beside: its input, and the outputs that it names."""

from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.exchange.card import Card, card_of
from saccade.exchange.trust import Outline
from saccade.names import suggest

DTYPES: dict[str, type[np.floating[Any]]] = {"float": np.float32, "float16": np.float16}


def require_match(outline: Outline, card: Card) -> None:
    """Raise InputError where graph and card do not fit."""
    _require_input(outline, card)
    _require_outputs(outline, card)


def _require_input(outline: Outline, card: Card) -> None:
    where = f"card {card_of(outline.file)} does not fit {outline.file.name}"
    port = outline.input
    if port.dtype not in DTYPES:
        raise InputError(
            f"{outline.file}: its input {port.name} takes {port.dtype}; float or float16 is needed"
        )
    shape = port.shape or (None,) * 4
    if len(shape) != 4:
        raise InputError(f"{outline.file}: its input {port} is no batch of pictures")
    channels, *size = (shape[1], *shape[2:]) if card.layout == "nchw" else (shape[3], *shape[1:3])
    if channels not in (None, 3):
        raise InputError(
            f"{where}: as {card.layout} its input {port} has {channels} colours, not 3"
        )
    if any(side not in (None, wanted) for side, wanted in zip(size, card.size, strict=True)):
        raise InputError(
            f"{where}: input.size is {list(card.size)}, the graph takes {port} ({card.layout})"
        )


def _require_outputs(outline: Outline, card: Card) -> None:
    names = [port.name for port in outline.outputs]
    for name in card.outputs.values():
        if name not in names:
            raise InputError(
                f"card {card_of(outline.file)} does not fit {outline.file.name}: the graph has no "
                f"output '{name}'; {suggest(name, names)}"
            )
