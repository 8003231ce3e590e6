import pytest

from services.retrieval.attributes import AttributeDeclaration, AttributeType
from services.retrieval.facet_rules import FacetLimits, facet_violations, undeclared_facets
from services.retrieval.facets import FacetSpec
from services.retrieval.filters import NumberRange
from services.retrieval.validation import ProductLimits

LIMITS = FacetLimits(facets=3, default_values=2, values=4, ranges=2)
DECLARED = {
    "colour": AttributeDeclaration("colour", AttributeType.TEXT, facetable=True),
    "width": AttributeDeclaration("width", AttributeType.NUMBER, "cm", facetable=True),
    "hidden": AttributeDeclaration("hidden", AttributeType.TEXT, filterable=True),
}
RANGE = NumberRange(1.0, 2.0)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (FacetSpec("brand"), {}),
        (FacetSpec(""), {"facets[0].field": "REQUIRED"}),
        (FacetSpec("title"), {"facets[0].field": "INVALID"}),
        (FacetSpec("attributes."), {"facets[0].field": "INVALID"}),
        (FacetSpec("attributes." + "x" * 65), {"facets[0].field": "TOO_LONG"}),
        (FacetSpec("brand", -1), {"facets[0].limit": "OUT_OF_RANGE"}),
        (FacetSpec("brand", scope=3), {"facets[0].scope": "OUT_OF_RANGE"}),
        (FacetSpec("brand", ranges=[RANGE]), {"facets[0].ranges": "WRONG_TYPE"}),
        (FacetSpec("price", ranges=[RANGE] * 3), {"facets[0].ranges": "TOO_MANY"}),
        (FacetSpec("price", ranges=[NumberRange()]), {"facets[0].ranges[0]": "REQUIRED"}),
        (FacetSpec("price", ranges=[NumberRange(2.0, 1.0)]), {"facets[0].ranges[0].max": "OUT_OF_RANGE"}),
        (FacetSpec("price", ranges=[NumberRange(2.0, 2.0)]), {"facets[0].ranges[0].max": "EMPTY"}),
        (FacetSpec("rating", ranges=[NumberRange(1.0, 2.0, "cm")]), {"facets[0].ranges[0].unit": "WRONG_UNIT"}),
        (FacetSpec("brand", parent_category="A"), {"facets[0].parent_category": "INVALID"}),
        (FacetSpec("category", parent_category="A >"), {"facets[0].parent_category": "INVALID_FORMAT"}),
    ],
)
def test_a_facet_is_refused_with_the_place_and_the_reason(spec, expected):
    found = {v.field: v.reason for v in facet_violations([spec], LIMITS, ProductLimits())}
    assert found == expected


def test_facets_are_bounded_in_number():
    assert [v.field for v in facet_violations([FacetSpec("brand")] * 4, LIMITS, ProductLimits())] == ["facets"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (FacetSpec("attributes.colour"), {}),
        (FacetSpec("attributes.width", ranges=[NumberRange(1.0, 2.0, "mm")]), {}),
        (FacetSpec("attributes.Colour"), {"facets[0].field": "NOT_FACETABLE"}),
        (FacetSpec("attributes.hidden"), {"facets[0].field": "NOT_FACETABLE"}),
        (FacetSpec("attributes.colour", ranges=[RANGE]), {"facets[0].ranges": "WRONG_TYPE"}),
        (
            FacetSpec("attributes.width", ranges=[NumberRange(1.0, 2.0, "kg")]),
            {"facets[0].ranges[0].unit": "WRONG_UNIT"},
        ),
    ],
)
def test_a_facet_of_an_attribute_must_be_as_that_one_is_declared(spec, expected):
    assert {v.field: v.reason for v in undeclared_facets([spec], DECLARED)} == expected


def test_a_facet_has_as_many_values_as_asked_for_within_the_limit():
    assert [LIMITS.values_of(FacetSpec("brand", limit)) for limit in (0, 1, 4, 99)] == [2, 1, 4, 4]
