"""Small ONNX graphs and their cards, for the tests of foreign models."""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

SIDE, DIMENSION = 8, 5
EMBEDDER_CARD = {
    "kind": "embedder",
    "licence": "none",
    "source": "made",
    "input": {
        "size": [SIDE, SIDE],
        "layout": "nchw",
        "colours": "rgb",
        "mean": [120, 110, 100],
        "std": [60, 50, 40],
        "fit": "stretch",
    },
    "outputs": {"vector": "vector"},
    "embedder": {"dimension": DIMENSION},
}
DETECTOR_CARD = {
    **EMBEDDER_CARD,
    "kind": "detector",
    "outputs": {"scores": "scores", "boxes": "boxes"},
    "detector": {
        "object": 1,
        "coding": "corners",
        "units": "normalised",
        "threshold": 0.5,
        "iou": 0.5,
    },
}
del DETECTOR_CARD["embedder"]


def write_card(file, card, **changes):
    """Write a card beside a graph; ``changes`` lays tables over it, None takes a key out."""
    told = json.loads(json.dumps(card))
    for key, value in changes.items():
        told[key] = {**told.get(key, {}), **value} if isinstance(value, dict) else value
    lines = [f"{key} = {json.dumps(told[key])}" for key in told if not isinstance(told[key], dict)]
    for key, table in told.items():
        if isinstance(table, dict):
            rows = [f"{json.dumps(k)} = {json.dumps(v)}" for k, v in table.items() if v is not None]
            lines += [f"[{key}]", *rows]
    file.with_suffix(".toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def graph_model(nodes, inputs, outputs, constants=(), *, domains=(("", 17),)):
    """Return a model of these nodes; constants by name."""
    tensors = [numpy_helper.from_array(value, name) for name, value in dict(constants).items()]
    graph = helper.make_graph(nodes, "made", inputs, outputs, tensors)
    opsets = [helper.make_opsetid(*domain) for domain in domains]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def port(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def weights(seed=0):
    """(3 × SIDE × SIDE, DIMENSION) float32."""
    draw = np.random.default_rng(seed)
    return draw.normal(size=(3 * SIDE * SIDE, DIMENSION)).astype(np.float32)


def write_embedder(file, *, batch="n", layout="nchw", told=(DIMENSION,), matrix=None, half=False):
    """Write a graph that multiplies the flat picture by ``matrix``, with its card."""
    matrix = weights() if matrix is None else matrix
    shape = [batch, 3, SIDE, SIDE] if layout == "nchw" else [batch, SIDE, SIDE, 3]
    dtype = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    nodes = [
        helper.make_node("Flatten", ["pictures"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["vector"]),
    ]
    model = graph_model(
        nodes,
        [port("pictures", shape, dtype)],
        [port("vector", [batch, *told], dtype)],
        {"matrix": matrix.astype(np.float16) if half else matrix},
    )
    save_model(model, file)
    write_card(file, EMBEDDER_CARD, input={"layout": layout})
    return file


def write_detector(file, answers, *, batch="n", **changes):
    """Write a graph that answers every picture with these arrays, name → (m, k), with its card."""
    nodes = [
        helper.make_node("ReduceMean", ["pictures"], ["one"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["one", "zero"], ["nothing"]),
        helper.make_node("Squeeze", ["nothing", "last"], ["row"]),
    ]
    constants = {"zero": np.zeros(1, np.float32), "last": np.array([3])}
    for name, values in answers.items():
        constants[f"{name} values"] = np.asarray(values, np.float32)[None]
        nodes.append(helper.make_node("Add", ["row", f"{name} values"], [name]))
    model = graph_model(
        nodes,
        [port("pictures", [batch, 3, SIDE, SIDE])],
        [port(name, [batch, *np.shape(values)]) for name, values in answers.items()],
        constants,
    )
    save_model(model, file)
    write_card(file, DETECTOR_CARD, **changes)
    return file
