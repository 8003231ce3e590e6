"""Google Merchant feeds, as a table and as XML, against the attributes of the product data specification."""

import datetime as dt

import pytest

from cli.rows import FileError, FileFormat, NumberStyle
from tests.cli.feeds.reading import FILES, expected, money, problems_of, products_of, rows_of, written

TEE_OFFER = {
    "price": money(14, "EUR", 90),
    "originalPrice": money(19, "EUR", 90),
    "availability": "AVAILABILITY_IN_STOCK",
    "quantity": 12,
}
TEE_IMAGES = [{"uri": f"https://img.example/{name}.jpg"} for name in ("tee-red", "tee-2", "tee-3")]


def xml(*items, head='<?xml version="1.0"?>'):
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'{head}<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>s</title>{body}</channel></rss>'


def test_a_row_of_a_table_becomes_a_product():
    assert products_of(FILES / "google.tsv")["TEE-R-M"] == expected(
        id="TEE-R-M",
        title="Cotton tee, red",
        description="Soft <b>organic</b> cotton.\nMachine wash.",
        brand="Northwind",
        categories=["Clothing > Shirts > T-shirts"],
        images=TEE_IMAGES,
        uri="https://shop.example/tee?c=red",
        gtin="4006381333931",
        primaryProductId="TEE",
        attributes={
            "mpn": {"texts": ["NW-TEE"]},
            "google_product_category": {"texts": ["212"]},
            "condition": {"texts": ["new"]},
            "color": {"texts": ["Red", "White"]},
            "size": {"texts": ["M"]},
            "material": {"texts": ["cotton"]},
            "product_weight": {"numbers": [0.2], "unit": "kg"},
            "custom_label_0": {"texts": ["summer"]},
        },
        offers=[TEE_OFFER],
    )


def test_an_item_of_its_own_group_is_a_primary_product_and_googles_category_stands_in_for_the_shops():
    mug = products_of(FILES / "google.tsv")["MUG-1"]
    assert (mug.title, mug.primary_product_id) == ('Mug "Good morning"', "")
    assert list(mug.categories) == ["Home & Garden > Kitchen & Dining > Tableware"]


def test_attributes_that_no_field_holds_are_told():
    _, file = rows_of(FILES / "google.tsv")
    assert list(file.remarks.unused) == ["shipping"]


def test_an_item_of_rss_becomes_a_product():
    assert products_of(FILES / "google.xml")["TEE-R-M"] == expected(
        id="TEE-R-M",
        title="Cotton tee, red",
        description="<p>Soft <b>organic</b> cotton.</p>",
        categories=["Clothing > Shirts", "Summer"],
        images=TEE_IMAGES,
        uri="https://shop.example/tee?c=red&s=m",
        primaryProductId="TEE",
        offers=[{"price": money(1299, "EUR"), "availability": "AVAILABILITY_IN_STOCK"}],
    )


def test_an_entry_of_atom_becomes_a_product():
    assert products_of(FILES / "google-atom.xml")["TEA-1"] == expected(
        id="TEA-1",
        title="Green tea",
        description="Longjing, 250 g",
        uri="https://shop.example/tea",
        attributes={"availability_date": {"texts": ["2026-06-01T00:00Z"]}},
        offers=[{"price": money(18, "USD"), "availability": "AVAILABILITY_PREORDER"}],
    )


def test_rows_of_xml_are_named_by_the_line_of_their_element():
    assert [row.line for row in rows_of(FILES / "google.xml")[0]] == [7, 23]


@pytest.mark.parametrize(
    ("now", "price"),
    [("2025-12-31T22:59+00:00", 19), ("2025-12-31T23:00+00:00", 14), ("2027-01-01T00:00+00:00", 19)],
)
def test_a_sale_price_holds_only_while_it_is_in_effect(now, price):
    tee = products_of(FILES / "google.tsv", now=dt.datetime.fromisoformat(now))["TEE-R-M"]
    assert tee.offers[0].price.units == price
    assert tee.offers[0].HasField("original_price") == (price == 14)


def test_what_is_wrong_is_named_by_the_attribute_of_the_feed(tmp_path):
    path = written(
        tmp_path,
        "feed.tsv",
        "id\ttitle\tlink\tcondition\tprice\tsale price\tsale price effective date\tgtin\tavailability\n"
        "a\tA\t\tnew\t15.00\t\t\t\t\n"
        "b\tB\t\tnew\t1.234 EUR\t\t\t\t\n"
        "c\tC\t\tnew\t15 EUR\t12 USD\t\t\t\n"
        "d\tD\t\tnew\t15 EUR\t12 EUR\tsoon\t\t\n"
        "e\tE\t\tnew\t15 EUR\t\t\t4006381333932\tmaybe\n",
    )
    assert problems_of(path) == [
        (2, "price", "CURRENCY_MISSING"),
        (3, "price", "AMBIGUOUS_NUMBER"),
        (4, "sale_price", "CURRENCY_CONFLICT"),
        (4, "price", "CURRENCY_CONFLICT"),
        (5, "sale_price_effective_date", "INVALID_FORMAT"),
        (6, "gtin", "GTIN_CHECK_DIGIT"),
        (6, "availability", "UNKNOWN"),
    ]


