"""The command for a model from elsewhere: card."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.output import shown, tell

if TYPE_CHECKING:
    from saccade.exchange.first_card import FirstCard


def card(
    model: Path,
    /,
    *,
    kind: str | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write a first card beside an ONNX model; what only you can tell is marked "?" in it.

    Parameters
    ----------
    model
        File .onnx; the card is the .toml of the same name.
    kind
        Embedder, detector or segmenter, in small letters, where the file does not tell.
    force
        Replace a card that is there.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.card import card as make

    made = make(model, kind=kind, force=force)
    tell(made.to_dict(), _lines(made), json=json)
    return 0


def _lines(made: "FirstCard") -> Iterator[str]:
    yield f"card: {shown(str(made.path))}   kind: {made.kind}   input: {shown(made.input)}"
    for name, (shape, meaning) in made.outputs.items():
        yield f"   output {shown(name)} {shape}: {meaning}"
    yield 'Only you can tell; replace each "?" in the card:'
    for name, text in made.unknown.items():
        yield f"   {shown(name)}: {text}"


COMMANDS = {"card": card}
