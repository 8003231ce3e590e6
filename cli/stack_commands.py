"""`zhiyin up` and `zhiyin demo`: the commands that start processes.

What they need is imported when they are called: the other commands do without `zhiyin[local]`.
"""

import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_GATEWAY, GatewayOption
from cli.running import CommandFailed, run
from cli.trace_command import DEFAULT_SPANS, SpansOption

DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of all data and logs; else ZHIYIN_DATA_DIR.")
]
PortOption = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port of the gateway; else ZHIYIN_GATEWAY_PORT.")
]


def up(data_dir: DataDirOption = None, port: PortOption = None) -> None:
    """Start everything on this machine and keep it up until Ctrl-C.

    Real Postgres, the real Qdrant engine, a receiver of traces and the five services. All other settings of the stack
    are variables of the environment, listed in local/README.md.
    """

    async def work() -> int:
        from cli.up_command import keep_up  # noqa: PLC0415 - see the head of this file

        return await keep_up(data_dir, port)

    run(partial(_with_local, work))


def demo(
    *,
    data_dir: DataDirOption = None,
    port: PortOption = None,
    gateway: GatewayOption = DEFAULT_GATEWAY,
    spans: SpansOption = DEFAULT_SPANS,
    products: Annotated[int, typer.Option("--products", min=1, help="Products to import.")] = 4_000,
    leave: Annotated[
        bool | None,
        typer.Option("--exit/--stay", help="Stop everything at the end; the default where there is no terminal."),
    ] = None,
) -> None:
    """Show everything on a real catalogue: start, import, search in two languages, explain, trace."""

    async def work() -> int:
        from cli.demo_command import DemoOptions, show_all  # noqa: PLC0415 - see the head of this file

        leaves = not sys.stdin.isatty() if leave is None else leave
        return await show_all(DemoOptions(data_dir, port, gateway, spans, products, leaves))

    run(partial(_with_local, work))


async def _with_local(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    try:
        return await work()
    except ModuleNotFoundError as exc:
        raise CommandFailed(f"{exc.name} is not installed: this command needs pip install 'zhiyin[local]'") from exc
