"""No file makes a reader fail in a way of its own: bytes become rows, problems or one FileError."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.feeds.opening import open_rows
from cli.products import product_of
from cli.rows import BadRow, FieldMapping, FileError, FileFormat, ReadOptions, Row
from tests.cli.feeds.reading import FILES, NOW

TEXT_FORMATS = [file_format for file_format in FileFormat if file_format is not FileFormat.PARQUET]
SEEDS = [path.read_bytes() for path in sorted(FILES.iterdir())]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "@type",
                    "@id",
                    "name",
                    "sku",
                    "offers",
                    "price",
                    "brand",
                    "image",
                    "hasVariant",
                    "priceSpecification",
                    "value",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
FAST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def read(path, **options):
    try:
        with open_rows(path, ReadOptions(now=NOW, max_line=2000, **options)) as file:
            for row in file.rows:
                assert isinstance(row, Row | BadRow)
                if isinstance(row, Row):
                    product_of(row)
                file.position()
    except FileError:
        pass


@pytest.mark.parametrize("file_format", [None, *FileFormat])
@FAST
@given(content=st.binary(max_size=400))
def test_any_bytes(tmp_path, file_format, content):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    read(path, file_format=file_format)


@pytest.mark.parametrize("seed", SEEDS, ids=[path.name for path in sorted(FILES.iterdir())])
@FAST
@given(data=st.data())
def test_a_real_file_with_bytes_changed_cut_or_repeated(tmp_path, seed, data):
    at, end = sorted((data.draw(st.integers(0, len(seed))), data.draw(st.integers(0, len(seed)))))
    changed = data.draw(
        st.sampled_from(
            [
                seed[:at] + data.draw(st.binary(max_size=8)) + seed[end:],
                seed[:end] + seed[at:end] + seed[end:],
                seed[:at],
            ]
        )
    )
    path = tmp_path / "file"
    path.write_bytes(changed)
    read(path)
    read(path, file_format=data.draw(st.sampled_from(TEXT_FORMATS)))


@pytest.mark.parametrize(
    "encoding", ["utf-16", "gb18030", "shift_jis", "utf-7", "cp1252", "utf-32-le", "punycode", "idna"]
)
@FAST
@given(content=st.binary(max_size=200))
def test_any_bytes_in_any_encoding_that_a_person_names(tmp_path, encoding, content):
    path = tmp_path / "file"
    path.write_bytes(b"id,title\n" + content)
    for file_format in TEXT_FORMATS:
        read(path, encoding=encoding, file_format=file_format)


@FAST
@given(node=st.dictionaries(st.text(max_size=6), ANY_JSON, max_size=3), extra=ANY_JSON)
def test_any_node_of_schema_org(tmp_path, node, extra):
    path = tmp_path / "file.json"
    values = {**node, "@type": "Product", "offers": extra, "aggregateRating": extra, "additionalProperty": extra}
    path.write_text(json.dumps([values, {"@type": "ProductGroup", "hasVariant": extra, "isVariantOf": extra}]))
    read(path, file_format=FileFormat.JSON_LD)


@FAST
@given(cells=st.lists(st.text(max_size=12), min_size=4, max_size=4), numbers=st.sampled_from(["EUR", ""]))
def test_any_cells_of_shopify(tmp_path, cells, numbers):
    path = tmp_path / "file.csv"
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    content = f"Handle,Variant SKU,Variant Price,Variant Inventory Qty\n{quoted}\n"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    read(path, currency=numbers)


@FAST
@given(line=st.dictionaries(st.sampled_from(["id", "price", "gtin", "offers", "x"]), ANY_JSON))
def test_any_line_of_json_with_a_mapping(tmp_path, line):
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(line) + "\n")
    read(path, mapping=FieldMapping({"x": "images", "gtin": "images"}, {"language_code": "de"}, {"price": 1}))
