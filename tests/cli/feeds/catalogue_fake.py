"""A gateway that knows update masks, offers and lists, with one catalogue in memory."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from services.common.server import Registration, open_server
from services.common.settings import ServiceSettings
from tests.fakes import FakeGateway
from zhiyin.common.v1 import product_pb2, write_pb2
from zhiyin.gateway.v1 import gateway_service_pb2 as gateway_pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

OFFER_FIELDS = ("price", "original_price", "availability", "quantity")


class CatalogueFake(FakeGateway):
    """Writes what a mask names, as protos/zhiyin/gateway/v1/gateway_service.proto says."""

    def __init__(self):
        super().__init__()
        self.masks = []
        self.offer_masks = []
        self.list_error = None

    async def UpsertProducts(self, request, context):
        paths = list(request.update_mask.paths)
        self.masks.append(paths)
        if not paths:
            return await super().UpsertProducts(request, context)
        self._begin("UpsertProducts", context)
        return gateway_pb.UpsertProductsResponse(results=[self._update(given, paths) for given in request.products])

    def _update(self, given, paths):
        stored = self.products.get(given.id)
        if stored is None:
            return write_pb2.ProductWriteResult(product_id=given.id, outcome=write_pb2.WRITE_OUTCOME_NOT_FOUND)
        before = stored.SerializeToString(deterministic=True)
        for path in paths:
            stored.ClearField(path)
            part = product_pb2.Product()
            part.CopyFrom(given)
            for field, _ in part.ListFields():
                if field.name != path:
                    part.ClearField(field.name)
            stored.MergeFrom(part)
        changed = before != stored.SerializeToString(deterministic=True)
        outcome = write_pb2.WRITE_OUTCOME_UPDATED if changed else write_pb2.WRITE_OUTCOME_UNCHANGED
        return write_pb2.ProductWriteResult(product_id=given.id, outcome=outcome)

    async def UpdateOffers(self, request, context):
        self._begin("UpdateOffers", context)
        self.offer_masks.append(list(request.update_mask.paths))
        fields = self.offer_masks[-1] or OFFER_FIELDS
        return gateway_pb.UpdateOffersResponse(results=[self._update_offer(one, fields) for one in request.updates])

    def _update_offer(self, update, fields):
        result = write_pb2.OfferWriteResult(product_id=update.product_id, region=update.offer.region)
        product = self.products.get(update.product_id)
        if product is None:
            result.outcome = write_pb2.WRITE_OUTCOME_NOT_FOUND
            return result
        stored = next((offer for offer in product.offers if offer.region == update.offer.region), None)
        result.outcome = write_pb2.WRITE_OUTCOME_UPDATED if stored else write_pb2.WRITE_OUTCOME_CREATED
        stored = stored or product.offers.add(region=update.offer.region)
        before = stored.SerializeToString()
        for name in OFFER_FIELDS:
            if name not in fields:
                update.offer.ClearField(name)
            else:
                stored.ClearField(name)
        stored.MergeFrom(update.offer)
        if result.outcome == write_pb2.WRITE_OUTCOME_UPDATED and before == stored.SerializeToString():
            result.outcome = write_pb2.WRITE_OUTCOME_UNCHANGED
        return result

    async def ListProducts(self, request, context):
        self._begin("ListProducts", context)
        if self.list_error is not None:
            raise self.list_error
        after = sorted(product_id for product_id in self.products if product_id > request.page_token)
        page = after[:3]
        return gateway_pb.ListProductsResponse(
            products=[self.products[product_id] for product_id in page],
            next_page_token=page[-1] if len(page) < len(after) else "",
        )


@contextmanager
def listening(fake) -> Iterator[str]:
    """Serves a fake on a thread with an event loop of its own, and yields the address."""
    started, stop, addresses = threading.Event(), asyncio.Event(), []
    loop = asyncio.new_event_loop()

    async def serve():
        registration = Registration(
            "zhiyin.gateway.v1.GatewayService", lambda server: rpc.add_GatewayServiceServicer_to_server(fake, server)
        )
        async with open_server(ServiceSettings(bind="127.0.0.1:0"), [registration]) as address:
            addresses.append(address)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(30)
    try:
        yield addresses[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
