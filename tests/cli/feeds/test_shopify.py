"""Shopify's product CSV: columns of both generations, rows of a handle, variants, stock and what is left out."""

import re

import pytest

from cli.rows import BadRow, FileError
from tests.cli.feeds.reading import FILES, expected, money, problems_of, products_of, rows_of, written
from zhiyin.common.v1.product_pb2 import Availability

OPTIONS = {"currency": "EUR"}
IMAGES = [{"uri": f"https://cdn.example/{number}.jpg"} for number in (1, 2, 3)]
TEE = {
    "title": "Organic Tee",
    "description": "<p>Soft cotton.</p>\n<p>Fair trade.</p>",
    "brand": "Northwind",
    "categories": ["Apparel & Accessories > Clothing"],
}
SHARED = {"product_type": {"texts": ["Shirts"]}, "tags": {"texts": ["summer", "cotton"]}, "color": {"texts": ["Red"]}}
M_OFFER = {"price": money(20, "EUR", 90), "quantity": 7, "availability": "AVAILABILITY_IN_STOCK"}


def sheet(*rows, header="Handle,Title,Variant SKU,Option1 Name,Option1 Value,Variant Price"):
    return "\n".join([header, *rows, ""])


def test_the_primary_product_shows_the_first_variant_that_can_be_bought():
    assert products_of(FILES / "shopify-old.csv", **OPTIONS)["organic-tee"] == expected(
        id="organic-tee",
        **TEE,
        images=IMAGES,
        attributes={name: SHARED[name] for name in ("product_type", "tags")},
        offers=[M_OFFER],
    )


def test_a_variant_has_its_own_options_image_stock_and_numbers():
    products = products_of(FILES / "shopify-old.csv", **OPTIONS)
    assert products["organic-tee:TEE-M"] == expected(
        id="organic-tee:TEE-M",
        **TEE,
        sku="TEE-M",
        primaryProductId="organic-tee",
        images=[{"uri": "https://cdn.example/m.jpg"}, *IMAGES],
        attributes={**SHARED, "size": {"texts": ["M"]}},
        offers=[M_OFFER],
    )
    assert products["organic-tee:TEE-S"].gtin == "4006381333931"


def test_a_variant_without_sku_has_its_place_as_id_and_is_oversold_below_zero():
    third = products_of(FILES / "shopify-old.csv", **OPTIONS)["organic-tee:3"]
    assert (
        third.offers[0]
        == expected(
            offers=[{"price": money(21, "EUR", 90), "quantity": 0, "availability": "AVAILABILITY_BACKORDER"}]
        ).offers[0]
    )


def test_a_product_without_options_is_one_product_whose_stock_nobody_counts():
    mug = products_of(FILES / "shopify-old.csv", **OPTIONS)["mug"]
    assert mug == expected(
        id="mug",
        title="Stoneware mug",
        brand="Hearth",
        sku="MUG",
        categories=["Mugs"],
        attributes={"product_type": {"texts": ["Mugs"]}},
        offers=[{"price": money(9, "EUR", 50), "availability": "AVAILABILITY_IN_STOCK"}],
    )


def test_drafts_and_unpublished_products_are_left_out_and_counted():
    rows, file = rows_of(FILES / "shopify-old.csv", **OPTIONS)
    assert not any("secret" in str(row.values) for row in rows)
    assert (file.remarks.skipped, list(file.remarks.unused)) == (1, ["Variant Grams"])


def test_columns_of_the_newer_export_mean_the_same():
    products = products_of(FILES / "shopify-new.csv", **OPTIONS)
    assert list(products) == ["green-tea", "green-tea:TEA-250", "green-tea:TEA-500"]
    assert (
        products["green-tea:TEA-500"].offers[0]
        == expected(
            offers=[
                {
                    "price": money(34, "EUR"),
                    "originalPrice": money(38, "EUR"),
                    "quantity": 0,
                    "availability": "AVAILABILITY_OUT_OF_STOCK",
                }
            ]
        ).offers[0]
    )


def test_only_fields_with_a_column_are_spoken_of(tmp_path):
    path = written(tmp_path, "p.csv", sheet("mug,Mug,M1,,,9.50"))
    assert set(rows_of(path, **OPTIONS)[1].fields) == {
        *("title", "sku", "attributes", "primary_product_id", "offers.price"),
    }


def test_a_missing_column_of_stock_says_nothing_about_stock(tmp_path):
    mug = products_of(written(tmp_path, "p.csv", sheet("mug,Mug,M1,,,9.50")), **OPTIONS)["mug"]
    assert mug.offers[0] == expected(offers=[{"price": money(9, "EUR", 50)}]).offers[0]


def test_a_handle_that_comes_back_is_refused_row_by_row(tmp_path):
    path = written(tmp_path, "p.csv", sheet("a,A,1,,,1.00", "b,B,2,,,2.00", "a,,3,,,3.00"))
    assert list(products_of(written(tmp_path, "q.csv", sheet("a,A,1,,,1.00", "b,B,2,,,2.00")), **OPTIONS)) == ["a", "b"]
    assert problems_of(path, **OPTIONS) == [(4, "Handle", "HANDLE_AGAIN")]


