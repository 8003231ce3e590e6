"""Products of schema.org as JSON-LD, in JSON and in pages of HTML."""

import json

import pytest

from cli.rows import FileFormat
from tests.cli.feeds.reading import FILES, expected, money, problems_of, products_of, rows_of, written


def node(**values):
    return {"@context": "https://schema.org", "@type": "Product", "sku": "a", "name": "A", **values}


def product(tmp_path, **values):
    return products_of(written(tmp_path, "p.json", json.dumps(node(**values))))["a"]


def test_a_product_of_a_graph_with_everything_that_a_field_holds():
    assert products_of(FILES / "json-ld.json")["0446310786"] == expected(
        id="0446310786",
        title="Executive anvil",
        description="Sleeker than ACME's classic anvil.",
        brand="ACME",
        categories=["Tools > Anvils"],
        images=[{"uri": "https://img.example/anvil-1.jpg"}, {"uri": "https://img.example/anvil-2.jpg"}],
        sku="0446310786",
        gtin="4006381333931",
        rating={"average": 4.4, "count": 89},
        createTime="2026-02-01T00:00:00Z",
        attributes={
            "mpn": {"texts": ["925872"]},
            "weight": {"numbers": [9.5], "unit": "kg"},
            "condition": {"texts": ["new"]},
        },
        offers=[
            {
                "price": money(119, "USD", 99),
                "originalPrice": money(149, "USD", 99),
                "availability": "AVAILABILITY_IN_STOCK",
                "quantity": 3,
            }
        ],
    )


def test_a_product_group_in_a_page_is_a_primary_product_with_variants():
    products = products_of(FILES / "json-ld.html")
    group = {"description": "Wool coat, new for the coming winter season", "brand": "Good brand"}
    cheap = {"price": money(49, "USD", 99), "availability": "AVAILABILITY_IN_STOCK"}
    assert products["44E01"] == expected(id="44E01", title="Wool winter coat", **group, offers=[cheap])
    assert products["44E01-K11000"] == expected(
        id="44E01-K11000",
        title="Wool winter coat",
        sku="44E01-K11000",
        primaryProductId="44E01",
        **group,
        images=[{"uri": "https://img.example/blue.jpg"}],
        attributes={"size": {"texts": ["small"]}, "color": {"texts": ["Light blue"]}},
        offers=[cheap],
    )
    assert products["44E01-M11000"].title == "Small green coat"


@pytest.mark.parametrize(
    ("values", "field", "wanted"),
    [
        ({"@type": ["Thing", "schema:Product"]}, "title", "A"),
        ({"brand": ["Good", "Other"]}, "brand", "Good"),
        ({"sku": 17, "productID": "x"}, "sku", "17"),
        ({"isbn": "9780306406157"}, "gtin", "9780306406157"),
        ({"@type": "Book", "isbn": "0-306-40615-2"}, "gtin", "9780306406157"),
        ({"inProductGroupWithID": "g"}, "primary_product_id", "g"),
        ({"isVariantOf": {"@type": "ProductGroup", "productGroupID": "g"}}, "primary_product_id", "g"),
    ],
)
def test_forms_that_schema_org_allows_mean_the_same(tmp_path, values, field, wanted):
    path = written(tmp_path, "p.json", json.dumps(node(**values)))
    (made,) = products_of(path).values()
    assert getattr(made, field) == wanted


