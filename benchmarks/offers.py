"""Prices changed through gRPC beside a bare upsert of the same rows, and how soon a filter shows a changed price."""

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

import asyncpg
import grpc
from google.type.money_pb2 import Money

from benchmarks import machine
from benchmarks.catalogue import CALL_SECONDS, RunningCatalogue, catalogue_with, drained, write
from benchmarks.report import Better, Row, Target, publish
from cli.demo_catalogue import demo_products
from local.processes import LocalError
from zhiyin.common.v1.filter_pb2 import PriceRange, ProductFilter
from zhiyin.common.v1.product_pb2 import Offer, Product
from zhiyin.common.v1.write_pb2 import WRITE_OUTCOME_UPDATED, OfferUpdate
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb
from zhiyin.retrieval.v1 import retrieval_service_pb2_grpc as rpc

PRODUCTS: Final = 20_000
BATCH: Final = 1_000
IN_FLIGHT: Final = 4
ROUNDS: Final = 5
SIGHTINGS: Final = 40
VISIBLE_SECONDS: Final = 2.0
IMPORTED: Final = 10_000
_LOOK_SECONDS: Final = 0.01
_NEW_PRICES: Final = itertools.count(10_000)
"""Prices that no product has had."""
# The table, the index and the statement of the service's own offers, with nothing around them.
_BARE_TABLE: Final = """
    CREATE TABLE bare_offers (
        catalog text NOT NULL, product_id text COLLATE "C" NOT NULL, region text COLLATE "C" NOT NULL,
        content bytea, update_time timestamptz, PRIMARY KEY (catalog, product_id, region)
    ) WITH (fillfactor = 80)
"""
_BARE_UPSERT: Final = """
    INSERT INTO bare_offers (catalog, product_id, region, content, update_time)
    SELECT 'default', new.*, NULL::timestamptz FROM unnest($1::text[], $2::text[], $3::bytea[]) AS new
    ON CONFLICT (catalog, product_id, region)
    DO UPDATE SET content = excluded.content, update_time = excluded.update_time
"""
Batches = list[list[OfferUpdate]]


def batches_of(products: Sequence[Product], round_number: int) -> Batches:
    """A new price for every product."""
    updates = [
        OfferUpdate(product_id=product.id, offer=_offer(1 + (number * 7 + round_number) % 900, round_number))
        for number, product in enumerate(products)
    ]
    return [updates[i : i + BATCH] for i in range(0, len(updates), BATCH)]


async def update_rate(running: RunningCatalogue, batches: Batches) -> float:
    """Rows/s through the service, `IN_FLIGHT` calls at a time."""
    async with grpc.aio.insecure_channel(running.retrieval) as channel:
        stub = rpc.RetrievalServiceStub(channel)

        async def send(batch: list[OfferUpdate]) -> None:
            reply = await stub.UpdateOffers(pb.UpdateOffersRequest(updates=batch), timeout=CALL_SECONDS)
            updated = sum(result.outcome == WRITE_OUTCOME_UPDATED for result in reply.results)
            if updated < len(batch):
                raise LocalError(f"of {len(batch)} offers {updated} were updated")

        return await _rate(send, batches)


async def bare_rate(pool: "asyncpg.Pool[asyncpg.Record]", batches: Batches) -> float:
    """Rows/s of the same rows by one statement a batch, as many at a time."""

    async def send(batch: list[OfferUpdate]) -> None:
        ids = [update.product_id for update in batch]
        contents = [update.offer.SerializeToString(deterministic=True) for update in batch]
        await pool.execute(_BARE_UPSERT, ids, [""] * len(batch), contents)

    return await _rate(send, batches)


