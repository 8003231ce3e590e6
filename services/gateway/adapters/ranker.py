"""The ranker service, as the gateway uses it."""

from typing import Any

from services.common.channels import Peer
from services.gateway.frozen_list import FactorSchema, Place
from services.gateway.ranked_lists import Order
from zhiyin.ranker.v1 import ranker_service_pb2 as pb


class RankerClient:
    """A `ranked_lists.Ranker`."""

    def __init__(self, peer: Peer, at_most_seconds: float, reserve_seconds: float) -> None:
        self._at_most = at_most_seconds
        self._reserve = reserve_seconds
        self._rank = peer.unary(
            "/zhiyin.ranker.v1.RankerService/RankCandidates", pb.RankCandidatesRequest, pb.RankCandidatesResponse
        )

    async def rank(self, policy: str, handover: Any) -> Order:
        """All candidates, best first; `handover` is what retrieval gave for each."""
        request = pb.RankCandidatesRequest(policy=policy, candidates=handover)
        reply = await self._rank(request, at_most=self._at_most, reserve=self._reserve)
        factors = reply.factors.factors
        schema = FactorSchema(reply.factors.scorer, tuple(f.name for f in factors), tuple(f.role for f in factors))
        places = [Place(r.product_id, r.score, tuple(r.factor_values)) for r in reply.ranked]
        return Order(f"{reply.policy.name}@{reply.policy.version}", schema, places)
