"""Ranges of numbers as people write them: `42`, `1..2`, `..2 kg`, `1.5..`."""

import math
import re
from typing import Final

from cli.problems import FieldError
from zhiyin.common.v1.filter_pb2 import NumberRange

_NUMBER: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_RANGE: Final = re.compile(rf"(?P<min>{_NUMBER})?\s*\.\.\s*(?P<max>{_NUMBER})?\s*(?P<unit>[^0-9.\s].*)?")
_ONE: Final = re.compile(rf"(?P<min>{_NUMBER})\s*(?P<unit>[^0-9.\s].*)?")


def number_range(text: str) -> NumberRange:
    """A range with both ends in it; one number is the range of itself.

    Raises:
        FieldError: it is none, has no end, or its ends are the wrong way round. Its field is empty.
    """
    one, several = _ONE.fullmatch(text.strip()), _RANGE.fullmatch(text.strip())
    found = one or several
    if found is None:
        raise FieldError("", "not a number or a range such as 1..2, ..2 or 1..")
    low, high = found["min"], found["min"] if one else found["max"]
    if low is None and high is None:
        raise FieldError("", "a range needs at least one end")
    if low is not None and high is not None and float(low) > float(high):
        raise FieldError("", "the range ends before it begins")
    made = NumberRange(unit=(found["unit"] or "").strip())
    if low is not None:
        made.min = _finite(low)
    if high is not None:
        made.max = _finite(high)
    return made


def range_text(given: NumberRange) -> str:
    """`1..2 kg`; `42` where both ends are the same."""
    low, high = (f"{getattr(given, end):g}" if given.HasField(end) else "" for end in ("min", "max"))
    ends = low if low and low == high else f"{low}..{high}"
    return f"{ends} {given.unit}".strip()


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise FieldError("", "a number beyond all bounds")
    return number
