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
