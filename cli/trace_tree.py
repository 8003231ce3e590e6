"""The spans of one trace as a tree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from local.spans import Span


@dataclass(frozen=True, slots=True)
class Node:
    """A span and what was done inside it."""

    span: Span
    offset: float
    """Seconds from the begin of the trace, by the clocks of the processes."""
    children: tuple["Node", ...]
    is_orphan: bool
    """Its parent has not arrived, so that its place is not known."""


def trace_tree(spans: Iterable[Span]) -> tuple[Node, ...]:
    """The top of the tree, by start; siblings are in the order of their start, ties by id.

    A caller that sends a trace id need not record spans itself. The parent of the first span may therefore be missing,
    and whoever has the same parent stands beside it. Any other span whose parent is missing is an orphan.
    """
    by_id = {span.span_id: span for span in spans}
    ordered = sorted(by_id.values(), key=lambda span: (span.start, span.span_id))
    children: dict[str, list[Span]] = {}
    for span in ordered:
        children.setdefault(span.parent_id, []).append(span)
    top = [span for span in ordered if span.parent_id not in by_id]
    grown = _Growth(children, ordered[0].start if ordered else 0)
    nodes = [grown.node(span, is_orphan=span.parent_id not in {"", top[0].parent_id}) for span in top]
    # What is left has itself as its ancestor, which only a broken sender writes.
    nodes += [grown.node(span, is_orphan=True) for span in ordered if span.span_id not in grown.placed]
    return tuple(nodes)


class _Growth:
    def __init__(self, children: dict[str, list[Span]], begin: int) -> None:
        self._children = children
        self._begin = begin
        self.placed: set[str] = set()

    def node(self, span: Span, *, is_orphan: bool = False) -> Node:
        self.placed.add(span.span_id)
        below: Sequence[Span] = self._children.get(span.span_id, ())
        children = tuple(self.node(child) for child in below if child.span_id not in self.placed)
        return Node(span, (span.start - self._begin) / 1e9, children, is_orphan)
