"""What was wrong with one row of an import."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that one field of one row broke. Never holds the value."""

    line: int
    """Where the row begins: the line of a text file, the row of a Parquet file; the first one is 1."""
    product_id: str
    """Id of the product; empty where it could not be read."""
    field: str
    """Column or key at fault, with the path inside it; empty where the row as a whole is."""
    reason: str
    """UPPER_SNAKE_CASE."""
    description: str
    """What is wrong, for people."""


class FieldError(Exception):
    """A value cannot be what its field holds."""

    def __init__(self, field: str, description: str, reason: str = "INVALID") -> None:
        super().__init__(f"{field}: {description}")
        self.field = field
        self.description = description
        self.reason = reason
