"""`python -m local.spans --port N`: receives and serves spans until SIGTERM or SIGINT."""

import argparse
import asyncio
import signal

from local.spans.server import open_server

DRAIN_SECONDS = 1.0


async def serve(capacity: int, host: str, port: int) -> None:
    """Serves, and drains at a signal."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    server, bound = await open_server(capacity, host, port)
    print(f"receiving spans on {host}:{bound}", flush=True)  # noqa: T201 - the log of this process
    await ended.wait()
    await server.stop(DRAIN_SECONDS)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m local.spans")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=4317, help="port to listen on; 0 takes a free one")
    parser.add_argument("--capacity", type=int, default=20_000, help="spans kept; about 1 kB each")
    given = parser.parse_args()
    asyncio.run(serve(given.capacity, given.host, given.port))


if __name__ == "__main__":
    main()
