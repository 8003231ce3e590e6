"""The ranker service, as the gateway uses it."""

from collections.abc import Sequence
from typing import Any

from services.common.channels import Peer
from services.gateway.adapters.behaviours import messages_of
from services.gateway.behaviours import Behaviour
from services.gateway.frozen_list import FactorSchema, Place, Reason
from services.gateway.ranked_lists import Order
from services.gateway.recommending import Recommendable, RecommendQuery
from services.gateway.sources import INTEREST, PAGE, Sourced
from zhiyin.common.v1 import explanation_pb2
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.retrieval.v1 import retrieval_service_pb2 as retrieval

_SERVICE = "/zhiyin.ranker.v1.RankerService"


class RankerClient:
    """A `ranked_lists.Ranker` and a `recommending.RecommendationRanker`."""

    def __init__(self, peer: Peer, at_most_seconds: float, reserve_seconds: float) -> None:
        self._at_most = at_most_seconds
        self._reserve = reserve_seconds
        self._rank = peer.unary(f"{_SERVICE}/RankCandidates", pb.RankCandidatesRequest, pb.RankCandidatesResponse)
        self._recommend = peer.unary(
            f"{_SERVICE}/RankRecommendations", pb.RankRecommendationsRequest, pb.RankRecommendationsResponse
        )

    async def rank(self, catalog: str, policy: str, handover: Any) -> Order:
        """All candidates, best first; `handover` is what retrieval gave for each."""
        request = pb.RankCandidatesRequest(catalog=catalog, policy=policy, candidates=handover)
        reply = await self._rank(request, at_most=self._at_most, reserve=self._reserve)
        places = [Place(r.product_id, r.score, tuple(r.factor_values)) for r in reply.ranked]
        return Order(_name_of(reply.policy), _schema_of(reply.factors), places, personal_share=reply.personal_share)

    async def recommend(
        self, query: RecommendQuery, found: Recommendable, sources: Sourced, behaviours: Sequence[Behaviour]
    ) -> Order:
        """All candidates in their places, with reasons and propensities."""
        request = pb.RankRecommendationsRequest(
            policy=query.page.policy,
            catalog=query.page.catalog,
            behaviours=messages_of(behaviours),
            titles=found.titles,
            language_code=query.language_code,
        )
        for candidate in found.handover:
            _fill(request.candidates.add(), candidate, sources)
        reply = await self._recommend(request, at_most=self._at_most, reserve=self._reserve)
        places = [
            Place(
                ranked.product_id,
                ranked.score,
                tuple(ranked.factor_values),
                propensity=ranked.propensity,
                reason=_reason_of(ranked),
                features=ranked.features,
            )
            for ranked in reply.ranked
        ]
        return Order(_name_of(reply.policy), _schema_of(reply.factors), places, feature_schema=reply.feature_schema)


def _fill(message: pb.RecommendationCandidate, found: retrieval.RecommendedProduct, sources: Sourced) -> None:
    message.candidate.CopyFrom(found.candidate)
    message.categories.extend(found.summary.categories)
    if found.HasField("interest"):
        message.interest = found.interest
        message.sources.add(
            source=INTEREST,
            score=found.candidate.scores.visitor,
            seed_product_id=found.seed_product_id,
        )
    if found.HasField("page_cosine"):
        message.sources.add(
            source=PAGE,
            score=found.page_cosine,
            seed_product_id=found.page_product_id,
        )
    for source, score, seed in sources.scores.get(found.candidate.product_id, ()):
        message.sources.add(source=source, score=score, seed_product_id=seed)


def _reason_of(ranked: pb.RankedRecommendation) -> Reason | None:
    reason = ranked.reason
    return Reason(reason.code, reason.product_id, reason.text) if ranked.HasField("reason") else None


def _name_of(policy: pb.PolicyIdentity) -> str:
    return f"{policy.name}@{policy.version}"


def _schema_of(factors: explanation_pb2.FactorSchema) -> FactorSchema:
    return FactorSchema(factors.scorer, tuple(f.name for f in factors.factors), tuple(f.role for f in factors.factors))
