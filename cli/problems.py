"""What was wrong with one row of an import, and how a person mends it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final


class Severity(StrEnum):
    """What a problem does to its row."""

    ERROR = "error"
    """The row does not go in."""
    WARNING = "warning"
    """The row goes in without the value."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that one field of one row broke. Never holds the value."""

    line: int
    """Where the row begins: the line of a text file, the row of a Parquet file; the first one is 1."""
    product_id: str
    """Id of the product; empty where it could not be read."""
    field: str
    """Field of the product at fault, with the path inside it; empty where the row as a whole is."""
    reason: str
    """UPPER_SNAKE_CASE."""
    description: str
    """What is wrong, for people."""
    column: str = ""
    """Column or key of the file that the field came from; empty where it has the field's own name."""
    severity: Severity = Severity.ERROR

    def as_json(self) -> dict[str, Any]:
        """Every field, and how to fix it."""
        return {**asdict(self), "column": self.column or self.field, "fix": fix_of(self.reason)}


class FieldError(Exception):
    """A value cannot be what its field holds."""

    def __init__(self, field: str, description: str, reason: str = "INVALID") -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description
        self.reason = reason


def fix_of(reason: str) -> str:
    """How problems of one kind are mended; empty where the description says all there is to say."""
    return _FIXES.get(reason, "")


_FIXES: Final = {
    "AMBIGUOUS_NUMBER": "say which sign is the decimal one: --decimal-point or --decimal-comma",
    "CONFLICT": "keep one of the two",
    "CURRENCY_AMBIGUOUS": "write the ISO 4217 code beside the amount, or name it with --currency",
    "CURRENCY_CONFLICT": "give all prices of a product in one region the same currency",
    "CURRENCY_MISSING": "name the currency with --currency, or write it beside the amount: 15.00 USD",
    "CUT_SHORT": "mend the file there and import it again; nothing behind that place was read",
    "DUPLICATE": "keep one row of each id and one offer of each region",
    "DUPLICATE_ID": "give each product an id of its own; otherwise the last row wins",
    "ENCODING": "name the encoding of the file with --encoding",
    "ETAG_MISMATCH": "fetch the product again and repeat the change on it",
    "GTIN_CHECK_DIGIT": "correct the number from the package, or leave wrong ones out with --drop-bad-gtin",
    "GTIN_FORMAT": "export the column as text with all its digits, or leave wrong ones out with --drop-bad-gtin",
    "HANDLE_AGAIN": "sort the file so that all rows of a handle stand together",
    "INVALID_FORMAT": "write the value in the form that is described",
    "NOT_CSV": "check the quotes and the number of cells: a cell with a delimiter, a quote or a line break is quoted",
    "NOT_FOUND": "import the whole product first",
    "NOT_JSON": "check quotes, commas and brackets at that place",
    "NOT_REDUCED": "give the price before the reduction, which is above the price, or leave it out",
    "NOT_UTF8": "save the file as UTF-8, or name its encoding with --encoding",
    "NO_TITLE_ROW": "keep the first row of the handle, which holds the title, in the file",
    "OUT_OF_RANGE": "correct the number",
    "PERSONAL_DATA": "send a pseudonym that says nothing about the person, the same at every visit",
    "REFERENCE": "write the node in place of the reference to its @id",
    "REQUIRED": "fill the cell",
    "SEVERAL_OFFERS": "give each offer a region, or each variant a product of its own",
    "SEVERAL_VALUES": "keep one value",
    "STALE": "the catalogue holds a newer version; correct `update_time` if that is wrong",
    "TOO_LONG": "shorten the value",
    "TOO_MANY": "remove some of the entries",
    "UNKNOWN": "use one of the known names",
}
