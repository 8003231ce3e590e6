"""What may be asked of the statistics."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from services.common.errors import MAX_VIOLATIONS, InvalidArgument, Violation, invalid

_PRODUCT_ID: Final = re.compile("[A-Za-z0-9._:/-]{1,128}")


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How much a list holds."""

    default: int
    most: int

    def limit(self, asked: int) -> int:
        """The length of a list: 0 = the default, above the most = the most.

        Raises:
            InvalidArgument: it is negative.
        """
        if asked < 0:
            raise invalid("limit", "must not be negative", "OUT_OF_RANGE")
        return min(asked or self.default, self.most)


def check_product_ids(product_ids: Sequence[str], most: int) -> None:
    """Refuses a list of ids that is empty, too long, or holds something that is no id.

    Raises:
        InvalidArgument: names the fields, the first `MAX_VIOLATIONS` of them.
    """
    if not 0 < len(product_ids) <= most:
        raise invalid("product_ids", f"must be 1 to {most}", "TOO_MANY" if product_ids else "REQUIRED")
    if violations := list(islice(_malformed(product_ids), MAX_VIOLATIONS)):
        raise InvalidArgument(violations)


def _malformed(product_ids: Sequence[str]) -> Iterator[Violation]:
    for index, product_id in enumerate(product_ids):
        if not _PRODUCT_ID.fullmatch(product_id):
            yield Violation(
                f"product_ids[{index}]", "must be 1 to 128 characters of A-Z a-z 0-9 . _ : - /", "MALFORMED"
            )
