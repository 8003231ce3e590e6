"""What is kept of one person: exported, erased, or taken for something else."""

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry import metrics

from services.feedback.erasure import Erasures, Receipt
from services.feedback.export import Exports
from services.feedback.feed import offset_of
from services.feedback.kinds import Kinds
from services.feedback.statistics_changes import position_after
from zhiyin.feedback.v1 import user_data_service_pb2 as pb
from zhiyin.feedback.v1 import user_data_service_pb2_grpc as rpc


class UserDataServicer(rpc.UserDataServiceServicer):
    """The UserDataService."""

    def __init__(self, exports: Exports, erasures: Erasures, kinds: Kinds) -> None:
        self._exports = exports
        self._erasures = erasures
        self._kinds = kinds
        meter = metrics.get_meter(__name__)
        self._erased = meter.create_counter("zhiyin.feedback.erased", description="Erased records by store.")

    async def ExportUser(
        self,
        request: pb.ExportUserRequest,
        context: "grpc.aio.ServicerContext[pb.ExportUserRequest, pb.ExportUserResponse]",
    ) -> pb.ExportUserResponse:
        page = await self._exports.page(request.catalog, request.visitor_id, request.user_id, request.page_token)
        return pb.ExportUserResponse(json_lines=page.json_lines, next_page_token=page.next_page_token)

    async def EraseUser(
        self,
        request: pb.EraseUserRequest,
        context: "grpc.aio.ServicerContext[pb.EraseUserRequest, pb.EraseUserResponse]",
    ) -> pb.EraseUserResponse:
        receipt = await self._erasures.erase(request.catalog, request.visitor_id, request.user_id)
        for store in receipt.erasure.stores:
            self._erased.add(store.records, {"store": store.name})
        return _receipt(receipt)

    async def SetVisitorKind(
        self,
        request: pb.SetVisitorKindRequest,
        context: "grpc.aio.ServicerContext[pb.SetVisitorKindRequest, pb.SetVisitorKindResponse]",
    ) -> pb.SetVisitorKindResponse:
        is_bot, event_count = await self._kinds.set(request.catalog, request.visitor_id, request.kind)
        return pb.SetVisitorKindResponse(is_bot=is_bot, event_count=event_count)


def _receipt(receipt: Receipt) -> pb.EraseUserResponse:
    erasure = receipt.erasure
    offset = offset_of(position_after(erasure.transaction))
    erase_time, purge_time = Timestamp(), Timestamp()
    erase_time.FromDatetime(erasure.erase_time)
    purge_time.FromDatetime(receipt.purge_time)
    return pb.EraseUserResponse(
        erasure_id=str(erasure.erasure_id),
        erase_time=erase_time,
        stores=(pb.ErasedStore(name=store.name, count=store.records) for store in erasure.stores),
        purge_time=purge_time,
        statistics_offset=offset,
        training_offset=offset,
    )
