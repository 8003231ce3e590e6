"""Catalogues: every row and every request belongs to one."""

import re
from typing import Final

from services.common.errors import invalid

DEFAULT: Final = "default"
_NAME: Final = re.compile("[a-z0-9_-]{1,64}")


def catalog_named(name: str) -> str:
    """The catalogue that a request names; empty = `default`.

    Raises:
        InvalidArgument: the name is too long or has other characters.
    """
    if name and not _NAME.fullmatch(name):
        raise invalid("catalog", "must be 1 to 64 characters of a-z 0-9 - _", "MALFORMED")
    return name or DEFAULT
