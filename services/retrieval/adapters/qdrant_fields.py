"""Names of a point's vectors and of the fields of its payload."""

from typing import Final

ID: Final = "id"
KEY: Final = "key"
"""Id, group and lengths in one field: what every search reads of every product in its window."""
CARD: Final = "card"
CHANGE: Final = "change"
"""Number of the product's change that the point was made from."""
GROUP: Final = "group"
"""Id of the primary product; of a primary product its own."""
BRAND: Final = "brand"
CATEGORY_PATHS: Final = "category_paths"
RATING: Final = "rating"
RATING_COUNT: Final = "rating_count"
SALES: Final = "sales"
CREATED: Final = "created"
"""Seconds since 1970."""
OFFERS: Final = "offers"
"""What filters compare: a list with an entry per region."""
OFFER_REGION, OFFER_CURRENCY, OFFER_PRICE, OFFER_AVAILABILITY = "region", "currency", "price", "availability"
OFFER_CARDS: Final = "offer_cards"
"""What results show: packed offers by region, one field so that regions that are gone go when it is written."""
OFFERS_DIGEST: Final = "offers_digest"


def attribute_field(name: str) -> str:
    """Field of a declared attribute's values. Its name is free text, a field's is not."""
    return f"attr_{name.encode().hex()}"


def region_key(region: str) -> str:
    """Key of a region within OFFER_CARDS. The empty region has one too."""
    return f"r{region.encode().hex()}"


def offer_card_field(region: str) -> str:
    """Path of a region's packed offer."""
    return f"{OFFER_CARDS}.{region_key(region)}"
