"""The demonstration's catalogue: real products, readable, and the same at every call."""

from collections import Counter

import pytest

from cli.demo_catalogue import demo_products
from cli.demo_sizes import package_size, variants_of
from cli.demo_words import readable, readable_size
from cli.products import product_of
from cli.rows import Row


@pytest.fixture(scope="module")
def products():
    return list(demo_products(4_000))


def test_it_holds_the_best_sellers_of_the_grocery(products):
    assert len({product.id for product in products}) == 4_000
    # Bananas were in 16,992 baskets, more than anything else, as numpy counts them; 17,639 were sold.
    first = products[0]
    assert (first.id, first.title, first.sales_count) == ("1082185", "Bananas, tropical fruit", 17_639)
    assert first.categories == ["Produce > Tropical fruit > Bananas"]


def test_it_holds_goods_only(products):
    text = "\n".join(f"{product.title} {product.categories}" for product in products).lower()
    for word in ("gasoline", "coupon", "lottery"):
        assert word not in text


def test_every_product_has_title_category_and_price(products):
    for product in products:
        assert product.title
        assert len(product.categories[0].split(" > ")) == 3
        (offer,) = product.offers
        assert offer.price.currency_code == "USD"
        assert (offer.price.units, offer.price.nanos) > (0, 0)
        assert not product.HasField("create_time")
    assert set(Counter(product.brand for product in products)) == {"National brand", "Store brand"}


def test_it_is_the_same_at_every_call(products):
    assert list(demo_products(50)) == products[:50]


def test_the_price_is_one_that_was_paid_for_half_of_the_purchases(products):
    # numpy.median of sales_value / quantity over all 16,981 and 3,035 purchases of bananas and of large eggs.
    prices = {product.id: product.offers[0].price for product in products}
    assert (prices["1082185"].units, prices["1082185"].nanos) == (0, 940_000_000)
    assert (prices["840361"].units, prices["840361"].nanos) == (1, 0)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("FLUID MILK WHITE ONLY", "Fluid milk white only"),
        ("FRZN NOVELTIES/WTR ICE", "Frozen novelties / water ice"),
        ("CANDY BARS (SINGLES)(INCLUDING", "Candy bars (singles)"),
        ("CAN DOG FOOD (SKIPPY/PEDIGREE/", "Can dog food"),
        ("SW GDS:DONUTS", "Sweet goods: donuts"),
        ("MISC. DAIRY", "Other dairy"),
        ("DRUG GM", "Household & drugstore"),
        ("VEGETABLES - ALL OTHERS", "Vegetables - all others"),
        ("TV/MOVIE-MAGAZINE", "TV / movie-magazine"),
    ],
)
def test_names_of_a_till_become_names_for_people(name, shown):
    assert readable(name) == shown


@pytest.mark.parametrize(
    ("size", "shown"),
    [("1 GA", "1 gal"), ("12 PK/12 OZ", "12 pack / 12 oz"), ("1/2 L", "1/2 l"), ("10.75 OZ", "10.75 oz"), ("", "")],
)
def test_sizes_have_units_that_people_know(size, shown):
    assert readable_size(size) == shown


@pytest.mark.parametrize(
    ("written", "category", "measured"),
    [
        # 1 lb = 453.59237 g, 1 oz = 1/16 lb, 1 US gal = 3.785411784 l = 4 qt = 8 pt = 128 fl oz.
        ("16 OZ", "CHEESE", ("weight", 453.592, "g")),
        ("10.75 OZ", "SOUP", ("weight", 304.757, "g")),
        ("3 LB", "COFFEE", ("weight", 1360.78, "g")),
        ("128 OZ", "FLUID MILK PRODUCTS", ("volume", 3.78541, "l")),
        ("1 GA", "FLUID MILK PRODUCTS", ("volume", 3.78541, "l")),
        ("1/2 GAL", "FLUID MILK PRODUCTS", ("volume", 1.89271, "l")),
        (".5 L", "WATER", ("volume", 0.5, "l")),
        ("32 FL OZ", "CONDIMENTS/SAUCES", ("volume", 0.946353, "l")),
        ("18 CT", "EGGS", ("pieces", 18, "")),
        ("1 DZ", "EGGS", ("pieces", 12, "")),
    ],
)
def test_a_size_is_a_number_with_the_unit_that_its_category_is_sold_by(written, category, measured):
    found = package_size(written, category)
    assert found is not None
    assert (found.attribute, found.value, found.unit) == measured


@pytest.mark.parametrize("written", ["", "OZ", "12 PK/12 OZ", "8 1/2 OZ", "83.5 SQ FT", "L 16 OZ", "0 OZ", "1/0 L"])
def test_a_size_that_is_no_single_number_stays_text(written):
    assert package_size(written, "CHEESE") is None


def of_one_type(*written, product_type="CATSUP"):
    shared = {"department": "GROCERY", "product_category": "CONDIMENTS/SAUCES", "brand": "National"}
    rows = [
        {**shared, "product_id": i, "product_type": product_type, "manufacturer_id": 1} for i in range(len(written))
    ]
    sizes = {i: package_size(size, "CONDIMENTS/SAUCES") for i, size in enumerate(written) if size}
    return variants_of(rows, sizes)


def test_sizes_that_are_clearly_apart_are_variants_of_the_best_seller():
    assert of_one_type("24 OZ", "36 OZ", None, "32 OZ") == {1: 0, 3: 0}


def test_products_of_about_the_same_size_are_different_products():
    assert of_one_type("14 OZ", "15 OZ") == {}
    assert of_one_type("14 OZ", "28 OZ", "14 OZ") == {}


def test_a_type_that_holds_all_kinds_of_products_has_no_variants():
    assert of_one_type("8 OZ", "16 OZ", product_type="MISC CHEESE") == {}


def test_the_sizes_of_one_product_are_variants_of_its_best_seller(products):
    by_id = {product.id: product for product in products}
    milk = [p for p in products if p.title.startswith("Chocolate milk, 1") and p.brand == "Store brand"]
    assert {p.title for p in milk} == {f"Chocolate milk, {size}" for size in ("1 gal", "1/2 gal", "1 quart", "1 pint")}
    primary = next(p for p in milk if p.title.endswith("1 gal"))
    assert {p.primary_product_id for p in milk if p is not primary} == {primary.id}
    for product in products:
        if product.primary_product_id:
            assert by_id[product.primary_product_id].primary_product_id == ""
            assert by_id[product.primary_product_id].brand == product.brand


def test_a_row_of_the_import_can_say_all_that_the_catalogue_says(products):
    product = products[0]
    row = {
        "id": product.id,
        "title": product.title,
        "brand": product.brand,
        "categories": list(product.categories),
        "language_code": "en",
        "sales_count": product.sales_count,
        "price": "0.94",
        "currency": "USD",
        "availability": "in stock",
    }
    assert product_of(Row(1, row)) == product
