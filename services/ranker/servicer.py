"""The ranker's RPCs."""

import grpc
from opentelemetry import trace

from services.ranker import convert, convert_recommendations
from services.ranker.candidates import Limits
from services.ranker.ranking import Ranker
from services.ranker.recommending import Recommender
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc


class RankerServicer(rpc.RankerServiceServicer):
    """Answers on the event loop: a full call is a few milliseconds of arithmetic."""

    def __init__(self, ranker: Ranker, recommender: Recommender, limits: Limits) -> None:
        self._ranker = ranker
        self._recommender = recommender
        self._limits = limits

    async def RankCandidates(
        self,
        request: pb.RankCandidatesRequest,
        context: "grpc.aio.ServicerContext[pb.RankCandidatesRequest, pb.RankCandidatesResponse]",
    ) -> pb.RankCandidatesResponse:
        ranking = self._ranker.rank(convert.ranking_request(request, self._limits))
        _note(len(request.candidates), ranking.policy_name, ranking.policy_version)
        return convert.response(ranking)

    async def RankRecommendations(
        self,
        request: pb.RankRecommendationsRequest,
        context: "grpc.aio.ServicerContext[pb.RankRecommendationsRequest, pb.RankRecommendationsResponse]",
    ) -> pb.RankRecommendationsResponse:
        given = convert_recommendations.recommendation_request(request, self._limits)
        recommendations = self._recommender.recommend(given)
        _note(len(request.candidates), recommendations.policy_name, recommendations.policy_version)
        return convert_recommendations.recommendations_response(recommendations)


def _note(candidate_count: int, policy: str, version: str) -> None:
    span = trace.get_current_span()
    span.set_attribute("zhiyin.ranker.candidates", candidate_count)
    span.set_attribute("zhiyin.ranker.policy", f"{policy}@{version}")
