import random
from collections import Counter

import grpc
import pytest

from services.common.server import open_server
from services.ranker.config import RankerSettings
from services.ranker.wiring import open_service
from tests.refusals import refusal
from zhiyin.common.v1 import explanation_pb2, user_event_pb2
from zhiyin.common.v1 import recommendation_pb2 as rec
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc

INVALID = grpc.StatusCode.INVALID_ARGUMENT
INTEREST, TOGETHER, PAGE, POPULAR = (
    rec.RECOMMENDATION_SOURCE_INTEREST,
    rec.RECOMMENDATION_SOURCE_CO_OCCURRENCE,
    rec.RECOMMENDATION_SOURCE_PAGE,
    rec.RECOMMENDATION_SOURCE_POPULAR,
)


@pytest.fixture
async def ranker():
    settings = RankerSettings(bind="127.0.0.1:0", max_candidates=50, max_sources=4, max_behaviours=3, max_titles=2)
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.RankerServiceStub(channel)


def recommended(product_id, *sources, **fields):
    entry = pb.RecommendationCandidate(**fields)
    entry.candidate.product_id = product_id
    for source, score, seed in sources:
        entry.sources.add(source=source, score=score, seed_product_id=seed)
    return entry


def shop(**fields):
    request = pb.RankRecommendationsRequest(titles={"tea": "Green tea", "pot": "Teapot"}, **fields)
    request.candidates.extend(
        [
            recommended("cup", (TOGETHER, 3.0, "tea"), (INTEREST, 0.4, "pot"), categories=["Kitchen > Cups"]),
            recommended("leaf", (INTEREST, 0.7, "tea"), interest=0),
            recommended("lamp", (POPULAR, 900.0, "")),
            recommended("bare"),
        ]
    )
    request.behaviours.add(type=user_event_pb2.USER_EVENT_TYPE_ADD_TO_CART, product_id="tea", weight=2.0)
    request.behaviours.add(type=user_event_pb2.USER_EVENT_TYPE_DETAIL_PAGE_VIEW, product_id="pot", weight=1.0)
    return request


async def refused(ranker, request):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ranker.RankRecommendations(request)
    return refusal(error.value)


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            ["Often chosen together with “Green tea”", "Because “Green tea” is in your cart", "Popular"],
        ),
        ("zh-CN", ["常与《Green tea》一起选购", "因为你把《Green tea》加入了购物车", "很受欢迎"]),
    ],
)
async def test_sources_are_merged_and_each_product_says_why(ranker, language, texts):
    reply = await ranker.RankRecommendations(shop(language_code=language, policy="recommend-exploit"))
    assert [r.product_id for r in reply.ranked] == ["cup", "leaf", "lamp", "bare"]
    assert [r.reason.text for r in reply.ranked[:3]] == texts
    codes = [r.reason.code for r in reply.ranked]
    assert codes == [
        rec.REASON_CODE_TOGETHER,
        rec.REASON_CODE_IN_CART,
        rec.REASON_CODE_POPULAR,
        rec.REASON_CODE_UNSPECIFIED,
    ]
    assert [r.reason.product_id for r in reply.ranked] == ["tea", "tea", "", ""]
    assert {r.place for r in reply.ranked} == {pb.PLACE_KIND_SCORE}
    assert {r.propensity for r in reply.ranked} == {1.0}
    assert (reply.policy.name, len(reply.policy.version)) == ("recommend-exploit", 12)


async def test_the_reply_explains_each_score_to_the_last_bit(ranker):
    reply = await ranker.RankRecommendations(shop())
    roles = [factor.role for factor in reply.factors.factors]
    assert reply.factors.scorer == "sources"
    for ranked in reply.ranked:
        total, product = 0.0, 1.0
        for role, value in zip(roles, ranked.factor_values, strict=True):
            if role == explanation_pb2.FACTOR_ROLE_TERM:
                total += value
            elif role == explanation_pb2.FACTOR_ROLE_MULTIPLIER:
                product *= value
        assert ranked.score == total * product
        assert len(ranked.features) == 4 * len(roles)
    assert reply.feature_schema == 1


async def test_the_draws_repeat_with_their_seed(ranker):
    request = pb.RankRecommendationsRequest(seed=9)
    request.candidates.extend(recommended(f"p{number}", (PAGE, 0.5, "seed")) for number in range(40))
    first, second = [await ranker.RankRecommendations(request) for _ in range(2)]
    assert first == second


async def test_the_limit_is_the_number_of_places(ranker):
    assert len((await ranker.RankRecommendations(shop(limit=2))).ranked) == 2
    assert (await refused(ranker, shop(limit=-1))).fields == {"limit": "OUT_OF_RANGE"}