@pytest.mark.parametrize(
    ("written_state", "wanted"),
    [
        ("https://schema.org/SoldOut", "AVAILABILITY_OUT_OF_STOCK"),
        ("http://schema.org/PreSale", "AVAILABILITY_PREORDER"),
        ("schema:BackOrder", "AVAILABILITY_BACKORDER"),
        ("LimitedAvailability", "AVAILABILITY_IN_STOCK"),
    ],
)
def test_states_of_availability(tmp_path, written_state, wanted):
    made = product(tmp_path, offers={"@type": "Offer", "availability": written_state})
    assert made.offers[0] == expected(offers=[{"availability": wanted}]).offers[0]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"offers": [{"price": 1, "priceCurrency": "USD"}, {"price": 2, "priceCurrency": "USD"}]}, "SEVERAL_OFFERS"),
        ({"offers": {"@id": "#offer"}}, "REFERENCE"),
        ({"offers": {"price": 1}}, "CURRENCY_MISSING"),
        ({"offers": {"price": "12,34,5", "priceCurrency": "USD"}}, "INVALID"),
        ({"brand": {"@id": "#brand"}}, "REFERENCE"),
        ({"isVariantOf": {"@id": "#group"}}, "REFERENCE"),
        ({"gtin": "123"}, "GTIN_FORMAT"),
        ({"aggregateRating": {"ratingValue": "many"}}, "INVALID"),
        ({"sku": None}, "REQUIRED"),
    ],
)
def test_what_cannot_be_read_is_a_problem_of_its_product(tmp_path, values, problem):
    assert [code for _, _, code in problems_of(written(tmp_path, "p.json", json.dumps(node(**values))))] == [problem]


@pytest.mark.parametrize("form", ["array", "graph", "lines", "list"])
def test_many_nodes_come_one_by_one_whatever_holds_them(tmp_path, form):
    nodes = [node(sku=f"p{i}") for i in range(500)]
    content = {
        "array": json.dumps(nodes, indent=1),
        "graph": json.dumps({"@context": "https://schema.org", "@graph": nodes}),
        "lines": "".join(json.dumps(one) + "\n" for one in nodes),
        "list": json.dumps({"@type": "ItemList", "itemListElement": [{"@type": "ListItem", "item": n} for n in nodes]}),
    }[form]
    assert list(products_of(written(tmp_path, "p.json", content))) == [f"p{i}" for i in range(500)]


def test_a_node_is_named_by_its_line_and_those_before_a_break_come_through(tmp_path):
    content = "[\n" + json.dumps(node()) + ",\n" + json.dumps(node(sku="b")) + ",\n{nonsense}]"
    rows, file = rows_of(written(tmp_path, "p.json", content))
    assert [row.line for row in rows] == [2, 3, 4]
    assert (rows[2].problem.reason, file.remarks.cut_short) == ("CUT_SHORT", True)


def test_a_node_beyond_the_limit_is_refused_without_being_held(tmp_path):
    rows, _ = rows_of(written(tmp_path, "p.json", json.dumps(node(name="x" * 500_000))), max_line=1000)
    assert [row.problem.reason for row in rows] == ["CUT_SHORT"]


def test_a_page_without_products_is_an_import_of_nothing(tmp_path):
    rows, file = rows_of(written(tmp_path, "p.html", "<!doctype html><html><body>Nothing</body></html>"))
    assert (rows, file.file_format) == ([], FileFormat.JSON_LD)


@pytest.mark.parametrize(
    ("entries", "wanted"),
    [
        ([{"value": ["red", "blue"]}], {"texts": ["red", "blue"]}),
        ([{"value": "red"}, {"value": "blue"}], {"texts": ["red", "blue"]}),
        ([{"value": True}], {"flag": True}),
        ([{"value": False}], {"flag": False}),
        ([{"value": 42}], {"numbers": [42]}),
        ([{"value": 1.5}], {"numbers": [1.5]}),
        ([{"value": [1, 2.5]}], {"numbers": [1, 2.5]}),
        ([{"value": "42"}], {"texts": ["42"]}),
        ([{"value": [42, "M"]}], {"texts": ["42", "M"]}),
        ([{"value": [True, False]}], {"texts": ["true", "false"]}),
        ([{"value": "1,5", "unitCode": "KGM"}], {"numbers": [1.5], "unit": "kg"}),
        ([{"value": [1, 2], "unitText": "W"}], {"numbers": [1, 2], "unit": "W"}),
    ],
)
def test_values_of_a_property_are_all_kept_with_their_type(tmp_path, entries, wanted):
    made = product(tmp_path, additionalProperty=[{"@type": "PropertyValue", "name": "x", **entry} for entry in entries])
    assert made.attributes["x"] == expected(attributes={"x": wanted}).attributes["x"]


