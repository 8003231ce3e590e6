"""A ranked list as it was when its first page was made, small enough to travel in a page token.

Any replica can serve the next page, because the token holds all there is: ids, scores, and the value of every factor.
"""

import array
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HEADER: Final = struct.Struct("<BI")
_VERSION: Final = 2
"""1 had no other_variant_count."""


class UnreadableListError(ValueError):
    """The bytes are no frozen list of this version."""


@dataclass(frozen=True, slots=True)
class FactorSchema:
    """What the factors of one list are, in the order in which the score follows from them."""

    scorer: str
    names: tuple[str, ...]
    roles: tuple[int, ...]
    """Roles as the API numbers them; opaque here."""


@dataclass(frozen=True, slots=True)
class Place:
    """One product in its place."""

    product_id: str
    score: float
    factors: tuple[float, ...]
    """One value per name of the schema; NaN = not known."""
    other_variant_count: int = 0
    """Further variants of the product in the result set, as counted with the first page."""


@dataclass(frozen=True, slots=True)
class FrozenList:
    """The places from `first_position` on, of a list of `total_size`."""

    attribution_id: str
    policy: str
    schema: FactorSchema
    first_position: int
    """Position of the first place here; the whole list begins with 1."""
    total_size: int
    places: Sequence[Place]

    def page(self, size: int) -> tuple[Sequence[Place], "FrozenList | None"]:
        """The first `size` places, and what is left; None when nothing is."""
        shown, rest = self.places[:size], self.places[size:]
        if not rest:
            return shown, None
        position = self.first_position + len(shown)
        return shown, FrozenList(self.attribution_id, self.policy, self.schema, position, self.total_size, rest)


def pack(frozen: FrozenList) -> bytes:
    """The list as compressed bytes: names once, then numbers column by column, which compresses well."""
    header = json.dumps(
        {
            "attribution": frozen.attribution_id,
            "policy": frozen.policy,
            "scorer": frozen.schema.scorer,
            "names": frozen.schema.names,
            "roles": frozen.schema.roles,
            "position": frozen.first_position,
            "total": frozen.total_size,
            "ids": [place.product_id for place in frozen.places],
            "variants": [place.other_variant_count for place in frozen.places],
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    numbers = array.array("d", [place.score for place in frozen.places])
    for column in zip(*(place.factors for place in frozen.places), strict=True):
        numbers.extend(column)
    return zlib.compress(_HEADER.pack(_VERSION, len(header)) + header + numbers.tobytes(), level=1)


def unpack(data: bytes) -> FrozenList:
    """The inverse of `pack`, to the last bit.

    Raises:
        UnreadableListError: the bytes were not made by this version of `pack`.
    """
    try:
        raw = zlib.decompress(data)
        version, length = _HEADER.unpack_from(raw)
        if version != _VERSION:
            raise UnreadableListError("made by another version")
        header = json.loads(raw[_HEADER.size : _HEADER.size + length])
        numbers = array.array("d", raw[_HEADER.size + length :])
        return _assemble(header, numbers)
    except (zlib.error, struct.error, ValueError, KeyError, TypeError) as exc:
        raise UnreadableListError("not a frozen list") from exc


def _assemble(header: dict[str, object], numbers: "array.array[float]") -> FrozenList:
    ids, names, roles, variants = (_sequence(header[key]) for key in ("ids", "names", "roles", "variants"))
    count = len(ids)
    if len(numbers) != count * (1 + len(names)):
        raise UnreadableListError("columns of unequal length")
    columns = [numbers[start : start + count] for start in range(0, len(numbers), count)] if count else [numbers]
    rows = zip(*columns[1:], strict=True) if names else [()] * count
    places = [
        Place(str(product_id), score, tuple(row), int(str(others)))
        for product_id, score, row, others in zip(ids, columns[0], rows, variants, strict=True)
    ]
    schema = FactorSchema(str(header["scorer"]), tuple(map(str, names)), tuple(int(str(role)) for role in roles))
    return FrozenList(
        str(header["attribution"]),
        str(header["policy"]),
        schema,
        int(str(header["position"])),
        int(str(header["total"])),
        places,
    )


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list):
        raise UnreadableListError("not a list")
    return value
