"""Our own form: a `zhiyin.common.v1.UserEvent` in its proto JSON form on each line."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from cli.events.rows import Crossed, derived_id, pseudonym
from cli.problems import FieldError
from zhiyin.common.v1.user_event_pb2 import UserEvent

SOURCE: Final = "zhiyin"
_FIELD: Final = re.compile(r"Failed to parse (\w{1,64}) field: ")
_PATH: Final = re.compile(r" at UserEvent\.([\w.\[\]]{1,64}?)\.?$")
_UNKNOWN: Final = re.compile(r'has no field named "([\w.]{1,64})"')
_TYPE_PREFIX: Final = "USER_EVENT_TYPE_"


def crossed(row: Mapping[str, Any]) -> Crossed:
    """The event; the type may be written without `USER_EVENT_TYPE_`, and an id that lacks is made of the content.

    Raises:
        FieldError: it is none.
    """
    given = dict(row)
    kind = given.get("type")
    if isinstance(kind, str) and not kind.startswith(_TYPE_PREFIX):
        given["type"] = _TYPE_PREFIX + kind.upper().replace("-", "_")
    try:
        event = ParseDict(json.loads(json.dumps(given, default=float)), UserEvent())
    except (ParseError, ValueError, TypeError, RecursionError) as exc:
        raise _problem(str(exc)) from None
    for name in ("visitor_id", "user_id"):
        pseudonym(name, getattr(event, name))
    if not event.event_id:
        event.event_id = derived_id(SOURCE, row)
    return Crossed([event])


def _problem(message: str) -> FieldError:
    """Says which field, never the value, which the parser's message holds."""
    if found := _UNKNOWN.search(message):
        return FieldError(found[1], "is no field of UserEvent", "UNKNOWN")
    if found := _PATH.search(message):
        field = found[1]
    else:
        # The names stand before everything else; a value that reads like them stands behind.
        names, place = list[str](), 0
        while found := _FIELD.match(message, place):
            names.append(found[1])
            place = found.end()
        field = ".".join(names)
    return FieldError(field, "does not fit zhiyin.common.v1.UserEvent", "INVALID_FORMAT")
