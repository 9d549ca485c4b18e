"""Options that several commands share, and what is refused of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.config import DataSettings
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.data import vector_parquet

BROKEN = DataSettings().broken

GalleryFolder = Annotated[Path, Parameter(help="Folder of the gallery.")]
Flag = Annotated[bool, Parameter(negative="")]  # beside which there is no --no-flag
Json = Annotated[Flag, Parameter(help="Print one JSON document instead of text.")]
Embedder = Annotated[
    str | None,
    Parameter(help="Run folder or .onnx file to check against; else the gallery's own copy."),
]
Columns = Annotated[
    str | None, Parameter(help="With a .parquet, if called otherwise: vector,identity,name.")
]
Where = Annotated[
    str | None, Parameter(help='Only pictures whose facts fit: "site = A and year >= 2020".')
]
Detector = Annotated[
    Path | None,
    Parameter(help="Pictures are photos; this finds boxes: an .onnx file or a run."),
]
Largest = Annotated[Flag, Parameter(help="With --detector: of several boxes, take the largest.")]
AnyQuality = Annotated[
    Flag, Parameter(help="Take what is small, blurred, dark or does not fit, too.")
]
BrokenShare = Annotated[
    float,
    Parameter(name="--data.broken", help="Share of the pictures that may be unreadable."),
]


def require_vectors_alone(
    pictures: tuple[Path, ...], as_: str | None, embedder: str | None, detector: Path | None
) -> None:
    """Raise InputError for what cannot stand beside --vectors."""
    if pictures or as_ is not None:
        raise InputError("--vectors stands alone; give pictures, or --as, in another command")
    if embedder is not None:
        raise InputError("--vectors needs no --embedder; leave it out")
    if detector is not None:
        raise InputError("--vectors needs no --detector; leave it out")


def named_columns(columns: str | None) -> "vector_parquet.Columns | None":
    """Return the columns that --columns names; raises InputError unless they are one to three."""
    if columns is None:
        return None
    from saccade.data import vector_parquet

    names = [name.strip() for name in columns.split(",")]
    if len(names) > 3 or not all(names):
        raise InputError(
            f"--columns takes up to three names: vector,identity,name. Got '{columns}'"
        )
    return vector_parquet.Columns(*names)
