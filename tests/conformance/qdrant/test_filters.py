"""Random filters over random products leave what a second implementation says they leave."""

import uuid
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import grpc as pb

from tests.conformance.qdrant.catalogue import INDEXES, SECONDS, creation, dense, identifier, sparse, value
from tests.conformance.qdrant.evaluation import Stored, holds

NAMES = [f"p{number}" for number in range(12)]
WORDS = st.sampled_from(["a", "b", "c", "d"])
NUMBERS = st.integers(-3, 3)
REALS = st.integers(-6, 6).map(lambda half: half / 2)
MOMENTS = st.integers(0, 5).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


def maybe_many(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), values, st.lists(values, max_size=3))


OFFERS = st.fixed_dictionaries(
    {}, optional={"region": st.one_of(st.none(), WORDS), "price": st.one_of(st.none(), REALS), "availability": NUMBERS}
)
PAYLOADS = st.fixed_dictionaries(
    {},
    optional={
        "brand": maybe_many(WORDS),
        "sales": maybe_many(NUMBERS),
        "rating": maybe_many(REALS),
        "created": maybe_many(MOMENTS.map(datetime.isoformat)),
        "offers": st.one_of(st.none(), st.lists(OFFERS, max_size=3)),
    },
)
VECTORS = st.sampled_from([{"dense"}, {"words"}, {"dense", "words"}]).map(frozenset)


def bounds(kind: type, values: st.SearchStrategy) -> st.SearchStrategy:
    """One bound on a side: of `lt` and `lte` together Qdrant's index looks at one only."""
    side = [st.sampled_from([(), (name,), (f"{name}e",)]) for name in ("lt", "gt")]
    return (
        st.tuples(*side, values, values)
        .map(lambda given: dict.fromkeys(given[0], given[2]) | dict.fromkeys(given[1], given[3]))
        .filter(bool)
        .map(lambda given: kind(**given))
    )


