"""Several catalogues with equal product ids: nothing of one ever appears in another, whatever is done to them.

Random operations on the real service, beside a model of what each catalogue holds.
"""

import random
from collections import Counter
from types import SimpleNamespace

import grpc
import pytest

from tests.retrieval import shops
from tests.retrieval.catalogues import REMOVE, change
from tests.retrieval.shops import product
from zhiyin.common.v1 import catalog_settings_pb2, filter_pb2, product_pb2, result_set_pb2, write_pb2
from zhiyin.retrieval.v1 import catalog_settings_service_pb2 as settings_pb
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb

IDS = [f"p{number}" for number in range(6)]
MARKS = ("alpha", "beta", "gamma")
SEARCHABLE = write_pb2.WAIT_UNTIL_SEARCHABLE
OPERATIONS = 25


class Model:
    """What a catalogue should hold, and the same calls on the real one."""

    def __init__(self, shop, mark, noise):
        self.stub, self.mark, self.noise = shop.stub, mark, noise
        self.catalog = f"{shop.catalog}-{mark}"
        self.products, self.attributes = {}, []
        self.view = SimpleNamespace(stub=shop.stub, catalog=self.catalog)

    async def upsert(self):
        ids = self.noise.sample(IDS, 3)
        brands = [f"{self.mark}-{self.noise.randrange(2)}" for _ in ids]
        sent = [
            product(i, f"Milk {self.mark}", price=self.noise.randrange(1, 9), categories=[brand])
            for i, brand in zip(ids, brands, strict=True)
        ]
        await shops.upsert(self.view, *sent)
        self.products |= {each.id: each for each in sent}

    async def delete(self):
        ids = self.noise.sample(IDS, 2)
        reply = await shops.delete(self.view, *ids)
        for product_id, result in zip(ids, reply.results, strict=True):
            gone = self.products.pop(product_id, None)
            expected = write_pb2.WRITE_OUTCOME_NOT_FOUND if gone is None else write_pb2.WRITE_OUTCOME_DELETED
            assert result.outcome == expected

    async def change_prices(self):
        ids = self.noise.sample(IDS, 4)
        updates = [change(i, self.noise.randrange(1, 9), action=self.noise.choice([0, 0, REMOVE])) for i in ids]
        request = pb.UpdateOffersRequest(catalog=self.catalog, updates=updates, wait_until=SEARCHABLE)
        await self.stub.UpdateOffers(request, timeout=shops.SECONDS)
        for update in updates:
            if update.product_id in self.products:
                kept = [] if update.action == REMOVE else [update.offer]
                del self.products[update.product_id].offers[:]
                self.products[update.product_id].offers.extend(kept)

    async def declare(self):
        kind = catalog_settings_pb2.ATTRIBUTE_TYPE_TEXT
        uses = [catalog_settings_pb2.ATTRIBUTE_USE_FACETABLE]
        name = f"{self.mark}-{self.noise.randrange(3)}"
        self.attributes = [catalog_settings_pb2.AttributeDeclaration(name=name, type=kind, uses=uses)]
        settings = catalog_settings_pb2.CatalogSettings(attributes=self.attributes)
        request = settings_pb.UpdateCatalogSettingsRequest(catalog=self.catalog, settings=settings)
        await self.stub.settings.UpdateCatalogSettings(request, timeout=shops.SECONDS)

    async def check(self):
        await self._check_stored()
        if self.products:
            await self._check_search()
            await self._check_similar()

    async def _check_stored(self):
        page = await self.stub.ListProducts(pb.ListProductsRequest(catalog=self.catalog), timeout=shops.SECONDS)
        for message in page.products:
            message.ClearField("etag")
        assert list(page.products) == [self.products[product_id] for product_id in sorted(self.products)]
        if self.products:
            request = pb.BatchGetProductsRequest(catalog=self.catalog, product_ids=sorted(self.products))
            batch = await self.stub.BatchGetProducts(request, timeout=shops.SECONDS)
            assert [each.title for each in batch.products] == [f"Milk {self.mark}"] * len(self.products)
        request = settings_pb.GetCatalogSettingsRequest(catalog=self.catalog)
        settings = (await self.stub.settings.GetCatalogSettings(request, timeout=shops.SECONDS)).settings
        assert list(settings.attributes) == self.attributes

    async def _check_search(self):
        facet = result_set_pb2.FacetSpec(field="category")
        reply = await shops.search(self.view, "milk", limit=500, facets=[facet])
        assert sorted(shops.ids_of(reply)) == sorted(self.products)
        for found in reply.found:
            stored = self.products[found.summary.id]
            assert (found.summary.title, list(found.summary.categories)) == (stored.title, list(stored.categories))
            assert found.summary.offer == (stored.offers[0] if stored.offers else product_pb2.Offer())
        counted = {value.value: value.count for value in reply.result_set.facets[0].values}
        assert counted == dict(Counter(each.categories[0] for each in self.products.values()))
        cheap = await shops.search(self.view, "milk", limit=500, filter=shops.prices(highest=4))
        expected = [i for i, each in self.products.items() if each.offers and each.offers[0].price.units <= 4]
        assert sorted(shops.ids_of(cheap)) == sorted(expected)
        for other in MARKS:
            wanted = filter_pb2.ProductFilter(categories=[f"{other}-0", f"{other}-1"])
            reply = await shops.search(self.view, "milk", filter=wanted)
            assert bool(reply.found) == (other == self.mark)

    async def _check_similar(self):
        product_id = self.noise.choice(sorted(self.products))
        request = pb.FindSimilarProductsRequest(catalog=self.catalog, product_id=product_id)
        reply = await self.stub.FindSimilarProducts(request, timeout=shops.SECONDS)
        assert {f.summary.id for f in reply.found} <= self.products.keys() - {product_id}
        assert {f.summary.title for f in reply.found} <= {f"Milk {self.mark}"}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_is_done_to_one_catalogue_no_other_one_shows_it(shop, seed):
    noise = random.Random(seed)
    models = [Model(shop, mark, noise) for mark in MARKS]
    for model in models:
        await model.upsert()
    for _ in range(OPERATIONS):
        model = noise.choice(models)
        await noise.choice([model.upsert, model.upsert, model.change_prices, model.delete, model.declare])()
        for each in models:
            await each.check()


async def test_a_catalogue_that_nobody_has_written_to_is_empty(shop):
    await shops.upsert(shop, product("milk", "Milk"))
    empty = SimpleNamespace(stub=shop.stub, catalog=f"{shop.catalog}-empty")
    page = await shop.stub.ListProducts(pb.ListProductsRequest(catalog=empty.catalog), timeout=shops.SECONDS)
    assert not page.products
    for call in (shops.get(empty, "milk"), shops.search(empty, "milk"), shops.summaries(empty, "milk")):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
