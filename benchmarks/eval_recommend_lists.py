"""Lists of recommendations for a sample of visitors: served ones, and those of the plain reference beside them."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import grpc

from benchmarks.recommend_data import BehaviourSet, Visitor
from benchmarks.recommend_metrics import PLACES
from zhiyin.common.v1 import user_event_pb2
from zhiyin.common.v1.degradation_pb2 import DegradationKind
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import gateway_service_pb2_grpc as rpc

_IN_FLIGHT: Final = 4
_CALL_SECONDS: Final = 30.0
_PURCHASE: Final = user_event_pb2.USER_EVENT_TYPE_PURCHASE_COMPLETE


@dataclass(frozen=True, slots=True)
class Asked:
    """How the services are asked."""

    catalog: str
    policy: str
    excludes_seen: bool = True
    """Whether all that the visitor ever chose is excluded; else what was bought may come back."""
    as_session: bool = False
    """Whether the visitor is unknown, and the shop tells its history as the session."""


@dataclass(slots=True)
class Served:
    """What the services recommended."""

    lists: list[list[int]] = field(default_factory=list)
    """Product numbers, best first, by visitor in the order of the sample."""
    degradations: Counter[str] = field(default_factory=Counter)
    """Replies that lacked something, by kind."""
    seconds: float = 0.0


async def served(
    stub: "rpc.GatewayServiceAsyncStub", asked: Asked, data: BehaviourSet, visitors: Sequence[Visitor]
) -> Served:
    """Asks for each visitor's first ten products.

    Raises:
        grpc.RpcError: a call was refused.
    """
    numbers = {product_id: number for number, product_id in enumerate(data.product_ids)}
    result, begun = Served([[] for _ in visitors]), time.perf_counter()
    places = iter(enumerate(visitors))

    async def caller() -> None:
        for place, visitor in places:
            reply = await stub.Recommend(request_of(asked, visitor, data.product_ids), timeout=_CALL_SECONDS)
            result.lists[place] = [numbers[each.product.id] for each in reply.recommendations]
            for part in reply.degradations:
                result.degradations[DegradationKind.Name(part.kind).removeprefix("DEGRADATION_KIND_")] += 1

    await asyncio.gather(*(caller() for _ in range(_IN_FLIGHT)))
    result.seconds = time.perf_counter() - begun
    return result


def request_of(asked: Asked, visitor: Visitor, product_ids: Sequence[str]) -> pb.RecommendRequest:
    """The request for one visitor."""
    request = pb.RecommendRequest(catalog=asked.catalog, policy=asked.policy, page_size=PLACES)
    if asked.as_session:
        for choice in reversed(visitor.history):
            for product in reversed(choice.products):
                request.session.add(type=_PURCHASE, product_id=product_ids[product])
    else:
        request.visitor_id = visitor.visitor_id
    if asked.excludes_seen:
        request.excluded_product_ids.extend(sorted(product_ids[product] for product in visitor.seen))
    else:
        request.purchased = pb.PURCHASED_PRODUCTS_ALLOWED
    return request


def computed(visitors: Iterable[Visitor], method: Callable[[Visitor], list[int]]) -> list[list[int]]:
    """Lists of the reference."""
    return [method(visitor) for visitor in visitors]


def sample(visitors: Iterable[Visitor], count: int, seed: int) -> list[Visitor]:
    """At most `count` visitors that have something to predict and a history, always the same ones."""
    able = [visitor for visitor in visitors if visitor.targets and visitor.history]
    return able if len(able) <= count else random.Random(seed).sample(able, count)


def some_visitors(data: BehaviourSet, count: int, seed: int) -> BehaviourSet:
    """The same set with a sample of its visitors, always the same ones."""
    if len(data.visitors) <= count:
        return data
    chosen = sorted(random.Random(seed).sample(range(len(data.visitors)), count))
    return replace(data, visitors=tuple(data.visitors[i] for i in chosen))


async def until_ready(stub: "rpc.GatewayServiceAsyncStub", catalog: str, seconds: float) -> None:
    """Waits until a recommendation lacks nothing: each replica fetches what is popular when first asked.

    Raises:
        TimeoutError: some part stays away.
    """
    async with asyncio.timeout(seconds):
        while True:
            try:
                reply = await stub.Recommend(pb.RecommendRequest(catalog=catalog), timeout=_CALL_SECONDS)
                if not reply.degradations:
                    return
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            await asyncio.sleep(0.5)