def test_a_person_says_the_currency_the_region_and_the_decimal_sign(tmp_path):
    path = written(tmp_path, "feed.tsv", "id\ttitle\tlink\tmpn\tprice\na\tA\t\t\t1.234\n")
    options = {"currency": "EUR", "region": "de"}
    assert products_of(path, numbers=NumberStyle.COMMA, **options)["a"].offers[0].price.units == 1234
    offer = products_of(path, numbers=NumberStyle.POINT, **options)["a"].offers[0]
    assert (offer.price.units, offer.price.nanos, offer.region) == (1, 234_000_000, "de")


def test_items_before_the_place_where_xml_breaks_come_through(tmp_path):
    whole = xml("<g:id>a</g:id><g:title>A</g:title>", "<g:id>b</g:id>")
    path = written(tmp_path, "feed.xml", whole[: whole.index("<g:id>b") + 9])
    rows, file = rows_of(path)
    assert rows[0].values == {"id": "a", "title": "A"}
    assert rows[1].problem.reason == "CUT_SHORT"
    assert file.remarks.cut_short


def test_entities_of_a_document_are_refused(tmp_path):
    head = '<!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    with pytest.raises(FileError, match="entities"):
        rows_of(written(tmp_path, "feed.xml", xml("<g:id>&b;</g:id>", head=head)))


def test_an_item_and_a_tag_beyond_the_limit_are_refused_without_being_held(tmp_path):
    long = "x" * 200_000
    path = written(tmp_path, "feed.xml", xml(f"<g:id>{long}</g:id>", "<g:id>b</g:id>"))
    rows, _ = rows_of(path, max_line=1000)
    assert rows[0].problem.reason == "TOO_LONG"
    assert rows[1].values == {"id": "b"}
    with pytest.raises(FileError, match="a tag is longer"):
        rows_of(written(tmp_path, "tag.xml", xml(f'<g:id a="{long}">a</g:id>')), max_line=1000)


def test_the_encoding_that_a_document_declares_is_believed(tmp_path):
    document = xml("<g:id>a</g:id><g:title>龙井茶</g:title>", head='<?xml version="1.0" encoding="GB18030"?>')
    assert products_of(written(tmp_path, "feed.xml", document.encode("gb18030")))["a"].title == "龙井茶"
    wide = document.replace("GB18030", "UTF-16").encode("utf-16")
    assert products_of(written(tmp_path, "wide.xml", wide))["a"].title == "龙井茶"


def test_feeds_are_told_from_their_content(tmp_path):
    for name in ("google.tsv", "google.xml", "google-atom.xml"):
        path = written(tmp_path, "feed", (FILES / name).read_bytes())
        wanted = FileFormat.GOOGLE_TSV if name.endswith("tsv") else FileFormat.GOOGLE_XML
        assert rows_of(path)[1].file_format is wanted


@pytest.mark.parametrize(
    "namespace",
    [
        "http://base.google.com/ns/1.0",
        "https://base.google.com/ns/1.0",
        "http://base.google.com/ns/1.0/",
        "HTTPS://base.google.com/ns/1.0/",
    ],
)
def test_the_namespace_is_googles_however_it_is_written(tmp_path, namespace):
    document = xml("<g:id>a</g:id><title>A</title><g:price>15 EUR</g:price>")
    path = written(tmp_path, "feed.xml", document.replace("http://base.google.com/ns/1.0", namespace))
    assert products_of(path)["a"] == expected(id="a", title="A", offers=[{"price": money(15, "EUR")}])


@pytest.mark.parametrize("namespace", ["http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/", "urn:shop"])
def test_attributes_without_a_prefix_are_read_in_the_namespace_of_their_entry(tmp_path, namespace):
    entry = "<entry><id>a</id><title>A</title><price>15 EUR</price><updated>2026-01-01</updated></entry>"
    path = written(tmp_path, "feed.xml", f'<feed xmlns="{namespace}">{entry}</feed>')
    assert products_of(path)["a"] == expected(id="a", title="A", offers=[{"price": money(15, "EUR")}])


def test_elements_of_other_namespaces_are_told_and_do_not_mix_with_attributes(tmp_path):
    item = "<c:price>9</c:price><c:title>Other</c:title><g:id>a</g:id><g:title>A</g:title><c:empty/>"
    path = written(tmp_path, "feed.xml", xml(item).replace("<rss ", '<rss xmlns:c="urn:c" '))
    rows, file = rows_of(path)
    assert rows[0].values == {"id": "a", "title": "A"}
    assert list(file.remarks.unused) == ["{urn:c}price", "{urn:c}title"]
