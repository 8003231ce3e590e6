"""`zhiyin import` of feeds: the check, rejected rows mended and sent again, partial writes, missing products."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.common.errors import Unavailable
from tests.cli.conftest import Zhiyin, json_lines
from tests.cli.feeds.catalogue_fake import CatalogueFake, listening
from tests.cli.feeds.reading import FILES, expected, money, written
from zhiyin.common.v1.product_pb2 import Availability

XML = (
    '<rss xmlns:g="http://base.google.com/ns/1.0"><item><g:id>b</g:id><g:title>B</g:title>'
    "<g:price>many</g:price></item></rss>"
)
SHEET = "Handle,Title,Variant SKU,Option1 Name,Option1 Value,Variant Price\n"


@pytest.fixture
def fake():
    return CatalogueFake()


@pytest.fixture
def zhiyin(fake):
    with listening(fake) as address:
        yield Zhiyin(address)


def stored(fake, **proto_json):
    product = expected(**proto_json)
    fake.products[product.id] = product


def last(result):
    return json_lines(result.stdout)[-1]


@pytest.mark.parametrize("path", sorted(FILES.iterdir()), ids=lambda path: path.name)
def test_every_feed_passes_the_check_and_goes_in_and_changes_nothing_the_second_time(fake, zhiyin, path):
    check = zhiyin("import", path, "--currency", "EUR", "--check", "--json")
    assert (check.exit_code, last(check)["check"]["errors"], fake.calls) == (0, {}, [])
    first = last(zhiyin("import", path, "--currency", "EUR", "--json"))["summary"]
    again = last(zhiyin("import", path, "--currency", "EUR", "--json"))["summary"]
    assert first["created"] == first["rows"] == last(check)["check"]["rows"] > 0
    assert again["unchanged"] == again["rows"]


def test_a_person_is_told_what_the_file_was_taken_for(zhiyin):
    result = zhiyin("import", FILES / "google.tsv", "--check")
    assert "google.tsv: google-tsv, utf-8" in result.stderr
    assert "not used: shipping" in result.stderr


def test_the_check_reports_every_problem_by_code_with_its_fix_and_sends_nothing(fake, zhiyin, tmp_path):
    path = written(
        tmp_path,
        "p.csv",
        f"id,title,price,currency,gtin,quantity\na,A,1.234,EUR,,\nb,,1,,4006381333932,few\n"
        f"c,{'x' * 1001},1,EUR,,-1\nd,D,1,EUR,,\nd,D,1,EUR,,\n",
    )
    result = zhiyin("import", path, "--check", "--json", "--errors", tmp_path / "errors.jsonl")
    assert result.exit_code == 1
    check = last(result)["check"]
    assert (check["rows"], check["rejected"], check["warnings"]) == (5, 3, {"DUPLICATE_ID": 1})
    assert check["errors"] == {
        "AMBIGUOUS_NUMBER": 1,
        "CURRENCY_MISSING": 1,
        "GTIN_CHECK_DIGIT": 1,
        "INVALID": 1,
        "TOO_LONG": 1,
        "OUT_OF_RANGE": 1,
    }
    first = json_lines((tmp_path / "errors.jsonl").read_text())[0]
    assert first == {
        "line": 2,
        "product_id": "a",
        "field": "price",
        "column": "price",
        "reason": "AMBIGUOUS_NUMBER",
        "severity": "error",
        "description": first["description"],
        "fix": "say which sign is the decimal one: --decimal-point or --decimal-comma",
    }
    assert fake.calls == []


def test_the_check_finds_what_the_service_would_refuse(zhiyin, tmp_path):
    path = written(tmp_path, "p.csv", "id,title,rating_average\nnot an id,A,9\n")
    assert last(zhiyin("import", path, "--check", "--json"))["check"]["errors"] == {
        "INVALID_FORMAT": 1,
        "OUT_OF_RANGE": 1,
    }


@pytest.mark.parametrize(
    ("name", "content", "bad", "good"),
    [
        ("p.csv", 'id;title;price\r\na;A;1,5\r\nb;"B\r\n""b""";many\r\nc;C;2,5\r\n', "many", "3,5"),
        ("p.jsonl", '{"id": "a", "title": "A"}\n{"id": "b", "title": "B", "price": "many"}\n', "many", "3.5"),
        ("p.tsv", "id\ttitle\tlink\tmpn\tprice\na\tA\t\t\t1.5\nb\tB\t\t\tmany", "many", "3.5"),
        ("s.csv", f"{SHEET}a,A,1,,,1.00\nb,B,1,Size,S,1.00\nb,,2,,M,many\nc,C,1,,,1.00\n", "many", "3.5"),
        (
            "p.xml",
            XML,
            "many",
            "3.5",
        ),
    ],
    ids=["csv", "jsonl", "google-tsv", "shopify", "google-xml"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_rejected_rows_are_mended_in_their_file_and_go_in(fake, zhiyin, tmp_path, name, content, bad, good, encoding):
    path, rejected = written(tmp_path, name, content.encode(encoding)), tmp_path / f"rejected-{name}"
    if name == "p.xml":
        rejected = rejected.with_suffix(".jsonl")
    first = zhiyin("import", path, "--currency", "EUR", "--rejected", rejected)
    assert first.exit_code == 1
    text_encoding = "utf-8" if name == "p.xml" else encoding
    text = rejected.read_bytes().decode(text_encoding)
    assert bad in text
    rejected.write_bytes(text.replace(bad, good).encode(text_encoding))
    again = zhiyin("import", rejected, "--currency", "EUR", "--json")
    assert (again.exit_code, last(again)["summary"]["rejected"]) == (0, 0), again.stderr
    assert any(offer.price.units == 3 for product in fake.products.values() for offer in product.offers)


def test_rejected_rows_of_csv_are_copied_byte_by_byte_behind_the_header(zhiyin, tmp_path):
    header, bad = b"id,title,quantity\r\n", b'b,"two\nlines, caf\xe9",1\r\n'
    path = written(tmp_path, "p.csv", header + b"a,A,1\r\n" + bad + b"c,C,x\r\n")
    zhiyin("import", path, "--rejected", tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_bytes() == header + bad + b"c,C,x\r\n"


def test_rows_that_the_service_refuses_are_rejected_too(zhiyin, tmp_path):
    path = written(tmp_path, "p.csv", "id,title\na,A\nb,\n")
    zhiyin("import", path, "--rejected", tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_text() == "id,title\nb,\n"


def test_the_file_itself_is_never_overwritten(zhiyin, tmp_path):
    path = written(tmp_path, "p.csv", "id,title\na,\n")
    result = zhiyin("import", path, "--rejected", path)
    assert (result.exit_code, path.read_text()) == (2, "id,title\na,\n")


def test_a_wrong_gtin_that_is_dropped_is_a_warning_and_the_import_succeeds(fake, zhiyin, tmp_path):
    path = written(tmp_path, "p.csv", "id,title,gtin\na,A,4006381333932\n")
    result = zhiyin("import", path, "--drop-bad-gtin", "--json")
    assert (result.exit_code, last(result)["summary"]["warnings"]) == (0, 1)
    assert fake.products["a"].gtin == ""


def test_a_missing_column_leaves_the_field_and_an_empty_cell_empties_it(fake, zhiyin, tmp_path):
    stored(
        fake,
        id="mug",
        title="Old",
        brand="Kept",
        description="Emptied",
        rating={"average": 4, "count": 2},
        offers=[
            {"price": money(1, "EUR"), "originalPrice": money(2, "EUR"), "quantity": 5},
            {"region": "us", "price": money(7, "USD")},
        ],
    )
    header = "Handle,Title,Body (HTML),Variant Price,Variant Compare At Price\n"
    result = zhiyin("import", written(tmp_path, "s.csv", f"{header}mug,Mug,,9.50,\n"), "--currency", "EUR", "--json")
    assert last(result)["summary"]["updated"] == 1
    assert fake.products["mug"] == expected(
        id="mug",
        title="Mug",
        brand="Kept",
        rating={"average": 4, "count": 2},
        offers=[{"price": money(9, "EUR", 50), "quantity": 5}, {"region": "us", "price": money(7, "USD")}],
    )
    assert fake.offer_masks == [["price", "original_price"]]


def test_a_partial_import_writes_products_that_do_not_exist_whole(fake, zhiyin, tmp_path):
    stored(fake, id="a", title="A", brand="Kept")
    path = written(tmp_path, "p.csv", "id,title\na,A2\nb,B\n")
    result = zhiyin("import", path, "--partial", "--json")
    assert (last(result)["summary"]["updated"], last(result)["summary"]["created"]) == (1, 1)
    assert (fake.products["a"].brand, fake.products["b"].title) == ("Kept", "B")


def test_a_file_of_prices_changes_offers_only(fake, zhiyin, tmp_path):
    stored(fake, id="a", title="A", offers=[{"price": money(1, "EUR"), "quantity": 3}])
    path = written(tmp_path, "p.csv", "id,price,currency\na,2,EUR\n")
    assert zhiyin("import", path, "--partial").exit_code == 0
    assert fake.calls == ["UpdateOffers"]
    assert fake.products["a"] == expected(id="a", title="A", offers=[{"price": money(2, "EUR"), "quantity": 3}])


def test_a_price_for_a_product_that_does_not_exist_is_rejected(zhiyin, tmp_path):
    path = written(tmp_path, "p.csv", "id,price,currency\nnew,2,EUR\n")
    result = zhiyin("import", path, "--partial", "--json")
    assert (result.exit_code, last(result)["summary"]["rejected"]) == (1, 1)


def catalogue(fake, count):
    for number in range(count):
        stored(fake, id=f"p{number:02}", title="x", offers=[{"availability": "AVAILABILITY_IN_STOCK", "quantity": 2}])


def feed(tmp_path, count, *rows):
    lines = "".join(f"p{number:02},x,in_stock,2\n" for number in range(count))
    return written(tmp_path, "p.csv", "id,title,availability,quantity\n" + lines + "".join(rows))


def unavailable(fake):
    closed = Availability.AVAILABILITY_OUT_OF_STOCK
    return {p.id for p in fake.products.values() if any(offer.availability == closed for offer in p.offers)}


def test_products_that_the_file_lacks_stay_as_they_are_unless_asked(fake, zhiyin, tmp_path):
    catalogue(fake, 10)
    zhiyin("import", feed(tmp_path, 9))
    assert (unavailable(fake), "ListProducts" in fake.calls) == (set(), False)


def test_products_that_the_file_lacks_are_marked_if_asked_and_counted(fake, zhiyin, tmp_path):
    catalogue(fake, 10)
    result = zhiyin("import", feed(tmp_path, 8), "--mark-missing-unavailable")
    assert result.exit_code == 0
    assert "2 products that the file lacks were marked out of stock" in result.stdout
    assert unavailable(fake) == {"p08", "p09"}
    assert fake.products["p09"].offers[0].quantity == 2
    again = zhiyin("import", feed(tmp_path, 8), "--mark-missing-unavailable", "--json")
    assert last(again)["summary"]["marked_unavailable"] == 0


def test_more_than_the_limit_is_refused_and_none_is_marked(fake, zhiyin, tmp_path):
    catalogue(fake, 10)
    result = zhiyin("import", feed(tmp_path, 7), "--mark-missing-unavailable")
    assert result.exit_code == 1
    assert "lacks 3 of 10 products" in result.stderr
    assert unavailable(fake) == set()
    allowed = zhiyin("import", feed(tmp_path, 7), "--mark-missing-unavailable", "--mark-missing-limit", 30)
    assert (allowed.exit_code, len(unavailable(fake))) == (0, 3)


def test_a_row_with_an_error_is_not_missing_but_one_without_an_id_makes_it_unknown_what_is(fake, zhiyin, tmp_path):
    catalogue(fake, 10)
    path = feed(tmp_path, 9, "p09,x,perhaps,2\n")
    assert zhiyin("import", path, "--mark-missing-unavailable").exit_code == 1
    assert unavailable(fake) == set()
    result = zhiyin("import", feed(tmp_path, 9, ",x,in_stock,2\n"), "--mark-missing-unavailable")
    assert "1 rows have no readable id" in result.stderr
    assert (result.exit_code, unavailable(fake)) == (1, set())


def test_a_file_that_is_cut_short_marks_nothing(fake, zhiyin, tmp_path):
    catalogue(fake, 1)
    path = written(tmp_path, "p.json", json.dumps([{"@type": "Product", "sku": "p", "name": "P"}])[:-1])
    result = zhiyin("import", path, "--mark-missing-unavailable", "--mark-missing-limit", 100)
    assert (result.exit_code, unavailable(fake)) == (1, set())


def test_a_feed_of_a_region_speaks_for_that_region_only(fake, zhiyin, tmp_path):
    both = [{"region": region, "availability": "AVAILABILITY_IN_STOCK"} for region in ("de", "us")]
    for product_id in ("p00", "p01"):
        stored(fake, id=product_id, title="x", offers=both)
    stored(fake, id="only-us", title="x", offers=both[1:])
    arguments = ("--region", "de", "--partial", "--mark-missing-unavailable", "--mark-missing-limit", 50)
    assert zhiyin("import", feed(tmp_path, 1), *arguments).exit_code == 0
    states = {(p.id, offer.region): offer.availability for p in fake.products.values() for offer in p.offers}
    closed = [place for place, state in states.items() if state == Availability.AVAILABILITY_OUT_OF_STOCK]
    assert closed == [("p01", "de")]


def test_a_service_that_goes_away_before_marking_leaves_the_import_told(fake, zhiyin, tmp_path):
    catalogue(fake, 2)
    fake.list_error = Unavailable("no disk")
    result = zhiyin("import", feed(tmp_path, 2), "--mark-missing-unavailable")
    assert result.exit_code == 1
    assert "2 rows in" in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [("--check", "--mark-missing-unavailable"), ("--currency", "euro"), ("--encoding", "klingon")],
)
def test_a_command_that_makes_no_sense_sends_nothing(fake, zhiyin, tmp_path, arguments):
    result = zhiyin("import", feed(tmp_path, 1), *arguments)
    assert (result.exit_code, fake.calls) == (2, [])


def test_a_row_whose_cells_of_an_offer_are_all_empty_empties_the_offer(fake, zhiyin, tmp_path):
    offer = {"price": money(1, "EUR"), "quantity": 5, "availability": "AVAILABILITY_IN_STOCK"}
    for product_id in ("p1", "p2", "p3"):
        stored(fake, id=product_id, title="x", offers=[{**offer, "region": "de"}, {**offer, "region": "us"}])
    path = written(tmp_path, "p.csv", "id,price,currency,quantity\np1,2,EUR,1\np2,,,\np3,,,4\n")
    result = zhiyin("import", path, "--partial", "--region", "de", "--json")
    assert (result.exit_code, last(result)["summary"]["updated"]) == (0, 3)
    kept = {"region": "de", "availability": "AVAILABILITY_IN_STOCK"}
    wanted = expected(offers=[{**kept, "price": money(2, "EUR"), "quantity": 1}, kept, {**kept, "quantity": 4}])
    assert [fake.products[product_id].offers[0] for product_id in ("p1", "p2", "p3")] == list(wanted.offers)
    assert fake.products["p2"].offers[1] == expected(offers=[{**offer, "region": "us"}]).offers[0]


def test_two_offers_of_one_region_are_a_rejected_row_of_a_partial_import(fake, zhiyin, tmp_path):
    price = {"currency_code": "EUR", "units": "2"}
    twice = [{"region": "de", "price": price}, {"region": "de", "price": price}]
    table = pa.table({"id": ["a", "b"], "title": ["A", "B"], "offers": [twice, twice[:1]]})
    pq.write_table(table, tmp_path / "p.parquet")
    for product_id in ("a", "b"):
        stored(fake, id=product_id, title="Old")
    result = zhiyin("import", tmp_path / "p.parquet", "--partial", "--json")
    (problem, summary) = json_lines(result.stdout)
    assert (problem["problem"]["line"], problem["problem"]["field"]) == (1, "offers[1].region")
    assert problem["problem"]["reason"] == "DUPLICATE"
    assert (summary["summary"]["rejected"], summary["summary"]["updated"]) == (1, 1)
    assert (fake.products["a"].title, fake.products["b"].title) == ("Old", "B")
    assert fake.products["b"].offers[0].price.units == 2


def test_a_batch_of_refused_rows_only_is_not_sent(fake, zhiyin, tmp_path):
    table = pa.table({"id": ["a"], "title": ["A"], "offers": [[{"region": "de"}, {"region": "de"}]]})
    pq.write_table(table, tmp_path / "p.parquet")
    result = zhiyin("import", tmp_path / "p.parquet", "--partial", "--json")
    assert (last(result)["summary"]["rejected"], fake.calls) == (1, [])


@pytest.mark.parametrize("arguments", [("--check",), ()])
def test_a_feed_in_which_no_product_was_found_says_so(zhiyin, tmp_path, arguments):
    path = written(tmp_path, "p.xml", "<rss><channel><product><id>1</id></product></channel></rss>")
    result = zhiyin("import", path, *arguments)
    assert "no products were found in the file: it has no elements <item> or <entry>" in result.stderr
    found = zhiyin("import", written(tmp_path, "p.csv", "id,title\na,A\n"), *arguments)
    assert "no products were found" not in found.stderr