def test_numbers_of_different_units_are_kept_as_texts_with_their_units(tmp_path):
    entries = [{"name": "x", "value": 900, "unitText": "W"}, {"name": "x", "value": 2, "unitText": "kW"}]
    assert list(product(tmp_path, additionalProperty=entries).attributes["x"].texts) == ["900 W", "2 kW"]


def page(*scripts, kind="application/ld+json"):
    return "<html>\n" + "\n".join(f'<script type="{kind}">{script}</script>' for script in scripts) + "\n</html>"


def test_a_broken_script_of_a_page_spoils_no_other(tmp_path):
    whole = json.dumps(node())
    path = written(tmp_path, "p.html", page('{"@type": "BreadcrumbList",}', whole, whole[:-5]))
    rows, file = rows_of(path)
    assert [row.line for row in rows] == [2, 3, 4]
    assert (rows[0].problem.reason, rows[1].values["id"], rows[2].problem.reason) == ("NOT_JSON", "a", "NOT_JSON")
    assert not file.remarks.cut_short


def test_a_line_break_inside_of_a_text_belongs_to_it(tmp_path):
    for name, content in (("p.html", page), ("p.json", str)):
        path = written(tmp_path, name, content(json.dumps(node(description="one@two")).replace("@two", "\ntwo")))
        assert products_of(path)["a"].description == "one\ntwo"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ("//<![CDATA[\n", "\n//]]>"),
        ("/*<![CDATA[*/", "/*]]>*/"),
        ("<![CDATA[", "]]>"),
        ("<!--\n", "\n// -->"),
        ("", ""),
    ],
)
def test_what_hides_a_script_from_other_readers_is_no_part_of_it(tmp_path, before, behind):
    path = written(tmp_path, "p.html", page(f"{before}{json.dumps(node(name='A //]]> B'))}{behind}"))
    assert products_of(path)["a"].title == "A //]]> B"


@pytest.mark.parametrize("kind", ["Application/LD+JSON", "application/ld+json; charset=utf-8"])
def test_the_type_of_a_script_is_told_as_browsers_do(tmp_path, kind):
    path = written(tmp_path, "p.html", page(json.dumps(node()), kind=kind))
    assert list(products_of(path)) == ["a"]


def test_bytes_of_another_encoding_in_a_page_are_a_problem_of_their_product(tmp_path):
    content = page(json.dumps(node(category=["Caf@"])), json.dumps(node(sku="b"))).encode().replace(b'@"]', b'\xe9"]')
    assert [code for _, _, code in problems_of(written(tmp_path, "p.html", content))] == ["ENCODING"]


@pytest.mark.parametrize(
    ("rating", "wanted"),
    [
        ({"ratingValue": "", "reviewCount": 0}, {}),
        ({"ratingValue": ""}, {}),
        ({"ratingValue": 4.5, "reviewCount": "1,234"}, {"average": 4.5, "count": 1234}),
        ({"ratingValue": "4,5", "ratingCount": "1.234.567"}, {"average": 4.5, "count": 1234567}),
    ],
)
def test_ratings_as_shops_write_them(tmp_path, rating, wanted):
    assert product(tmp_path, aggregateRating=rating).rating == expected(rating=wanted).rating


def test_a_rating_without_a_value_that_people_gave_is_a_problem(tmp_path):
    path = written(tmp_path, "p.json", json.dumps(node(aggregateRating={"ratingValue": "", "reviewCount": 3})))
    assert [code for _, _, code in problems_of(path)] == ["INVALID"]
