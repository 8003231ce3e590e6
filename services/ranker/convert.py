"""Between the ranker's messages and its domain."""

import math
from typing import Final

import numpy as np

from services.common.errors import InvalidArgument, Violation
from services.ranker.candidates import Candidates, FloatArray, Limits
from services.ranker.ranking import FactorRole, Ranking, RankingRequest
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
    return RankingRequest(request.policy, _candidates(request), query, vectors, request.limit)


def response(ranking: Ranking) -> pb.RankCandidatesResponse:
    """The reply: what the factors are once, their values beside each score."""
    rows = np.stack([factor.values for factor in ranking.factors], axis=1).tolist()
    reply = pb.RankCandidatesResponse(
        policy=pb.PolicyIdentity(name=ranking.policy_name, version=ranking.policy_version),
        factors=explanation_pb2.FactorSchema(
            scorer=ranking.scorer,
            factors=[explanation_pb2.FactorSpec(name=f.name, role=_ROLES[f.role]) for f in ranking.factors],
        ),
    )
    for product_id, score, values in zip(ranking.product_ids, ranking.scores.tolist(), rows, strict=True):
        reply.ranked.add(product_id=product_id, score=score, factor_values=values)
    return reply


def _candidates(request: pb.RankCandidatesRequest) -> Candidates:
    cosine, centred_cosine, dot_product, lexical = np.array([_scores(c) for c in request.candidates]).T
    sales, average, count, created, availability = np.array([_signals(c) for c in request.candidates]).T
    return Candidates(
        product_ids=tuple(candidate.product_id for candidate in request.candidates),
        cosine=cosine,
        centred_cosine=centred_cosine,
        dot_product=dot_product,
        lexical=lexical,
        sales_count=sales,
        rating_average=average,
        rating_count=count,
        create_time=created,
        availability=availability.astype(np.int64),
    )


def _scores(candidate: candidate_pb2.Candidate) -> tuple[float, ...]:
    scores = candidate.scores
    return (
        _number(scores.cosine) if scores.HasField("cosine") else math.nan,
        _number(scores.centred_cosine) if scores.HasField("centred_cosine") else math.nan,
        _number(scores.dot_product) if scores.HasField("dot_product") else math.nan,
        _number(scores.lexical) if scores.HasField("lexical") else math.nan,
    )


def _signals(candidate: candidate_pb2.Candidate) -> tuple[float, ...]:
    if not candidate.HasField("signals"):
        return _NO_SIGNALS
    signals = candidate.signals
    average = count = created = math.nan
    if signals.HasField("rating"):
        count = signals.rating.count
        average = _number(signals.rating.average) if count else math.nan
    if signals.HasField("create_time"):
        created = signals.create_time.seconds + signals.create_time.nanos / 1e9
    sales = signals.sales_count if signals.HasField("sales_count") else math.nan
    return sales, average, count, created, signals.availability


def _number(value: float) -> float:
    # Inside, NaN means absent; a NaN that was sent becomes what every range refuses.
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