async def test_policies_are_kept_apart_by_kind(ranker):
    assert (await refused(ranker, shop(policy="default"))).fields == {"policy": "WRONG_KIND"}
    answer = await refused(ranker, shop(policy="nobody-wrote-this"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "POLICY_NOT_FOUND")
    search = pb.RankCandidatesRequest(policy="recommend")
    search.candidates.add(product_id="p").scores.lexical = 1.0
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ranker.RankCandidates(search)
    assert refusal(error.value).fields == {"policy": "WRONG_KIND"}


async def test_everything_that_is_wrong_is_named_at_once(ranker):
    request = shop(language_code="x" * 36)
    request.candidates[0].sources[0].score = float("nan")
    request.candidates[0].sources[1].score = 1.5
    request.candidates[1].sources[0].source = 99
    request.candidates[1].interest = -1
    request.candidates[2].sources[0].seed_product_id = "x" * 129
    request.candidates[3].candidate.product_id = "cup"
    request.candidates[3].candidate.scores.visitor = 7.0
    request.behaviours[0].weight = float("inf")
    request.behaviours[1].product_id = "x" * 129
    answer = await refused(ranker, request)
    assert answer.code is INVALID
    assert answer.fields == {
        "candidates[3].candidate.product_id": "DUPLICATE",
        "candidates[3].candidate.scores.visitor": "OUT_OF_RANGE",
        "candidates[0].sources[0].score": "OUT_OF_RANGE",
        "candidates[0].sources[1].score": "OUT_OF_RANGE",
        "candidates[1].sources[0].source": "REQUIRED",
        "candidates[1].interest": "OUT_OF_RANGE",
        "candidates[2].sources[0].seed_product_id": "TOO_LONG",
        "behaviours[0].weight": "OUT_OF_RANGE",
        "behaviours[1].product_id": "TOO_LONG",
        "language_code": "TOO_LONG",
    }


async def test_a_source_may_say_a_thing_once(ranker):
    request = shop()
    request.candidates[1].sources.add(source=INTEREST, score=0.1, seed_product_id="tea")
    assert (await refused(ranker, request)).fields == {"candidates[1].sources[1]": "DUPLICATE"}


async def test_everything_repeated_is_limited(ranker):
    request = shop()
    request.candidates[0].sources.extend([request.candidates[0].sources[0]] * 3)
    request.behaviours.extend([request.behaviours[0]] * 2)
    request.titles["third"] = "Third"
    assert (await refused(ranker, request)).descriptions == {
        "candidates[0].sources": "must be at most 4",
        "behaviours": "must be at most 3",
        "titles": "must be at most 2",
    }
    for count in (0, 51):
        request = pb.RankRecommendationsRequest(candidates=[recommended(f"p{n}") for n in range(count)])
        assert (await refused(ranker, request)).descriptions == {"candidates": "must be 1 to 50"}


async def test_whatever_comes_is_answered_or_refused_and_never_a_fault(ranker):
    source = random.Random(23)
    floats = [0.0, -0.0, 0.3, -1.0, 1.0, 1e9, 1e308, -1e308, 5e-324, float("nan"), float("inf"), -float("inf")]
    texts = ["", "p", "茶", "\x00", "{title}", "x" * 128, "x" * 129]
    codes = Counter()
    for _ in range(300):
        request = pb.RankRecommendationsRequest(
            policy=source.choice(["", "recommend", "recommend-exploit", "default", "?"]),
            catalog=source.choice(texts),
            limit=source.choice([0, 1, 2**31 - 1, -(2**31)]) if source.random() < 0.2 else 0,
            language_code=source.choice(["", "zh", "en", "-", "zh-"]),
            seed=source.choice([0, 1, 2**64 - 1]),
        )
        wild = source.random() < 0.5
        for number in range(source.randrange(8)):
            entry = recommended(source.choice(texts) if wild else f"p{number}", categories=[source.choice(texts)])
            entry.interest = source.choice([0, 1, 2**31 - 1, -5]) if wild else number % 3
            for _ in range(source.randrange(3)):
                score = source.choice(floats) if wild else source.random()
                kind = source.choice([0, 1, 2, 7, 8, -1]) if wild else source.randrange(1, 8)
                entry.sources.add(source=kind, score=score, seed_product_id=source.choice(texts[:6]))
            if source.random() < 0.5:
                entry.candidate.scores.visitor = source.choice(floats) if wild else source.random()
                entry.candidate.signals.create_time.seconds = source.choice([0, 2**62, -(2**62)]) if wild else 0
            request.candidates.append(entry)
        request.behaviours.add(type=source.choice([0, 1, 99]), product_id=source.choice(texts[:6]), weight=-1.0)
        request.titles[source.choice(texts[1:6])] = source.choice(texts)
        call = ranker.RankRecommendations(request)
        codes[await call.code()] += 1
        if await call.code() is grpc.StatusCode.OK:
            assert all(0 < ranked.propensity <= 1 for ranked in (await call).ranked)
    assert set(codes) == {grpc.StatusCode.OK, INVALID, grpc.StatusCode.NOT_FOUND}
    assert min(codes.values()) > 20
