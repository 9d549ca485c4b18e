"""``saccade export-model RUN FILE.onnx``: a trained model for other programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.options import Json
from saccade.cli.output import shown, tell

if TYPE_CHECKING:
    from saccade.api.export_model import Exported


def export_model(
    model: Path,
    file: Path,
    /,
    *,
    object: str = "any",
    force: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Write an embedder, a detector or a segmenter as an ONNX file with a card beside it.

    Parameters
    ----------
    model
        Run folder.
    file
        File .onnx to write; the card is the .toml of the same name.
    object
        Of a detector: class that the card says is to be found; any takes the surest class.
    force
        Replace files that are there.
    """
    from saccade.api.export_model import export_model as write

    done = write(model, file, object=object, force=force)
    tell(done.to_dict(), _lines(done), json=json)
    return 0


def _lines(done: "Exported") -> Iterator[str]:
    height, width = done.size_hw
    many = "1" if done.one_by_one else "n"
    yield f"graph: {shown(str(done.file))}   kind: {done.kind}   input: {many}x3x{height}x{width}"
    yield f"outputs: {', '.join(done.outputs)}   differs from the model by at most {done.apart:.1g}"
    if done.classes:
        columns = (f"{place} {shown(name)}" for place, name in enumerate(done.classes))
        what = "classes" if done.kind == "segmenter" else "columns of the scores"
        yield f"{what}: {', '.join(columns)}"
    yield f"card: {shown(str(done.card))}"


COMMANDS = {"export-model": export_model}