def moment(given: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(given)
    return stamp


def listed(kind: type, part: str, values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(lambda given: kind(**{part: given}))


KEYWORD_MATCHES = st.one_of(
    WORDS.map(lambda word: pb.Match(keyword=word)),
    listed(pb.RepeatedStrings, "strings", WORDS).map(lambda words: pb.Match(keywords=words)),
    listed(pb.RepeatedStrings, "strings", WORDS).map(lambda words: pb.Match(except_keywords=words)),
)
INTEGER_MATCHES = st.one_of(
    NUMBERS.map(lambda number: pb.Match(integer=number)),
    listed(pb.RepeatedIntegers, "integers", NUMBERS).map(lambda numbers: pb.Match(integers=numbers)),
    listed(pb.RepeatedIntegers, "integers", NUMBERS).map(lambda numbers: pb.Match(except_integers=numbers)),
)


def conditions(kinds: dict[str, st.SearchStrategy], *, presence_of: tuple[str, ...] = ()) -> st.SearchStrategy:
    """Conditions on fields, which may also be asked for their presence and their number of values.

    Not where the path leads through a list: Qdrant then counts the values of each object by itself. Nor inside a
    nested filter, where it takes the index of the field to speak of one object.
    """
    counts = bounds(pb.ValuesCount, st.integers(0, 3)).map(lambda count: {"values_count": count})
    presence = st.sampled_from([{"is_empty": True}, {"is_empty": False}, {"is_null": True}, {"is_null": False}])
    return st.one_of(
        *(
            (st.one_of(kind, counts, presence) if key in presence_of else kind).map(
                lambda given, key=key: pb.FieldCondition(key=key, **given)
            )
            for key, kind in kinds.items()
        )
    ).map(lambda condition: pb.Condition(field=condition))


def filters(parts: st.SearchStrategy) -> st.SearchStrategy:
    some = st.lists(parts, max_size=2)
    minimum = st.builds(pb.MinShould, conditions=st.lists(parts, min_size=1, max_size=3), min_count=st.integers(1, 2))
    return st.builds(pb.Filter, must=some, should=some, must_not=some, min_should=st.one_of(st.none(), minimum))


def ranges(values: st.SearchStrategy) -> st.SearchStrategy:
    return bounds(pb.Range, values).map(lambda given: {"range": given})


def matching(matches: st.SearchStrategy) -> st.SearchStrategy:
    return matches.map(lambda given: {"match": given})


ON_OFFERS = conditions(
    {
        "region": matching(KEYWORD_MATCHES),
        "price": ranges(REALS),
        "availability": st.one_of(matching(INTEGER_MATCHES), ranges(NUMBERS)),
    }
)
ON_PRODUCTS = conditions(
    {
        "brand": matching(KEYWORD_MATCHES),
        "sales": st.one_of(matching(INTEGER_MATCHES), ranges(NUMBERS)),
        "rating": ranges(REALS),
        "created": bounds(pb.DatetimeRange, MOMENTS.map(moment)).map(lambda given: {"datetime_range": given}),
        "offers[].region": matching(KEYWORD_MATCHES),
        "offers[].price": ranges(REALS),
    },
    presence_of=("brand", "sales", "rating", "created"),
)
NESTED = filters(ON_OFFERS).map(lambda inside: pb.Condition(nested=pb.NestedCondition(key="offers", filter=inside)))
IDS = st.lists(st.sampled_from(NAMES), max_size=4, unique=True).map(
    lambda names: pb.Condition(has_id=pb.HasIdCondition(has_id=[identifier(name) for name in names]))
)
WITH_VECTOR = st.sampled_from(["dense", "words"]).map(
    lambda name: pb.Condition(has_vector=pb.HasVectorCondition(has_vector=name))
)
FLAT = st.one_of(ON_PRODUCTS, NESTED, IDS, WITH_VECTOR)
FILTERS = filters(st.one_of(FLAT, FLAT, filters(FLAT).map(lambda inside: pb.Condition(filter=inside))))
PRODUCTS = st.lists(st.tuples(PAYLOADS, VECTORS), min_size=len(NAMES), max_size=len(NAMES))


@pytest.fixture(scope="module")
def stub(qdrant_url):
    with grpc.insecure_channel(qdrant_url) as channel:
        yield pb.PointsStub(channel)


@pytest.fixture(scope="module")
def products(qdrant_url, stub):
    """Name of a collection without strict limits on the number of conditions."""
    name = f"test-{uuid.uuid4().hex}"
    with grpc.insecure_channel(qdrant_url) as channel:
        collections = pb.CollectionsStub(channel)
        request = creation(name)
        request.strict_mode_config.ClearField("filter_max_conditions")
        collections.Create(request, timeout=SECONDS)
        for field, kind in INDEXES.items():
            index = pb.CreateFieldIndexCollection(collection_name=name, field_name=field, field_type=kind, wait=True)
            stub.CreateFieldIndex(index, timeout=SECONDS)
        yield name
        collections.Delete(pb.DeleteCollection(collection_name=name), timeout=SECONDS)


def point(stored: Stored) -> pb.PointStruct:
    kinds = {"dense": dense(1, 0, 0, 0), "words": sparse({7: 1.0})}
    return pb.PointStruct(
        id=pb.PointId(uuid=stored.identifier),
        vectors=pb.Vectors(vectors=pb.NamedVectors(vectors={name: kinds[name] for name in stored.vectors})),
        payload={name: value(given) for name, given in stored.payload.items()},
    )


@settings(max_examples=150, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(PRODUCTS, st.lists(FILTERS, min_size=5, max_size=5))
def test_a_filter_leaves_what_a_second_implementation_says(stub, products, given_products, asked):
    stored = [
        Stored(identifier(name).uuid, payload, vectors)
        for name, (payload, vectors) in zip(NAMES, given_products, strict=True)
    ]
    upsert = pb.UpsertPoints(collection_name=products, wait=True, points=[point(one) for one in stored])
    stub.Upsert(upsert, timeout=SECONDS)
    for wanted in asked:
        expected = {one.identifier for one in stored if holds(wanted, one)}
        scroll = pb.ScrollPoints(collection_name=products, filter=wanted, limit=100)
        found = {record.id.uuid for record in stub.Scroll(scroll, timeout=SECONDS).result}
        assert found == expected, wanted
        count = pb.CountPoints(collection_name=products, filter=wanted, exact=True)
        assert stub.Count(count, timeout=SECONDS).result.count == len(expected)
        query = pb.QueryPoints(
            collection_name=products,
            filter=wanted,
            limit=100,
            using="dense",
            query=pb.Query(nearest=pb.VectorInput(dense=pb.DenseVector(data=[1, 0, 0, 0]))),
        )
        near = {result.id.uuid for result in stub.Query(query, timeout=SECONDS).result}
        assert near == {one.identifier for one in stored if one.identifier in expected and "dense" in one.vectors}


def test_a_demand_for_more_conditions_than_are_listed_leaves_nothing(stub, products):
    brand = pb.Condition(field=pb.FieldCondition(key="brand", match=pb.Match(keyword="a")))
    upsert = pb.UpsertPoints(
        collection_name=products,
        wait=True,
        points=[point(Stored(identifier(NAMES[0]).uuid, {"brand": "a"}, frozenset({"dense"})))],
    )
    stub.Upsert(upsert, timeout=SECONDS)
    two_of_one = pb.MinShould(conditions=[brand], min_count=2)
    for wanted in (
        pb.Filter(min_should=two_of_one),
        pb.Filter(should=[brand], min_should=two_of_one),
        pb.Filter(must=[brand], min_should=two_of_one),
    ):
        count = pb.CountPoints(collection_name=products, filter=wanted, exact=True)
        assert stub.Count(count, timeout=SECONDS).result.count == 0