async def sightings(running: RunningCatalogue, products: Sequence[Product], count: int = SIGHTINGS) -> list[float]:
    """Seconds from the call that changes a price until a filter on it finds the product, one after the other."""
    found = []
    async with grpc.aio.insecure_channel(running.retrieval) as channel:
        stub = rpc.RetrievalServiceStub(channel)
        for product in products[:: len(products) // count][:count]:
            offer = _offer(next(_NEW_PRICES), 0)
            wanted = ProductFilter(price=PriceRange(min=offer.price, max=offer.price))
            search = pb.SearchCandidatesRequest(query=product.title, filter=wanted, limit=5)
            begun = time.perf_counter()
            update = pb.UpdateOffersRequest(updates=[OfferUpdate(product_id=product.id, offer=offer)])
            await stub.UpdateOffers(update, timeout=CALL_SECONDS)
            while not (await stub.SearchCandidates(search, timeout=CALL_SECONDS)).found:  # noqa: ASYNC110 - polling is the measurement
                await asyncio.sleep(_LOOK_SECONDS)
            found.append(time.perf_counter() - begun)
    return found


async def measure(running: RunningCatalogue, products: Sequence[Product]) -> list[Row]:
    """All figures; ours and the bare ones take turns, so that a busy machine disturbs both."""
    ours, bare, carried = [], [], []
    pool = await asyncpg.create_pool(running.database_url, min_size=IN_FLIGHT, max_size=IN_FLIGHT)
    async with pool:
        await pool.execute(_BARE_TABLE)
        await bare_rate(pool, batches_of(products, 0))
        for round_number in range(1, ROUNDS + 1):
            batches = batches_of(products, round_number)
            begun = time.perf_counter()
            ours.append(await update_rate(running, batches))
            await drained(running)
            carried.append(len(products) / (time.perf_counter() - begun))
            bare.append(await bare_rate(pool, batches))
    alone = await sightings(running, products)
    return [
        *_rate_rows(ours, bare, carried),
        *_sighting_rows("nothing else going on", alone),
        *_sighting_rows(f"while {IMPORTED:,} products are imported", await _sightings_in_import(running, products)),
    ]


async def _sightings_in_import(running: RunningCatalogue, products: Sequence[Product]) -> list[float]:
    """As `sightings`, from when the first new products wait for the index; those after its end do not count."""
    others = [Product() for _ in range(IMPORTED)]
    for other, product in zip(others, products, strict=False):
        other.CopyFrom(product)
        other.id = f"new-{product.id}"
    importing = asyncio.create_task(_import(running, others))
    await asyncio.sleep(1)
    found: list[float] = []
    while not importing.done():
        found += await sightings(running, products[len(found) :], 1)
    await importing
    return found[:-1] or found


async def _import(running: RunningCatalogue, products: Sequence[Product]) -> None:
    await write(running, products)
    await drained(running)


def _rate_rows(ours: Sequence[float], bare: Sequence[float], carried: Sequence[float]) -> list[Row]:
    how = f"batches of {BATCH:,}, {IN_FLIGHT} in flight, median of {len(ours)} rounds"
    spread = f"{how}; {min(ours):,.0f} to {max(ours):,.0f}, bare {min(bare):,.0f} to {max(bare):,.0f}"
    return [
        Row("UpdateOffers, on disk", "rows/s", median(ours), median(bare), note=spread),
        Row("the same, in the index too", "rows/s", median(carried), note="from the first call to an empty queue"),
    ]


def _sighting_rows(circumstances: str, seen: Sequence[float]) -> list[Row]:
    target, note = Target(VISIBLE_SECONDS), f"{len(seen)} changes one after the other, {circumstances}"
    return [
        Row("price shown by a filter, p50", "s", median(seen), better=Better.LOWER, target=target, note=note),
        Row("price shown by a filter, longest", "s", max(seen), better=Better.LOWER, target=target, note="the same"),
    ]


async def _rate(send: Callable[[list[OfferUpdate]], Awaitable[None]], batches: Batches) -> float:
    """Rows/s of all batches, each taken by whichever of `IN_FLIGHT` senders is free."""
    queue = iter(batches)

    async def sender() -> None:
        for batch in queue:
            await send(batch)

    begun = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(IN_FLIGHT)))
    return sum(map(len, batches)) / (time.perf_counter() - begun)


def _offer(units: int, quantity: int) -> Offer:
    return Offer(price=Money(currency_code="USD", units=units, nanos=990_000_000), availability=1, quantity=quantity)


def _priced(products: Iterator[Product]) -> Iterator[Product]:
    for product in products:
        del product.offers[:]
        product.offers.append(_offer(1, 0))
        yield product


async def _run() -> None:
    others = machine.OtherProcesses()
    products = list(itertools.islice(_priced(iter(demo_products(PRODUCTS))), PRODUCTS))
    with tempfile.TemporaryDirectory(prefix="zhiyin-bench-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - started by root, Postgres runs as another user
        async with catalogue_with(products, Path(directory)) as running:
            rows = await measure(running, products)
    described = machine.describe("nothing: vectors are made up, and no offer touches one", others.share())
    publish("offers", f"Offers of {len(products):,} products changed beside a bare upsert", described, rows)


def main() -> int:
    """0, also where a target is missed: this measures. 1 where it could not."""
    try:
        asyncio.run(_run())
    except (LocalError, grpc.RpcError) as exc:
        sys.stderr.write(f"bench-offers could not run: {exc}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
