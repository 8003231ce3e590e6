"""A catalogue of shoes with declared attributes, variants and two regions, and what is true of it by plain counting."""

from dataclasses import dataclass

from zhiyin.common.v1 import catalog_settings_pb2 as settings_pb
from zhiyin.common.v1 import product_pb2

FILTERABLE, FACETABLE = settings_pb.ATTRIBUTE_USE_FILTERABLE, settings_pb.ATTRIBUTE_USE_FACETABLE
DECLARATIONS = [
    settings_pb.AttributeDeclaration(name="size", type=settings_pb.ATTRIBUTE_TYPE_NUMBER, uses=[FILTERABLE, FACETABLE]),
    settings_pb.AttributeDeclaration(
        name="weight", type=settings_pb.ATTRIBUTE_TYPE_NUMBER, unit="g", uses=[FILTERABLE]
    ),
    settings_pb.AttributeDeclaration(name="颜色", type=settings_pb.ATTRIBUTE_TYPE_TEXT, uses=[FILTERABLE, FACETABLE]),
    settings_pb.AttributeDeclaration(
        name="waterproof", type=settings_pb.ATTRIBUTE_TYPE_BOOLEAN, uses=[FILTERABLE, FACETABLE]
    ),
]
BRANDS, COLOURS, SIZES = ("Alpen", "Bergzeit", "Cima"), ("red", "blue"), (40, 42, 44)


@dataclass(frozen=True)
class Shoe:
    """One variant. Two models each have the same price, so that there are ties."""

    model: int
    size: int

    @property
    def id(self):
        return f"shoe-{self.model:02}-{self.size}"

    @property
    def group(self):
        return f"shoe-{self.model:02}"

    @property
    def brand(self):
        return BRANDS[self.model % 3]

    @property
    def colour(self):
        return COLOURS[self.model % 2]

    @property
    def grams(self):
        return 200 + 10 * self.model + self.size

    @property
    def waterproof(self):
        return self.model % 4 == 0

    def euros(self):
        return 50 + self.model // 2 + (2 if self.size == 44 else 0)

    def dollars(self):
        return 100 - self.model // 2

    def product(self):
        product = product_pb2.Product(
            id=self.id,
            title=f"Trail running shoe, model {self.model}",
            brand=self.brand,
            categories=["Sports > Shoes > Running"],
            primary_product_id=self.group,
        )
        product.attributes["size"].numbers.append(self.size)
        product.attributes["weight"].numbers.append(self.grams / 1000)
        product.attributes["weight"].unit = "kg"
        product.attributes["颜色"].texts.append(self.colour)
        product.attributes["waterproof"].flag = self.waterproof
        for region, currency, units in (("de", "EUR", self.euros()), ("us", "USD", self.dollars())):
            offer = product.offers.add(region=region, availability=product_pb2.AVAILABILITY_IN_STOCK)
            offer.price.currency_code, offer.price.units = currency, units
        return product


SHOES = [Shoe(model, size) for model in range(1, 13) for size in SIZES]


def shown(shoes, key):
    """Ids of a sorted list: one variant per group, the first one by (key, id)."""
    by_key = sorted(shoes, key=lambda shoe: (key(shoe), shoe.id))
    first = {}
    for shoe in by_key:
        first.setdefault(shoe.group, shoe.id)
    return list(first.values())


def groups(shoes):
    return {shoe.group for shoe in shoes}
