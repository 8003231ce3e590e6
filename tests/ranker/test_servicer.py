import struct

import grpc
import pytest

from services.common.server import open_server
from services.ranker.config import RankerSettings
from services.ranker.wiring import open_service
from tests.refusals import refusal
from zhiyin.common.v1 import candidate_pb2, explanation_pb2, vector_pb2
from zhiyin.ranker.v1 import ranker_service_pb2 as pb
from zhiyin.ranker.v1 import ranker_service_pb2_grpc as rpc

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture
async def ranker():
    settings = RankerSettings(bind="127.0.0.1:0", max_candidates=50, max_vector_dims=64)
    async with (
        open_service(settings) as services,
        open_server(settings, services) as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        yield rpc.RankerServiceStub(channel)


def block(*values, code="f", kind=vector_pb2.VECTOR_TYPE_FLOAT32):
    return vector_pb2.VectorBlock(data=struct.pack(f"<{len(values)}{code}", *values), type=kind, dims=len(values))


def candidate(product_id="p", **scores):
    return candidate_pb2.Candidate(product_id=product_id, scores=candidate_pb2.LegScores(**scores))


async def refused(ranker, **fields):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ranker.RankCandidates(pb.RankCandidatesRequest(**fields))
    return refusal(error.value)


@pytest.mark.parametrize(
    ("visitor", "product", "cosine"),
    [
        ((0.2, 0.5, 0.3), (0.5, 0.1, 0.4), 0.6758),
        ((0.3, 0.1, 0.6), (0.1, 0.4, 0.5), 0.8418),
        ((0.1, 0.6, 0.3), (0.4, 0.2, 0.4), 0.6881),
    ],
)
async def test_the_articles_worked_example(ranker, visitor, product, cosine):
    reply = await ranker.RankCandidates(
        pb.RankCandidatesRequest(
            policy="article",
            query_vector=block(*visitor),
            candidates=[candidate_pb2.Candidate(product_id="p", vector=block(*product))],
        )
    )
    assert reply.ranked[0].score == pytest.approx(cosine, abs=5e-5)


async def test_the_articles_formula_multiplies_the_similarity_by_the_business_weight(ranker):
    one = candidate("p", cosine=0.5)
    one.signals.availability = 2
    reply = await ranker.RankCandidates(pb.RankCandidatesRequest(policy="article", candidates=[one]))
    assert reply.ranked[0].score == 0.5 * 0.3


async def test_half_precision_vectors_are_read(ranker):
    vector = block(0.6, 0.8, code="e", kind=vector_pb2.VECTOR_TYPE_FLOAT16)
    given = [candidate_pb2.Candidate(product_id="p", vector=vector)]
    request = pb.RankCandidatesRequest(policy="article", query_vector=block(1.0, 0.0), candidates=given)
    assert (await ranker.RankCandidates(request)).ranked[0].score == pytest.approx(0.6, abs=1e-3)


async def test_the_reply_explains_each_score_to_the_last_bit(ranker):
    request = pb.RankCandidatesRequest(
        candidates=[
            candidate("a", cosine=0.81, centred_cosine=0.31, dot_product=0.81, lexical=7.25),
            candidate("b", cosine=0.84, centred_cosine=0.42, dot_product=0.84, lexical=3.5),
            candidate("c", lexical=5.0),
        ]
    )
    request.candidates[0].signals.sales_count = 1234
    request.candidates[1].signals.rating.average = 4.7
    request.candidates[1].signals.rating.count = 31
    request.candidates[2].signals.create_time.seconds = 1_690_000_000
    reply = await ranker.RankCandidates(request)
    roles = [factor.role for factor in reply.factors.factors]
    for ranked in reply.ranked:
        total, product = 0.0, 1.0
        for role, value in zip(roles, ranked.factor_values, strict=True):
            if role == explanation_pb2.FACTOR_ROLE_TERM:
                total += value
            elif role == explanation_pb2.FACTOR_ROLE_MULTIPLIER:
                product *= value
        assert ranked.score == total * product
    assert reply.factors.scorer == "formula"
    names = [factor.name for factor in reply.factors.factors]
    values = {r.product_id: dict(zip(names, r.factor_values, strict=True)) for r in reply.ranked}
    assert values["a"]["sales_count"] == 1234
    assert values["b"]["rating_average"] == 4.7
    assert values["c"]["centred_cosine"] != values["c"]["centred_cosine"], "NaN: not known"
    assert values["c"]["similarity_term"] == 0


async def test_the_reply_names_the_policy_and_its_version(ranker):
    request = pb.RankCandidatesRequest(candidates=[candidate(lexical=1.0)])
    default = (await ranker.RankCandidates(request)).policy
    request.policy = "article"
    article = (await ranker.RankCandidates(request)).policy
    assert (default.name, article.name) == ("default", "article")
    assert len(default.version) == len(article.version) == 12
    assert default.version != article.version


async def test_an_unknown_policy_is_not_found(ranker):
    answer = await refused(ranker, policy="nobody-wrote-this", candidates=[candidate(lexical=1.0)])
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "POLICY_NOT_FOUND")
    assert "nobody-wrote-this" not in answer.message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1.5, -1.5])
