"""Products and calls of the tests."""

import asyncio

from google.type import money_pb2

from zhiyin.common.v1 import filter_pb2, product_pb2, write_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

SECONDS = 10.0


def product(product_id, title, price=None, currency="USD", region="", availability=0, **fields):
    message = product_pb2.Product(id=product_id, title=title, **fields)
    if price is not None or availability:
        offer = message.offers.add(region=region, availability=availability)
        if price is not None:
            offer.price.CopyFrom(money(price, currency))
    return message


def money(amount, currency="USD"):
    units = int(amount)
    return money_pb2.Money(currency_code=currency, units=units, nanos=round((amount - units) * 1_000_000_000))


def prices(lowest=None, highest=None, currency="USD"):
    price = filter_pb2.PriceRange()
    if lowest is not None:
        price.min.CopyFrom(money(lowest, currency))
    if highest is not None:
        price.max.CopyFrom(money(highest, currency))
    return filter_pb2.ProductFilter(price=price)


async def upsert(shop, *products, searchable=True, within=SECONDS):
    wait = write_pb2.WAIT_UNTIL_SEARCHABLE if searchable else write_pb2.WAIT_UNTIL_COMMITTED
    request = pb.UpsertProductsRequest(catalog=shop.catalog, products=products, wait_until=wait)
    return await shop.stub.UpsertProducts(request, timeout=within)


async def delete(shop, *ids, searchable=True):
    wait = write_pb2.WAIT_UNTIL_SEARCHABLE if searchable else write_pb2.WAIT_UNTIL_COMMITTED
    request = pb.DeleteProductsRequest(catalog=shop.catalog, product_ids=ids, wait_until=wait)
    return await shop.stub.DeleteProducts(request, timeout=SECONDS)


async def get(shop, product_id):
    return await shop.stub.GetProduct(
        pb.GetProductRequest(catalog=shop.catalog, product_id=product_id), timeout=SECONDS
    )


async def search(shop, query, within=SECONDS, **fields):
    request = pb.SearchCandidatesRequest(catalog=shop.catalog, query=query, **fields)
    return await shop.stub.SearchCandidates(request, timeout=within)


async def summaries(shop, *ids, **fields):
    return await shop.stub.GetSummaries(
        pb.GetSummariesRequest(catalog=shop.catalog, product_ids=ids, **fields), timeout=SECONDS
    )


def ids_of(reply):
    return [found.candidate.product_id for found in reply.found]


def kinds(reply):
    return [(d.kind, d.component, d.reason) for d in reply.degradations]


async def eventually(condition, seconds=SECONDS):
    """Waits until an async condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.03)
