"""A graph of someone else, read with distrust: what it holds is checked before anything runs.

An ONNX file (Open Neural Network Exchange) is data, not a program, but it can name files to read
beside itself and operators that another library brings. Both are refused here, as are loops and
tensors too large for memory; what is checked is what will run: the bytes are read once.
"""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from saccade.errors import InputError, SettingError

MAX_BYTES = 1 << 30
ENDING = ".onnx"
# The operators of the ONNX standard; "" is the short form of "ai.onnx".
DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
# They repeat a part of the graph, as often as the file says; no picture needs them.
REPEATING = ("Loop", "Scan", "SequenceMap")
MAX_TENSOR_BYTES = 4 << 30
LARGE_WEIGHT = 1 << 16  # bytes: larger ones tell no shape
Shape = tuple[int | None, ...]  # None where a side is free


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its ``shape`` (None when the graph does not say) and element type."""

    name: str
    shape: Shape | None
    dtype: str

    @property
    def sides(self) -> str:
        """The shape in words, such as "nx3x112x112", n where a side is free."""
        if self.shape is None:
            return "of unknown shape"
        return "x".join("n" if side is None else str(side) for side in self.shape)

    def __str__(self) -> str:
        return f"{self.name} {self.sides}"


@dataclass(frozen=True, slots=True)
class Outline:
    """A graph that may be run: its bytes, what goes in, what comes out."""

    file: Path
    content: bytes = field(repr=False)
    input: Port
    outputs: tuple[Port, ...]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def library(name: str) -> Any:
    """Return onnx or onnxruntime as a module; SettingError with the remedy when it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise SettingError(
            f"a foreign model needs {name}, which is not installed; install it: "
            "pip install 'saccade[onnx]'"
        ) from error


def read_outline(file: Path) -> Outline:
    """Return what an ONNX file holds; nothing of it is run.

    Raises InputError, naming the file, when it is missing, larger than MAX_BYTES, damaged, or no
    graph of one picture; when it reads other files, or has operators of another library or
    functions of its own.
    """
    onnx = library("onnx")
    content = _content(file)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # Of protobuf, whose kinds of errors differ from build to build.
        raise InputError(f"{file} is not an ONNX graph, or it is damaged; copy it again") from error
    _refuse_foreign(model, onnx, file)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{file} is not a valid ONNX graph; export it again ({why})") from error
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [_port(value, onnx) for value in model.graph.input if value.name not in given]
    if len(inputs) != 1:
        names = ", ".join(port.name for port in inputs) or "none"
        raise InputError(f"{file} must have one input, pictures. Got {len(inputs)}: {names}")
    return Outline(file, content, inputs[0], tuple(_port(v, onnx) for v in model.graph.output))


def _content(file: Path) -> bytes:
    if not file.exists():
        raise InputError(f"{file} does not exist; check the path")
    if not file.is_file():
        raise InputError(f"{file} is not a file; name an .onnx file")
    if file.suffix.lower() != ENDING:
        raise InputError(f"{file} must be called .onnx; an ONNX graph is needed")
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise InputError(
                f"{file} has {size:,} bytes; the limit is {MAX_BYTES:,}. Take a smaller model"
            )
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    if not content:
        raise InputError(f"{file} is empty; copy it again")
    return content


def _refuse_foreign(model: Any, onnx: Any, file: Path) -> None:
    if model.functions:
        raise InputError(
            f"{file} has functions of its own, such as '{model.functions[0].name}'; export it with "
            "functions inlined"
        )
    for part in _parts(model):
        if isinstance(part, onnx.TensorProto) and (
            part.data_location == onnx.TensorProto.EXTERNAL or part.external_data
        ):
            raise InputError(
                f"{file}: '{part.name}' lies in another file; save the graph as one file"
            )
        if isinstance(part, onnx.NodeProto) and part.domain not in DOMAINS:
            raise InputError(
                f"{file} has the operator '{part.op_type}' of '{part.domain}', which is not of the "
                "ONNX standard; export it without"
            )
        if isinstance(part, onnx.NodeProto) and part.op_type in REPEATING:
            raise InputError(
                f"{file} has the operator '{part.op_type}', which may repeat without end; export "
                "it without"
            )


def require_moderate(outline: Outline, shape: tuple[int, ...]) -> None:
    """Raise InputError when a tensor on the way is over MAX_TENSOR_BYTES for an input of ``shape``.

    Seen is what the graph itself tells of its shapes, without its being run.
    """
    onnx = library("onnx")
    model = onnx.load_model_from_string(outline.content)
    del model.graph.value_info[:]  # What the file says of its own shapes is no proof.
    named = {value.name: value for value in model.graph.input}
    heavy = [one for one in model.graph.initializer if len(one.raw_data) > LARGE_WEIGHT]
    for tensor in heavy:  # Their shape alone is needed, so that nothing is copied.
        about = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.initializer.remove(tensor)
        if tensor.name not in named:
            model.graph.input.append(about)
    entry = named[outline.input.name]
    entry.type.tensor_type.shape.CopyFrom(
        onnx.helper.make_tensor_type_proto(1, shape).tensor_type.shape
    )
    try:
        told = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # Of C++, whose kinds of errors differ from build to build.
        raise InputError(
            f"{outline.file}: the shapes in it contradict each other; export it again"
        ) from error
    for part in _parts(told):
        if isinstance(part, onnx.ValueInfoProto) and part.type.HasField("tensor_type"):
            port = _port(part, onnx)
            size = 4 * math.prod(side or 1 for side in port.shape or ())
            if size > MAX_TENSOR_BYTES:
                raise InputError(
                    f"{outline.file} needs a tensor {port} for pictures {shape}; at most "
                    f"{MAX_TENSOR_BYTES >> 30} GiB are given to one. Take a smaller model"
                )


def _parts(message: Any) -> Iterator[Any]:
    """Yield a message of protobuf and all below it, in whatever field they stand."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for described, value in part.ListFields():
            if described.message_type is not None:
                waiting += [value] if hasattr(value, "ListFields") else value


def _port(value: Any, onnx: Any) -> Port:
    tensor = value.type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    if not tensor.HasField("shape"):
        return Port(value.name, None, kind)
    # Zero and negative sides are another way, not of the standard, to write a free one.
    sides = [side.dim_value if side.dim_value > 0 else None for side in tensor.shape.dim]
    return Port(value.name, tuple(sides), kind)
