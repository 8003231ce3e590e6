"""Package sizes of the demonstration's catalogue as numbers with a unit, and which products differ in nothing else.

The data writes `16 OZ` for ounces of weight and of volume alike; which is meant follows from the category. Sizes that
are no single number (`12 PK/12 OZ`, `8 1/2 OZ`, `83.5 SQ FT`) are left as text.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

_LIQUIDS: Final = frozenset(
    {
        "BEERS/ALES",
        "CANNED JUICES",
        "FLUID MILK PRODUCTS",
        "ICE CREAM/MILK/SHERBTS",
        "ISOTONIC DRINKS",
        "JUICE",
        "REFRGRATD JUICES/DRNKS",
        "SOFT DRINKS",
        "WATER",
        "WATER - CARBONATED/FLVRD DRINK",
    }
)
"""Categories that America sells by volume."""
_SIZE: Final = re.compile(r"(?P<number>[0-9]*\.?[0-9]+|[0-9]+/[0-9]+)\s*(?P<unit>[A-Z]+(?: OZ)?)\.?")
_GRAMS: Final = {"OZ": "28.349523125", "LB": "453.59237"}
_LITRES: Final = {
    **dict.fromkeys(("GA", "GAL"), "3.785411784"),
    "QT": "0.946352946",
    "PT": "0.473176473",
    "OZ": "0.0295735295625",
    "L": "1",
    "ML": "0.001",
}
_PIECES: Final = {"CT": "1", "DZ": "12"}
_DIGITS: Final = 6
"""Significant digits: more than a label has."""
_SEVERAL: Final = ("MISC", "OTHER")
"""In the name of a type that holds products of all kinds."""
CLEARLY: Final = Fraction("1.1")
"""Sizes of one product are further apart than this: 14 oz and 15 oz are two products that the data calls the same."""


@dataclass(frozen=True, slots=True)
class PackageSize:
    """How much is in a package."""

    attribute: str
    """`weight`, `volume` or `pieces`."""
    value: float
    unit: str
    """`g`, `l`; empty for pieces."""


def package_size(written: str, category: str) -> PackageSize | None:
    """The size of a package; None where it is no single number. Factors are those of NIST Handbook 44, appendix C."""
    found = _SIZE.fullmatch(written.strip())
    if found is None:
        return None
    above, _, below = found["number"].partition("/")
    if Fraction(above) == 0 or Fraction(below or "1") == 0:
        return None
    number = Fraction(above) / Fraction(below or "1")
    unit = "OZ" if found["unit"] == "FL OZ" else found["unit"]
    is_liquid = category in _LIQUIDS or found["unit"] == "FL OZ"
    for attribute, table, shown in (("volume", _LITRES, "l"), ("weight", _GRAMS, "g"), ("pieces", _PIECES, "")):
        # An ounce stands in both tables; the category decides.
        if unit in table and not (unit == "OZ" and (attribute == "volume") is not is_liquid):
            value = number * Fraction(table[unit])
            return PackageSize(attribute, float(f"{float(value):.{_DIGITS}g}"), shown)
    return None


def variants_of(rows: Iterable[Mapping[str, Any]], sizes: Mapping[int, PackageSize]) -> dict[int, int]:
    """The primary product of each product that is another size of it.

    Products of one maker, brand and type are taken for sizes of one product where all that have a size are clearly
    apart. The data tells no more, neither names nor flavours; where two have about the same size, they are kept apart.

    Args:
        rows: products, the best-selling first; the first one of a group is the primary product.
        sizes: size of a package by the id of the product.
    """
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row in rows:
        product_id = row["product_id"]
        if product_id in sizes and not any(word in row["product_type"] for word in _SEVERAL):
            names = ("department", "product_category", "product_type", "brand", "manufacturer_id")
            groups[*(row[name] for name in names), sizes[product_id].attribute].append(product_id)
    return {
        other: ids[0]
        for ids in groups.values()
        if _are_clearly_apart([sizes[product_id].value for product_id in ids])
        for other in ids[1:]
    }


def _are_clearly_apart(values: list[float]) -> bool:
    return all(larger >= CLEARLY * smaller for smaller, larger in pairwise(sorted(values)))
