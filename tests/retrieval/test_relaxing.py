from services.retrieval.filters import AttributeCondition, NumberRange, PriceRange, ProductFilter
from services.retrieval.product import Money
from services.retrieval.relaxing import relaxations

IN_STOCK = ProductFilter(availabilities=[1])
BRAND = ProductFilter(brands=["A"])
WHOLE = ProductFilter(
    brands=["A"],
    categories=["C"],
    price=PriceRange(Money("USD", 1, 0)),
    availabilities=[1],
    rating=NumberRange(4.0),
    attributes=[AttributeCondition("vegan", flag=True)],
    any=[BRAND],
    none=[BRAND],
)


def test_parts_are_dropped_one_after_the_other_and_availability_never():
    dropped = [step.dropped for step in relaxations(WHOLE)]
    assert dropped == [
        ("filter.attributes", "filter.any", "filter.none"),
        ("filter.attributes", "filter.any", "filter.none", "filter.rating"),
        ("filter.attributes", "filter.any", "filter.none", "filter.rating", "filter.price"),
        ("filter.attributes", "filter.any", "filter.none", "filter.rating", "filter.price", "filter.brands"),
        (
            *("filter.attributes", "filter.any", "filter.none", "filter.rating", "filter.price", "filter.brands"),
            "filter.categories",
        ),
    ]
    assert relaxations(WHOLE)[-1].wanted == IN_STOCK


def test_what_is_not_set_is_no_step():
    assert relaxations(IN_STOCK) == []
    assert [step.dropped for step in relaxations(ProductFilter(categories=["C"], rating=NumberRange(4.0)))] == [
        ("filter.rating",),
        ("filter.rating", "filter.categories"),
    ]


def test_a_group_about_availability_stays_at_any_depth():
    sold_out = ProductFilter(none=[ProductFilter(availabilities=[2])])
    assert relaxations(ProductFilter(any=[BRAND, sold_out])) == []
    (step,) = relaxations(ProductFilter(none=[BRAND, sold_out]))
    assert (step.wanted, step.dropped) == (ProductFilter(none=(sold_out,)), ("filter.none",))
