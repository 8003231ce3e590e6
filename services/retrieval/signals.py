"""What writers and the indexer of one process tell each other; other processes find out by looking."""

import asyncio
from contextlib import suppress


class IndexingSignals:
    """Bells: there is work, for products and for offers, and work was done. A missed ring costs a pause, no change."""

    def __init__(self) -> None:
        self._products = asyncio.Event()
        self._offers = asyncio.Event()
        self._progress = asyncio.Event()

    def wake_indexer(self) -> None:
        """Says that there is something to index."""
        self._products.set()
        self._offers.set()

    async def work(self, at_most: float) -> None:
        """Waits until there may be products to index, for `at_most` seconds."""
        await _wait(self._products, at_most)
        self._products.clear()

    async def offers(self, at_most: float) -> None:
        """Waits until there may be offers to index, for `at_most` seconds."""
        await _wait(self._offers, at_most)
        self._offers.clear()

    def announce_progress(self) -> None:
        """Says that something was indexed, to all who wait."""
        self._progress.set()
        self._progress = asyncio.Event()

    async def progress(self, at_most: float) -> None:
        """Waits until something was indexed, for `at_most` seconds."""
        await _wait(self._progress, at_most)


async def _wait(event: asyncio.Event, at_most: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most):
            await event.wait()
