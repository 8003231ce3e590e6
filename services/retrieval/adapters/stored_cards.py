"""Cards of products from the database, for when the index is away."""

from collections.abc import Sequence

from services.common.postgres import Database
from services.retrieval.adapters.cards import card_of, packed
from services.retrieval.adapters.product_reader import PostgresProductReader
from services.retrieval.product_index import Card
from zhiyin.common.v1 import product_pb2


class StoredCards:
    """A ShownProducts."""

    def __init__(self, database: Database, content_bytes: int) -> None:
        """`content_bytes` is how much of products is read at once; what is beyond it is left out."""
        self._reader = PostgresProductReader(database)
        self._content_bytes = content_bytes

    async def shown(self, catalog: str, ids: Sequence[str], region: str) -> list[Card]:
        """Card and packed offer of each product that is there, in the order of `ids`.

        Raises:
            Unavailable: the database is away.
        """
        stored = await self._reader.read(catalog, list(ids), self._content_bytes)
        cards = {
            product.product_id: Card(
                card_of(product_pb2.Product.FromString(product.content)), _offer(product.offers, region)
            )
            for product in stored
            if product.content is not None
        }
        return [cards[product_id] for product_id in ids if product_id in cards]


def _offer(offers: Sequence[bytes], region: str) -> str:
    return next((packed(offer) for offer in offers if product_pb2.Offer.FromString(offer).region == region), "")
