"""Reads files of products the way the import does."""

import datetime as dt
from pathlib import Path

from google.protobuf.json_format import ParseDict

from cli.feeds.opening import open_rows
from cli.products import product_of
from cli.rows import BadRow, ReadOptions
from zhiyin.common.v1.product_pb2 import Product

FILES = Path(__file__).parent / "files"
NOW = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)


def rows_of(path, **options):
    """All rows, and the file with its remarks."""
    with open_rows(path, ReadOptions(**{"now": NOW, **options})) as file:
        return list(file.rows), file


def products_of(path, **options):
    """Products by id; every row has to be one."""
    made = [product_of(row) for row in rows_of(path, **options)[0]]
    assert all(isinstance(product, Product) for product in made), made
    return {product.id: product for product in made}


def problems_of(path, **options):
    """Line, column and code of every problem."""
    found = []
    for row in rows_of(path, **options)[0]:
        problems = [row.problem] if isinstance(row, BadRow) else product_of(row)
        if isinstance(problems, list):
            found += [(problem.line, problem.column or problem.field, problem.reason) for problem in problems]
    return found


def expected(**proto_json):
    return ParseDict(proto_json, Product())


def money(units, currency, cents=0):
    return {"currencyCode": currency, "units": units, "nanos": cents * 10_000_000}


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
