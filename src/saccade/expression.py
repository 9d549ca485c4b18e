"""A small formula as a graph of numbers: the value of every node, and its gradient.

Rumelhart, Hinton, Williams, "Learning representations by back-propagating errors", Nature 323,
1986; reverse mode as in Baydin, Pearlmutter, Radul, Siskind, "Automatic Differentiation in Machine
Learning: a Survey", JMLR 18, 2018, section 3.2: values go forward, and what the last node changes
by, for each, goes backward. Formulas are parsed, never run as Python. At a corner (relu at 0, max
and min of equal numbers) the gradient is torch's: 0, and equal shares.
"""

import ast
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from saccade.errors import InputError
from saccade.names import suggest

MOST_LETTERS, MOST_NODES = 2000, 100
MOST_SHOWN = 40  # letters of a formula in an error
CONSTANT = "constant"
NOT_A_GRAPH = "write names, numbers, + - * / ** and functions, as 'z = x*y; L = z**2'"

# A rule gives the value, and the gradient by each input, which may be NaN where there is none.
Rule = Callable[..., tuple[float, tuple[float, ...]]]


@dataclass(frozen=True, slots=True)
class Node:
    """One number of the graph.

    ``name`` is what the formula calls it, or its own piece of the formula; ``operation`` is empty
    for what is given, CONSTANT for a number in the formula; ``inputs`` are places in the list of
    nodes, all before its own. ``gradient`` is what the last node changes by, over a small change of
    this one: NaN where there is none, 0 for a constant.
    """

    name: str
    operation: str
    inputs: tuple[int, ...]
    value: float
    gradient: float = 0.0


def trace(formula: str, given: Mapping[str, float]) -> list[Node]:
    """Return the nodes of ``formula``, inputs before what is made of them, with both passes done.

    Statements are parted by ";" or lines; the last one gives the node that gradients are of.
    ``given`` are the values of the names that the formula does not set. Raises InputError, naming
    the piece, for what is no such formula, a name without a value, a value that does not exist.
    """
    try:
        statements = _parse(formula)
        reader = _Reader(given, [target for target, _ in statements])
        last = [reader.read(target, tree) for target, tree in statements][-1]
    except RecursionError as error:
        raise InputError("the formula is nested too deeply; name parts of it") from error
    unused = sorted(set(given) - set(reader.places))
    if unused:
        used = set(reader.places) | reader.targets
        raise InputError(f"the formula has no '{unused[0]}'; {suggest(unused[0], used)}")
    return _backward(reader.nodes, reader.slopes, last)


def _parse(formula: str) -> list[tuple[str, ast.expr]]:
    """The statements, each the name that it sets, empty for a formula alone, and its formula."""
    if len(formula) > MOST_LETTERS:
        raise InputError(f"a formula has at most {MOST_LETTERS} letters. Got {len(formula)}")
    lines = [line.strip() for line in formula.replace(";", "\n").splitlines() if line.strip()]
    try:
        with warnings.catch_warnings():  # Python's advice on what is refused anyway.
            warnings.simplefilter("ignore")
            found = ast.parse("\n".join(lines)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        place = getattr(error, "lineno", None)
        where = f" at '{_short(lines[place - 1])}'" if place and place <= len(lines) else ""
        raise InputError(f"the formula cannot be read{where}; {NOT_A_GRAPH}") from error
    if not found:
        raise InputError(f"the formula is empty; {NOT_A_GRAPH}")
    return [_divided(statement) for statement in found]


def _divided(statement: ast.stmt) -> tuple[str, ast.expr]:
    if isinstance(statement, ast.Expr):
        return "", statement.value
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        (target,) = statement.targets
        if isinstance(target, ast.Name):
            return target.id, statement.value
    raise InputError(f"'{_short(_text(statement))}' is no 'name = formula'; {NOT_A_GRAPH}")


class _Reader:
    """Makes nodes of statements; ``places`` are those of names, ``slopes`` go with ``nodes``."""

    def __init__(self, given: Mapping[str, float], targets: list[str]) -> None:
        self.given, self.targets = given, {name for name in targets if name}
        self.places: dict[str, int] = {}
        self.nodes: list[Node] = []
        self.slopes: list[tuple[float, ...]] = []

    def read(self, target: str, tree: ast.expr) -> int:
        """Add the nodes of one statement; returns the place of its own."""
        if target in self.given:
            raise InputError(f"'{target}' is set by the formula; leave out {target}=…")
        if target in self.places:
            raise InputError(f"'{target}' is set twice; give the second another name")
        place = self._place(tree)
        if target:
            if place in self.places.values() or not self.nodes[place].inputs:
                place = self._add("=", self.nodes[place].name, (place,))
            self.nodes[place] = replace(self.nodes[place], name=target)
            self.places[target] = place
        return place

    def _place(self, tree: ast.expr) -> int:
        if isinstance(tree, ast.Name):
            return self._named(tree.id)
        number = _literal(tree)
        if number is not None:
            return self._leaf(_text(tree), number, CONSTANT)
        if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
            inputs = (self._place(tree.left), self._place(tree.right))
            return self._add(OPERATORS[type(tree.op)], _text(tree), inputs)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            return self._add("-x", _text(tree), (self._place(tree.operand),))
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.UAdd):
            return self._place(tree.operand)
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.keywords:
            return self._called(tree.func.id, tree)
        raise InputError(f"'{_short(_text(tree))}' is not understood; {NOT_A_GRAPH}")

    def _called(self, name: str, tree: ast.Call) -> int:
        if name not in FUNCTIONS:
            raise InputError(f"there is no function '{name}'; {suggest(name, FUNCTIONS)}")
        many = name in ("max", "min")
        if (len(tree.args) < 2) if many else (len(tree.args) != 1):
            wanted = "two numbers or more" if many else "one number"
            raise InputError(f"{name} takes {wanted}. Got '{_short(_text(tree))}'")
        return self._add(name, _text(tree), tuple(self._place(each) for each in tree.args))

    def _named(self, name: str) -> int:
        if name in self.places:
            return self.places[name]
        if name in self.given:
            self.places[name] = self._leaf(name, self.given[name], "")
            return self.places[name]
        if name in self.targets:
            raise InputError(
                f"'{name}' is needed before it is known; a graph has no cycles, so set it, from "
                "other names, in a statement before"
            )
        known = {*self.given, *self.targets} - {name}
        hint = f"; {suggest(name, known)}" if known else ""
        raise InputError(f"there is no value for '{name}'; give one, as {name}=1{hint}")

    def _leaf(self, name: str, value: float, operation: str) -> int:
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise InputError(f"'{_short(name)}' is no finite number; take a smaller one")
        return self._append(Node(name, operation, (), number), ())

    def _add(self, operation: str, text: str, inputs: tuple[int, ...]) -> int:
        values = [self.nodes[place].value for place in inputs]
        try:
            value, slopes = RULES[operation](*values)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            why = "division by zero" if isinstance(error, ZeroDivisionError) else "no such number"
            why = "too large" if isinstance(error, OverflowError) else why
            at = ", ".join(
                f"{_short(self.nodes[p].name)} = {self.nodes[p].value:g}" for p in inputs
            )
            raise InputError(f"'{_short(text)}' has no value where {at}: {why}") from error
        if not math.isfinite(value):
            raise InputError(f"'{_short(text)}' is too large for a number; take smaller values")
        return self._append(Node(text, operation, inputs, value), slopes)

    def _append(self, node: Node, slopes: tuple[float, ...]) -> int:
        if len(self.nodes) == MOST_NODES:
            raise InputError(f"a formula has at most {MOST_NODES} nodes; leave some out")
        self.nodes.append(node)
        self.slopes.append(slopes)
        return len(self.nodes) - 1


