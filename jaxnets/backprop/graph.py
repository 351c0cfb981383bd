"""Derivatives on a computational graph: over all paths, forward and in reverse (row D2; L1).

Arithmetic on inputs builds the graph, a point labels its edges with local derivatives, and three
functions turn these labels into derivatives between any two nodes:

    a, b = inputs(2)
    e = (a + b) * (b + 1)
    edges = local_derivatives(e, {a: 2.0, b: 1.0})
    sum_over_paths(edges, b), forward(edges, b)[e], reverse(edges)[b]  # 5.0, three times

Values are numbers or arrays of one shape, combined elementwise. All functions are pure and can be
compiled; none uses JAX's differentiation.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp

from jaxnets.host import checks

Value = Any
"""A number or an array."""


class Operation(NamedTuple):
    """Pairs a function of one or two values with its local derivatives.

    Example:
        >>> OPERATIONS["multiply"].operands
        2
    """

    operands: int
    f: Callable[..., Value]
    partials: Callable[..., tuple[Value, ...]]
    """The operands to the derivatives with respect to each of them."""


OPERATIONS: dict[str, Operation] = {
    "add": Operation(2, lambda a, b: a + b, lambda a, b: (1.0, 1.0)),
    "subtract": Operation(2, lambda a, b: a - b, lambda a, b: (1.0, -1.0)),
    "multiply": Operation(2, lambda a, b: a * b, lambda a, b: (b, a)),
    "divide": Operation(2, lambda a, b: a / b, lambda a, b: (1 / b, -(a / b) / b)),
    "exp": Operation(1, jnp.exp, lambda a: (jnp.exp(a),)),
    "log": Operation(1, jnp.log, lambda a: (1 / a,)),
    "sin": Operation(1, jnp.sin, lambda a: (jnp.cos(a),)),
    "tanh": Operation(1, jnp.tanh, lambda a: (1 - jnp.tanh(a) ** 2,)),
}
"""Name to operation: the function and its local derivatives."""


@dataclass(frozen=True, eq=False, repr=False)
class Node:
    """Represents an input, a constant, or an operation on other nodes, its parents.

    Nodes are compared by identity, so that they can be keys. `inputs`, `apply` and arithmetic
    make them.

    Args:
        operation: a name in `OPERATIONS`; None for inputs and constants.
        parents: the operands.
        constant: the value of a constant.

    Example:
        >>> x, y = inputs(2)
        >>> output = x * y + 1.0
        >>> evaluate(output, {x: 2.0, y: 3.0})[output]
        7.0
    """

    operation: str | None = None
    parents: tuple["Node", ...] = ()
    constant: Value = None

    def __add__(self, other: "Node | float") -> "Node":
        return apply("add", self, other)

    def __sub__(self, other: "Node | float") -> "Node":
        return apply("subtract", self, other)

    def __rsub__(self, other: float) -> "Node":
        return apply("subtract", other, self)

    def __mul__(self, other: "Node | float") -> "Node":
        return apply("multiply", self, other)

    def __truediv__(self, other: "Node | float") -> "Node":
        return apply("divide", self, other)

    def __rtruediv__(self, other: float) -> "Node":
        return apply("divide", other, self)

    __radd__ = __add__
    __rmul__ = __mul__


Edges = dict[Node, tuple[Value, ...]]
"""The nodes in topological order, each with one label for the edge from each parent."""


def inputs(count: int) -> tuple[Node, ...]:
    """Creates input nodes; their values come from a point.

    Example:
        >>> len(inputs(3))
        3
    """
    return tuple(Node() for _ in range(count))


def apply(name: str, *operands: Node | float) -> Node:
    """Applies an operation of `OPERATIONS`; numbers among the operands become constants.

    Raises:
        ValueError: an unknown operation (the nearest is suggested) or a wrong number of operands.

    Example:
        >>> (x,) = inputs(1)
        >>> float(evaluate(node := apply("exp", x), {x: 0.0})[node])
        1.0
    """
    expected = checks.lookup(OPERATIONS, name, "operation").operands
    if len(operands) != expected:
        raise ValueError(f"{name} takes {expected} operand(s), got {len(operands)}")
    return Node(name, tuple(o if isinstance(o, Node) else Node(constant=o) for o in operands))


def evaluate(output: Node, point: Mapping[Node, Value]) -> dict[Node, Value]:
    """Computes the values of the output and of all its ancestors, in topological order.

    Raises:
        ValueError: an input that the point lacks.

    Example:
        >>> x, y = inputs(2)
        >>> output = x * y
        >>> evaluate(output, {x: 2.0, y: 3.0})[output]
        6.0
    """
    values: dict[Node, Value] = {}
    for node in topological_order(output):
        if node.operation is not None:
            operands = (values[parent] for parent in node.parents)
            values[node] = OPERATIONS[node.operation].f(*operands)
        elif node.constant is not None:
            values[node] = node.constant
        elif node in point:
            values[node] = point[node]
        else:
            raise ValueError("an input has no value: the point needs one for each input")
    return values


def local_derivatives(output: Node, point: Mapping[Node, Value]) -> Edges:
    """Labels every edge that leads to the output with the derivative of child by parent.

    Example:
        >>> x, y = inputs(2)
        >>> output = x * y
        >>> local_derivatives(output, {x: 2.0, y: 3.0})[output]
        (3.0, 2.0)
    """
    values = evaluate(output, point)

    def labels(node: Node) -> tuple[Value, ...]:
        if node.operation is None:
            return ()
        return OPERATIONS[node.operation].partials(*(values[parent] for parent in node.parents))

    return {node: labels(node) for node in values}


def forward(edges: Edges, source: Node) -> dict[Node, Value]:
    """Computes `d node / d source` for every node, in one pass from the inputs to the output.

    A node's derivative is the sum over its parents of label times derivative.

    Raises:
        ValueError: a source that is not in the graph.

    Example:
        >>> x, y = inputs(2)
        >>> output = x * y
        >>> forward(local_derivatives(output, {x: 2.0, y: 3.0}), x)[output]
        3.0
    """
    _check_source(edges, source)
    found: dict[Node, Value] = {}
    for node, labels in edges.items():
        terms = (label * found[parent] for label, parent in zip(labels, node.parents, strict=True))
        found[node] = 1 if node is source else sum(terms)
    return found


def reverse(edges: Edges) -> dict[Node, Value]:
    """Computes `d output / d node` for every node, in one pass from the output to the inputs.

    Every node passes its derivative, times the label of the edge, to its parents.

    Example:
        >>> x, y = inputs(2)
        >>> found = reverse(local_derivatives(x * y, {x: 2.0, y: 3.0}))
        >>> found[x], found[y]
        (3.0, 2.0)
    """
    found: dict[Node, Value] = dict.fromkeys(edges, 0)
    *_, output = edges
    found[output] = 1
    for node in reversed(edges):
        for label, parent in zip(edges[node], node.parents, strict=True):
            found[parent] = found[parent] + found[node] * label
    return found


def paths(edges: Edges, source: Node) -> Iterator[tuple[Value, ...]]:
    """Yields the labels along each path from the output to the source, one tuple per path.

    There may be exponentially many paths: see `count_paths`.

    Raises:
        ValueError: a source that is not in the graph.

    Example:
        >>> (x,) = inputs(1)
        >>> len(list(paths(local_derivatives(x * x + x, {x: 2.0}), x)))
        3
    """
    _check_source(edges, source)
    *_, output = edges
    waiting: list[tuple[Node, tuple[Value, ...]]] = [(output, ())]
    while waiting:
        node, labels = waiting.pop()
        if node is source:
            yield labels
        else:
            waiting += [
                (parent, (*labels, label))
                for label, parent in zip(edges[node], node.parents, strict=True)
            ]


def sum_over_paths(edges: Edges, source: Node) -> Value:
    """Computes `d output / d source`, the sum over all paths of the product of labels (L1).

    Example:
        >>> (x,) = inputs(1)
        >>> sum_over_paths(local_derivatives(x * x + x, {x: 2.0}), x)  # 2 x + 1
        5.0
    """
    return sum(math.prod(labels) for labels in paths(edges, source))


def count_paths(edges: Edges, source: Node) -> int:
    """Counts the paths from the source to the output without walking them.

    This is forward accumulation with every label 1.

    Example:
        >>> (x,) = inputs(1)
        >>> count_paths(local_derivatives(x * x + x, {x: 2.0}), x)
        3
    """
    ones = {node: (1,) * len(node.parents) for node in edges}
    *_, output = edges
    return forward(ones, source)[output]


def topological_order(output: Node) -> list[Node]:
    """Sorts an output and its ancestors topologically, without recursion.

    Example:
        >>> x, y = inputs(2)
        >>> output = x * y
        >>> topological_order(output)[-1] is output
        True
    """
    done: dict[Node, None] = {}
    stack = [output]
    while stack:
        waiting = [parent for parent in stack[-1].parents if parent not in done]
        if waiting:
            stack += waiting
        else:
            done[stack.pop()] = None
    return list(done)


def _check_source(edges: Edges, source: Node) -> None:
    if source not in edges:
        raise ValueError("the source is not in this graph: the output does not depend on it")
