"""`python -m local.qdrant --data DIR --port N`: serves until SIGTERM or SIGINT, then closes the shards."""

import argparse
import asyncio
import contextlib
import signal
from pathlib import Path

from local.directories import locked
from local.qdrant.collections import Collections
from local.qdrant.server import open_server

DRAIN_SECONDS = 5.0
FLUSH_SECONDS = 5.0  # as Qdrant's flush_interval_sec


async def serve(data: Path, host: str, port: int) -> None:
    """Opens the collections of `data`, serves them, and drains at a signal."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with locked(data), Collections(data / "collections") as collections:
        server, bound = await open_server(collections, host, port)
        print(f"serving {data} on {host}:{bound}", flush=True)  # noqa: T201 - the log of this process
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), FLUSH_SECONDS)
            collections.flush()
        await server.stop(DRAIN_SECONDS)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.qdrant")
    parser.add_argument("--data", type=Path, required=True, help="directory of the collections")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=6334, help="port to listen on; 0 takes a free one")
    given = parser.parse_args()
    asyncio.run(serve(given.data, given.host, given.port))


if __name__ == "__main__":
    main()
