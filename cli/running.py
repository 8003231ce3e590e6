"""How a command ends: with its own status, or with one clear message and status 1. Never with a traceback."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import typer

from cli.output import note
from services.common.errors import FailedPrecondition, InvalidArgument, ServiceError
from services.common.settings import SettingsError

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
_OUR_METADATA: Final = ("target", "trace_id")


class CommandFailed(Exception):
    """The command cannot do its work; the message is for the person at the terminal.

    Attributes:
        status: exit status, 1 for work that failed, 2 for a command that was called wrongly.
    """

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def run(work: Callable[[], Coroutine[Any, Any, int]]) -> None:
    """Runs a command to its end and exits with its status."""
    try:
        status = asyncio.run(work())
    except CommandFailed as exc:
        note(str(exc), "red")
        status = exc.status
    except ServiceError as exc:
        note(describe(exc), "red")
        status = FAILED
    except SettingsError as exc:
        note(str(exc), "red")
        status = FAILED
    except KeyboardInterrupt:
        status = INTERRUPTED
    raise typer.Exit(status)


def describe(error: ServiceError) -> str:
    """A refused call in words: reason, message, one line per field at fault, and when to try again."""
    if is_unreachable(error):
        return (
            f"no gateway answers at {error.metadata['target']}: start one with `zhiyin up`, "
            "or name another one with --gateway or ZHIYIN_GATEWAY"
        )
    name = "".join(f"_{c}" if c.isupper() else c for c in type(error).__name__).lstrip("_").upper()
    head = name if error.reason == name else f"{name} ({error.reason})"
    if isinstance(error, InvalidArgument):
        lines = [head, *(f"  {v.field}: {v.description}" for v in error.violations)]
    else:
        lines = [f"{head}: {error.message}"]
    if isinstance(error, FailedPrecondition):
        # What the state is decides what to do: which models there are, what the limit is.
        lines += [f"  {name}: {value}" for name, value in error.metadata.items() if name not in _OUR_METADATA]
    if error.retry_after is not None:
        lines.append(f"  try again in {error.retry_after:g} s")
    if "trace_id" in error.metadata:
        lines.append(f"  zhiyin trace {error.metadata['trace_id']}")
    return "\n".join(lines)


def is_unreachable(error: ServiceError) -> bool:
    """Whether no gateway answered at all, as opposed to one that said UNAVAILABLE."""
    return error.reason == "GATEWAY_UNAVAILABLE" and "target" in error.metadata