@pytest.mark.parametrize("score", ["cosine", "centred_cosine"])
async def test_a_cosine_that_is_none_is_named(ranker, score, value):
    answer = await refused(
        ranker, candidates=[candidate("a", lexical=1.0), candidate("b", lexical=1.0, **{score: value})]
    )
    assert (answer.code, answer.fields) == (INVALID, {f"candidates[1].scores.{score}": "OUT_OF_RANGE"})


async def test_everything_that_is_wrong_is_named_at_once(ranker):
    strange = candidate("", lexical=-1.0, dot_product=float("nan"))
    strange.signals.sales_count = -1
    strange.signals.rating.average = float("nan")
    strange.signals.rating.count = 3
    strange.signals.create_time.seconds = 2**62
    twice = candidate("twice", lexical=1.0)
    answer = await refused(
        ranker, candidates=[strange, twice, twice, candidate("x" * 129, lexical=1.0), candidate("bare")]
    )
    assert answer.fields == {
        "candidates[0].product_id": "REQUIRED",
        "candidates[2].product_id": "DUPLICATE",
        "candidates[3].product_id": "TOO_LONG",
        "candidates[0].scores.dot_product": "OUT_OF_RANGE",
        "candidates[0].scores.lexical": "OUT_OF_RANGE",
        "candidates[0].signals.sales_count": "OUT_OF_RANGE",
        "candidates[0].signals.rating.average": "OUT_OF_RANGE",
        "candidates[0].signals.create_time": "OUT_OF_RANGE",
        "candidates[4].scores": "REQUIRED",
    }


@pytest.mark.parametrize("count", [0, 51])
async def test_the_number_of_candidates_is_limited(ranker, count):
    answer = await refused(ranker, candidates=[candidate(f"p{number}", lexical=1.0) for number in range(count)])
    assert answer.code is INVALID
    assert answer.descriptions == {"candidates": "must be 1 to 50"}


async def test_a_negative_limit_is_refused(ranker):
    answer = await refused(ranker, limit=-1, candidates=[candidate(lexical=1.0)])
    assert answer.fields == {"limit": "OUT_OF_RANGE"}


@pytest.mark.parametrize(
    ("vector", "field", "reason"),
    [
        (vector_pb2.VectorBlock(data=b"", dims=0), "dims", "OUT_OF_RANGE"),
        (vector_pb2.VectorBlock(data=bytes(260), dims=65), "dims", "OUT_OF_RANGE"),
        (vector_pb2.VectorBlock(data=bytes(7), dims=2), "data", "WRONG_LENGTH"),
        (vector_pb2.VectorBlock(data=bytes(8), dims=2, type=99), "type", "UNKNOWN_TYPE"),
        (block(1.0, float("nan")), "data", "NOT_FINITE"),
    ],
)
async def test_a_vector_that_cannot_be_read_is_named(ranker, vector, field, reason):
    given = [candidate_pb2.Candidate(product_id="p", vector=vector)]
    answer = await refused(ranker, query_vector=block(1.0, 0.0), candidates=given)
    assert (answer.code, answer.fields) == (INVALID, {f"candidates[0].vector.{field}": reason})
    answer = await refused(ranker, query_vector=vector, candidates=[candidate(lexical=1.0)])
    assert answer.fields == {f"query_vector.{field}": reason}


async def test_a_vector_alone_is_no_score(ranker):
    answer = await refused(ranker, candidates=[candidate_pb2.Candidate(product_id="p", vector=block(1.0))])
    assert answer.fields == {"candidates[0].scores": "REQUIRED"}
