"""What the front refuses, and with which status: as Qdrant does, in its words where retrieval may meet them."""

import contextlib
import re
from collections.abc import Iterator

import grpc
from google.protobuf.message import Message


class RefusedError(Exception):
    """A request that is answered with a status and not a reply."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        """The message names fields, limits and collections, never a value of a payload."""
        super().__init__(message)
        self.code = code
        self.message = message


def bad_input(what: str) -> RefusedError:
    """The request contradicts the collection or itself."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Wrong input: {what}")


def strict(what: str, remedy: str) -> RefusedError:
    """The strict mode of the collection forbids the request."""
    return RefusedError(grpc.StatusCode.INVALID_ARGUMENT, f"Bad request: {what}. Help: {remedy}")


def no_collection(name: str) -> RefusedError:
    """There is no collection and no alias of that name."""
    return RefusedError(grpc.StatusCode.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")


def not_found(what: str) -> RefusedError:
    """A point that the request names, or a vector of it, is not there."""
    return RefusedError(grpc.StatusCode.NOT_FOUND, f"Not found: {what}")


def not_served(what: str) -> RefusedError:
    """Qdrant can do it, the local front does not: it is not on the list of what retrieval uses."""
    return RefusedError(
        grpc.StatusCode.UNIMPLEMENTED,
        f"{what} is not served by the local engine; a Qdrant server named by ZHIYIN_QDRANT_URL serves it",
    )


def refuse_fields(request: Message, *names: str) -> None:
    """Refuses fields that would otherwise be ignored without a word.

    Raises:
        RefusedError: One of the fields is set.
    """
    present = {field.name for field, _ in request.ListFields()}
    for name in names:
        if name in present:
            raise not_served(f"{request.DESCRIPTOR.name}.{name}")


CALLERS_FAULTS = (
    "Vector dimension error",
    "Not existing vector name",
    "No range index",
    "No appropriate index for faceting",
    "Wrong",
)
# However deep in a list or an object the number is, the engine's text ends with it.
NO_NUMBER = re.compile(r"failed to convert (-?inf|NaN) into payload number type")


@contextlib.contextmanager
def engine_errors() -> Iterator[None]:
    """Translates what the engine raises: bare `Exception`s that only their text tells apart.

    Raises:
        RefusedError: In the place of whatever the engine raised.
    """
    try:
        yield
    except RefusedError:
        raise
    except Exception as exc:
        text = str(exc)
        if NO_NUMBER.search(text):
            raise RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "cannot convert to json number") from exc
        if isinstance(exc, (ValueError, OverflowError)):
            raise bad_input(text) from exc
        if text.startswith("No point with id"):
            raise not_found(text) from exc
        if text.startswith(CALLERS_FAULTS):
            raise bad_input(text) from exc
        raise RefusedError(grpc.StatusCode.INTERNAL, f"Service internal error: {text}") from exc
