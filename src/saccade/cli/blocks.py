"""Commands that show what networks are made of: blocks, summary."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saccade.cli.output import say, say_json, shown, table, tell
from saccade.errors import InputError

if TYPE_CHECKING:
    from saccade.api.blocks import Block, WorkedLoss
    from saccade.expression import Node

GRAPH = Path("graph.svg")


def blocks(
    *names: str,
    graph: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the building blocks, tell of those that are named, or take a formula apart.

    Parameters
    ----------
    names
        Building blocks, such as mish, to tell of and to draw on the same axes; without one, all are
        listed. With --graph, values such as x=3.
    graph
        Formula, such as 'z=x*y; L=z**2', whose every value and gradient is told and drawn.
    out
        SVG file to draw into; else it is named after the blocks, or graph.svg.
    json
        Print one JSON document instead of text.
    """
    if graph is not None:
        return _take_apart(graph, names, out or GRAPH, json=json)
    from saccade.api.blocks import blocks as find
    from saccade.api.blocks import draw_blocks, worked_example

    found = find(names)
    if not names:
        if out is not None:
            raise InputError("--out is for building blocks that are named; name one, as mish")
        tell([one.to_dict() for one in found], _listed(found), json=json)
        return 0
    worked, place = worked_example(found), draw_blocks(found, out)
    if json:
        told = [one.to_dict() for one in found]
        say_json({"blocks": told, "worked": worked, "picture": place})
        return 0
    for one in found:
        say(f"{one.name} ({one.shelf})")
        table([(f"  {key}", text) for key, text in _facts(one) if text])
    if worked:
        _print_worked(worked)
    say(f"picture: {shown(str(place))}" if place else "picture: none; no curves on the same axes")
    return 0


def _take_apart(formula: str, values: tuple[str, ...], out: Path, *, json: bool) -> int:
    from saccade.api.blocks import draw_formula, trace_formula

    nodes = trace_formula(formula, values)
    place = draw_formula(nodes, out)
    if json:
        say_json({"nodes": nodes, "picture": place})
        return 0
    table([("node", "made by", "value", "gradient"), *map(_node_row, nodes)])
    say(f"gradients are of {nodes[-1].name}")
    say(f"picture: {shown(str(place))}")
    return 0


def _node_row(node: "Node") -> tuple[str, ...]:
    made = node.operation or "given"
    gradient = "" if made == "constant" else f"{node.gradient:.6g}"
    return node.name, made, f"{node.value:.6g}", gradient


def _listed(found: "list[Block]") -> Iterator[str]:
    shelf = ""
    for one in found:
        if one.shelf != shelf:
            shelf = one.shelf
            yield f"{shelf}:"
        yield f"  {one.name:<27} {one.row.definition}"


def _facts(one: "Block") -> Iterator[tuple[str, str]]:
    yield "definition", one.row.definition
    yield "derivative", one.derivative or ""
    yield "range", one.row.range
    if one.saturated is not None:
        from saccade.nn.activations import SATURATED

        yield "saturated", f"{one.saturated} (|f'(x)| below {SATURATED})"
        yield "zero-centred", "yes" if one.zero_centred else "no"
        yield "cost", f"{one.cost:.1f} times relu's"
    yield "settings", ", ".join(f"{key} {value}" for key, value in one.settings.items())
    yield "source", one.row.source
    yield "note", one.row.note


def _print_worked(worked: "list[WorkedLoss]") -> None:
    from saccade.api.blocks import SCORES, probabilities

    def numbers(values: list[float]) -> tuple[str, ...]:
        return tuple(f"{value:8.4f}" for value in values)

    say("worked example: three classes, y = 1 is the right one")
    rows = [
        ("", *(f"{f'class {number}':>8}" for number in (1, 2, 3)), ""),
        ("  score z", *numbers(list(SCORES)), ""),
        ("  p = softmax(z)", *numbers(probabilities()), ""),
    ]
    for one in worked:
        rows.append((f"  {one.name}: {one.formula}", *numbers(one.terms), f"sum {one.value:.4f}"))
        rows.append(("    gradient by z", *numbers(one.gradient), ""))
    table(rows)


def summary(
    run: str,
    data: Path | None = None,
    /,
    *,
    out: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell the layers of a model: shapes, weights, operations, sizes of values and gradients.

    Parameters
    ----------
    run
        Run folder.
    data
        Pictures, as for evaluate, of which some go through the network and back; else noise.
    out
        HTML file to write; else summary.html in the run folder.
    json
        Print one JSON document instead of text.
    """
    from saccade.api.summary import HEAD, field_in_words, layer_rows
    from saccade.api.summary import summary as look

    place = out or Path(run) / "summary.html"
    found = look(run, data, out=place)
    if json:
        say_json({**found.to_dict(), "page": place})
        return 0
    table([HEAD, *layer_rows(found)])
    say(f"parameters: {found.parameters:,}   operations a picture: {found.operations:,}")
    say(f"receptive field of the last maps: {field_in_words(found)}")
    say(f"values and gradients: root mean squares, {found.shown}")
    say(f"page: {shown(str(place))}")
    return 0


COMMANDS = {"blocks": blocks, "summary": summary}
