import math

import pytest

from services.retrieval.attributes import AttributeDeclaration, AttributeType
from services.retrieval.filter_rules import FilterLimits, declared_filter, filter_violations
from services.retrieval.filters import AttributeCondition, NumberRange, PriceRange, ProductFilter, condition_count
from services.retrieval.product import Money
from services.retrieval.validation import ProductLimits

LIMITS = FilterLimits(depth=2, conditions=5, values=3)
DECLARED = {
    "colour": AttributeDeclaration("colour", AttributeType.TEXT, filterable=True),
    "width": AttributeDeclaration("width", AttributeType.NUMBER, "cm", filterable=True),
    "pieces": AttributeDeclaration("pieces", AttributeType.NUMBER, filterable=True),
    "vegan": AttributeDeclaration("vegan", AttributeType.BOOLEAN, filterable=True),
    "shown": AttributeDeclaration("shown", AttributeType.TEXT, facetable=True),
}


def reasons(violations):
    return {violation.field: violation.reason for violation in violations}


def one(condition):
    return ProductFilter(attributes=[condition])


def nested(depth):
    wanted = ProductFilter(brands=["A"])
    for _ in range(depth):
        wanted = ProductFilter(any=[wanted])
    return wanted


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (ProductFilter(), {}),
        (ProductFilter(brands=["A"] * 4), {"filter.brands": "TOO_MANY"}),
        (ProductFilter(brands=["b" * 201]), {"filter.brands[0]": "TOO_LONG"}),
        (ProductFilter(categories=["A > "]), {"filter.categories[0]": "INVALID_FORMAT"}),
        (ProductFilter(availabilities=[1, 9]), {"filter.availabilities[1]": "OUT_OF_RANGE"}),
        (ProductFilter(price=PriceRange()), {"filter.price": "REQUIRED"}),
        (
            ProductFilter(price=PriceRange(Money("USD", 2, 0), Money("USD", 1, 0))),
            {"filter.price.max": "OUT_OF_RANGE"},
        ),
        (
            ProductFilter(price=PriceRange(Money("USD", 1, 0), Money("EUR", 2, 0))),
            {"filter.price.max.currency_code": "INVALID"},
        ),
        (ProductFilter(rating=NumberRange()), {"filter.rating": "REQUIRED"}),
        (ProductFilter(rating=NumberRange(4.0, 3.0)), {"filter.rating.max": "OUT_OF_RANGE"}),
        (ProductFilter(rating=NumberRange(4.0, 5.5)), {"filter.rating.max": "OUT_OF_RANGE"}),
        (ProductFilter(rating=NumberRange(4.0, None, "cm")), {"filter.rating.unit": "WRONG_UNIT"}),
        (one(AttributeCondition("")), {"filter.attributes[0].name": "REQUIRED", "filter.attributes[0]": "REQUIRED"}),
        (one(AttributeCondition("x" * 65, flag=True)), {"filter.attributes[0].name": "TOO_LONG"}),
        (one(AttributeCondition("a", texts=[])), {"filter.attributes[0].texts.values": "REQUIRED"}),
        (one(AttributeCondition("a", texts=["x"] * 4)), {"filter.attributes[0].texts.values": "TOO_MANY"}),
        (one(AttributeCondition("a", range=NumberRange())), {"filter.attributes[0].range": "REQUIRED"}),
        (
            one(AttributeCondition("a", range=NumberRange(math.nan, math.inf))),
            {"filter.attributes[0].range.min": "OUT_OF_RANGE", "filter.attributes[0].range.max": "OUT_OF_RANGE"},
        ),
        (nested(2), {}),
        (nested(3), {"filter": "TOO_DEEP"}),
        (ProductFilter(any=[ProductFilter(brands=["A"])] * 3, none=[ProductFilter(brands=["A"])] * 2), {}),
        (
            ProductFilter(any=[ProductFilter(brands=["A"])] * 3, none=[ProductFilter(brands=["A"])] * 3),
            {"filter": "TOO_MANY"},
        ),
        (ProductFilter(none=[ProductFilter()]), {"filter.none[0]": "REQUIRED"}),
        (
            ProductFilter(any=[ProductFilter()] * 4),
            {"filter.any": "TOO_MANY"} | {f"filter.any[{n}]": "REQUIRED" for n in range(3)},
        ),
        (
            ProductFilter(none=[ProductFilter(brands=["A"], none=[ProductFilter()])]),
            {"filter.none[0].none[0]": "REQUIRED"},
        ),
        (ProductFilter(any=[ProductFilter(none=[ProductFilter()])]), {"filter.any[0]": "REQUIRED"}),
        (
            ProductFilter(any=[ProductFilter(categories=["A"], any=[ProductFilter()] * 20_000)]),
            {"filter.any[0].any": "TOO_MANY"} | {f"filter.any[0].any[{n}]": "REQUIRED" for n in range(3)},
        ),
        (
            ProductFilter(
                any=[ProductFilter(brands=["A"])], none=[ProductFilter(none=[ProductFilter(brands=["A"])] * 4)]
            ),
            {"filter.none[0].none": "TOO_MANY"},
        ),
        (
            ProductFilter(any=[ProductFilter(none=[ProductFilter(availabilities=[7])])]),
            {"filter.any[0].none[0].availabilities[0]": "OUT_OF_RANGE"},
        ),
    ],
)
def test_a_filter_is_refused_with_the_place_and_the_reason(wanted, expected):
    assert reasons(filter_violations(wanted, LIMITS, ProductLimits())) == expected


