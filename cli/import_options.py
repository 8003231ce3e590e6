"""What a person can decide about an import, on the command line."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.options import DEFAULT_GATEWAY
from cli.rows import FileError, FileFormat, NumberStyle, ReadOptions

DEFAULT_MISSING_PERCENT: Final = 20.0
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}")

FileArgument = Annotated[
    Path,
    typer.Argument(
        help="JSON lines, CSV, Parquet, a Google Merchant feed (TSV, RSS, Atom), a Shopify product CSV, "
        "or schema.org products as JSON-LD.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    FileFormat | None, typer.Option("--format", help="Read the file as this, whatever it looks like.")
]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="Which column is which field, in TOML or JSON; see cli/README.md.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="Encoding of the text, whatever it looks like: cp1252, gb18030, ...")
]
CurrencyOption = Annotated[str, typer.Option("--currency", help="ISO 4217 code of prices that name none.")]
RegionOption = Annotated[str, typer.Option("--region", help="Region of offers that name none.")]
DecimalOption = Annotated[
    bool | None,
    typer.Option("--decimal-comma/--decimal-point", help="How to read 1.234 and 1,234, which are refused otherwise."),
]
DropGtinOption = Annotated[
    bool, typer.Option("--drop-bad-gtin", help="Import a product whose GTIN is wrong without the GTIN.")
]
PartialOption = Annotated[
    bool | None,
    typer.Option(
        "--partial/--whole",
        help="Leave fields that the file has no column for as they are, or empty them. "
        "Partial for Shopify's CSV, whole for the others.",
    ),
]
CheckOption = Annotated[bool, typer.Option("--check", help="Report every problem of the file and send nothing.")]
RejectedOption = Annotated[
    Path | None,
    typer.Option("--rejected", help="Write the rows that did not go in here, to be mended and imported again."),
]
ErrorsOption = Annotated[
    Path | None, typer.Option("--errors", help="Write every problem here, as JSON lines: line, column, code, fix.")
]
MarkMissingOption = Annotated[
    bool,
    typer.Option("--mark-missing-unavailable", help="Mark products that the file lacks out of stock."),
]
MissingLimitOption = Annotated[
    float,
    typer.Option("--mark-missing-limit", min=0, max=100, help="Mark none if it would be more percent than this."),
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, max=500, help="Products in one call.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Come back only when searches find the products.")]
PatienceOption = Annotated[
    float, typer.Option("--patience", min=0, help="Seconds to try again for while the service is away or overloaded.")
]


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """An import."""

    file: Path
    read: ReadOptions = field(default_factory=ReadOptions)
    gateway: str = DEFAULT_GATEWAY
    catalog: str = "default"
    batch_size: int = 200
    wait: bool = False
    patience: float = 60.0
    is_partial: bool | None = None
    """None = as is usual for the format."""
    only_check: bool = False
    errors: Path | None = None
    rejected: Path | None = None
    mark_missing: bool = False
    missing_percent: float = DEFAULT_MISSING_PERCENT
    as_json: bool = False


def number_style(decimal_comma: bool | None) -> NumberStyle:
    """What the person says about decimal signs."""
    if decimal_comma is None:
        return NumberStyle.UNSAID
    return NumberStyle.COMMA if decimal_comma else NumberStyle.POINT


def currency_named(currency: str) -> str:
    """The currency in capital letters.

    Raises:
        FileError: it is none.
    """
    if currency and _CURRENCY.fullmatch(currency) is None:
        raise FileError("--currency: a code of three letters (ISO 4217)")
    return currency.upper()
