"""`zhiyin trace`."""

import asyncio
import re
import time
from dataclasses import asdict
from typing import Annotated, Any, Final

import grpc
import typer
from rich.text import Text
from rich.tree import Tree

from cli.options import JsonOption
from cli.output import RESULTS, plain, write_json
from cli.running import USAGE, CommandFailed, run
from cli.trace_tree import Node, trace_tree
from local.spans import Span, read_trace

DEFAULT_SPANS: Final = "127.0.0.1:4317"
POLL_SECONDS: Final = 0.1
QUIET_SECONDS: Final = 0.7
"""Services export their spans every half second: a trace that did not grow for longer is complete."""
SpansOption = Annotated[
    str, typer.Option("--spans", envvar="ZHIYIN_SPANS", help="Address of the span receiver, host:port.")
]
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


def trace(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, as `zhiyin search` prints them.", show_default=False)],
    *,
    spans: SpansOption = DEFAULT_SPANS,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for spans that are on their way.")
    ] = 3.0,
    as_json: JsonOption = False,
) -> None:
    """Show what one request did in every service, and how long each step took."""

    async def work() -> int:
        nodes = trace_tree(await complete_trace(spans, trace_id, wait))
        if as_json:
            write_json({"trace_id": trace_id, "spans": [_node_json(node) for node in nodes]})
        else:
            show_trace(trace_id, nodes)
        return 0

    run(work)


async def complete_trace(address: str, trace_id: str, seconds: float) -> list[Span]:
    """The spans of a trace, once it stopped growing or after `seconds`.

    Raises:
        CommandFailed: the id is none, nothing answers at `address`, or no span arrived.
    """
    if _TRACE_ID.fullmatch(trace_id) is None:
        raise CommandFailed("a trace id has 32 hex digits", USAGE)
    begin = grown = time.monotonic()
    found: list[Span] = []
    while True:
        before, found = len(found), await _read(address, trace_id)
        now = time.monotonic()
        grown = now if len(found) > before else grown
        quiet = now - grown
        if found:
            quiet = max(quiet, time.time() - max(span.end for span in found) / 1e9)
        if (found and quiet > QUIET_SECONDS) or now - begin >= seconds:
            break
        await asyncio.sleep(POLL_SECONDS)
    if not found:
        raise CommandFailed(f"no span of this trace has arrived at {address}")
    return found


async def _read(address: str, trace_id: str) -> list[Span]:
    try:
        return await read_trace(address, trace_id)
    except grpc.aio.AioRpcError as exc:
        raise CommandFailed(
            f"no span receiver answers at {address} ({exc.code().name}): start one with `zhiyin up`, or name another "
            "one with --spans or ZHIYIN_SPANS; where a collector takes the spans, look there"
        ) from exc


def show_trace(trace_id: str, nodes: tuple[Node, ...]) -> None:
    """Prints a tree: when each span began, how long it took, whose it is."""
    tree = Tree(plain(f"trace {trace_id}", "bold"))
    for node in nodes:
        _grow(tree, node)
    RESULTS.print(tree)


def _grow(tree: Tree, node: Node) -> None:
    branch = tree.add(_label(node))
    for child in node.children:
        _grow(branch, child)


def _label(node: Node) -> Text:
    span = node.span
    label = plain(span.name.rpartition(".")[2] if "/" in span.name else span.name, "bold")
    label.append_text(plain(f"  {span.service.removeprefix('zhiyin-')} {span.kind}", "cyan"))
    label.append_text(plain(f"  {span.seconds * 1000:.1f} ms", "green"))
    label.append_text(plain(f"  at {node.offset * 1000:.1f}", "dim"))
    if span.is_error:
        label.append_text(plain(f"  ERROR {span.attributes.get('error.type', '')}".rstrip(), "red"))
    if node.is_orphan:
        label.append_text(plain("  (its parent has not arrived)", "yellow"))
    return label


def _node_json(node: Node) -> dict[str, Any]:
    return {
        **asdict(node.span),
        "attributes": dict(node.span.attributes),
        "milliseconds": round(node.span.seconds * 1000, 3),
        "offset_milliseconds": round(node.offset * 1000, 3),
        "is_orphan": node.is_orphan,
        "children": [_node_json(child) for child in node.children],
    }