def test_no_message_repeats_a_value():
    wanted = ProductFilter(
        brands=["secret" * 40], attributes=[AttributeCondition("secret" * 20)], categories=["secret >"]
    )
    violations: list = list(filter_violations(wanted, FilterLimits(), ProductLimits()))
    declared_filter(wanted, {}, violations)
    assert len(violations) >= 4
    assert not any("secret" in violation.description for violation in violations)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (AttributeCondition("colour", texts=["red"]), {}),
        (AttributeCondition("vegan", flag=False), {}),
        (AttributeCondition("colour", flag=True), {"filter.any[1].attributes[0]": "WRONG_TYPE"}),
        (AttributeCondition("width", texts=["5"]), {"filter.any[1].attributes[0]": "WRONG_TYPE"}),
        (AttributeCondition("vegan", range=NumberRange(1.0)), {"filter.any[1].attributes[0]": "WRONG_TYPE"}),
        (AttributeCondition("Colour", texts=["red"]), {"filter.any[1].attributes[0].name": "NOT_FILTERABLE"}),
        (AttributeCondition("shown", texts=["red"]), {"filter.any[1].attributes[0].name": "NOT_FILTERABLE"}),
        (
            AttributeCondition("width", range=NumberRange(1.0, unit="kg")),
            {"filter.any[1].attributes[0].range.unit": "WRONG_UNIT"},
        ),
        (
            AttributeCondition("width", range=NumberRange(1.0, unit="no unit")),
            {"filter.any[1].attributes[0].range.unit": "WRONG_UNIT"},
        ),
        (
            AttributeCondition("pieces", range=NumberRange(1.0, unit="cm")),
            {"filter.any[1].attributes[0].range.unit": "WRONG_UNIT"},
        ),
        # More centimetres than a double holds.
        (
            AttributeCondition("width", range=NumberRange(1.0, 1e308, "km")),
            {"filter.any[1].attributes[0].range.unit": "WRONG_UNIT"},
        ),
    ],
)
def test_a_condition_on_an_attribute_must_be_as_that_one_is_declared(condition, expected):
    violations: list = []
    wanted = ProductFilter(any=[ProductFilter(brands=["A"]), ProductFilter(attributes=[condition])])
    declared_filter(wanted, DECLARED, violations)
    assert reasons(violations) == expected


@pytest.mark.parametrize(
    ("bounds", "converted"),
    [
        (NumberRange(100.0, 250.0, "mm"), (10.0, 25.0)),
        (NumberRange(None, 1.0, "m"), (None, 100.0)),
        (NumberRange(1.0, None, "in"), (2.54, None)),
        (NumberRange(3.0, 4.0), (3.0, 4.0)),
    ],
)
def test_bounds_are_compared_in_the_declared_unit_wherever_they_stand(bounds, converted):
    violations: list = []
    condition = AttributeCondition("width", range=bounds)
    inner = ProductFilter(none=[one(condition)])
    wanted = declared_filter(ProductFilter(attributes=[condition], any=[inner]), DECLARED, violations)
    assert not violations
    for found in (wanted.attributes[0], wanted.any[0].none[0].attributes[0]):
        assert (found.range.lowest, found.range.highest) == pytest.approx(converted)


def test_conditions_are_counted_with_those_of_the_groups():
    wanted = ProductFilter(brands=["A", "B"], any=[ProductFilter(categories=["C"], none=[ProductFilter(brands=["D"])])])
    assert condition_count(wanted) == 3
