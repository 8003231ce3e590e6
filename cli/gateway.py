"""The gateway as the commands call it: typed calls, each with a deadline and a trace of its own."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

from google.protobuf.message import Message
from opentelemetry import context, trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from services.common.channels import Peer, UnaryCall, open_peer
from services.common.errors import ServiceError
from services.common.settings import TransportSettings, load
from zhiyin.common.v1.product_pb2 import Product
from zhiyin.common.v1.write_pb2 import WaitUntil
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

PEER: Final = "gateway"
_SERVICE: Final = "/zhiyin.gateway.v1.GatewayService"
_IDS: Final = RandomIdGenerator()


Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Connection:
    """One connection to a gateway, for one catalogue. Every call raises ServiceError, which then names the gateway."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        self.target = peer.target
        self._catalog = catalog
        self._seconds = seconds

    async def _call(self, method: UnaryCall[Request, Response], request: Request) -> Response:
        with self._saying_where():
            return await method(request, at_most=self._seconds)

    @contextmanager
    def _saying_where(self) -> Iterator[None]:
        try:
            yield
        except ServiceError as error:
            error.metadata["target"] = self.target
            if (span := trace.get_current_span().get_span_context()).is_valid:
                error.metadata["trace_id"] = trace.format_trace_id(span.trace_id)
            raise


class Gateway(Connection):
    """Searches and writes products."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        self._search = peer.unary(f"{_SERVICE}/Search", pb.SearchRequest, pb.SearchResponse)
        self._similar = peer.unary(
            f"{_SERVICE}/ListSimilarProducts", pb.ListSimilarProductsRequest, pb.ListSimilarProductsResponse
        )
        self._upsert = peer.unary(f"{_SERVICE}/UpsertProducts", pb.UpsertProductsRequest, pb.UpsertProductsResponse)
        self._delete = peer.unary(f"{_SERVICE}/DeleteProducts", pb.DeleteProductsRequest, pb.DeleteProductsResponse)
        self._get = peer.unary(f"{_SERVICE}/GetProduct", pb.GetProductRequest, pb.GetProductResponse)

    async def search(self, request: pb.SearchRequest) -> pb.SearchResponse:
        """One page; the catalogue is filled in."""
        request.catalog = self._catalog
        return await self._call(self._search, request)

    async def similar(self, request: pb.ListSimilarProductsRequest) -> pb.ListSimilarProductsResponse:
        """One page; the catalogue is filled in."""
        request.catalog = self._catalog
        return await self._call(self._similar, request)

    async def upsert(self, products: Sequence[Product], wait_until: "WaitUntil.ValueType") -> pb.UpsertProductsResponse:
        """Writes 1 to 500 products, each id once."""
        request = pb.UpsertProductsRequest(catalog=self._catalog, products=products, wait_until=wait_until)
        return await self._call(self._upsert, request)

    async def delete(self, product_ids: Sequence[str]) -> pb.DeleteProductsResponse:
        """Deletes 1 to 500 products, each id once."""
        request = pb.DeleteProductsRequest(catalog=self._catalog, product_ids=product_ids)
        return await self._call(self._delete, request)

    async def product(self, product_id: str) -> Product:
        """The product as it was imported."""
        request = pb.GetProductRequest(catalog=self._catalog, product_id=product_id)
        return (await self._call(self._get, request)).product


Opened = TypeVar("Opened", bound=Connection)


@asynccontextmanager
async def connected(kind: type[Opened], target: str, *, catalog: str, seconds: float) -> AsyncIterator[Opened]:
    """A connection of that kind; connects when first called.

    Raises:
        SettingsError: the variables of transport security are wrong.
    """
    async with open_peer(PEER, target, load(TransportSettings)) as peer:
        yield kind(peer, catalog, seconds)


@asynccontextmanager
async def open_gateway(target: str, *, catalog: str, seconds: float) -> AsyncIterator[Gateway]:
    """Connects when first called.

    Raises:
        SettingsError: the variables of transport security are wrong.
    """
    async with connected(Gateway, target, catalog=catalog, seconds=seconds) as gateway:
        yield gateway


@contextmanager
def new_trace() -> Iterator[str]:
    """Calls inside belong to one new, sampled trace; yields its id, 32 hex digits.

    Only the ids are made here and sent as a W3C `traceparent` header. The command exports no span itself, so the
    gateway's span is the first of the trace.
    """
    span_context = SpanContext(
        _IDS.generate_trace_id(), _IDS.generate_span_id(), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    token = context.attach(trace.set_span_in_context(NonRecordingSpan(span_context)))
    try:
        yield trace.format_trace_id(span_context.trace_id)
    finally:
        context.detach(token)
