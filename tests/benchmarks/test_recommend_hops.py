"""Where the time of a recommendation goes, read from a trace."""

import pytest

from benchmarks.recommend_hops import hop_rows, hops_of
from local.spans import Span

FEEDBACK, RETRIEVAL, RANKER = "zhiyin.feedback.v1.FeedbackService", "zhiyin.retrieval.v1.RetrievalService", "ranker"
MILLISECONDS = {
    ("server", "zhiyin.gateway.v1.GatewayService/Recommend"): 50,
    ("client", f"{FEEDBACK}/GetUserProfile"): 5,
    ("server", f"{FEEDBACK}/GetUserProfile"): 3,
    ("client", f"{FEEDBACK}/ListCoOccurring"): 6,
    ("server", f"{FEEDBACK}/ListCoOccurring"): 4,
    ("client", f"{RETRIEVAL}/RecommendCandidates"): 20,
    ("server", f"{RETRIEVAL}/RecommendCandidates"): 18,
    ("client", f"{RANKER}/RankRecommendations"): 9,
    ("server", f"{RANKER}/RankRecommendations"): 7,
}
TRIPS = (2, 5, 4)


def span(kind, name, milliseconds):
    begin = 1_000_000_000
    return Span(
        trace_id="1" * 32,
        span_id="2" * 16,
        parent_id="",
        name=name,
        service="service",
        kind=kind,
        start=begin,
        end=begin + milliseconds * 1_000_000,
        is_error=False,
        attributes={},
    )


@pytest.fixture
def trace():
    calls = [span(kind, name, milliseconds) for (kind, name), milliseconds in MILLISECONDS.items()]
    return [*calls, *(span("client", "qdrant.Points/QueryBatch", milliseconds) for milliseconds in TRIPS)]


def test_each_part_has_its_own_time_and_the_rest_is_what_they_leave(trace):
    hops = hops_of(trace)
    assert hops.qdrant == pytest.approx(2 + 5 + 4)
    assert hops.round_trips == 3
    assert hops.retrieval_own == pytest.approx(18 - 11)
    assert hops.gateway_own == pytest.approx(50 - 5 - 6 - 20 - 9)
    assert hops.between == pytest.approx((5 - 3) + (6 - 4) + (20 - 18) + (9 - 7))


def test_a_trace_that_has_not_wholly_arrived_tells_nothing(trace):
    assert all(hops_of([each for each in trace if each is not missing]) is None for missing in trace[:9])
    assert hop_rows([]) == []
