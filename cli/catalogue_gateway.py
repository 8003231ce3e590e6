"""The gateway's calls that only an import needs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask

from cli.gateway import Gateway, connected
from services.common.channels import Peer
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import OfferUpdate, WaitUntil
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

_SERVICE: Final = "/zhiyin.gateway.v1.GatewayService"
_PAGE: Final = 200
"""Whole products on one page: at all their limits they are far below what a message may have."""


class CatalogueGateway(Gateway):
    """A gateway that also writes parts of products and lists a catalogue. Every method raises ServiceError."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        self._offers = peer.unary(f"{_SERVICE}/UpdateOffers", pb.UpdateOffersRequest, pb.UpdateOffersResponse)
        self._list = peer.unary(f"{_SERVICE}/ListProducts", pb.ListProductsRequest, pb.ListProductsResponse)

    async def update(
        self, products: Sequence[Product], fields: Sequence[str], wait_until: "WaitUntil.ValueType"
    ) -> pb.UpsertProductsResponse:
        """Writes these fields of 1 to 500 products that exist; all others stay as they are stored."""
        mask = FieldMask(paths=fields)
        request = pb.UpsertProductsRequest(
            catalog=self._catalog, products=products, wait_until=wait_until, update_mask=mask
        )
        return await self._call(self._upsert, request)

    async def update_offers(
        self, updates: Sequence[OfferUpdate], fields: Sequence[str], wait_until: "WaitUntil.ValueType"
    ) -> pb.UpdateOffersResponse:
        """Writes these fields of 1 to 5,000 offers; all others stay as they are stored."""
        mask = FieldMask(paths=fields)
        request = pb.UpdateOffersRequest(
            catalog=self._catalog, updates=updates, update_mask=mask, wait_until=wait_until
        )
        return await self._call(self._offers, request)

    async def page(self, request: pb.ListProductsRequest) -> pb.ListProductsResponse:
        """One page of the catalogue; the catalogue is filled in."""
        request.catalog = self._catalog
        return await self._call(self._list, request)

    async def products(self) -> AsyncIterator[Sequence[Product]]:
        """The whole catalogue, page by page."""
        token = ""
        while True:
            page = await self.page(pb.ListProductsRequest(page_size=_PAGE, page_token=token))
            yield page.products
            token = page.next_page_token
            if not token:
                return


@asynccontextmanager
async def open_catalogue(target: str, *, catalog: str, seconds: float) -> AsyncIterator[CatalogueGateway]:
    """Connects when first called.

    Raises:
        SettingsError: the variables of transport security are wrong.
    """
    async with connected(CatalogueGateway, target, catalog=catalog, seconds=seconds) as gateway:
        yield gateway
