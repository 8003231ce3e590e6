"""A product as the shop sent it, in plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_SECOND: Final = -62_135_596_800
"""0001-01-01T00:00:00Z: the earliest that google.protobuf.Timestamp allows."""
LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z."""
NANOS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment, not yet known to be a valid one."""

    seconds: int
    nanos: int

    @property
    def is_valid(self) -> bool:
        """Whether google.protobuf.Timestamp allows it."""
        return FIRST_SECOND <= self.seconds <= LAST_SECOND and 0 <= self.nanos < NANOS

    def to_datetime(self) -> datetime:
        """The moment, whole microseconds."""
        return EPOCH + timedelta(seconds=self.seconds, microseconds=self.nanos // 1000)


def moment_of(timestamp: Timestamp | None) -> datetime | None:
    """The moment of a timestamp that may not be there, whole microseconds."""
    return None if timestamp is None else timestamp.to_datetime()


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (google.type.Money)."""

    currency: str
    units: int
    nanos: int

    @property
    def amount(self) -> float:
        """The nearest double: equal amounts give equal doubles, which is all that comparing prices needs."""
        return self.units + self.nanos / NANOS


@dataclass(frozen=True, slots=True)
class Offer:
    """Price and stock in one region."""

    region: str = ""
    price: Money | None = None
    original_price: Money | None = None
    availability: int = 0
    """Number of the enum zhiyin.common.v1.Availability."""
    quantity: int | None = None
    update_time: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a product."""

    uri: str
    height: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Rating:
    """Mean and number of ratings."""

    average: float
    count: int


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """Texts, numbers or a flag."""

    texts: Sequence[str] = ()
    numbers: Sequence[float] = ()
    unit: str = ""
    flag: bool | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A product of a catalogue; fields as in zhiyin.common.v1.Product."""

    id: str
    title: str
    description: str = ""
    brand: str = ""
    categories: Sequence[str] = ()
    language_code: str = ""
    images: Sequence[Image] = ()
    uri: str = ""
    sku: str = ""
    gtin: str = ""
    primary_product_id: str = ""
    rating: Rating | None = None
    sales_count: int | None = None
    create_time: Timestamp | None = None
    update_time: Timestamp | None = None
    attributes: Mapping[str, AttributeValue] | None = None
    offers: Sequence[Offer] = ()
