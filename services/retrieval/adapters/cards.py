"""What the index keeps of a product for showing it: one packed field instead of a dozen.

A card is a FoundProduct with everything but scores and offer, in Base64 because Qdrant's payload is JSON. Reading a
dozen separate fields of 200 candidates costs this process several times as much as parsing their cards.
"""

from base64 import b64decode, b64encode

from services.retrieval.product import NANOS
from services.retrieval.text_cleaning import strip_markup
from zhiyin.common.v1 import product_pb2
from zhiyin.retrieval.v1 import retrieval_service_pb2 as pb


def card_of(product: product_pb2.Product) -> str:
    """The card of a product."""
    card = pb.FoundProduct()
    card.candidate.product_id = product.id
    signals, summary = card.candidate.signals, card.summary
    if product.HasField("sales_count"):
        signals.sales_count = product.sales_count
    if product.HasField("rating"):
        signals.rating.CopyFrom(product.rating)
        summary.rating.CopyFrom(product.rating)
    if product.HasField("create_time"):
        signals.create_time.CopyFrom(product.create_time)
    summary.id = product.id
    summary.title = strip_markup(product.title)
    summary.brand = product.brand
    summary.categories.extend(product.categories)
    summary.language_code = product.language_code
    summary.image_uri = product.images[0].uri if product.images else ""
    summary.uri = product.uri
    summary.primary_product_id = product.primary_product_id
    return packed(card.SerializeToString())


def packed(message: bytes) -> str:
    """A serialised message as a payload can hold it."""
    return b64encode(message).decode()


def price_and_availability(offer_card: str) -> tuple[str, float, int]:
    """Currency, amount and availability of a packed offer; no currency where there is no price."""
    if not offer_card:
        return "", 0.0, 0
    offer = product_pb2.Offer.FromString(b64decode(offer_card))
    if not offer.HasField("price"):
        return "", 0.0, offer.availability
    price = offer.price
    return price.currency_code, price.units + price.nanos / NANOS, offer.availability
