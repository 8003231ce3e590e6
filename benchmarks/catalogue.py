"""Retrieval alone, on its real stores, with products in it: a durable Postgres, the Qdrant engine, one process."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import grpc

from benchmarks.servers import retrieval_process
from benchmarks.vectors import made_up_vectors
from local.databases import create_database
from local.postgres import PostgresServer
from local.processes import LocalError
from local.qdrant import QdrantServer
from services.common.migrations import MigrationSettings, migrate
from services.retrieval.migrate import DIRECTORY
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

CALL_SECONDS: Final = 60.0
_BATCH: Final = 250
_INDEX_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class RunningCatalogue:
    """Where things are."""

    retrieval: str
    """host:port."""
    database_url: str


@asynccontextmanager
async def catalogue_with(products: Sequence[Product], directory: Path) -> AsyncIterator[RunningCatalogue]:
    """Retrieval with the products in its index. `directory`, open to other users, takes data and logs.

    Raises:
        LocalError: a part did not start, or the products were not indexed in time.
    """
    async with (
        PostgresServer(directory / "postgres") as postgres,
        QdrantServer(directory / "qdrant", environment=dict(os.environ)) as qdrant,
        made_up_vectors() as encoder,
    ):
        url = await create_database(postgres.url(), "catalogue")
        await asyncio.to_thread(migrate, DIRECTORY, MigrationSettings(database_url=url))
        async with retrieval_process(directory, url, qdrant.address, encoder) as address:
            running = RunningCatalogue(address, url)
            begun = time.perf_counter()
            await write(running, products)
            await drained(running)
            sys.stderr.write(f"{len(products)} products indexed after {time.perf_counter() - begun:.1f} s\n")
            yield running


async def drained(running: RunningCatalogue) -> None:
    """Waits until nothing waits for the index.

    Raises:
        LocalError: it took too long.
    """
    connection = await asyncpg.connect(running.database_url)
    try:
        async with asyncio.timeout(_INDEX_SECONDS):
            statement = "SELECT EXISTS (SELECT FROM outbox) OR EXISTS (SELECT FROM offer_outbox)"
            while await connection.fetchval(statement):  # noqa: ASYNC110 - another process empties the queues
                await asyncio.sleep(0.05)
    except TimeoutError as exc:
        raise LocalError("the products were not indexed in time") from exc
    finally:
        await connection.close()


async def write(running: RunningCatalogue, products: Sequence[Product]) -> None:
    """Writes products, which are then indexed in the background."""
    async with grpc.aio.insecure_channel(running.retrieval) as channel:
        stub = rpc.RetrievalServiceStub(channel)
        for i in range(0, len(products), _BATCH):
            request = pb.UpsertProductsRequest(products=products[i : i + _BATCH])
            await stub.UpsertProducts(request, timeout=CALL_SECONDS)
