"""Small .xml files of annotations, read without what makes XML dangerous.

By expat, of the standard library, which opens no other file by itself. A document type, without
which there are no entities, is refused, and so are files that are too large or too deep: what the
library defusedxml is for, in as many lines as its use would take.
"""

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from saccade.errors import InputError

MOST_BYTES, MOST_DEPTH = 16 << 20, 32


def read_xml(file: Path) -> Element:
    """Return the root element of a small .xml.

    Raises InputError, naming the file and the line, for one that is damaged, too large or too deep,
    and for any document type or entity, internal or external.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file} is larger than {MOST_BYTES >> 20} MiB; it is no annotation")
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise InputError(f"{file} line {parser.CurrentLineNumber}: elements lie too deep")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise InputError(
            f"{file} line {parser.CurrentLineNumber}: a document type or an entity is not taken; "
            "remove the line with <!DOCTYPE"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = builder.data, refuse
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as error:  # Of an unknown encoding.
        line = getattr(error, "lineno", 1)
        raise InputError(f"{file} line {line} is no XML: {error}; write it again") from error
