"""Between the ranker's messages and its domain."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from services.common.errors import InvalidArgument, Violation
from services.ranker.candidates import Candidates, FloatArray, Limits
from services.ranker.factors import Factor, FactorRole
from services.ranker.ranking import Ranking, RankingRequest
from zhiyin.common.v1 import candidate_pb2, explanation_pb2, vector_pb2
from zhiyin.ranker.v1 import ranker_service_pb2 as pb

_ROLES: Final = {
    FactorRole.INPUT: explanation_pb2.FACTOR_ROLE_INPUT,
    FactorRole.TERM: explanation_pb2.FACTOR_ROLE_TERM,
    FactorRole.MULTIPLIER: explanation_pb2.FACTOR_ROLE_MULTIPLIER,
}
_DTYPES: Final[dict[int, np.dtype[np.float16] | np.dtype[np.float32]]] = {
    vector_pb2.VECTOR_TYPE_UNSPECIFIED: np.dtype(np.float32).newbyteorder("<"),
    vector_pb2.VECTOR_TYPE_FLOAT32: np.dtype(np.float32).newbyteorder("<"),
    vector_pb2.VECTOR_TYPE_FLOAT16: np.dtype(np.float16).newbyteorder("<"),
}
_NO_SIGNALS: Final = (math.nan, math.nan, math.nan, math.nan, 0)


def ranking_request(request: pb.RankCandidatesRequest, limits: Limits) -> RankingRequest:
    """The request in the domain's terms; scores and signals are not yet checked.

    Raises:
        InvalidArgument: there are too many candidates or none, or a vector cannot be read.
    """
    limits.check_count(len(request.candidates))
    violations: list[Violation] = []
    query = None
    if request.HasField("query_vector"):
        query = _vector(request.query_vector, "query_vector", limits.max_vector_dims, violations)
    vectors = {
        row: _vector(candidate.vector, f"candidates[{row}].vector", limits.max_vector_dims, violations)
        for row, candidate in enumerate(request.candidates)
        if candidate.HasField("vector")
    }
    if violations:
        raise InvalidArgument(violations)
    candidates = candidate_columns(request.candidates)
    return RankingRequest(request.policy, candidates, query, vectors, request.limit, request.catalog)


def response(ranking: Ranking) -> pb.RankCandidatesResponse:
    """The reply: what the factors are once, their values beside each score."""
    reply = pb.RankCandidatesResponse(
        policy=pb.PolicyIdentity(name=ranking.policy_name, version=ranking.policy_version),
        factors=factor_schema(ranking.scorer, ranking.factors),
        personal_share=ranking.personal_share,
    )
    rows = factor_rows(ranking.factors)
    for product_id, score, values in zip(ranking.product_ids, ranking.scores.tolist(), rows, strict=True):
        reply.ranked.add(product_id=product_id, score=score, factor_values=values)
    return reply


def factor_schema(scorer: str, factors: Sequence[Factor]) -> explanation_pb2.FactorSchema:
    """What the factors are."""
    specs = [explanation_pb2.FactorSpec(name=factor.name, role=_ROLES[factor.role]) for factor in factors]
    return explanation_pb2.FactorSchema(scorer=scorer, factors=specs)


def factor_rows(factors: Sequence[Factor]) -> list[list[float]]:
    """The value of every factor, for each candidate."""
    rows: list[list[float]] = np.stack([factor.values for factor in factors], axis=1).tolist()
    return rows


def candidate_columns(messages: Sequence[candidate_pb2.Candidate]) -> Candidates:
    """Candidates as columns, not yet checked."""
    cosine, centred_cosine, dot_product, lexical, visitor = _columns(_scores(c.scores) for c in messages)
    sales, average, count, created, availability = _columns(_signals(c) for c in messages)
    return Candidates(
        product_ids=tuple(candidate.product_id for candidate in messages),
        cosine=cosine,
        centred_cosine=centred_cosine,
        dot_product=dot_product,
        lexical=lexical,
        visitor=visitor,
        sales_count=sales,
        rating_average=average,
        rating_count=count,
        create_time=created,
        availability=availability.astype(np.int64),
    )


def _columns(rows: Iterable[tuple[float, ...]]) -> FloatArray:
    return np.array(list(rows), dtype=np.float64).T


def _scores(scores: candidate_pb2.LegScores) -> tuple[float, ...]:
    return (
        number(scores.cosine) if scores.HasField("cosine") else math.nan,
        number(scores.centred_cosine) if scores.HasField("centred_cosine") else math.nan,
        number(scores.dot_product) if scores.HasField("dot_product") else math.nan,
        number(scores.lexical) if scores.HasField("lexical") else math.nan,
        number(scores.visitor) if scores.HasField("visitor") else math.nan,
    )


def _signals(candidate: candidate_pb2.Candidate) -> tuple[float, ...]:
    if not candidate.HasField("signals"):
        return _NO_SIGNALS
    signals = candidate.signals
    average = count = created = math.nan
    if signals.HasField("rating"):
        count = signals.rating.count
        average = number(signals.rating.average) if count else math.nan
    if signals.HasField("create_time"):
        created = signals.create_time.seconds + signals.create_time.nanos / 1e9
    sales = signals.sales_count if signals.HasField("sales_count") else math.nan
    return sales, average, count, created, signals.availability


def number(value: float) -> float:
    """A number as it was sent: inside, NaN means absent, so one that was sent becomes what every range refuses."""
    return math.inf if math.isnan(value) else value


def _vector(block: vector_pb2.VectorBlock, field: str, max_dims: int, violations: list[Violation]) -> FloatArray:
    dtype = _DTYPES.get(block.type)
    if dtype is None:
        violations.append(Violation(f"{field}.type", "must be FLOAT32 or FLOAT16", "UNKNOWN_TYPE"))
    elif not 0 < block.dims <= max_dims:
        violations.append(Violation(f"{field}.dims", f"must be 1 to {max_dims}", "OUT_OF_RANGE"))
    elif len(block.data) != block.dims * dtype.itemsize:
        violations.append(Violation(f"{field}.data", "must hold one row of `dims` elements", "WRONG_LENGTH"))
    else:
        vector: FloatArray = np.frombuffer(block.data, dtype).astype(np.float64)
        if np.isfinite(vector).all():
            return vector
        violations.append(Violation(f"{field}.data", "must hold finite numbers", "NOT_FINITE"))
    return np.empty(0)
