"""`python -m local.qdrant --data DIR --port N`: serves until SIGTERM or SIGINT, then closes the shards."""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from dataclasses import fields
from pathlib import Path

from local.directories import locked
from local.qdrant.collections import Collections
from local.qdrant.optimiser import Optimiser
from local.qdrant.server import open_server
from local.qdrant.settings import OptimiserSettings, option

DRAIN_SECONDS = 5.0
FLUSH_SECONDS = 5.0  # as Qdrant's flush_interval_sec


async def serve(data: Path, host: str, port: int, settings: OptimiserSettings) -> None:
    """Opens the collections of `data`, serves them, and drains at a signal."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with locked(data), Collections(data / "collections") as collections:
        async with optimising(collections, settings):
            server, bound = await open_server(collections, host, port)
            print(f"serving {data} on {host}:{bound}", flush=True)  # noqa: T201 - the log of this process
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FLUSH_SECONDS):
                        await ended.wait()
                # What is being copied was flushed before, and nothing was written since.
                collections.flush()
            await server.stop(DRAIN_SECONDS)


@contextlib.asynccontextmanager
async def optimising(collections: Collections, settings: OptimiserSettings) -> AsyncIterator[None]:
    """Graphs are built in the background until the context is left."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(Optimiser(collections, settings).run())
        yield
        task.cancel()


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.qdrant")
    parser.add_argument("--data", type=Path, required=True, help="directory of the collections")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=6334, help="port to listen on; 0 takes a free one")
    for setting in fields(OptimiserSettings):
        parser.add_argument(
            option(setting.name),
            type=type(setting.default),
            default=setting.default,
            help=f"{setting.metadata['help']}; {setting.default}",
        )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = OptimiserSettings(**{one.name: getattr(given, one.name) for one in fields(OptimiserSettings)})
    asyncio.run(serve(given.data, given.host, given.port, settings))


if __name__ == "__main__":
    main()
