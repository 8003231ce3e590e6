"""Facets: as options ask for them, and as replies are shown."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table

from cli.output import RESULTS, plain
from cli.problems import FieldError
from cli.ranges import number_range, range_text
from cli.running import USAGE, CommandFailed
from zhiyin.common.v1.result_set_pb2 import Facet, FacetSpec, ResultSet

_OWN: Final = ("brand", "category", "availability", "price", "rating")
_ATTRIBUTES: Final = "attributes."


def facet_spec(option: str) -> FacetSpec:
    """`brand`, `price=0..10,10..50`, `category=Grocery > Dairy`, `size` for the attribute of that name.

    Raises:
        CommandFailed: a range is none.
    """
    name, _, detail = (part.strip() for part in option.partition("="))
    if not name:
        raise CommandFailed("--facet: name a field: brand, category, availability, price, rating, an attribute", USAGE)
    spec = FacetSpec(field=name if name in _OWN or name.startswith(_ATTRIBUTES) else f"{_ATTRIBUTES}{name}")
    if name == "category":
        spec.parent_category = detail
    elif detail:
        try:
            spec.ranges.extend(number_range(part) for part in detail.split(","))
        except FieldError as exc:
            raise CommandFailed(f"--facet {name}: {exc.description}", USAGE) from exc
    return spec


def show_facets(result_set: ResultSet) -> None:
    """One table a facet."""
    for facet in result_set.facets:
        table = Table(header_style="bold", show_edge=False, pad_edge=False)
        table.add_column(plain(_title(facet)))
        table.add_column("results", justify="right")
        for value, count in _rows(facet):
            table.add_row(plain(value), count)
        RESULTS.print(table)


def _title(facet: Facet) -> str:
    currency = f" ({facet.currency_code})" if facet.currency_code else ""
    observed = f" {range_text(facet.observed)}" if facet.HasField("observed") else ""
    return f"{facet.field.removeprefix(_ATTRIBUTES)}{observed}{currency}"


def _rows(facet: Facet) -> Iterator[tuple[str, str]]:
    yield from ((entry.value, f"{entry.count:,}") for entry in facet.values)
    if facet.values and facet.distinct_count > len(facet.values):
        yield f"{facet.distinct_count - len(facet.values):,} more values", ""
    yield from ((range_text(entry.range), f"{entry.count:,}") for entry in facet.ranges)
    if facet.missing_count:
        yield "(no value)", f"{facet.missing_count:,}"
