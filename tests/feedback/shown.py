"""Impressions as the gateway sends them, for tests of feedback."""

import uuid

from zhiyin.feedback.v1 import feedback_service_pb2 as pb

SHOW_SECONDS = 1_700_000_000


def impression(products=2, **fields):
    message = pb.Impression(
        **{
            "impression_id": uuid.uuid4().bytes,
            "attribution_id": "attribution-1",
            "visitor_id": "visitor-of-the-test",
            "surface": pb.SURFACE_SEARCH,
            "policy": "default@1a2b3c4d5e6f",
            **fields,
        }
    )
    message.show_time.seconds = SHOW_SECONDS
    for position in range(1, products + 1):
        message.products.add(product_id=f"product-{position}", position=position, score=1 / position)
    return message
