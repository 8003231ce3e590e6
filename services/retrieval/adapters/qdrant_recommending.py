"""What recommendations ask of the index, over Qdrant's own messages."""

from collections.abc import Mapping, Sequence
from typing import Final

from qdrant_client import grpc as q

from services.common.errors import NotFound
from services.retrieval.adapters.qdrant_conditions import condition_of, only_points
from services.retrieval.adapters.qdrant_errors import reading
from services.retrieval.adapters.qdrant_fields import CARD, CATEGORY_PATHS, KEY, offer_card_field
from services.retrieval.adapters.qdrant_hits import HitReader, card_of, category_paths_of
from services.retrieval.adapters.qdrant_index import QdrantIndex, dense_vector_of
from services.retrieval.adapters.qdrant_points import point_uuid
from services.retrieval.adapters.qdrant_schema import DENSE, MAX_RESULTS
from services.retrieval.filters import ProductFilter
from services.retrieval.geometry import Vector
from services.retrieval.index_version import IndexVersion
from services.retrieval.product_index import Hit
from services.retrieval.recommending import Nearest
from services.retrieval.seeds import Seed

_NO_FACTS: Final[frozenset[str]] = frozenset()


class QdrantRecommending(QdrantIndex):
    """A RecommendIndex and a PersonalIndex."""

    def point_of(self, catalog: str, product_id: str) -> str:
        """Id of a product's point."""
        return point_uuid(catalog, product_id)

    async def seeds(self, version: IndexVersion, ids: Sequence[str], region: str) -> Mapping[str, Seed]:
        """Products by id, with their dense vectors."""
        points = {point_uuid(version.catalog, product_id): product_id for product_id in ids}
        fields = [KEY, CATEGORY_PATHS, CARD, offer_card_field(region)]
        request = q.GetPoints(
            collection_name=version.collection,
            ids=[q.PointId(uuid=point) for point in points],
            with_payload=q.WithPayloadSelector(include=q.PayloadIncludeSelector(fields=fields)),
            with_vectors=q.WithVectorsSelector(include=q.VectorsSelector(names=[DENSE])),
        )
        try:
            with reading(version.catalog):
                reply = await self._get(request, at_most=self._seconds, reserve=self._reserve)
        except NotFound:
            self._versions.forget(version.catalog)
            raise
        there = {points[point.id.uuid]: point for point in reply.result if KEY in point.payload}
        # In the order of the request: clusters are made in it.
        return {product_id: _seed(product_id, there[product_id], region) for product_id in ids if product_id in there}

    async def nearest(
        self,
        version: IndexVersion,
        directions: Sequence[Nearest],
        named: Sequence[str],
        wanted: ProductFilter,
        region: str,
        without_groups: Sequence[str],
    ) -> tuple[Sequence[Sequence[Hit]], Sequence[Hit]]:
        """The best of each direction and the named products that pass, in one round trip."""
        reader = HitReader(_NO_FACTS, region, cards=True)
        condition = condition_of(wanted, region, without_groups)
        queries = [
            q.QueryPoints(
                query=_towards(direction), using=DENSE, filter=condition, limit=size, with_payload=reader.fields
            )
            for direction, size in directions
        ]
        points = [point_uuid(version.catalog, product_id) for product_id in named]
        for start in range(0, len(points), MAX_RESULTS):
            some = points[start : start + MAX_RESULTS]
            passing = only_points(some)
            if condition is not None:
                passing.must.append(q.Condition(filter=condition))
            # Without a direction, so that products without a vector are found too.
            queries.append(q.QueryPoints(filter=passing, limit=len(some), with_payload=reader.fields))
        found = [reader.read(result.result) for result in await self._batch(version, queries)]
        return found[: len(directions)], [hit for hits in found[len(directions) :] for hit in hits]

    async def cosines(
        self, version: IndexVersion, asked: Sequence[tuple[Vector, Sequence[str]]]
    ) -> list[dict[str, float]]:
        """Centred cosines of points with each direction, in one round trip."""
        parts = [
            (place, direction, points[start : start + MAX_RESULTS])
            for place, (direction, points) in enumerate(asked)
            for start in range(0, len(points), MAX_RESULTS)
        ]
        queries = [
            q.QueryPoints(query=_towards(direction), using=DENSE, filter=only_points(points), limit=len(points))
            for _, direction, points in parts
        ]
        cosines: list[dict[str, float]] = [{} for _ in asked]
        for (place, _, _), result in zip(parts, await self._batch(version, queries), strict=True):
            cosines[place].update((point.id.uuid, point.score) for point in result.result)
        return cosines


def _seed(product_id: str, point: q.RetrievedPoint, region: str) -> Seed:
    key = point.payload[KEY].string_value
    vectors = point.vectors.vectors.vectors
    return Seed(
        product_id,
        key.split(" ")[1],
        category_paths_of(point.payload),
        dense_vector_of(key, vectors[DENSE]) if DENSE in vectors else None,
        card_of(point.payload, region),
    )


def _towards(direction: Vector) -> q.Query:
    return q.Query(nearest=q.VectorInput(dense=q.DenseVector(data=direction.tolist())))
