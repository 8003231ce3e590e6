"""Exporting all that is kept of a person, page by page."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from services.common.errors import invalid
from services.feedback.catalogs import catalog_named
from services.feedback.persons import Person, PersonHasher

_TOKEN: Final = re.compile(r"([a-z_]{1,32})\.([0-9a-f.-]{0,64})")


class Kind(StrEnum):
    """What a line tells of, in the order of an export."""

    VISITOR = "visitor"
    EVENT = "event"
    IMPRESSION = "impression"
    TRAINING_EXAMPLE = "training_example"


class Place(NamedTuple):
    """A place in an export."""

    kind: Kind
    after: str
    """Key of the line before; empty = the first line of its kind."""


class Line(NamedTuple):
    """An object in JSON, in one line."""

    place: Place
    json: str


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Whole lines."""

    json_lines: bytes
    next_page_token: str
    """Empty = this is the last page."""


class ExportStore(Protocol):
    """What is kept of persons."""

    def lines(self, catalog: str, person: Person, after: Place) -> AsyncIterator[Line]:
        """Everything after a place, read as it is asked for.

        Raises:
            Unavailable: the store is away.
        """
        ...


class Exports:
    """Exports of persons of all catalogues."""

    def __init__(self, store: ExportStore, hasher: PersonHasher, max_bytes: int) -> None:
        self._store = store
        self._hasher = hasher
        self._max_bytes = max_bytes

    async def page(self, catalog: str, visitor_id: str, user_id: str, page_token: str) -> ExportPage:
        """The page that a token names; a line that is longer than a page is one.

        Raises:
            InvalidArgument: names the field.
            Unavailable: the store is away.
        """
        catalog, place = catalog_named(catalog), place_at(page_token)
        person = self._hasher.person(catalog, visitor_id, user_id)
        lines: list[bytes] = []
        size = 0
        async for line in self._store.lines(catalog, person, place):
            data = line.json.encode() + b"\n"
            if lines and size + len(data) > self._max_bytes:
                return ExportPage(b"".join(lines), f"{place.kind}.{place.after}")
            lines.append(data)
            size += len(data)
            place = line.place
        return ExportPage(b"".join(lines), "")


def place_at(page_token: str) -> Place:
    """The place that a token names; empty = the beginning.

    Raises:
        InvalidArgument: the text is no token.
    """
    if not page_token:
        return Place(Kind.VISITOR, "")
    match = _TOKEN.fullmatch(page_token)
    if match is None or match[1] not in set(Kind):
        raise invalid("page_token", "must be the next_page_token of an earlier reply, or empty", "MALFORMED")
    return Place(Kind(match[1]), match[2])
