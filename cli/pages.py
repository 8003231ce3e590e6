"""Pages of one list, fetched one after the other, each a trace of its own."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.json_format import MessageToDict

from cli.gateway import new_trace
from zhiyin.gateway.v1 import gateway_service_pb2 as pb

Request = TypeVar("Request", bound=pb.SearchRequest | pb.ListSimilarProductsRequest | pb.RecommendRequest)
Reply = TypeVar("Reply", bound=pb.SearchResponse | pb.ListSimilarProductsResponse | pb.RecommendResponse)


@dataclass(frozen=True, slots=True)
class Fetched(Generic[Reply]):
    """One page, and how it came about."""

    response: Reply
    trace_id: str
    seconds: float
    """From call to reply, as the command saw it."""


async def fetch_pages(
    call: Callable[[Request], Awaitable[Reply]], request: Request, count: int
) -> list[Fetched[Reply]]:
    """The first `count` pages, or as many as there are.

    Raises:
        ServiceError: the gateway refused, or was not reached.
    """
    found: list[Fetched[Reply]] = []
    while True:
        with new_trace() as trace_id:
            started = time.perf_counter()
            response = await call(request)
            found.append(Fetched(response, trace_id, time.perf_counter() - started))
        if len(found) >= count or not response.next_page_token:
            return found
        # Only now: a caller may ask for the same page again.
        request.page_token = response.next_page_token


def page_json(page: Fetched[Reply]) -> dict[str, Any]:
    """The reply in its proto JSON form with field names of the proto, and the trace id and milliseconds beside it."""
    reply = MessageToDict(page.response, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {"trace_id": page.trace_id, "milliseconds": round(page.seconds * 1000, 2), **reply}
