"""The gateway's calls about shoppers: what is recommended, what they did, what is kept of them."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from cli.gateway import Connection
from services.common.channels import Peer
from zhiyin.common.v1.user_event_pb2 import EventResult, UserEvent
from zhiyin.gateway.v1 import gateway_service_pb2 as pb
from zhiyin.gateway.v1 import user_data_service_pb2 as user_pb

_SERVICE: Final = "/zhiyin.gateway.v1.GatewayService"
_USER_DATA: Final = "/zhiyin.gateway.v1.UserDataService"


class ShopperGateway(Connection):
    """Recommends, records and counts. Every method raises ServiceError."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        self._recommend = peer.unary(f"{_SERVICE}/Recommend", pb.RecommendRequest, pb.RecommendResponse)
        self._record = peer.unary(f"{_SERVICE}/RecordEvents", pb.RecordEventsRequest, pb.RecordEventsResponse)
        self._statistics = peer.unary(
            f"{_SERVICE}/GetProductStatistics", pb.GetProductStatisticsRequest, pb.GetProductStatisticsResponse
        )

    async def recommend(self, request: pb.RecommendRequest) -> pb.RecommendResponse:
        """One page; the catalogue is filled in."""
        request.catalog = self._catalog
        return await self._call(self._recommend, request)

    async def record(self, events: Sequence[UserEvent]) -> Sequence[EventResult]:
        """Keeps 1 to 1,000 events; a result for each. Harmless when repeated."""
        request = pb.RecordEventsRequest(catalog=self._catalog, events=events)
        return (await self._call(self._record, request)).results

    async def statistics(self, product_ids: Sequence[str]) -> Sequence[pb.ProductStatistics]:
        """What is known of 1 to 500 products, in their order."""
        request = pb.GetProductStatisticsRequest(catalog=self._catalog, product_ids=product_ids)
        return (await self._call(self._statistics, request)).statistics


class UserDataGateway(Connection):
    """What is kept of one person. Every method raises ServiceError; either id may be empty, not both."""

    def __init__(self, peer: Peer, catalog: str, seconds: float) -> None:
        """`seconds` is the deadline of one call."""
        super().__init__(peer, catalog, seconds)
        unary = peer.unary
        self._profile = unary(
            f"{_USER_DATA}/GetUserProfile", user_pb.GetUserProfileRequest, user_pb.GetUserProfileResponse
        )
        self._export = unary(f"{_USER_DATA}/ExportUser", user_pb.ExportUserRequest, user_pb.ExportUserResponse)
        self._kind = unary(
            f"{_USER_DATA}/SetVisitorKind", user_pb.SetVisitorKindRequest, user_pb.SetVisitorKindResponse
        )
        self._erase = unary(f"{_USER_DATA}/EraseUser", user_pb.EraseUserRequest, user_pb.EraseUserResponse)

    async def profile(self, visitor_id: str, user_id: str, limit: int) -> user_pb.GetUserProfileResponse:
        """Recent behaviour, at most `limit` of it."""
        request = user_pb.GetUserProfileRequest(
            catalog=self._catalog, visitor_id=visitor_id, user_id=user_id, limit=limit
        )
        return await self._call(self._profile, request)

    async def export(self, visitor_id: str, user_id: str) -> AsyncIterator[bytes]:
        """Everything that is kept, as whole lines of JSON."""
        request = user_pb.ExportUserRequest(catalog=self._catalog, visitor_id=visitor_id, user_id=user_id)
        while True:
            page = await self._call(self._export, request)
            yield page.json_lines
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def erase(self, visitor_id: str, user_id: str) -> user_pb.EraseUserResponse:
        """Erases everything; the receipt."""
        request = user_pb.EraseUserRequest(catalog=self._catalog, visitor_id=visitor_id, user_id=user_id)
        return await self._call(self._erase, request)

    async def set_kind(self, visitor_id: str, kind: "user_pb.VisitorKind.ValueType") -> user_pb.SetVisitorKindResponse:
        """Takes a visitor for a program or a person; what it did is taken out of the statistics or put back."""
        request = user_pb.SetVisitorKindRequest(catalog=self._catalog, visitor_id=visitor_id, kind=kind)
        return await self._call(self._kind, request)
