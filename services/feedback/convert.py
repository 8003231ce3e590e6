"""From feedback's messages to its domain."""

from collections.abc import Iterable
from itertools import islice

from google.protobuf.timestamp_pb2 import Timestamp

from services.feedback.impressions import Impression, ImpressionLimits, ShownProducts
from zhiyin.feedback.v1 import feedback_service_pb2 as pb


def impressions(request: pb.RecordImpressionsRequest, limits: ImpressionLimits) -> list[Impression]:
    """The impressions of a request, not yet checked.

    Of too many impressions or products one beyond the limit is read: enough to be refused, whatever else was sent.
    """
    messages = islice(request.impressions, limits.max_impressions + 1)
    return [_impression(message, limits.max_products) for message in messages]


def _impression(message: pb.Impression, max_products: int) -> Impression:
    return Impression(
        impression_id=message.impression_id,
        attribution_id=message.attribution_id,
        visitor_id=message.visitor_id,
        surface=message.surface,
        show_time=_microseconds(message.show_time) if message.HasField("show_time") else None,
        policy=message.policy,
        products=_products(islice(message.products, max_products + 1)),
        feature_schema=message.feature_schema,
        query=message.query,
        model=message.model,
    )


def _products(messages: Iterable[pb.ShownProduct]) -> ShownProducts:
    products = tuple(messages)
    return ShownProducts(
        product_ids=tuple(product.product_id for product in products),
        positions=tuple(product.position for product in products),
        scores=tuple(product.score for product in products),
        propensities=tuple(product.propensity if product.HasField("propensity") else 1.0 for product in products),
        features=tuple(product.features for product in products),
    )


def _microseconds(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000
