"""The feedback service, as the gateway asks it: profiles, what goes together, what is popular, events."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.common.channels import Peer
from services.gateway.adapters.behaviours import behaviours_of, seconds_of
from services.gateway.behaviours import share_left
from services.gateway.popularity import Popular
from services.gateway.visitors import Profile, Visitor
from zhiyin.common.v1 import recommendation_pb2
from zhiyin.feedback.v1 import feedback_service_pb2 as pb

SERVICE: Final = "/zhiyin.feedback.v1.FeedbackService"


class FeedbackClient:
    """A `visitors.ProfileSource`, `recommending.RelatedSource`, `popularity.PopularSource` and `events.EventStore`."""

    def __init__(
        self,
        peer: Peer,
        *,
        profile_seconds: float,
        long_profile_seconds: float,
        related_seconds: float,
        popular_seconds: float,
        event_seconds: float,
        event_reserve: float,
        behaviours: int,
    ) -> None:
        """Prepares the calls.

        Args:
            peer: feedback.
            profile_seconds: longest wait for a profile that a reply is merely better with.
            long_profile_seconds: longest wait for one that a reply is all about.
            related_seconds: longest wait for what goes together.
            popular_seconds: longest wait for what is popular.
            event_seconds: longest wait until events are kept.
            event_reserve: the caller's time that is kept back for the reply.
            behaviours: behaviours of a profile at most.
        """
        self._seconds = (profile_seconds, related_seconds, popular_seconds, event_seconds)
        self._long_profile_seconds = long_profile_seconds
        self._reserve = event_reserve
        self._behaviours = behaviours
        self._profile = peer.unary(f"{SERVICE}/GetUserProfile", pb.GetUserProfileRequest, pb.GetUserProfileResponse)
        self._related = peer.unary(f"{SERVICE}/ListCoOccurring", pb.ListCoOccurringRequest, pb.ListCoOccurringResponse)
        self._popular = peer.unary(f"{SERVICE}/ListTrending", pb.ListTrendingRequest, pb.ListTrendingResponse)
        self._record = peer.unary(f"{SERVICE}/RecordEvents", pb.RecordEventsRequest, pb.RecordEventsResponse)

    async def profile(self, catalog: str, visitor: Visitor, *, is_all: bool = False) -> Profile:
        """The visitor's recent behaviour."""
        request = pb.GetUserProfileRequest(
            catalog=catalog, visitor_id=visitor.visitor_id, user_id=visitor.user_id, limit=self._behaviours
        )
        reply = await self._profile(request, at_most=self._long_profile_seconds if is_all else self._seconds[0])
        return Profile(
            behaviours_of(reply.behaviours),
            list(reply.purchased_product_ids),
            list(reply.dismissed_product_ids),
            [(one.product_id, one.count * share_left(seconds_of(one.age))) for one in reply.repeat_purchases],
        )

    async def related(self, catalog: str, product_ids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, float]]]:
        """Products that go together with each of the given ones, best first."""
        request = pb.ListCoOccurringRequest(catalog=catalog, product_ids=product_ids)
        reply = await self._related(request, at_most=self._seconds[1])
        return {
            one.product_id: [(other.product_id, other.score) for other in one.products] for one in reply.co_occurrences
        }

    async def popular(self, catalog: str) -> Popular:
        """What is popular now."""
        trending = await self._list(catalog, recommendation_pb2.RECOMMENDATION_SOURCE_TRENDING)
        return Popular(trending, await self._list(catalog, recommendation_pb2.RECOMMENDATION_SOURCE_POPULAR))

    async def record(self, catalog: str, events: Sequence[tuple[Any, str]]) -> Sequence[Any]:
        """What became of events; each comes with the id that its attribution token carries.

        Raises:
            ServiceError: it is not known what was kept.
        """
        request = pb.RecordEventsRequest(catalog=catalog)
        for event, attribution_id in events:
            request.events.add(event=event, attribution_id=attribution_id)
        reply = await self._record(request, at_most=self._seconds[3], reserve=self._reserve)
        return list(reply.results)

    async def _list(
        self, catalog: str, source: "recommendation_pb2.RecommendationSource.ValueType"
    ) -> list[tuple[str, float]]:
        request = pb.ListTrendingRequest(catalog=catalog, source=source)
        reply = await self._popular(request, at_most=self._seconds[2])
        return [(product.product_id, product.score) for product in reply.products]
