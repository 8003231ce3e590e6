"""Global trade item numbers: length and check digit (GS1 General Specifications, 7.9)."""

from typing import Final

from stdnum import ean, isbn

from cli.problems import FieldError

_LENGTHS: Final = (8, 12, 13, 14)


def gtin_of(text: str) -> str:
    """The digits of a GTIN; spaces, hyphens and the apostrophe before a text of Excel are not part of it.

    Raises:
        FieldError: it is none, or its check digit is wrong. The field is empty.
    """
    digits = text.strip().removeprefix("'").replace(" ", "").replace("-", "")
    if "E+" in digits.upper():
        raise FieldError("", "written as a power of ten, so digits are lost", "GTIN_FORMAT")
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in _LENGTHS:
        raise FieldError("", "must have 8, 12, 13 or 14 digits; leading zeros may be lost", "GTIN_FORMAT")
    if not ean.is_valid(digits):
        raise FieldError("", "its check digit is wrong", "GTIN_CHECK_DIGIT")
    return digits


def isbn_gtin(text: str) -> str:
    """An ISBN as a GTIN: one of ten digits (before 2007) becomes that of thirteen; what is no ISBN stays as it is.

    Only for what is said to be an ISBN: one in eleven numbers of ten digits has the check digit of one by chance.
    """
    return str(isbn.to_isbn13(isbn.compact(text))) if isbn.is_valid(text) else text
