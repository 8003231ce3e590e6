"""Category paths, `Grocery > Dairy > Milk`: compared in one spelling, each standing for itself and all below it."""

from collections.abc import Iterable
from typing import Final

SEPARATOR: Final = " > "


def levels(path: str) -> list[str]:
    """The names on a path, from the root; white space around them does not count."""
    return [level.strip() for level in path.split(">")]


def normalise(path: str) -> str:
    """The one spelling that paths are compared in."""
    return SEPARATOR.join(levels(path))


def with_ancestors(paths: Iterable[str]) -> list[str]:
    """Every path and all above it, each once, in the order met: what a filter on a subtree compares with."""
    found: dict[str, None] = {}
    for path in paths:
        names = levels(path)
        for depth in range(1, len(names) + 1):
            found[SEPARATOR.join(names[:depth])] = None
    return list(found)


def leaf(path: str) -> str:
    """The last name of a path."""
    return levels(path)[-1]
