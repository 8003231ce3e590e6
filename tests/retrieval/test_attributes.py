from services.retrieval.attributes import (
    NONE_DECLARED,
    AttributeDeclaration,
    AttributeType,
    attribute_violations,
    indexed_values,
    searchable_texts,
)
from services.retrieval.product import AttributeValue, Product

TEXT, NUMBER, BOOLEAN = AttributeType.TEXT, AttributeType.NUMBER, AttributeType.BOOLEAN


def declared(*declarations):
    return {each.name: each for each in declarations}


def product(**attributes):
    return Product("p", "T", attributes=attributes)


DECLARED = declared(
    AttributeDeclaration("material", TEXT, searchable=True, filterable=True),
    AttributeDeclaration("width", NUMBER, "cm", filterable=True),
    AttributeDeclaration("pieces", NUMBER, facetable=True),
    AttributeDeclaration("organic", BOOLEAN, facetable=True),
    AttributeDeclaration("colour", TEXT, searchable=True),
)
FITTING = product(
    colour=AttributeValue(("red", "blue")),
    width=AttributeValue(numbers=(70.0, 5.0), unit="mm"),
    pieces=AttributeValue(numbers=(3.0,)),
    organic=AttributeValue(flag=False),
    material=AttributeValue(("oak",)),
    other=AttributeValue(("unknown",)),
)


def broken(of, declarations=DECLARED):
    return [(v.field, v.reason) for v in attribute_violations(of, declarations)]


def test_searchable_texts_come_in_the_order_of_the_declarations():
    assert searchable_texts(FITTING, DECLARED) == ["oak", "red", "blue"]


def test_the_index_keeps_filterable_and_facetable_values_numbers_in_the_declared_unit():
    assert indexed_values(FITTING, DECLARED) == {
        "material": ["oak"],
        "width": [7.0, 0.5],
        "pieces": [3.0],
        "organic": ["false"],
    }


def test_bare_numbers_are_in_the_declared_unit():
    assert indexed_values(product(width=AttributeValue(numbers=(7.0,))), DECLARED) == {"width": [7.0]}
    assert broken(product(width=AttributeValue(numbers=(7.0,)))) == []


def test_nothing_declared_means_nothing():
    assert searchable_texts(FITTING, NONE_DECLARED) == []
    assert indexed_values(FITTING, NONE_DECLARED) == {}
    assert broken(FITTING, NONE_DECLARED) == []


def test_values_that_do_not_fit_are_left_out():
    misfit = product(
        material=AttributeValue(numbers=(1.0,)),
        width=AttributeValue(numbers=(1.0,), unit="kg"),
        organic=AttributeValue(("yes",)),
        colour=AttributeValue(flag=True),
    )
    assert indexed_values(misfit, DECLARED) == {}
    assert searchable_texts(misfit, DECLARED) == []


def test_a_number_that_is_too_large_in_the_declared_unit_is_refused_and_left_out_where_it_was_stored_before():
    huge = product(width=AttributeValue(numbers=(1.0, 1e308), unit="km"), pieces=AttributeValue(numbers=(1e308,)))
    assert broken(huge) == [("attributes[1].unit", "WRONG_UNIT")]
    assert indexed_values(huge, DECLARED) == {"pieces": [1e308]}


def test_a_product_without_attributes_has_no_values():
    assert searchable_texts(Product("p", "T"), DECLARED) == []
    assert indexed_values(Product("p", "T"), DECLARED) == {}
    assert broken(Product("p", "T")) == []


def test_fitting_values_break_no_rule():
    assert broken(FITTING) == []


def test_another_type_or_unit_is_named_by_position_among_the_names():
    misfit = product(
        colour=AttributeValue(flag=True),
        material=AttributeValue(numbers=(1.0,)),
        organic=AttributeValue(("yes",)),
        pieces=AttributeValue(numbers=(1.0,), unit="kg"),
        undeclared=AttributeValue(("x",)),
        width=AttributeValue(numbers=(1.0,), unit="never heard of"),
    )
    assert broken(misfit) == [
        ("attributes[0]", "WRONG_TYPE"),
        ("attributes[1]", "WRONG_TYPE"),
        ("attributes[2]", "WRONG_TYPE"),
        ("attributes[3].unit", "WRONG_UNIT"),
        ("attributes[5].unit", "WRONG_UNIT"),
    ]