def _backward(nodes: list[Node], slopes: list[tuple[float, ...]], last: int) -> list[Node]:
    """Gradients of the node ``last``: each hands its own, times its slopes, to its inputs."""
    gradients = [0.0] * len(nodes)
    gradients[last] = 1.0
    for place in range(last, -1, -1):
        for before, slope in zip(nodes[place].inputs, slopes[place], strict=True):
            # What does not reach the last node gets 0, also where its slope is not defined.
            if gradients[place] and nodes[before].operation != CONSTANT:
                gradients[before] += gradients[place] * slope
    return [replace(node, gradient=g) for node, g in zip(nodes, gradients, strict=True)]


def _text(tree: ast.AST) -> str:
    return ast.unparse(tree)


def _literal(tree: ast.expr) -> float | None:
    """The number that is written here, with its sign; None for anything else."""
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        inner = tree.operand if isinstance(tree.operand, ast.Constant) else None
        number = None if inner is None else _literal(inner)
        return None if number is None else -number
    value = tree.value if isinstance(tree, ast.Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _short(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"


def _power(x: float, y: float) -> tuple[float, tuple[float, float]]:
    if x == 0 and y < 0:
        raise ZeroDivisionError
    value = math.pow(x, y)
    # Left of 0 only whole exponents have a power, so there is no slope between them.
    by_exponent = value * math.log(x) if x > 0 else 0.0 if x == 0 else math.nan
    if y == 0:
        return value, (0.0, by_exponent)
    return value, (y * math.pow(x, y - 1) if x or y >= 1 else math.inf, by_exponent)


def _sigmoid(x: float) -> tuple[float, tuple[float]]:
    small = math.exp(-abs(x))  # never too large
    value = 1 / (1 + small) if x >= 0 else small / (1 + small)
    return value, (small / (1 + small) ** 2,)


def _square_root(x: float) -> tuple[float, tuple[float]]:
    value = math.sqrt(x)
    return value, (0.5 / value if value else math.inf,)


def _tanh(x: float) -> tuple[float, tuple[float]]:
    return math.tanh(x), (1 / math.cosh(x) ** 2 if abs(x) < 300 else 0.0,)


def _extreme(choose: Callable[[tuple[float, ...]], float]) -> Rule:
    def rule(*values: float) -> tuple[float, tuple[float, ...]]:
        value = choose(values)
        return value, tuple((v == value) / values.count(value) for v in values)

    return rule


OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
FUNCTIONS: dict[str, Rule] = {
    "exp": lambda x: (math.exp(x), (math.exp(x),)),
    "log": lambda x: (math.log(x), (1 / x,)),
    "sin": lambda x: (math.sin(x), (math.cos(x),)),
    "cos": lambda x: (math.cos(x), (-math.sin(x),)),
    "tanh": _tanh,
    "sqrt": _square_root,
    "sigmoid": _sigmoid,
    "relu": lambda x: (max(0.0, x), (float(x > 0),)),
    "max": _extreme(max),
    "min": _extreme(min),
}
RULES: dict[str, Rule] = {
    "=": lambda x: (x, (1.0,)),
    "+": lambda x, y: (x + y, (1.0, 1.0)),
    "-": lambda x, y: (x - y, (1.0, -1.0)),
    "*": lambda x, y: (x * y, (y, x)),
    "/": lambda x, y: (x / y, (1 / y, -x / y / y)),
    "**": _power,
    "-x": lambda x: (-x, (-1.0,)),
    **FUNCTIONS,
}
