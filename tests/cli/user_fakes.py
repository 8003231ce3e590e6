"""What a gateway says of one person, in memory."""

from services.common.errors import invalid
from zhiyin.common.v1 import user_event_pb2
from zhiyin.gateway.v1 import user_data_service_pb2 as pb
from zhiyin.gateway.v1.user_data_service_pb2_grpc import UserDataServiceServicer


class FakeUserData(UserDataServiceServicer):
    """One visitor, `v1`, who clicked once, bought twice and searched."""

    def __init__(self):
        self.asked = []
        self.is_bot = False
        self.exported = [b'{"kind": "event"}\n{"kind": "event"}\n', b'{"kind": "visitor"}\n']

    async def GetUserProfile(self, request, context):
        self.asked.append(request)
        reply = pb.GetUserProfileResponse(is_bot=self.is_bot)
        if request.visitor_id != "v1":
            return reply
        click = reply.behaviours.add(type=user_event_pb2.USER_EVENT_TYPE_CLICK, product_id="p1", weight=0.5, quantity=1)
        click.age.FromSeconds(90)
        search = reply.behaviours.add(type=user_event_pb2.USER_EVENT_TYPE_SEARCH, text="red shoes", weight=1)
        search.age.FromSeconds(3 * 86_400)
        reply.purchased_product_ids.extend(f"b{i}" for i in range(25))
        again = reply.repeat_purchases.add(product_id="b1", count=2)
        again.age.FromSeconds(7_200)
        again.mean_interval.FromSeconds(86_400)
        reply.event_count = 4
        return reply

    async def ExportUser(self, request, context):
        self.asked.append(request)
        part = int(request.page_token or 0)
        token = str(part + 1) if part + 1 < len(self.exported) else ""
        return pb.ExportUserResponse(json_lines=self.exported[part], next_page_token=token)

    async def EraseUser(self, request, context):
        self.asked.append(request)
        if len(request.visitor_id) > 128:
            raise invalid("visitor_id", "must have at most 128 characters")
        reply = pb.EraseUserResponse(erasure_id="e-1", statistics_offset="17.3")
        reply.stores.add(name="events", count=4)
        reply.stores.add(name="impressions")
        reply.erase_time.FromJsonString("2026-11-25T17:00:00Z")
        reply.purge_time.FromJsonString("2026-11-26T17:00:00Z")
        return reply

    async def SetVisitorKind(self, request, context):
        self.asked.append(request)
        return pb.SetVisitorKindResponse(is_bot=request.kind == pb.VISITOR_KIND_BOT, event_count=1_200)
