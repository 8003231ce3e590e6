"""A ranked list as it was when its first page was made, small enough to travel in a page token.

Any replica can serve the next page, because the token holds all there is: ids, scores, the value of every factor, and
of a recommendation why it is shown and what its impression has to tell.
"""

import array
import base64
import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

_HEADER: Final = struct.Struct("<BI")
_VERSION: Final = 3
"""1 had no other_variant_count, 2 neither reasons nor propensities nor features."""


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
class Reason:
    """Why a product is recommended."""

    code: int
    """As the API numbers it."""
    product_id: str
    """Product that it names; empty = none."""
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """One product in its place."""

    product_id: str
    score: float
    factors: tuple[float, ...]
    """One value per name of the schema; NaN = not known."""
    other_variant_count: int = 0
    """Further variants of the product in the result set, as counted with the first page."""
    propensity: float = 1.0
    """Probability of the product in this place under the policy."""
    reason: Reason | None = None
    """None = not a recommendation, or the ranker was not reached."""
    features: bytes = b""
    """What was used to score it, for its impression; opaque."""


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
    feature_schema: int = 0
    """Schema of the features; 0 = none."""

    def page(self, size: int) -> tuple[Sequence[Place], "FrozenList | None"]:
        """The first `size` places, and what is left; None when nothing is."""
        shown, rest = self.places[:size], self.places[size:]
        if not rest:
            return shown, None
        position = self.first_position + len(shown)
        return shown, replace(self, first_position=position, places=rest)


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
            **_told(frozen),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()
    numbers = array.array("d", [place.score for place in frozen.places])
    numbers.extend(place.propensity for place in frozen.places)
    for column in zip(*(place.factors for place in frozen.places), strict=True):
        numbers.extend(column)
    return zlib.compress(_HEADER.pack(_VERSION, len(header)) + header + numbers.tobytes(), level=1)


def _told(frozen: FrozenList) -> dict[str, object]:
    """Each reason once, and which place has which; features. Nothing for lists that have neither."""
    reasons = list(dict.fromkeys(place.reason for place in frozen.places if place.reason is not None))
    told: dict[str, object] = {}
    if reasons:
        number = {reason: position for position, reason in enumerate(reasons)}
        told["reasons"] = [[reason.code, reason.product_id, reason.text] for reason in reasons]
        told["reason"] = [-1 if place.reason is None else number[place.reason] for place in frozen.places]
    if frozen.feature_schema:
        told["feature_schema"] = frozen.feature_schema
        told["features"] = [base64.b64encode(place.features).decode() for place in frozen.places]
    return told


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
    except (zlib.error, struct.error, ValueError, KeyError, IndexError, TypeError) as exc:
        raise UnreadableListError("not a frozen list") from exc


def _assemble(header: dict[str, object], numbers: "array.array[float]") -> FrozenList:
    ids, names, roles, variants = (_sequence(header[key]) for key in ("ids", "names", "roles", "variants"))
    count = len(ids)
    if len(numbers) != count * (2 + len(names)):
        raise UnreadableListError("columns of unequal length")
    columns = [numbers[start : start + count] for start in range(0, len(numbers), count)] if count else [numbers]
    rows = zip(*columns[2:], strict=True) if names else [()] * count
    propensities = columns[1] if count else numbers
    told = zip(_reasons(header, count), _features(header, count), strict=True)
    places = [
        Place(str(product_id), score, tuple(row), int(str(others)), propensity, reason, features)
        for product_id, score, row, others, propensity, (reason, features) in zip(
            ids, columns[0], rows, variants, propensities, told, strict=True
        )
    ]
    schema = FactorSchema(str(header["scorer"]), tuple(map(str, names)), tuple(int(str(role)) for role in roles))
    return FrozenList(
        str(header["attribution"]),
        str(header["policy"]),
        schema,
        int(str(header["position"])),
        int(str(header["total"])),
        places,
        int(str(header.get("feature_schema", 0))),
    )


def _reasons(header: dict[str, object], count: int) -> list[Reason | None]:
    if "reasons" not in header:
        return [None] * count
    reasons = [
        Reason(int(str(code)), str(product_id), str(text))
        for code, product_id, text in map(_sequence, _sequence(header["reasons"]))
    ]
    numbers = [int(str(number)) for number in _sequence(header["reason"])]
    return [None if number < 0 else reasons[number] for number in numbers]


def _features(header: dict[str, object], count: int) -> list[bytes]:
    if "features" not in header:
        return [b""] * count
    return [base64.b64decode(str(features)) for features in _sequence(header["features"])]


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list):
        raise UnreadableListError("not a list")
    return value
