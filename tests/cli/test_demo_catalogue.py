"""The demonstration's catalogue: real products, readable, and the same at every call."""

from collections import Counter

import pytest

from cli.demo_catalogue import demo_products
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
