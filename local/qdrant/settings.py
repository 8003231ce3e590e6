"""Settings of the engine's process."""

from dataclasses import dataclass, field, fields
from typing import Any


def described(default: Any, text: str) -> Any:
    """A setting with its default, and what the command line says of it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """When graphs are built, and what may be spent on it."""

    exact_points: int = described(50_000, "points up to which a collection is searched exactly")
    outdated_share: float = described(
        0.2,
        "share of a larger collection's points outside its graphs, or deleted in them, at which they are built again",
    )
    journal_bytes: int = described(
        256 * 1024 * 1024, "bytes of writes that may come while a copy is built; with more it is tried again later"
    )
    hold_seconds: float = described(
        5.0,
        "how long writes may wait for the copy to be taken, well within the ten seconds that retrieval gives a write; "
        "after that it is tried again later",
    )
    room_factor: float = described(
        2.5, "room on the disk that must be free before a copy is taken, in sizes of the shard; beside spare-bytes"
    )
    spare_bytes: int = described(
        256 * 1024 * 1024, "bytes of the disk that a copy leaves free; where less is left it is tried again later"
    )
    check_seconds: float = described(5.0, "how often collections are looked at")
    pause_seconds: float = described(30.0, "pause after a copy that was given up; doubles each time, to ten minutes")

    def arguments(self) -> list[str]:
        """The settings as `python -m local.qdrant` takes them."""
        return [part for one in fields(self) for part in (option(one.name), str(getattr(self, one.name)))]


def option(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"
