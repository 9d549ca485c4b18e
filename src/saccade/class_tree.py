"""A tree of classes: which kinds belong to which wider kinds.

What weighs a mistake by how far apart two classes lie reads it: Bertinetto, Mueller, Tertikas,
Samangooei, Lord, "Making Better Mistakes", 2020, arXiv:1912.09393.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from saccade.errors import InputError
from saccade.names import suggest
from saccade.values import IntArray

ROOT = ""


@dataclass(frozen=True, slots=True)
class ClassTree:
    """Every node's name with the name of the node above it; the leaves are classes.

    Several nodes without one above them get the root "". Raises InputError for a loop. ``parents``
    is not to be changed afterwards.
    """

    parents: Mapping[str, str]

    def __post_init__(self) -> None:
        parents = dict(self.parents)
        tops = [name for name in dict.fromkeys(parents.values()) if name not in parents]
        if len(tops) > 1:
            parents |= {name: ROOT for name in tops if name != ROOT}
        object.__setattr__(self, "parents", parents)
        for name in parents:
            self.path(name)

    @classmethod
    def nested(cls, kinds: Mapping[str, Any]) -> "ClassTree":
        """Return the tree of names in names, as {"animal": ["cat", "dog"], "car": {}}.

        What lies below a name is a mapping of the same form or, when all are classes, a list.
        Raises InputError for a name that stands twice, or text where a list is expected.
        """
        above, below = next(iter(kinds.items())) if len(kinds) == 1 else (ROOT, kinds)
        if not below:
            above, below = ROOT, kinds
        parents: dict[str, str] = {}
        for name, parent in _edges(above, below):
            if name in parents or name == above:
                raise InputError(f"class tree: '{name}' stands twice; give each kind its own name")
            parents[name] = parent
        return cls(parents)

    def path(self, name: str) -> tuple[str, ...]:
        """Return the node ``name`` and its ancestors, up to the root; InputError for no node."""
        if name not in self.parents and name not in self.parents.values():
            raise InputError(f"class tree: there is no '{name}'; {suggest(name, self.parents)}")
        found = {name: None}
        while name in self.parents:
            name = self.parents[name]
            if name in found:
                way = " → ".join([*found, name])
                raise InputError(f"class tree: '{name}' lies below itself, {way}; cut that loop")
            found[name] = None
        return tuple(found)

    def paths(self, classes: Sequence[str]) -> list[tuple[str, ...]]:
        """Return the path of each class; InputError for one that is not a leaf of the tree."""
        inner = {above: name for name, above in self.parents.items()}
        for name in classes:
            if name in inner:
                raise InputError(
                    f"class tree: class '{name}' is no leaf, '{inner[name]}' lies below it; "
                    "put a leaf of its own below it"
                )
        return [self.path(name) for name in classes]

    def above(self, classes: Sequence[str]) -> "ClassTree":
        """Return the part of the tree that lies above these classes, and they themselves."""
        paths = self.paths(classes)
        return ClassTree({low: high for path in paths for low, high in pairwise(path)})

    def order(self, classes: Sequence[str]) -> list[int]:
        """Return the places of ``classes`` so that those of one kind stand side by side."""
        paths = self.paths(classes)
        return sorted(range(len(paths)), key=lambda place: paths[place][::-1])

    def distances(self, classes: Sequence[str]) -> IntArray:
        """Return the edges from class to class through what both belong to: (n, n) int64."""
        paths = self.paths(classes)
        column = {
            name: place
            for place, name in enumerate(dict.fromkeys(name for path in paths for name in path))
        }
        above = np.zeros((len(paths), len(column)), np.int64)
        for row, path in enumerate(paths):
            above[row, [column[name] for name in path]] = 1
        lengths = above.sum(1)
        return np.asarray(lengths[:, None] + lengths - 2 * above @ above.T, dtype=np.int64)


def _edges(above: str, kinds: Mapping[str, Any] | Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each name below ``above`` with the one right above it."""
    if isinstance(kinds, str):
        raise InputError(f"class tree: below '{above}' stands text; write it as ['{kinds}']")
    if not isinstance(kinds, Mapping | Sequence) or not all(isinstance(k, str) for k in kinds):
        raise InputError(
            f"class tree: below '{above}' stands {kinds}, which must be names; write them as text "
            "in a list, as ['cat', 'dog']"
        )
    for name in kinds:
        yield name, above
        if isinstance(kinds, Mapping) and kinds[name]:
            yield from _edges(name, kinds[name])
