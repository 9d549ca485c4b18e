"""``card``: a first card beside a foreign model, as far as its file tells."""

from pathlib import Path

from saccade.errors import InputError
from saccade.exchange.card import card_of
from saccade.exchange.first_card import FirstCard, first_card
from saccade.files import write_atomic


def card(model: Path | str, *, kind: str | None = None, force: bool = False) -> FirstCard:
    """Write ``FILE.toml`` beside ``FILE.onnx``: what only the user can tell is marked "?".

    ``kind``: "embedder" or "detector", where the graph does not tell. A card that is there is
    replaced only with ``force``. Raises InputError where no card can be made; nothing is written.
    """
    file = Path(model)
    made = first_card(file, kind=kind)
    place = card_of(file)
    if place.exists() and not force:
        raise InputError(f"card {place} exists already; edit it, or write it anew with --force")
    write_atomic(place, made.text)
    return made