def test_a_row_that_cannot_be_read_takes_its_handle_with_it(tmp_path):
    path = written(tmp_path, "p.csv", sheet("a,A,1,Size,S,1.00", "a,,2", "a,,3,,L,3.00", "b,B,4,,,4.00"))
    assert problems_of(path, **OPTIONS) == [(3, "", "NOT_CSV"), (2, "", "INCOMPLETE")]
    rows = rows_of(path, **OPTIONS)[0]
    assert [row.values["id"] for row in rows if not isinstance(row, BadRow)] == ["b"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([",No handle,1,,,1.00"], (2, "Handle", "REQUIRED")),
        (["a,,1,,,1.00"], (2, "Title", "NO_TITLE_ROW")),
        (["a,A,1,,,one"], (2, "Variant Price", "INVALID")),
        (["a,A,1,,,1.234"], (2, "Variant Price", "AMBIGUOUS_NUMBER")),
    ],
)
def test_what_is_wrong_is_named_by_the_column_of_shopify(tmp_path, rows, problem):
    assert problems_of(written(tmp_path, "p.csv", sheet(*rows)), **OPTIONS) == [problem]


def test_a_price_needs_a_currency_from_the_person(tmp_path):
    path = written(tmp_path, "p.csv", sheet("a,A,1,,,1.00"))
    assert problems_of(path) == [(2, "Variant Price", "CURRENCY_MISSING")]


def test_a_handle_with_other_characters_becomes_an_id_of_its_own_and_that_is_told(tmp_path):
    path = written(tmp_path, "p.csv", sheet("龙井茶,A,1,,,1.00", "乌龙茶-b,B,2,,,1.00"))
    rows, _ = rows_of(path, **OPTIONS)
    ids = [row.values["id"] for row in rows]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9._:/-]{1,128}", product_id) for product_id in ids)
    assert [warning.reason for row in rows for warning in row.warnings] == ["ID_CHANGED"] * 2


def test_equal_skus_of_one_handle_do_not_make_equal_ids(tmp_path):
    rows = ["a,A,X,Size,S,1.00", "a,,X,,M,1.00", "a,,2,,L,1.00", "a,,not an id!,,XL,1.00"]
    ids = list(products_of(written(tmp_path, "p.csv", sheet(*rows)), **OPTIONS))
    assert ids == ["a", "a:X", "a:2", "a:3", "a:4"]


def test_two_columns_for_one_thing_are_refused(tmp_path):
    header = "Handle,Title,Variant SKU,SKU,Variant Price"
    with pytest.raises(FileError, match="`Variant SKU` and `SKU`"):
        rows_of(written(tmp_path, "p.csv", sheet("a,A,1,1,1.00", header=header)))


def test_a_group_of_many_rows_is_bounded(tmp_path):
    rows = ["a,A,0,Size,0,1.00", *(f"a,,{i},,{i},1.00" for i in range(1, 5_010))]
    found = problems_of(written(tmp_path, "p.csv", sheet(*rows)), **OPTIONS)
    assert len(found) == 10
    assert {code for _, _, code in found} == {"TOO_MANY"}


def test_tags_beyond_what_an_attribute_holds_are_left_out_and_that_is_told(tmp_path):
    header = "Handle,Title,Variant SKU,Tags,Variant Price"
    tags = ", ".join(f"tag{number}" for number in range(60))
    rows = [f'a,A,1,"{tags}",1.00', f'b,B,1,"short, {"x" * 257}",1.00', 'c,C,1,"one, two",1.00']
    path = written(tmp_path, "p.csv", sheet(*rows, header=header))
    products = products_of(path, **OPTIONS)
    assert list(products["a"].attributes["tags"].texts) == [f"tag{number}" for number in range(50)]
    assert list(products["b"].attributes["tags"].texts) == ["short"]
    warnings = [[(w.field, w.reason) for w in row.warnings] for row in rows_of(path, **OPTIONS)[0]]
    assert warnings == [[("attributes.tags", "TOO_MANY")], [("attributes.tags", "TOO_MANY")], []]


def test_a_price_to_compare_with_that_is_lower_is_left_out_and_that_is_told(tmp_path):
    header = "Handle,Title,Variant SKU,Variant Price,Variant Compare At Price"
    path = written(tmp_path, "p.csv", sheet("a,A,1,10.00,5.00", "b,B,1,10.00,0.00", header=header))
    assert [[w.reason for w in row.warnings] for row in rows_of(path, **OPTIONS)[0]] == [["NOT_REDUCED"], []]
    for made in products_of(path, **OPTIONS).values():
        assert made.offers[0] == expected(offers=[{"price": money(10, "EUR")}]).offers[0]


def test_columns_that_are_not_used_may_occur_twice(tmp_path):
    header = "Handle,Title,Variant SKU,Variant Price,Note,Note"
    path = written(tmp_path, "p.csv", sheet("a,A,1,10.00,x,y", header=header))
    assert list(products_of(path, **OPTIONS)) == ["a"]
    assert list(rows_of(path, **OPTIONS)[1].remarks.unused) == ["Note"]


def test_a_quantity_may_be_written_with_decimals_that_are_nothing(tmp_path):
    header = "Handle,Title,Variant SKU,Variant Price,Variant Inventory Qty"
    path = written(tmp_path, "p.csv", sheet("a,A,1,10.00,3.0", header=header))
    made = products_of(path, **OPTIONS)["a"].offers[0]
    assert (made.quantity, made.availability) == (3, Availability.AVAILABILITY_IN_STOCK)
